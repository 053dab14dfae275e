//! Running: doing a step's action.

use super::moves::{Context, Decision, NoMove, answer, cancelled, cause, quiet, timed_out};
use crate::event::{OperatorAction, Outcome, Reply, Verb};
use crate::saga::{Direction, Resume, State, StepIndex, Wait};
use crate::transition::{Ignored, Refused};

pub(super) fn reply(at: &Context<'_>, step: StepIndex, wait: Wait, reply: &Reply) -> Decision {
    let newest = wait.attempt();
    match (answer(reply, step, Direction::Action, newest)?, wait) {
        // An answer is an answer, from whichever attempt and however late.
        (Outcome::Succeeded { output }, Wait::Reply { .. } | Wait::Backoff { .. }) => Ok(at.done(step, output.clone())),
        (Outcome::Rejected { reason, message }, Wait::Reply { .. } | Wait::Backoff { .. }) => {
            Ok(at.rejected(step, newest, cause(step, reason, message)))
        }
        (Outcome::Unavailable { reason, message }, Wait::Reply { attempt, last, .. }) if reply.attempt == attempt => {
            Ok(at.action_lost(step, attempt, last, cause(step, reason, message)))
        }
        (Outcome::Unavailable { .. }, Wait::Reply { .. } | Wait::Backoff { .. }) => {
            Err(NoMove::Ignored(Ignored::OtherAttempt))
        }
    }
}

pub(super) fn wake(at: &Context<'_>, step: StepIndex, wait: Wait) -> Decision {
    match wait {
        Wait::Reply { .. } | Wait::Backoff { .. } if !at.saga.is_due(at.now) => Err(NoMove::Ignored(Ignored::NotDue)),
        Wait::Reply { attempt, last, .. } => Ok(at.action_lost(step, attempt, last, timed_out(step, attempt))),
        Wait::Backoff { attempt, last, .. } => Ok(at.act(step, attempt.saturating_add(1), last)),
    }
}

pub(super) fn action(at: &Context<'_>, step: StepIndex, wait: Wait, action: &OperatorAction) -> Decision {
    match action.verb {
        // Whatever was sent may have happened, so the saga unwinds from this step.
        Verb::Cancel if at.definition.can_unwind_unknown(step) => Ok(at.unwind_at(step, cancelled(step, action))),
        Verb::Cancel => Err(NoMove::Refused(Refused::PastPivot)),
        Verb::Retry => match wait {
            Wait::Reply { .. } => Err(NoMove::Refused(Refused::InFlight)),
            Wait::Backoff { attempt, .. } => Ok(at.act_anew(step, attempt)),
        },
        Verb::Pause => Ok(quiet(State::Paused { resume: Resume::Run { step, attempt: wait.attempt() } })),
        Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone => Err(NoMove::Refused(Refused::NotStuck)),
        Verb::Resume => Err(NoMove::Refused(Refused::NotPaused)),
    }
}
