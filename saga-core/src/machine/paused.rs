//! Paused: halted by an operator. Answers still count, because what happened has happened; nothing is sent.

use super::moves::{Context, Decision, Next, NoMove, answer, cancelled, cause, quiet, stuck_in_undo};
use crate::event::{OperatorAction, Outcome, Reply, Verb};
use crate::saga::{Direction, Resume, State};
use crate::transition::{Ignored, Refused};

pub(super) fn reply(at: &Context<'_>, resume: &Resume, reply: &Reply) -> Decision {
    match resume {
        Resume::Run { step, attempt } => match answer(reply, *step, Direction::Action, *attempt)? {
            Outcome::Succeeded { output } => Ok(held(at.done(*step, output.clone()))),
            Outcome::Rejected { reason, message } => {
                Ok(held(at.rejected(*step, *attempt, cause(*step, reason, message))))
            }
            Outcome::Unavailable { .. } => Err(NoMove::Ignored(Ignored::OtherAttempt)),
        },
        Resume::Unwind { step, attempt, cause: why } => match answer(reply, *step, Direction::Undo, *attempt)? {
            Outcome::Succeeded { .. } => Ok(held(at.unwind_below(*step, why.clone()))),
            Outcome::Rejected { reason, message } => {
                Ok(stuck_in_undo(*step, *attempt, cause(*step, reason, message), why.clone()))
            }
            Outcome::Unavailable { .. } => Err(NoMove::Ignored(Ignored::OtherAttempt)),
        },
    }
}

pub(super) fn action(at: &Context<'_>, resume: &Resume, action: &OperatorAction) -> Decision {
    match action.verb {
        Verb::Resume => Ok(match resume {
            Resume::Run { step, attempt } => at.act_anew(*step, *attempt),
            Resume::Unwind { step, attempt, cause } => at.undo_anew(*step, *attempt, cause.clone()),
        }),
        Verb::Cancel => match resume {
            // A first attempt that was never sent cannot have happened, so even a pivot can still be called off.
            Resume::Run { step, attempt: 0 } if !at.definition.is_past_pivot(*step) => {
                Ok(at.unwind_below(*step, cancelled(*step, action)))
            }
            Resume::Run { step, attempt } if *attempt > 0 && at.definition.can_unwind_unknown(*step) => {
                Ok(at.unwind_at(*step, cancelled(*step, action)))
            }
            Resume::Run { .. } => Err(NoMove::Refused(Refused::PastPivot)),
            Resume::Unwind { .. } => Err(NoMove::Refused(Refused::Unwinding)),
        },
        Verb::Retry | Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone | Verb::Pause => {
            Err(NoMove::Refused(Refused::Paused))
        }
    }
}

/// The same move, held back: the position changes, but the command that would go with it waits for the resume.
fn held(next: Next) -> Next {
    let state = match next.state {
        // Only moves to a further half-step come here, so none of its attempts has been sent.
        State::Running { step, .. } => State::Paused { resume: Resume::Run { step, attempt: 0 } },
        State::Compensating { step, cause, .. } => State::Paused { resume: Resume::Unwind { step, attempt: 0, cause } },
        ended @ (State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. }) => ended,
    };
    Next { output: next.output, ..quiet(state) }
}
