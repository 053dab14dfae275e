//! Where a saga stands, with the names its definition gives: one half of a step.

use saga_core::definition::Definition;
use saga_core::saga::{Direction, Resume, Saga, State, StepIndex};
use std::fmt;

/// One half of a step, named. Displayed as `hotel.book` or `the undo of hotel.book`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepPosition {
    /// Position of the step in the definition.
    pub position: StepIndex,
    /// Name of the step, or its position as a number if the definition has no such step.
    pub step: String,
    /// Action or undo.
    pub direction: Direction,
    /// Who is asked; empty if the definition has no such half.
    pub participant: String,
    /// What is asked; empty if the definition has no such half.
    pub command: String,
}

impl StepPosition {
    /// The half of the step at `position`.
    #[must_use]
    pub fn new(definition: &Definition, position: StepIndex, direction: Direction) -> Self {
        let step = definition.step(position);
        let command = step.and_then(|step| match direction {
            Direction::Action => step.action.clone(),
            Direction::Undo => step.undo.clone(),
        });
        Self {
            position,
            step: step.map_or_else(|| position.to_string(), |step| step.name.clone()),
            direction,
            participant: step.filter(|_| command.is_some()).map(|step| step.participant.clone()).unwrap_or_default(),
            command: command.unwrap_or_default(),
        }
    }

    /// The half that `saga` is at and the newest attempt at it, 0 if none was sent; `None` once it has ended.
    #[must_use]
    pub fn of(definition: &Definition, saga: &Saga) -> Option<(Self, u32)> {
        let (position, direction, attempt) = position(&saga.state)?;
        Some((Self::new(definition, position, direction), attempt))
    }
}

impl fmt::Display for StepPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Action => f.write_str(&self.step),
            Direction::Undo => write!(f, "the undo of {}", self.step),
        }
    }
}

/// The step, the half of it and the newest attempt that a state is about; `None` at an end.
#[must_use]
pub fn position(state: &State) -> Option<(StepIndex, Direction, u32)> {
    match state {
        State::Running { step, wait } => Some((*step, Direction::Action, wait.attempt())),
        State::Compensating { step, wait, cause: _ } => Some((*step, Direction::Undo, wait.attempt())),
        State::Stuck { step, direction, attempt, why: _, unwinding: _ } => Some((*step, *direction, *attempt)),
        State::Paused { resume: Resume::Run { step, attempt } } => Some((*step, Direction::Action, *attempt)),
        State::Paused { resume: Resume::Unwind { step, attempt, cause: _ } } => {
            Some((*step, Direction::Undo, *attempt))
        }
        State::Completed | State::Compensated { cause: _ } => None,
    }
}
