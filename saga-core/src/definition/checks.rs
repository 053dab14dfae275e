//! The rules a list of steps must keep to be a definition.

use super::{Kind, MAX_DEADLINE, MAX_NAME_BYTES, MAX_PARTICIPANT_BYTES, MAX_STEPS, Step};
use crate::retry::{MAX_PAUSE, MIN_PAUSE};
use crate::saga::DefinitionId;
use std::time::Duration;

/// Why a list of steps is not a definition. Found when the program starts or loads it, never while a saga runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DefinitionError {
    /// Versions count from 1.
    #[error("versions count from 1")]
    VersionZero,
    /// A name is empty, longer than [`MAX_NAME_BYTES`], does not begin with a lower-case letter, or holds anything
    /// but lower-case letters, digits, `.`, `_` and `-`.
    #[error("{0:?} is no name: lower-case letters, digits, '.', '_', '-', beginning with a letter, at most 64")]
    BadName(String),
    /// A participant's name is empty, longer than [`MAX_PARTICIPANT_BYTES`], or holds anything but lower-case letters,
    /// digits and `-`: no queue would take it.
    #[error("{0:?} names no participant: lower-case letters, digits and '-', at least 1 and at most 32")]
    BadParticipant(String),
    /// There is nothing to do: no step has an action.
    #[error("no step has an action")]
    NoAction,
    /// More than [`MAX_STEPS`] steps.
    #[error("{0} steps are too many: at most 64")]
    TooManySteps(usize),
    /// Two steps have the same name.
    #[error("two steps are called {0:?}")]
    DuplicateName(String),
    /// A compensatable step or another pivot at or after the pivot, or a retriable step with no pivot before it.
    #[error("step {0:?} is in the wrong place: compensatable steps, then at most one pivot, then retriable steps")]
    WrongOrder(String),
    /// What happened before the saga must come before what the saga does, or a failure in between would not undo it.
    #[error("step {0:?} has no action and must come before every step that has one")]
    HappenedTooLate(String),
    /// A compensatable step without an action needs an undo, or it would be nothing at all.
    #[error("step {0:?} has neither action nor undo")]
    NothingToDo(String),
    /// A pivot or a retriable step needs an action.
    #[error("step {0:?} has no action; only a compensatable step may lack one")]
    ActionMissing(String),
    /// A compensatable step needs an undo of its own or an earlier step that covers it.
    #[error("step {0:?} is compensatable but has no undo and names no step that covers it")]
    UndoMissing(String),
    /// A retriable step is never undone.
    #[error("step {0:?} is retriable and cannot have an undo")]
    UndoUnwanted(String),
    /// Only a compensatable step without an undo of its own can be covered.
    #[error("step {0:?} cannot be covered by another")]
    CoverUnwanted(String),
    /// The covering step is no earlier step with an undo of its own.
    #[error("step {step:?} is covered by {by:?}, which is no earlier step with an undo")]
    CoverMissing {
        /// The covered step.
        step: String,
        /// The step it names.
        by: String,
    },
    /// A timeout is outside 1 ms to a day.
    #[error("step {0:?} has a timeout outside 1 ms to a day")]
    BadTimeout(String),
    /// The saga's deadline is outside 1 ms to 366 days.
    #[error("the saga's deadline is outside 1 ms to 366 days")]
    BadDeadline,
}

pub(super) fn check(id: &DefinitionId, steps: &[Step], deadline: Option<Duration>) -> Result<(), DefinitionError> {
    name(&id.name)?;
    if id.version == 0 {
        return Err(DefinitionError::VersionZero);
    }
    if deadline.is_some_and(|deadline| !(MIN_PAUSE..=MAX_DEADLINE).contains(&deadline)) {
        return Err(DefinitionError::BadDeadline);
    }
    if steps.len() > MAX_STEPS {
        return Err(DefinitionError::TooManySteps(steps.len()));
    }
    for (position, step) in steps.iter().enumerate() {
        let earlier = &steps[..position];
        names(step, earlier)?;
        order(step, earlier)?;
        halves(step, earlier)?;
        if [step.timeout, step.undo_timeout].iter().any(|timeout| !(MIN_PAUSE..=MAX_PAUSE).contains(timeout)) {
            return Err(DefinitionError::BadTimeout(step.name.clone()));
        }
    }
    if steps.iter().all(|step| step.action.is_none()) {
        return Err(DefinitionError::NoAction);
    }
    Ok(())
}

fn names(step: &Step, earlier: &[Step]) -> Result<(), DefinitionError> {
    name(&step.name)?;
    participant(&step.participant)?;
    for command in step.action.iter().chain(&step.undo) {
        name(command)?;
    }
    if earlier.iter().any(|other| other.name == step.name) {
        return Err(DefinitionError::DuplicateName(step.name.clone()));
    }
    Ok(())
}

fn name(name: &str) -> Result<(), DefinitionError> {
    let begins_well = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let goes_on_well =
        name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    if begins_well && goes_on_well && name.len() <= MAX_NAME_BYTES {
        Ok(())
    } else {
        // Whatever was loaded must not flood a log.
        Err(DefinitionError::BadName(name.chars().take(MAX_NAME_BYTES).collect()))
    }
}

/// The rule of the queues, which a message would meet only after its saga was committed.
fn participant(name: &str) -> Result<(), DefinitionError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=MAX_PARTICIPANT_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(DefinitionError::BadParticipant(name.chars().take(MAX_NAME_BYTES).collect()))
    }
}

fn order(step: &Step, earlier: &[Step]) -> Result<(), DefinitionError> {
    let after_pivot = earlier.iter().any(|other| other.kind == Kind::Pivot);
    let in_place = match step.kind {
        // A retriable step without a pivot before it has been refused by now: what is not after the pivot is before it.
        Kind::Compensatable | Kind::Pivot => !after_pivot,
        Kind::Retriable => after_pivot,
    };
    if !in_place {
        return Err(DefinitionError::WrongOrder(step.name.clone()));
    }
    if step.action.is_none() && earlier.iter().any(|other| other.action.is_some()) {
        return Err(DefinitionError::HappenedTooLate(step.name.clone()));
    }
    Ok(())
}

fn halves(step: &Step, earlier: &[Step]) -> Result<(), DefinitionError> {
    let name = || step.name.clone();
    match (step.kind, &step.action, &step.undo, &step.covered_by) {
        (Kind::Compensatable, None, None, _) => Err(DefinitionError::NothingToDo(name())),
        (Kind::Pivot | Kind::Retriable, None, _, _) => Err(DefinitionError::ActionMissing(name())),
        (Kind::Compensatable, Some(_), None, None) => Err(DefinitionError::UndoMissing(name())),
        (Kind::Retriable, Some(_), Some(_), _) => Err(DefinitionError::UndoUnwanted(name())),
        (Kind::Compensatable, _, Some(_), Some(_))
        | (Kind::Pivot, Some(_), _, Some(_))
        | (Kind::Retriable, Some(_), None, Some(_)) => Err(DefinitionError::CoverUnwanted(name())),
        (Kind::Compensatable, Some(_), None, Some(by)) => {
            if earlier.iter().any(|other| other.name == *by && other.undo.is_some()) {
                Ok(())
            } else {
                Err(DefinitionError::CoverMissing { step: name(), by: by.clone() })
            }
        }
        (Kind::Compensatable, _, Some(_), None)
        | (Kind::Pivot, Some(_), _, None)
        | (Kind::Retriable, Some(_), None, None) => Ok(()),
    }
}
