//! When a saga under way is to be looked at again, and what is due then: its deadline, or the time to send its command again.
//!
//! A courier may lose what it carries. A saga that waits for an answer is therefore looked at after [`FIRST_LOOK`], or later if answers take long, and again
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

/// From a look that found the courier away to the next one.
const AWAY_AGAIN: Duration = Duration::from_secs(1);

/// What a saga under way is waiting for.
fn wait_of(saga: &Saga) -> Option<&Wait> {
    match &saga.state {
        State::Running { wait, .. } | State::Compensating { wait, .. } => Some(wait),
        State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
    }
}

/// When a saga that has just moved is to be looked at; `None` if it is not under way.
#[must_use]
pub fn look_at(saga: &Saga, now: Micros, first_look: Duration) -> Option<Micros> {
    wait_of(saga).map(|wait| match wait {
        Wait::Reply { until, .. } => now.plus(first_look).min(*until),
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

/// The courier to whoever is to answer, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Courier {
    /// It carries nothing now: nothing is sent, and no attempt's clock runs out.
    pub away: bool,
    /// Since when it carries again, if it was away.
    pub back: Option<Micros>,
    /// How long an answer is waited for before the command is sent again; see [`crate::pace`].
    pub first_look: Duration,
}

impl Default for Courier {
    fn default() -> Self {
        Self { away: false, back: None, first_look: FIRST_LOOK }
    }
}

/// The moment at which an attempt is given up. The clock of one that waited while the couriers were away begins again when
/// they are back: nobody could answer it.
#[must_use]
pub fn gives_up_at(saga: &Saga, courier: Courier) -> Option<Micros> {
    let wait = wait_of(saga)?;
    let until = wait.until();
    match (wait, courier.back) {
        (Wait::Reply { .. }, Some(back)) if back > saga.updated_at => {
            Some(until.max(back.plus(until.since(saga.updated_at))))
        }
        (Wait::Reply { .. } | Wait::Backoff { .. }, _) => Some(until),
    }
}

/// The command to send again: the one its last move asked for, with the deadline that holds now. Whoever carries it out must
/// not find an attempt's time over that begins again.
#[must_use]
pub fn command_again(saga: &Saga, courier: Courier) -> Option<Command> {
    let command = Command::awaited_by(saga)?;
    let deadline = command.deadline.and_then(|_| gives_up_at(saga, courier));
    Some(Command { deadline, ..command })
}

/// What is due of a saga now.
#[must_use]
pub fn due(saga: &Saga, now: Micros, courier: Courier) -> Due {
    match (wait_of(saga), gives_up_at(saga, courier)) {
        (Some(Wait::Reply { .. }), _) if courier.away => Due::Nothing,
        (Some(_), _) if saga.is_ahead(now) => Due::Wake,
        (Some(_), Some(until)) if until <= now => Due::Wake,
        (Some(Wait::Reply { .. }), _) if saga.updated_at.plus(courier.first_look) <= now => Due::SendAgain,
        _ => Due::Nothing,
    }
}

/// When a saga that has been looked at now is to be looked at again.
#[must_use]
pub fn next_look(record: &Record, now: Micros, courier: Courier) -> Micros {
    let saga = &record.saga;
    let until = gives_up_at(saga, courier).filter(|until| *until > now).unwrap_or_else(|| now.plus(DUE_AGAIN));
    match wait_of(saga) {
        Some(Wait::Reply { .. }) if courier.away => now.plus(AWAY_AGAIN),
        Some(_) if saga.is_ahead(now) => now.plus(DUE_AGAIN),
        Some(Wait::Reply { .. }) => {
            // Nobody could answer before the courier was back: it is waited for from then on.
            let since = courier.back.map_or(saga.updated_at, |back| saga.updated_at.max(back));
            let waited = now.since(since);
            let next = if waited < courier.first_look {
                since.plus(courier.first_look)
            } else {
                now.plus(waited.min(MAX_PAUSE))
            };
            next.min(until)
        }
        Some(Wait::Backoff { .. }) | None => until,
    }
}

#[cfg(test)]
mod tests {
    use super::{Courier, Due, FIRST_LOOK, MAX_PAUSE, due, gives_up_at, look_at, next_look};
    use crate::store::Record;
    use bytes::Bytes;
    use saga_core::saga::{Cause, DefinitionId, Direction, Resume, Saga, SagaId, State, Wait};
    use saga_core::time::Micros;
    use std::time::Duration;

    /// When the saga has moved last.
    const MOVED: Micros = Micros(1_700_000_000_000_000);

    /// So many milliseconds after it.
    fn at(ms: i64) -> Micros {
        Micros(MOVED.0 + ms * 1_000)
    }

    fn record(state: State) -> Record {
        let saga = Saga {
            id: SagaId([1; 16]),
            definition: DefinitionId { name: "sample".to_owned(), version: 1 },
            version: 3,
            state,
            created_at: at(-1_000),
            updated_at: MOVED,
            deadline: None,
            input: Bytes::new(),
            outputs: Vec::new(),
        };
        Record {
            saga,
            business_key: String::new(),
            traceparent: String::new(),
            last_failure: None,
            skipped: Vec::new(),
        }
    }

    fn cause() -> Cause {
        Cause { step: 1, reason: "NO".to_owned(), message: String::new() }
    }

    fn reply(ms: i64) -> Wait {
        Wait::Reply { attempt: 1, last: 5, until: at(ms) }
    }

    fn back(back: Option<Micros>) -> Courier {
        Courier { back, ..Courier::default() }
    }

    fn backoff(ms: i64) -> Wait {
        Wait::Backoff { attempt: 1, last: 5, until: at(ms) }
    }

    /// Both directions: what is waited for is what counts.
    fn waiting(wait: Wait) -> [Record; 2] {
        [State::Running { step: 1, wait }, State::Compensating { step: 1, wait, cause: cause() }].map(record)
    }

    fn at_rest() -> [Record; 4] {
        [
            State::Stuck { step: 1, direction: Direction::Undo, attempt: 9, why: cause(), unwinding: Some(cause()) },
            State::Paused { resume: Resume::Run { step: 1, attempt: 0 } },
            State::Completed,
            State::Compensated { cause: cause() },
        ]
        .map(record)
    }

    /// When commands are sent again and when the attempt ends, in milliseconds, if a saga is looked at whenever it is to be.
    fn course(record: &Record, courier: Courier) -> (Vec<i64>, i64) {
        let mut sent = Vec::new();
        let mut now = look_at(&record.saga, MOVED, FIRST_LOOK).expect("it is under way");
        loop {
            let ms = (now.0 - MOVED.0) / 1_000;
            match due(&record.saga, now, courier) {
                Due::Wake => return (sent, ms),
                Due::SendAgain => sent.push(ms),
                Due::Nothing => {}
            }
            let next = next_look(record, now, courier);
            assert!(next > now, "a look puts off");
            now = next;
        }
    }

    #[test]
    fn a_command_is_sent_again_in_pauses_that_double() {
        for record in waiting(reply(21_000)) {
            assert_eq!(course(&record, back(None)), (vec![500, 1_000, 2_000, 4_000, 8_000, 13_000, 18_000], 21_000));
        }
        for record in waiting(reply(300)) {
            assert_eq!(course(&record, back(None)), (vec![], 300), "a short attempt ends before");
        }
        assert_eq!((FIRST_LOOK.as_millis(), MAX_PAUSE.as_millis()), (500, 5_000));
    }

    #[test]
    fn a_back_off_sends_nothing_before_it_is_over() {
        for record in waiting(backoff(21_000)) {
            assert_eq!(course(&record, back(None)), (vec![], 21_000));
            assert_eq!(course(&record, back(Some(at(7_000)))), (vec![], 21_000), "nobody was asked meanwhile");
        }
    }

    #[test]
    fn at_rest_nothing_is_ever_due() {
        for record in at_rest() {
            assert_eq!((look_at(&record.saga, MOVED, FIRST_LOOK), gives_up_at(&record.saga, back(None))), (None, None));
            assert_eq!(due(&record.saga, at(1_000_000), back(Some(at(1)))), Due::Nothing);
        }
    }

    #[test]
    fn a_whole_timeout_is_granted_once_the_couriers_are_back() {
        for record in waiting(reply(5_000)) {
            let saga = &record.saga;
            let back = back(Some(at(60_000)));
            assert_eq!(gives_up_at(saga, back), Some(at(65_000)));
            assert_eq!(due(saga, at(60_000), back), Due::SendAgain, "at once, although its deadline has passed");
            assert_eq!(due(saga, at(64_999), back), Due::SendAgain);
            assert_eq!(due(saga, at(65_000), back), Due::Wake);
            assert_eq!(next_look(&record, at(60_000), back), at(60_500), "and is waited for from then on");
        }
    }

    #[test]
    fn what_was_sent_after_they_were_back_gets_no_more_than_its_timeout() {
        for record in waiting(reply(5_000)) {
            for back in [None, Some(at(-1)), Some(MOVED)] {
                assert_eq!(gives_up_at(&record.saga, self::back(back)), Some(at(5_000)), "{back:?}");
            }
        }
    }

    #[test]
    fn a_saga_that_has_moved_since_its_look_was_planned_waits_its_half_second() {
        for record in waiting(reply(5_000)) {
            assert_eq!(due(&record.saga, at(499), back(None)), Due::Nothing);
            assert_eq!(next_look(&record, at(100), back(None)), at(500));
            // A clock that was set back.
            assert_eq!(next_look(&record, at(-700), back(None)), at(500));
        }
    }

    #[test]
    fn what_waits_by_a_clock_that_was_set_back_is_due() {
        const HOUR_MS: i64 = 3_600_000;
        for record in waiting(reply(5_000)).into_iter().chain(waiting(backoff(5_000))) {
            let now = at(-HOUR_MS);
            assert_eq!(due(&record.saga, now, back(None)), Due::Wake);
            assert_eq!(next_look(&record, now, back(None)), at(1_000 - HOUR_MS), "should it not have been woken");
        }
    }

    #[test]
    fn a_deadline_that_nobody_has_acted_upon_is_found_again_soon() {
        for record in waiting(reply(5_000)).into_iter().chain(waiting(backoff(5_000))) {
            let again = next_look(&record, at(9_000), back(None));
            assert!(again > at(9_000) && again <= at(9_000).plus(Duration::from_secs(1)), "{again:?}");
        }
    }
}
