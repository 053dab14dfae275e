//! What a saga does as soon as it stands somewhere.

use super::walk::End;
use crate::escape;
use crate::step_position::StepPosition;
use saga_core::definition::Definition;
use saga_core::saga::{Direction, Resume, Saga, State, Wait};
use saga_core::time::Micros;

/// The next thing that happens, read off the state that a move led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It sends a command and waits for the answer.
    Sends {
        /// What is asked.
        half: StepPosition,
        /// The attempt.
        attempt: u32,
        /// The last attempt its budget allows.
        last: u32,
        /// When it counts as unanswered.
        until: Micros,
    },
    /// It pauses before the next attempt.
    BacksOff {
        /// What is asked again.
        half: StepPosition,
        /// The attempt that brought no answer.
        attempt: u32,
        /// The last attempt its budget allows.
        last: u32,
        /// When the next is sent.
        until: Micros,
    },
    /// It halts until it is resumed.
    Halts {
        /// What it will send then.
        half: StepPosition,
    },
    /// It is parked until an operator acts or a late answer comes.
    Parks {
        /// What it is stuck at.
        half: StepPosition,
        /// Stable reason.
        reason: String,
    },
    /// It has ended.
    Ends(End),
}

impl Next {
    /// What `saga` does where it stands.
    #[must_use]
    pub fn of(definition: &Definition, saga: &Saga) -> Self {
        let half = |position, direction| StepPosition::new(definition, position, direction);
        match &saga.state {
            State::Running { step, wait } => Self::waiting(half(*step, Direction::Action), *wait),
            State::Compensating { step, wait, cause: _ } => Self::waiting(half(*step, Direction::Undo), *wait),
            State::Stuck { step, direction, attempt: _, why, unwinding: _ } => {
                Self::Parks { half: half(*step, *direction), reason: escape::reason(&why.reason) }
            }
            State::Paused { resume: Resume::Run { step, attempt: _ } } => {
                Self::Halts { half: half(*step, Direction::Action) }
            }
            State::Paused { resume: Resume::Unwind { step, attempt: _, cause: _ } } => {
                Self::Halts { half: half(*step, Direction::Undo) }
            }
            State::Completed => Self::Ends(End::Completed),
            State::Compensated { cause: _ } => Self::Ends(End::Compensated),
        }
    }

    fn waiting(half: StepPosition, wait: Wait) -> Self {
        match wait {
            Wait::Reply { attempt, last, until } => Self::Sends { half, attempt, last, until },
            Wait::Backoff { attempt, last, until } => Self::BacksOff { half, attempt, last, until },
        }
    }

    /// The half-step it is about; `None` at an end.
    #[must_use]
    pub fn half(&self) -> Option<&StepPosition> {
        match self {
            Self::Sends { half, .. }
            | Self::BacksOff { half, .. }
            | Self::Halts { half }
            | Self::Parks { half, .. } => Some(half),
            Self::Ends(_) => None,
        }
    }
}
