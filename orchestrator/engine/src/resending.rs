//! When a saga under way is to be looked at again, and what is due then: its deadline, or the time to send its command again.
//!
//! A courier may lose what it carries. A saga that waits for an answer is therefore looked at after [`FIRST_LOOK`], and again
//! after as long as it has waited, so that the pauses double, up to [`MAX_PAUSE`]. Sending again is no attempt: the saga stays as
//! it is, and the ledger of whoever has done it already answers.

use crate::store::Record;
use saga_core::saga::{Saga, State, Wait};
use saga_core::time::Micros;
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

/// The courier to whoever is to answer, as this process sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Courier {
    /// It carries nothing now: nothing is sent, and no attempt's clock runs out.
    pub away: bool,
    /// Since when it carries again, if it was away.
    pub back: Option<Micros>,
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

/// What is due of a saga now.
#[must_use]
pub fn due(saga: &Saga, now: Micros, courier: Courier) -> Due {
    match (wait_of(saga), gives_up_at(saga, courier)) {
        (Some(Wait::Reply { .. }), _) if courier.away => Due::Nothing,
        (Some(_), Some(until)) if until <= now => Due::Wake,
        (Some(Wait::Reply { .. }), _) if saga.updated_at.plus(FIRST_LOOK) <= now => Due::SendAgain,
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
        Some(Wait::Reply { .. }) => {
            let waited = now.since(saga.updated_at);
            let next =
                if waited < FIRST_LOOK { saga.updated_at.plus(FIRST_LOOK) } else { now.plus(waited.min(MAX_PAUSE)) };
            next.min(until)
        }
        Some(Wait::Backoff { .. }) | None => until,
    }
}
