//! Why the newest settled attempt at the half-step that a saga is at came to nothing: what a list shows of a saga that
//! tries again.

use crate::step_position::position;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, Outcome};
use saga_core::machine::timed_out;
use saga_core::replay::{self, ReplayError};
use saga_core::saga::{Cause, Saga, State, Wait};

/// The last failure of a saga that `event` moved from `before` to `after`; `known` is the one it had before.
///
/// It lasts until the saga leaves the half-step, also while the next attempt is under way, so that a saga that has been
/// trying for an hour says why. An end has none, and neither has a stuck saga, whose state says why. (Temporal shows the
/// like as the last failure of a pending activity.)
#[must_use]
pub fn last_failure(known: Option<&Cause>, before: &Saga, event: &Event, after: &Saga) -> Option<Cause> {
    let (step, direction, attempt) = position(&after.state)?;
    let stayed = position(&before.state).is_some_and(|(was, way, _)| (was, way) == (step, direction));
    if !stayed || matches!(after.state, State::Stuck { .. }) {
        return None;
    }
    match event {
        Event::Reply(reply) => match &reply.outcome {
            Outcome::Unavailable { reason, message } => {
                Some(Cause { step, reason: reason.clone(), message: message.clone() })
            }
            // Either ends the half-step.
            Outcome::Succeeded { .. } | Outcome::Rejected { .. } => None,
        },
        Event::Wake if matches!(wait(&before.state), Some(Wait::Reply { .. })) => Some(timed_out(step, attempt)),
        Event::Action(_) if let State::Stuck { why, .. } = &before.state => Some(why.clone()),
        Event::Wake | Event::Action(_) => known.cloned(),
    }
}

/// The last failure of the saga whose journal `entries` is.
///
/// # Errors
/// [`ReplayError`] names the first entry that cannot be.
pub fn of_journal(definition: &Definition, entries: &[Entry]) -> Result<Option<Cause>, ReplayError> {
    let Some((first, rest)) = entries.split_first() else { return Err(ReplayError::Empty) };
    let (mut saga, mut known) = (replay::begin(definition, first)?, None);
    for entry in rest {
        let next = replay::follow(definition, &saga, entry)?;
        if let JournalRecord::Moved(event) = &entry.record {
            known = last_failure(known.as_ref(), &saga, event, &next);
        }
        saga = next;
    }
    Ok(known)
}

fn wait(state: &State) -> Option<Wait> {
    match state {
        State::Running { wait, .. } | State::Compensating { wait, .. } => Some(*wait),
        State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
    }
}
