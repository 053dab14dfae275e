//! The moves the table is made of: pure leaves that say what comes next, and the one place that makes it a transition.

use super::{CANCELLED, SAGA_DEADLINE, TIMEOUT, check};
use crate::definition::{Definition, Step};
use crate::event::{Entry, JournalRecord, OperatorAction, Outcome, Reply};
use crate::retry::RetryPolicy;
use crate::saga::{Cause, CommandId, Direction, Saga, State, StepIndex, Wait};
use crate::time::Micros;
use crate::transition::{Command, Ignored, Refused, Transition};
use bytes::Bytes;

/// What a move decides. Everything else of the next value follows from the old one.
pub(super) struct Next {
    pub(super) state: State,
    pub(super) command: Option<Command>,
    /// Output of the action that has just succeeded; dropped if empty.
    pub(super) output: Option<(StepIndex, Bytes)>,
}

/// Why there is no move.
pub(super) enum NoMove {
    Ignored(Ignored),
    Refused(Refused),
}

pub(super) type Decision = Result<Next, NoMove>;

/// What every move may look at: nothing else exists.
pub(super) struct Context<'a> {
    pub(super) definition: &'a Definition,
    pub(super) saga: &'a Saga,
    pub(super) now: Micros,
}

impl Context<'_> {
    /// On to the first step at or above `from` that has an action, or to the end.
    pub(super) fn forward(&self, from: StepIndex) -> Next {
        match self.definition.action_from(from) {
            Some(step) => self.act_anew(step, 0),
            None => quiet(State::Completed),
        }
    }

    /// The action of `step` is done: on to the next.
    pub(super) fn done(&self, step: StepIndex, output: Bytes) -> Next {
        Next { output: Some((step, output)), ..self.forward(step + 1) }
    }

    /// Sends the action of `step` with a fresh budget; `sent` is the newest attempt so far.
    pub(super) fn act_anew(&self, step: StepIndex, sent: u32) -> Next {
        self.act(step, sent.saturating_add(1), sent.saturating_add(self.step(step).retry.attempts()))
    }

    /// Sends attempt `attempt` of the action of `step`, unless the saga's deadline has passed while it can unwind.
    pub(super) fn act(&self, step: StepIndex, attempt: u32, last: u32) -> Next {
        if let Some(cause) = self.overdue(step) {
            // A first attempt that was never sent cannot have happened, so even a pivot without an undo is left alone.
            if attempt == 1 {
                return self.unwind_below(step, cause);
            }
            if self.definition.can_unwind_unknown(step) {
                return self.unwind_at(step, cause);
            }
        }
        let until = self.not_after_deadline(step, self.now.plus(self.step(step).timeout));
        let wait = Wait::Reply { attempt, last, until };
        let command = Command { id: self.command(step, Direction::Action), attempt, deadline: Some(until) };
        Next { state: State::Running { step, wait }, command: Some(command), output: None }
    }

    /// An attempt at the action of `step` brought no answer: pause, or give up.
    pub(super) fn action_lost(&self, step: StepIndex, attempt: u32, last: u32, why: Cause) -> Next {
        let can_unwind = self.definition.can_unwind_unknown(step);
        match self.overdue(step) {
            Some(cause) if can_unwind => self.unwind_at(step, cause),
            Some(_) | None if attempt < last => {
                let pause = self.step(step).retry.delay(self.command(step, Direction::Action), attempt);
                let until = self.not_after_deadline(step, self.now.plus(pause));
                quiet(State::Running { step, wait: Wait::Backoff { attempt, last, until } })
            }
            Some(_) | None if can_unwind => self.unwind_at(step, why),
            Some(_) | None => stuck_in_action(step, attempt, why),
        }
    }

    /// The action of `step` was refused for good: it did not happen.
    pub(super) fn rejected(&self, step: StepIndex, attempt: u32, why: Cause) -> Next {
        if self.definition.is_past_pivot(step) {
            stuck_in_action(step, attempt, why)
        } else {
            self.unwind_below(step, why)
        }
    }

    /// Unwinds from `step`, whose action may have happened.
    pub(super) fn unwind_at(&self, step: StepIndex, cause: Cause) -> Next {
        self.unwind_below(step + 1, cause)
    }

    /// Unwinds everything below `step`, highest first; steps without an undo are skipped.
    pub(super) fn unwind_below(&self, step: StepIndex, cause: Cause) -> Next {
        match self.definition.undo_below(step) {
            Some(step) => self.undo_anew(step, 0, cause),
            None => quiet(State::Compensated { cause }),
        }
    }

    /// Sends the undo of `step` with a fresh budget; `sent` is the newest attempt so far.
    pub(super) fn undo_anew(&self, step: StepIndex, sent: u32, cause: Cause) -> Next {
        self.undo(step, sent.saturating_add(1), sent.saturating_add(self.step(step).undo_retry.attempts()), cause)
    }

    /// Sends attempt `attempt` of the undo of `step`. It carries no deadline: an undo must happen, however late.
    pub(super) fn undo(&self, step: StepIndex, attempt: u32, last: u32, cause: Cause) -> Next {
        let wait = Wait::Reply { attempt, last, until: self.now.plus(self.step(step).undo_timeout) };
        let command = Command { id: self.command(step, Direction::Undo), attempt, deadline: None };
        Next { state: State::Compensating { step, wait, cause }, command: Some(command), output: None }
    }

    /// An attempt at the undo of `step` brought no answer: pause, or call an operator.
    pub(super) fn undo_lost(&self, step: StepIndex, attempt: u32, last: u32, why: Cause, cause: Cause) -> Next {
        if attempt >= last {
            return stuck_in_undo(step, attempt, why, cause);
        }
        let policy: &RetryPolicy = &self.step(step).undo_retry;
        let until = self.now.plus(policy.delay(self.command(step, Direction::Undo), attempt));
        quiet(State::Compensating { step, wait: Wait::Backoff { attempt, last, until }, cause })
    }

    /// The one place where a saga changes: version, time, journal entry, and the invariants checked.
    pub(super) fn commit(&self, next: Next, record: JournalRecord) -> Transition {
        let mut saga = self.saga.clone();
        saga.version += 1;
        saga.updated_at = self.now;
        saga.state = next.state;
        saga.outputs.extend(next.output.filter(|(_, bytes)| !bytes.is_empty()));
        let entry = Entry { saga: saga.id, version: saga.version, at: self.now, record };
        if let Err(broken) = check(self.definition, &saga) {
            // A saga that broke its invariants must not reach a row: better no answer than a wrong one.
            panic!("saga {}: {broken}", saga.id);
        }
        Transition { saga, entry, commands: next.command.into_iter().collect() }
    }

    /// Why the saga must unwind instead of doing `step`, if its deadline has passed and the pivot is not behind it.
    fn overdue(&self, step: StepIndex) -> Option<Cause> {
        let deadline = self.saga.deadline?;
        let overdue = deadline <= self.now && !self.definition.is_past_pivot(step);
        overdue.then(|| cause(step, SAGA_DEADLINE, "the saga's deadline has passed"))
    }

    /// The saga's deadline is one more reason to wake, as long as waking could unwind the saga.
    fn not_after_deadline(&self, step: StepIndex, until: Micros) -> Micros {
        match self.saga.deadline {
            Some(deadline) if self.definition.can_unwind_unknown(step) => until.min(deadline),
            Some(_) | None => until,
        }
    }

    fn step(&self, step: StepIndex) -> &Step {
        // The saga was checked against this definition, so its steps are in range: see `apply`.
        &self.definition.steps()[usize::from(step)]
    }

    fn command(&self, step: StepIndex, direction: Direction) -> CommandId {
        CommandId { saga: self.saga.id, step, direction }
    }
}

/// A state that sends nothing.
pub(super) fn quiet(state: State) -> Next {
    Next { state, command: None, output: None }
}

pub(super) fn stuck_in_undo(step: StepIndex, attempt: u32, why: Cause, cause: Cause) -> Next {
    quiet(State::Stuck { step, direction: Direction::Undo, attempt, why, unwinding: Some(cause) })
}

fn stuck_in_action(step: StepIndex, attempt: u32, why: Cause) -> Next {
    quiet(State::Stuck { step, direction: Direction::Action, attempt, why, unwinding: None })
}

/// The outcome a reply brings, if it is about the half-step the saga is at and about an attempt that was sent.
pub(super) fn answer(reply: &Reply, step: StepIndex, direction: Direction, newest: u32) -> Result<&Outcome, NoMove> {
    if (reply.step, reply.direction) != (step, direction) {
        Err(NoMove::Ignored(Ignored::OtherStep))
    } else if !(1..=newest).contains(&reply.attempt) {
        Err(NoMove::Ignored(Ignored::OtherAttempt))
    } else {
        Ok(&reply.outcome)
    }
}

pub(super) fn cause(step: StepIndex, reason: &str, message: &str) -> Cause {
    Cause { step, reason: reason.to_owned(), message: message.to_owned() }
}

/// Why an attempt came to nothing that nobody answered in time.
#[must_use]
pub fn timed_out(step: StepIndex, attempt: u32) -> Cause {
    cause(step, TIMEOUT, &format!("attempt {attempt} was not answered in time"))
}

pub(super) fn cancelled(step: StepIndex, action: &OperatorAction) -> Cause {
    cause(step, CANCELLED, &format!("{}: {}", action.actor, action.reason))
}
