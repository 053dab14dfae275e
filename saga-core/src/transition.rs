//! What a move returns: the next value, its journal entry and the commands to send.

use crate::event::Entry;
use crate::saga::{CommandId, Direction, Saga, State, Wait};
use crate::time::Micros;

/// A command to send, once the transition that asks for it is committed. The shell adds the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// What is asked, the participant's idempotency key.
    pub id: CommandId,
    /// From 1.
    pub attempt: u32,
    /// After this an action that has not begun must not begin; `None` for an undo.
    pub deadline: Option<Micros>,
}

impl Command {
    /// The command whose answer a saga waits for, if it waits for one: the very one that its last move asked to send. So it can
    /// be sent again at any time, by anyone who has the value.
    #[must_use]
    pub fn awaited_by(saga: &Saga) -> Option<Self> {
        let (step, direction, wait) = match &saga.state {
            State::Running { step, wait } => (*step, Direction::Action, wait),
            State::Compensating { step, wait, .. } => (*step, Direction::Undo, wait),
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => return None,
        };
        match *wait {
            Wait::Reply { attempt, until, .. } => {
                let id = CommandId { saga: saga.id, step, direction };
                // An undo must happen, however late.
                Some(Self { id, attempt, deadline: (direction == Direction::Action).then_some(until) })
            }
            Wait::Backoff { .. } => None,
        }
    }
}

/// One committed-together unit: value, journal entry, commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The saga after the move.
    pub saga: Saga,
    /// The journal entry of the move.
    pub entry: Entry,
    /// What to send after the commit; at most one today.
    pub commands: Vec<Command>,
}

/// Why an event left a saga as it was. None of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The saga has ended.
    Ended,
    /// The reply is about a step or direction the saga is not at.
    OtherStep,
    /// The reply is `Unavailable` and of an older attempt, or the saga no longer waits for this one.
    OtherAttempt,
    /// The wake came before the deadline, or the saga has none.
    NotDue,
}

/// Why an operator's action is refused; nothing is changed. Named for the rule it would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// The saga has ended.
    #[error("the saga has ended")]
    Ended,
    /// The pivot is passed: the saga can only go forward.
    #[error("the pivot is passed: the saga can only go forward")]
    PastPivot,
    /// The saga is already unwinding.
    #[error("the saga is already unwinding")]
    Unwinding,
    /// The action is only for a stuck saga.
    #[error("the saga is not stuck")]
    NotStuck,
    /// The action is only for the other direction: done is for actions, undone for undos.
    #[error("the saga is stuck in the other direction")]
    OtherDirection,
    /// The action is only for a paused saga.
    #[error("the saga is not paused")]
    NotPaused,
    /// The saga is paused; resume it first.
    #[error("the saga is paused; resume it first")]
    Paused,
    /// The saga already waits for the reply to its newest attempt.
    #[error("the saga waits for a reply; there is nothing to retry")]
    InFlight,
    /// The saga is stuck: retry, skip or resolve it.
    #[error("the saga is stuck; retry, skip or resolve it")]
    Stuck,
}

/// What became of an event.
// Moved is what nearly every event leads to: a box would cost each of them an allocation to spare the few a copy.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The saga moved.
    Moved(Transition),
    /// Nothing changed, rightly.
    Ignored(Ignored),
    /// Nothing changed: the action breaks a rule.
    Refused(Refused),
}
