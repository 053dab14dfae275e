//! What is true of every saga: checked before a value is returned, and by whoever has loaded one before it is moved.

use crate::definition::{Definition, Kind};
use crate::saga::{Cause, Direction, Resume, Saga, State, StepIndex, Wait};

/// A saga that cannot be: a defect in the program, or a damaged or foreign row. Never written, never acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BrokenInvariant {
    /// The saga is pinned to another definition or version.
    #[error("the saga belongs to another definition")]
    OtherDefinition,
    /// Versions count from 1.
    #[error("the version is zero")]
    VersionZero,
    /// The saga's deadline is not the one its definition gives it.
    #[error("the saga's deadline is not its definition's")]
    SagaDeadline,
    /// It stands at a step that its definition lacks, or at a half of a step that does not exist.
    #[error("it stands at a half-step that its definition lacks")]
    NoSuchHalf,
    /// Attempts count from 1 and end with the budget.
    #[error("the attempt lies outside its budget")]
    Attempt,
    /// An active saga's deadline lies before its last move.
    #[error("the deadline lies before the last move")]
    Deadline,
    /// It unwinds although the pivot was passed, or from a step below the one it undoes.
    #[error("it unwinds where it can only go forward")]
    UndoPastPivot,
    /// It is stuck in an action although it could unwind, or the direction and the reason for unwinding disagree.
    #[error("it is stuck where it should have moved on")]
    Stuck,
    /// Outputs are out of order, empty, or of steps that cannot have succeeded.
    #[error("it holds an output of a step that cannot have succeeded")]
    Output,
}

/// Checks what must be true of every saga of `definition`. Cheap: no allocation, one pass over the outputs. Never panics,
/// whatever a damaged row was decoded to; a saga it lets through is one that [`super::apply`] can move without a panic.
///
/// # Errors
/// [`BrokenInvariant`] names the first rule that is broken.
pub fn check(definition: &Definition, saga: &Saga) -> Result<(), BrokenInvariant> {
    require(saga.definition == *definition.id(), BrokenInvariant::OtherDefinition)?;
    require(saga.version >= 1, BrokenInvariant::VersionZero)?;
    let deadline = definition.deadline().map(|deadline| saga.created_at.plus(deadline));
    require(saga.deadline == deadline, BrokenInvariant::SagaDeadline)?;
    let done_below = match &saga.state {
        State::Running { step, wait } => {
            has_action(definition, *step)?;
            waits(saga, *wait)?;
            *step
        }
        State::Compensating { step, wait, cause } => {
            unwinds(definition, *step, cause)?;
            waits(saga, *wait)?;
            cause.step
        }
        State::Stuck { step, direction, attempt, why, unwinding } => {
            require(*attempt >= 1, BrokenInvariant::Attempt)?;
            require(why.step == *step, BrokenInvariant::Stuck)?;
            stuck(definition, *step, *direction, unwinding.as_ref())?
        }
        State::Paused { resume: Resume::Run { step, .. } } => {
            has_action(definition, *step)?;
            *step
        }
        State::Paused { resume: Resume::Unwind { step, cause, .. } } => {
            unwinds(definition, *step, cause)?;
            cause.step
        }
        State::Completed => StepIndex::MAX,
        State::Compensated { cause } => {
            unwound_from(definition, cause)?;
            cause.step
        }
    };
    outputs(definition, saga, done_below)
}

fn has_action(definition: &Definition, step: StepIndex) -> Result<(), BrokenInvariant> {
    require(definition.step(step).is_some_and(|step| step.action.is_some()), BrokenInvariant::NoSuchHalf)
}

fn unwinds(definition: &Definition, step: StepIndex, cause: &Cause) -> Result<(), BrokenInvariant> {
    require(definition.step(step).is_some_and(|step| step.undo.is_some()), BrokenInvariant::NoSuchHalf)?;
    require(step <= cause.step, BrokenInvariant::UndoPastPivot)?;
    unwound_from(definition, cause)
}

/// Only a compensatable step or the pivot can be what a saga unwinds from.
fn unwound_from(definition: &Definition, cause: &Cause) -> Result<(), BrokenInvariant> {
    let kind = definition.step(cause.step).map(|step| step.kind).ok_or(BrokenInvariant::NoSuchHalf)?;
    require(kind != Kind::Retriable, BrokenInvariant::UndoPastPivot)
}

fn waits(saga: &Saga, wait: Wait) -> Result<(), BrokenInvariant> {
    let within = match wait {
        Wait::Reply { attempt, last, .. } => (1..=last).contains(&attempt),
        // There is no point in pausing after the last attempt.
        Wait::Backoff { attempt, last, .. } => (1..last).contains(&attempt),
    };
    require(within, BrokenInvariant::Attempt)?;
    require(wait.until() >= saga.updated_at, BrokenInvariant::Deadline)
}

fn stuck(
    definition: &Definition,
    step: StepIndex,
    direction: Direction,
    unwinding: Option<&Cause>,
) -> Result<StepIndex, BrokenInvariant> {
    match (direction, unwinding) {
        (Direction::Action, None) => {
            has_action(definition, step)?;
            require(!definition.can_unwind_unknown(step), BrokenInvariant::Stuck)?;
            Ok(step)
        }
        (Direction::Undo, Some(cause)) => {
            unwinds(definition, step, cause)?;
            Ok(cause.step)
        }
        (Direction::Action, Some(_)) | (Direction::Undo, None) => Err(BrokenInvariant::Stuck),
    }
}

fn outputs(definition: &Definition, saga: &Saga, done_below: StepIndex) -> Result<(), BrokenInvariant> {
    let mut next = 0;
    for (step, bytes) in &saga.outputs {
        let in_order = *step >= next && *step < done_below;
        require(in_order && !bytes.is_empty() && has_action(definition, *step).is_ok(), BrokenInvariant::Output)?;
        next = *step + 1;
    }
    Ok(())
}

fn require(holds: bool, otherwise: BrokenInvariant) -> Result<(), BrokenInvariant> {
    if holds { Ok(()) } else { Err(otherwise) }
}
