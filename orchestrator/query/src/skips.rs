//! Which steps and undos of a saga operators skipped: it goes on without their effects, so that an end of it is not what its state
//! alone says.

use crate::step_position::StepPosition;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, Verb};
use saga_core::replay::{self, ReplayError};
use saga_core::saga::{Direction, Saga};
use std::fmt;

/// One half of a step that an operator skipped. Displayed as `hotel.book` or `the undo of hotel.book`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkippedHalf {
    /// Name of the step.
    pub step: String,
    /// Action or undo.
    pub direction: Direction,
}

impl fmt::Display for SkippedHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Action => f.write_str(&self.step),
            Direction::Undo => write!(f, "the undo of {}", self.step),
        }
    }
}

/// What is skipped of a saga that `event` moved on from `before`; `known` is what was skipped of it until then. At most two for
/// each step, in the order in which they were skipped.
#[must_use]
pub fn skipped(known: &[SkippedHalf], definition: &Definition, before: &Saga, event: &Event) -> Vec<SkippedHalf> {
    let mut skipped = known.to_vec();
    if let Event::Action(action) = event
        && action.verb == Verb::Skip
        && let Some((half, _)) = StepPosition::of(definition, before)
    {
        skipped.push(SkippedHalf { step: half.step, direction: half.direction });
    }
    skipped
}

/// What is skipped of the saga whose journal `entries` is.
///
/// # Errors
/// [`ReplayError`] names the first entry that cannot be.
pub fn of_journal(definition: &Definition, entries: &[Entry]) -> Result<Vec<SkippedHalf>, ReplayError> {
    let Some((first, rest)) = entries.split_first() else { return Err(ReplayError::Empty) };
    let (mut saga, mut known) = (replay::begin(definition, first)?, Vec::new());
    for entry in rest {
        let next = replay::follow(definition, &saga, entry)?;
        if let JournalRecord::Moved(event) = &entry.record {
            known = skipped(&known, definition, &saga, event);
        }
        saga = next;
    }
    Ok(known)
}
