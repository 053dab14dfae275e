//! What a filter can know of one saga.

use super::field::Attribute;
use crate::skips::SkippedHalf;
use crate::step_position::{self, StepPosition};
use saga_core::definition::Definition;
use saga_core::saga::{Cause, Direction, Resume, Saga, State, StepIndex, Wait};
use saga_core::time::Micros;

/// Where a saga stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// Doing its steps.
    Running,
    /// Undoing them.
    Compensating,
    /// Parked until an operator acts.
    Stuck,
    /// Halted by an operator.
    Paused,
    /// Ended, everything done.
    Completed,
    /// Ended, everything undone.
    Compensated,
}

impl StateKind {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Compensating, Self::Stuck, Self::Paused, Self::Completed, Self::Compensated];

    /// The kind of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state {
            State::Running { .. } => Self::Running,
            State::Compensating { .. } => Self::Compensating,
            State::Stuck { .. } => Self::Stuck,
            State::Paused { .. } => Self::Paused,
            State::Completed => Self::Completed,
            State::Compensated { .. } => Self::Compensated,
        }
    }

    /// The word for it, as [`State::name`] has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Stuck => "stuck",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
        }
    }

    /// The code in column `saga.state`.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Running => 1,
            Self::Compensating => 2,
            Self::Stuck => 3,
            Self::Paused => 4,
            Self::Completed => 5,
            Self::Compensated => 6,
        }
    }
}

/// What a saga waits for, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitKind {
    /// Nothing: it has ended, is stuck or is paused.
    None,
    /// The answer to its newest attempt.
    Reply,
    /// The time of its next attempt.
    Backoff,
}

impl WaitKind {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::None, Self::Reply, Self::Backoff];

    /// What a state waits for.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state {
            State::Running { wait: Wait::Reply { .. }, .. } | State::Compensating { wait: Wait::Reply { .. }, .. } => {
                Self::Reply
            }
            State::Running { wait: Wait::Backoff { .. }, .. }
            | State::Compensating { wait: Wait::Backoff { .. }, .. } => Self::Backoff,
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => Self::None,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reply => "reply",
            Self::Backoff => "backoff",
        }
    }

    /// The code in column `saga.wait_kind`.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Reply => 1,
            Self::Backoff => 2,
        }
    }
}

/// What the shell keeps beside a saga.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside<'a> {
    /// Business key, or empty.
    pub business_key: &'a str,
    /// W3C traceparent of version 00, or empty.
    pub traceparent: &'a str,
    /// Why it tries again; see [`crate::failure`].
    pub last_failure: Option<&'a Cause>,
    /// What operators skipped of it; see [`crate::skips`].
    pub skipped: &'a [SkippedHalf],
}

/// Everything a filter can ask of one saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where it stands.
    pub state: StateKind,
    /// Name of the step it is at, or its position as a number if the definition is unknown; `None` at an end.
    pub step: Option<String>,
    /// Name of its definition.
    pub definition: String,
    /// Version of its definition.
    pub definition_version: u32,
    /// Newest attempt at the present half-step; 0 at an end.
    pub attempt: u32,
    /// What it waits for.
    pub wait: WaitKind,
    /// When it acts next.
    pub wake_at: Option<Micros>,
    /// Why it tries again, why it unwinds or unwound, and why it is stuck.
    pub reasons: Vec<String>,
    /// Names of the steps of which operators skipped the action or the undo.
    pub skipped: Vec<String>,
    /// Business key, or empty.
    pub business_key: String,
    /// 32 hex digits, or empty.
    pub trace_id: String,
    /// When it was started.
    pub created_at: Micros,
    /// When it last moved.
    pub updated_at: Micros,
    /// What its definition reads from its input.
    pub attributes: Vec<Attribute>,
}

impl Facts {
    /// What there is to know of `saga`. Without its definition, its step is known by number only.
    #[must_use]
    pub fn of(saga: &Saga, definition: Option<&Definition>, beside: Beside<'_>, attributes: Vec<Attribute>) -> Self {
        let position = step_position::position(&saga.state);
        let name = |step: StepIndex, direction: Direction| {
            definition
                .map_or_else(|| step.to_string(), |definition| StepPosition::new(definition, step, direction).step)
        };
        let causes = match &saga.state {
            State::Compensating { cause, .. }
            | State::Compensated { cause }
            | State::Paused { resume: Resume::Unwind { cause, .. } } => vec![cause],
            State::Stuck { why, unwinding, .. } => std::iter::once(why).chain(unwinding).collect(),
            State::Running { .. } | State::Paused { resume: Resume::Run { .. } } | State::Completed => Vec::new(),
        };
        Self {
            state: StateKind::of(&saga.state),
            step: position.map(|(step, direction, _)| name(step, direction)),
            definition: saga.definition.name.clone(),
            definition_version: saga.definition.version,
            attempt: position.map_or(0, |(.., attempt)| attempt),
            wait: WaitKind::of(&saga.state),
            wake_at: saga.wake_at(),
            reasons: beside.last_failure.into_iter().chain(causes).map(|cause| cause.reason.clone()).collect(),
            skipped: beside.skipped.iter().map(|half| half.step.clone()).collect(),
            business_key: beside.business_key.to_owned(),
            trace_id: beside.traceparent.split('-').nth(1).unwrap_or_default().to_owned(),
            created_at: saga.created_at,
            updated_at: saga.updated_at,
            attributes,
        }
    }
}
