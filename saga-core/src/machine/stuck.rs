//! Stuck: parked until an operator acts or a late answer comes.

use super::moves::{Context, Decision, NoMove, answer};
use crate::event::{OperatorAction, Outcome, Reply, Verb};
use crate::saga::{Cause, Direction, StepIndex};
use crate::transition::{Ignored, Refused};
use bytes::Bytes;

pub(super) fn reply(
    at: &Context<'_>,
    step: StepIndex,
    direction: Direction,
    newest: u32,
    unwinding: Option<&Cause>,
    reply: &Reply,
) -> Decision {
    match (answer(reply, step, direction, newest)?, unwinding) {
        (Outcome::Succeeded { output }, None) => Ok(at.done(step, output.clone())),
        (Outcome::Succeeded { .. }, Some(cause)) => Ok(at.unwind_below(step, cause.clone())),
        // Bad news changes nothing for a saga that already waits for a person.
        (Outcome::Rejected { .. } | Outcome::Unavailable { .. }, None | Some(_)) => {
            Err(NoMove::Ignored(Ignored::OtherAttempt))
        }
    }
}

pub(super) fn action(
    at: &Context<'_>,
    step: StepIndex,
    attempt: u32,
    unwinding: Option<&Cause>,
    action: &OperatorAction,
) -> Decision {
    match (action.verb, unwinding) {
        (Verb::Retry, None) => Ok(at.act_anew(step, attempt)),
        (Verb::Retry, Some(cause)) => Ok(at.undo_anew(step, attempt, cause.clone())),
        (Verb::Skip | Verb::ResolveDone, None) => Ok(at.done(step, Bytes::new())),
        (Verb::Skip | Verb::ResolveUndone, Some(cause)) => Ok(at.unwind_below(step, cause.clone())),
        (Verb::ResolveUndone, None) | (Verb::ResolveDone, Some(_)) => Err(NoMove::Refused(Refused::OtherDirection)),
        // A saga is stuck in an action only at or past the pivot, where what may have happened cannot be undone.
        (Verb::Cancel, None) => Err(NoMove::Refused(Refused::PastPivot)),
        (Verb::Cancel, Some(_)) => Err(NoMove::Refused(Refused::Unwinding)),
        (Verb::Pause, None | Some(_)) => Err(NoMove::Refused(Refused::Stuck)),
        (Verb::Resume, None | Some(_)) => Err(NoMove::Refused(Refused::NotPaused)),
    }
}
