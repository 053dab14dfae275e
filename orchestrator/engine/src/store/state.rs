//! The state of a saga as it is stored, counted and listed.

use saga_core::saga::{Cause, Resume, State};

/// The state as stored in `saga.state` and shown in lists. Codes never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StateCode {
    /// Running.
    Running = 1,
    /// Compensating.
    Compensating = 2,
    /// Stuck.
    Stuck = 3,
    /// Paused.
    Paused = 4,
    /// Completed.
    Completed = 5,
    /// Compensated.
    Compensated = 6,
}

impl StateCode {
    /// The code of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state {
            State::Running { .. } => Self::Running,
            State::Compensating { .. } => Self::Compensating,
            State::Stuck { .. } => Self::Stuck,
            State::Paused { .. } => Self::Paused,
            State::Completed => Self::Completed,
            State::Compensated { .. } => Self::Compensated,
        }
    }

    /// The state of a stored code, if it is one.
    #[must_use]
    pub fn from_stored(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::Running,
            2 => Self::Compensating,
            3 => Self::Stuck,
            4 => Self::Paused,
            5 => Self::Completed,
            6 => Self::Compensated,
            _ => return None,
        })
    }
}

/// Why a saga unwinds or unwound, and why it is stuck.
#[must_use]
pub fn causes(state: &State) -> (Option<&Cause>, Option<&Cause>) {
    match state {
        State::Running { .. } | State::Completed | State::Paused { resume: Resume::Run { .. } } => (None, None),
        State::Compensating { cause, .. }
        | State::Compensated { cause }
        | State::Paused { resume: Resume::Unwind { cause, .. } } => (Some(cause), None),
        State::Stuck { why, unwinding, .. } => (unwinding.as_ref(), Some(why)),
    }
}
