//! What can happen to a saga, and the journal entry it leaves.

use crate::saga::{DefinitionId, Direction, SagaId, StepIndex};
use crate::time::Micros;
use bytes::Bytes;

/// What a participant answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done, now or earlier.
    Succeeded {
        /// The step's output, possibly empty.
        output: Bytes,
    },
    /// Refused for good; nothing was changed.
    Rejected {
        /// Stable reason, UPPER_SNAKE.
        reason: String,
        /// The same for people.
        message: String,
    },
    /// This attempt brought no answer; whether anything happened is unknown.
    Unavailable {
        /// Stable reason, UPPER_SNAKE.
        reason: String,
        /// The same for people.
        message: String,
    },
}

/// The answer to one command of this saga.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The step that was asked about.
    pub step: StepIndex,
    /// Action or undo.
    pub direction: Direction,
    /// The attempt that is answered.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Unwind a running saga.
    Cancel,
    /// Send the stuck or waiting step's command again now, with a fresh budget.
    Retry,
    /// Go on without the stuck step's effect.
    Skip,
    /// The stuck action was done by hand: go on.
    ResolveDone,
    /// The stuck undo was done by hand: go on.
    ResolveUndone,
    /// Halt until resumed.
    Pause,
    /// Go on after a pause.
    Resume,
}

impl Verb {
    /// The word for it, in journals, scripts and commands. Words never change their meaning: stored journals hold them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::ResolveDone => "resolve-done",
            Self::ResolveUndone => "resolve-undone",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// An operator's action. Goes through the same table and the same journal as every other event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorAction {
    /// What is wanted.
    pub verb: Verb,
    /// Who acts.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Everything that can happen to a saga after its start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A participant answered.
    Reply(Reply),
    /// Time passed. Before the deadline it is ignored, so spurious wakes are free.
    Wake,
    /// An operator acts.
    Action(OperatorAction),
}

/// What a journal entry records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JournalRecord {
    /// The saga began: always and only version 1.
    Started {
        /// The definition it is pinned to.
        definition: DefinitionId,
        /// The input message.
        input: Bytes,
    },
    /// An event moved it.
    Moved(Event),
}

/// One line of a saga's journal. Folding all of them gives the saga back, exactly (see [`crate::replay`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The saga.
    pub saga: SagaId,
    /// The saga's version after this entry, from 1 without gaps.
    pub version: u64,
    /// The time the move was made with; never decreases within a saga.
    pub at: Micros,
    /// What happened.
    pub record: JournalRecord,
}
