//! Compensating: undoing a step; everything above it is undone.

use super::moves::{Context, Decision, NoMove, answer, cause, quiet, stuck_in_undo, timed_out};
use crate::event::{OperatorAction, Outcome, Reply, Verb};
use crate::saga::{Cause, Direction, Resume, State, StepIndex, Wait};
use crate::transition::{Ignored, Refused};

pub(super) fn reply(at: &Context<'_>, step: StepIndex, wait: Wait, why: &Cause, reply: &Reply) -> Decision {
    let newest = wait.attempt();
    match (answer(reply, step, Direction::Undo, newest)?, wait) {
        (Outcome::Succeeded { .. }, Wait::Reply { .. } | Wait::Backoff { .. }) => {
            Ok(at.unwind_below(step, why.clone()))
        }
        // An undo may not refuse. If one does, only a person can tell what is left.
        (Outcome::Rejected { reason, message }, Wait::Reply { .. } | Wait::Backoff { .. }) => {
            Ok(stuck_in_undo(step, newest, cause(step, reason, message), why.clone()))
        }
        (Outcome::Unavailable { reason, message }, Wait::Reply { attempt, last, .. }) if reply.attempt == attempt => {
            Ok(at.undo_lost(step, attempt, last, cause(step, reason, message), why.clone()))
        }
        (Outcome::Unavailable { .. }, Wait::Reply { .. } | Wait::Backoff { .. }) => {
            Err(NoMove::Ignored(Ignored::OtherAttempt))
        }
    }
}

pub(super) fn wake(at: &Context<'_>, step: StepIndex, wait: Wait, why: &Cause) -> Decision {
    match wait {
        Wait::Reply { .. } | Wait::Backoff { .. } if !at.saga.is_due(at.now) => Err(NoMove::Ignored(Ignored::NotDue)),
        Wait::Reply { attempt, last, .. } => {
            Ok(at.undo_lost(step, attempt, last, timed_out(step, attempt), why.clone()))
        }
        Wait::Backoff { attempt, last, .. } => Ok(at.undo(step, attempt.saturating_add(1), last, why.clone())),
    }
}

pub(super) fn action(at: &Context<'_>, step: StepIndex, wait: Wait, why: &Cause, action: &OperatorAction) -> Decision {
    match action.verb {
        Verb::Cancel => Err(NoMove::Refused(Refused::Unwinding)),
        Verb::Retry => match wait {
            Wait::Reply { .. } => Err(NoMove::Refused(Refused::InFlight)),
            Wait::Backoff { attempt, .. } => Ok(at.undo_anew(step, attempt, why.clone())),
        },
        Verb::Pause => {
            let resume = Resume::Unwind { step, attempt: wait.attempt(), cause: why.clone() };
            Ok(quiet(State::Paused { resume }))
        }
        Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone => Err(NoMove::Refused(Refused::NotStuck)),
        Verb::Resume => Err(NoMove::Refused(Refused::NotPaused)),
    }
}
