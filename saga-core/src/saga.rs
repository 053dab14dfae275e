//! The saga as a value: its identity, where it stands, and what it has learned.

use crate::time::{Micros, SET_BACK};
use bytes::Bytes;
use std::fmt;

/// Identity of a saga: the 16 bytes of a UUIDv7, handed in by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SagaId(pub [u8; 16]);

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Zero-based position of a step in its definition; at most [`crate::definition::MAX_STEPS`] - 1.
pub type StepIndex = u8;

/// Which half of a step a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Do it.
    Action,
    /// Undo it.
    Undo,
}

impl Direction {
    /// `action` or `undo`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Undo => "undo",
        }
    }
}

/// Names one command for ever, whatever its attempt: the participant's idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId {
    /// The saga that asks.
    pub saga: SagaId,
    /// The step it asks about.
    pub step: StepIndex,
    /// Action or undo.
    pub direction: Direction,
}

/// Names a definition and the version a saga is pinned to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionId {
    /// Lower-case name, for example `order`.
    pub name: String,
    /// From 1.
    pub version: u32,
}

impl fmt::Display for DefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

/// Why something went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The step it went wrong at.
    pub step: StepIndex,
    /// Stable reason, UPPER_SNAKE.
    pub reason: String,
    /// The same for people.
    pub message: String,
}

/// What an active step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// The command is on its way.
    Reply {
        /// The newest attempt, from 1.
        attempt: u32,
        /// The last attempt the present budget allows; an operator's retry extends it.
        last: u32,
        /// When it counts as unavailable.
        until: Micros,
    },
    /// The newest attempt brought no answer; the next is sent at `until`.
    Backoff {
        /// The attempt that brought no answer.
        attempt: u32,
        /// The last attempt the present budget allows.
        last: u32,
        /// When the next attempt is sent.
        until: Micros,
    },
}

impl Wait {
    /// The one deadline.
    #[must_use]
    pub fn until(self) -> Micros {
        match self {
            Self::Reply { until, .. } | Self::Backoff { until, .. } => until,
        }
    }

    /// The newest attempt.
    #[must_use]
    pub fn attempt(self) -> u32 {
        match self {
            Self::Reply { attempt, .. } | Self::Backoff { attempt, .. } => attempt,
        }
    }
}

/// What a paused saga does when it is resumed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resume {
    /// Sends the action of `step`; `attempt` is the newest attempt sent so far, 0 if none was.
    Run {
        /// Step to do.
        step: StepIndex,
        /// Newest attempt sent so far.
        attempt: u32,
    },
    /// Sends the undo of `step`.
    Unwind {
        /// Step to undo.
        step: StepIndex,
        /// Newest attempt sent so far.
        attempt: u32,
        /// Why the saga unwinds.
        cause: Cause,
    },
}

/// Where a saga stands. Each variant holds what only it needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Doing `step`.
    Running {
        /// The step at work.
        step: StepIndex,
        /// What it waits for.
        wait: Wait,
    },
    /// Undoing `step`; everything above it is undone.
    Compensating {
        /// The step being undone.
        step: StepIndex,
        /// What it waits for.
        wait: Wait,
        /// Why the saga unwinds.
        cause: Cause,
    },
    /// Parked until an operator acts or a late answer comes. Has no deadline.
    Stuck {
        /// The step it is stuck at.
        step: StepIndex,
        /// Which half of it.
        direction: Direction,
        /// The newest attempt.
        attempt: u32,
        /// Why it is stuck.
        why: Cause,
        /// Why the saga was unwinding; `None` when stuck doing an action.
        unwinding: Option<Cause>,
    },
    /// Halted by an operator. Has no deadline.
    Paused {
        /// What resuming does.
        resume: Resume,
    },
    /// Ended: every step is done.
    Completed,
    /// Ended: everything that was done is undone.
    Compensated {
        /// Why.
        cause: Cause,
    },
}

impl State {
    /// One word for where a saga stands, for labels, logs and lists.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Compensating { .. } => "compensating",
            Self::Stuck { .. } => "stuck",
            Self::Paused { .. } => "paused",
            Self::Completed => "completed",
            Self::Compensated { .. } => "compensated",
        }
    }
}

/// A saga: an immutable value; moves make new ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Saga {
    /// Identity.
    pub id: SagaId,
    /// The definition it is pinned to.
    pub definition: DefinitionId,
    /// Number of journal entries so far, from 1. Writers compare and set it.
    pub version: u64,
    /// Where it stands.
    pub state: State,
    /// When it was started.
    pub created_at: Micros,
    /// When it last moved; never decreases.
    pub updated_at: Micros,
    /// The saga's own deadline: when it passes before the pivot is done, the saga unwinds.
    pub deadline: Option<Micros>,
    /// The definition's input message, opaque here.
    pub input: Bytes,
    /// Non-empty outputs of actions that succeeded, in step order.
    pub outputs: Vec<(StepIndex, Bytes)>,
}

impl Saga {
    /// The one deadline an active saga carries; `None` when it has ended, is stuck or is paused.
    #[must_use]
    pub fn wake_at(&self) -> Option<Micros> {
        match &self.state {
            State::Running { wait, .. } | State::Compensating { wait, .. } => Some(wait.until()),
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
        }
    }

    /// True if its last move lies further ahead of `now` than measurements differ: the clock was set back since.
    #[must_use]
    pub fn is_ahead(&self, now: Micros) -> bool {
        self.updated_at.since(now) > SET_BACK
    }

    /// The time of a move that is made at `now`. Time never goes back within a saga, unless the clock was set back: what was
    /// written by the old clock would otherwise hold the saga still until the new one gets there.
    #[must_use]
    pub fn moves_at(&self, now: Micros) -> Micros {
        if self.is_ahead(now) { now } else { now.max(self.updated_at) }
    }

    /// True if what it waits for is over at `now`: an answer, or the pause before the next attempt. Of a wait that began by a clock
    /// that was set back since nobody knows how much is left.
    #[must_use]
    pub fn is_due(&self, now: Micros) -> bool {
        self.wake_at().is_some_and(|until| until <= now || self.is_ahead(now))
    }

    /// True if no event can move it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match &self.state {
            State::Completed | State::Compensated { .. } => true,
            State::Running { .. } | State::Compensating { .. } | State::Stuck { .. } | State::Paused { .. } => false,
        }
    }

    /// The output of a step's action, empty if it had none.
    #[must_use]
    pub fn output(&self, step: StepIndex) -> Bytes {
        self.outputs.iter().find(|(s, _)| *s == step).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    /// Why the saga unwinds or unwound, or why it is stuck.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match &self.state {
            State::Compensating { cause, .. }
            | State::Compensated { cause }
            | State::Paused { resume: Resume::Unwind { cause, .. } } => Some(cause),
            State::Stuck { why, .. } => Some(why),
            State::Running { .. } | State::Paused { resume: Resume::Run { .. } } | State::Completed => None,
        }
    }
}
