//! The columns of `saga` that every move changes.

use crate::row::version_value;
use baton_engine::store::StateCode;
use baton_sql::value::Value;
use saga_core::saga::{Direction, Resume, Saga, State, Wait};

const ACTION: u8 = 0;
const UNDO: u8 = 1;
const WAITS_FOR_NOTHING: u8 = 0;
const WAITS_FOR_REPLY: u8 = 1;
const WAITS_FOR_BACKOFF: u8 = 2;

/// The columns that every move changes. Sagas that move to the same ones share one UPDATE, so that nothing is in here that
/// a saga keeps from its start: the saga's own deadline would part those that did not start together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moving {
    pub(super) version: i64,
    pub(super) state: StateCode,
    pub(super) step: u8,
    pub(super) direction: u8,
    pub(super) attempt: u32,
    pub(super) attempt_last: u32,
    pub(super) wait_kind: u8,
    pub(super) wake_at: Option<i64>,
    pub(super) updated_at: i64,
}

/// The columns of [`Moving::values`].
pub const MOVING_COLUMNS: [&str; 9] =
    ["version", "state", "step", "direction", "attempt", "attempt_last", "wait_kind", "wake_at", "updated_at"];

impl Moving {
    /// Where `saga` stands. A state that lacks a column stores 0 in it.
    #[must_use]
    pub fn of(saga: &Saga) -> Self {
        let (wait_kind, attempt_last) = match &saga.state {
            State::Running { wait, .. } | State::Compensating { wait, .. } => match wait {
                Wait::Reply { last, .. } => (WAITS_FOR_REPLY, *last),
                Wait::Backoff { last, .. } => (WAITS_FOR_BACKOFF, *last),
            },
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => {
                (WAITS_FOR_NOTHING, 0)
            }
        };
        let (step, direction, attempt) = match &saga.state {
            State::Running { step, wait } => (*step, ACTION, wait.attempt()),
            State::Compensating { step, wait, .. } => (*step, UNDO, wait.attempt()),
            State::Stuck { step, direction, attempt, .. } => (*step, direction_code(*direction), *attempt),
            State::Paused { resume: Resume::Run { step, attempt } } => (*step, ACTION, *attempt),
            State::Paused { resume: Resume::Unwind { step, attempt, .. } } => (*step, UNDO, *attempt),
            State::Completed => (0, ACTION, 0),
            State::Compensated { .. } => (0, UNDO, 0),
        };
        Self {
            version: version_value(saga.version),
            state: StateCode::of(&saga.state),
            step,
            direction,
            attempt,
            attempt_last,
            wait_kind,
            wake_at: saga.wake_at().map(|at| at.0),
            updated_at: saga.updated_at.0,
        }
    }

    /// As stored, in the order of [`MOVING_COLUMNS`].
    #[must_use]
    pub fn values(&self) -> [Value; 9] {
        [
            self.version.into(),
            (self.state as u8).into(),
            self.step.into(),
            self.direction.into(),
            self.attempt.into(),
            self.attempt_last.into(),
            self.wait_kind.into(),
            self.wake_at.into(),
            self.updated_at.into(),
        ]
    }
}

fn direction_code(direction: Direction) -> u8 {
    match direction {
        Direction::Action => ACTION,
        Direction::Undo => UNDO,
    }
}

#[cfg(test)]
mod tests {
    use crate::conformance::sample;
    use baton_engine::store::StateCode;
    use baton_query::filter::StateKind;

    /// The filter language writes conditions over a column that the store writes.
    #[test]
    fn filters_and_rows_mean_the_same_codes() {
        for (name, state) in sample::every_state() {
            assert_eq!(StateKind::of(&state).code(), StateCode::of(&state) as i64, "{name}");
        }
    }
}
