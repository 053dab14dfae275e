//! When a saga under way is to be looked at again, and what is due then: its deadline, or the time to send its command again.
//!
//! A courier may lose what it carries. A saga that waits for an answer is therefore looked at after [`FIRST_LOOK`], and again
//! after as long as it has waited, so that the pauses double, up to [`MAX_PAUSE`]. Sending again is no attempt: the saga stays as
//! it is, and the ledger of whoever has done it already answers.

use crate::store::Record;
use saga_core::saga::{Saga, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::Command;
use std::time::Duration;

/// From a command to the first look whether its answer has come.
pub const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Between two looks at the most.
pub const MAX_PAUSE: Duration = Duration::from_secs(5);

/// From a look that found a deadline passed to the next one, should whoever found it die with it.
const DUE_AGAIN: Duration = Duration::from_secs(1);

/// What a saga under way is waiting for.
fn wait_of(saga: &Saga) -> Option<&Wait> {
    match &saga.state {
        State::Running { wait, .. } | State::Compensating { wait, .. } => Some(wait),
        State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
    }
}

/// When a saga that has just moved is to be looked at; `None` if it is not under way.
#[must_use]
pub fn look_at(saga: &Saga, now: Micros) -> Option<Micros> {
    wait_of(saga).map(|wait| match wait {
        Wait::Reply { until, .. } => now.plus(FIRST_LOOK).min(*until),
        Wait::Backoff { until, .. } => *until,
    })
}

/// What a look finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its deadline has passed.
    Wake,
    /// Its command is to be sent once more.
    SendAgain,
    /// It has moved since the look was planned.
    Nothing,
}

/// Since when the couriers of this process carry again, if they were away.
pub type BackSince = Option<Micros>;

/// The moment at which an attempt is given up. The clock of one that waited while the couriers were away begins again when
/// they are back: nobody could answer it.
#[must_use]
pub fn gives_up_at(saga: &Saga, back: BackSince) -> Option<Micros> {
    let wait = wait_of(saga)?;
    let until = wait.until();
    match (wait, back) {
        (Wait::Reply { .. }, Some(back)) if back > saga.updated_at => {
            Some(until.max(back.plus(until.since(saga.updated_at))))
        }
        (Wait::Reply { .. } | Wait::Backoff { .. }, _) => Some(until),
    }
}

/// The command to send again: the one its last move asked for, with the deadline that holds now. Whoever carries it out must
/// not find an attempt's time over that begins again.
#[must_use]
pub fn command_again(saga: &Saga, back: BackSince) -> Option<Command> {
    let command = Command::awaited_by(saga)?;
    let deadline = command.deadline.and_then(|_| gives_up_at(saga, back));
    Some(Command { deadline, ..command })
}

/// What is due of a saga now.
#[must_use]
pub fn due(saga: &Saga, now: Micros, back: BackSince) -> Due {
    match (wait_of(saga), gives_up_at(saga, back)) {
        (Some(_), Some(until)) if until <= now => Due::Wake,
        (Some(Wait::Reply { .. }), _) if saga.updated_at.plus(FIRST_LOOK) <= now => Due::SendAgain,
        _ => Due::Nothing,
    }
}

/// When a saga that has been looked at now is to be looked at again.
#[must_use]
pub fn next_look(record: &Record, now: Micros, back: BackSince) -> Micros {
    let saga = &record.saga;
    let until = gives_up_at(saga, back).filter(|until| *until > now).unwrap_or_else(|| now.plus(DUE_AGAIN));
    match wait_of(saga) {
        Some(Wait::Reply { .. }) => {
            // Nobody could answer before the couriers were back: it is waited for from then on.
            let since = back.map_or(saga.updated_at, |back| saga.updated_at.max(back));
            let waited = now.since(since);
            let next = if waited < FIRST_LOOK { since.plus(FIRST_LOOK) } else { now.plus(waited.min(MAX_PAUSE)) };
            next.min(until)
        }
        Some(Wait::Backoff { .. }) | None => until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use saga_core::saga::{DefinitionId, SagaId};

    /// What it asked for was sent at second 10, with five seconds for an answer.
    fn waiting() -> Record {
        let at = |seconds: i64| Micros(seconds * 1_000_000);
        let saga = Saga {
            id: SagaId([1; 16]),
            definition: DefinitionId { name: "order".into(), version: 1 },
            version: 2,
            state: State::Running { step: 1, wait: Wait::Reply { attempt: 1, last: 1, until: at(15) } },
            created_at: at(1),
            updated_at: at(10),
            deadline: None,
            input: Bytes::new(),
            outputs: Vec::new(),
        };
        Record { saga, business_key: String::new(), traceparent: String::new(), last_failure: None }
    }

    #[test]
    fn the_clock_of_an_attempt_begins_again_with_the_deadline_that_its_command_carries() {
        let saga = waiting().saga;
        let deadline = |back| command_again(&saga, back).and_then(|command| command.deadline);
        assert_eq!(deadline(None), Some(Micros(15_000_000)));
        assert_eq!(deadline(Some(Micros(9_000_000))), Some(Micros(15_000_000)), "away before it was sent");
        assert_eq!(deadline(Some(Micros(60_000_000))), Some(Micros(65_000_000)));
        assert_eq!(due(&saga, Micros(60_000_000), Some(Micros(60_000_000))), Due::SendAgain);
        assert_eq!(due(&saga, Micros(65_000_000), Some(Micros(60_000_000))), Due::Wake);
    }

    #[test]
    fn pauses_double_from_the_moment_at_which_somebody_could_answer() {
        let next = |now, back: Option<i64>| next_look(&waiting(), Micros(now), back.map(Micros)).0;
        assert_eq!(next(10_500_000, None), 11_000_000);
        assert_eq!(next(11_000_000, None), 12_000_000);
        assert_eq!(next(14_000_000, None), 15_000_000, "at its deadline at the latest");
        assert_eq!(next(60_000_000, Some(60_000_000)), 60_500_000);
        assert_eq!(next(60_500_000, Some(60_000_000)), 61_000_000);
    }
}
