//! The seam a participant implements: commands in batches, answers in batches.

use async_trait::async_trait;
use baton_rpc::reason::{MAX_REASON, Reason};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use bytes::Bytes;
use std::fmt;

/// Which half of a step is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandDirection {
    /// Do it.
    Action,
    /// Undo it.
    Undo,
}

/// The idempotency key: names one command for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandKey {
    /// The saga's id, 16 bytes of a UUID.
    pub saga: [u8; 16],
    /// The step.
    pub step: u8,
    /// Action or undo.
    pub direction: CommandDirection,
}

/// A command as handed to a participant: decoded, bounded, new to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The idempotency key.
    pub key: CommandKey,
    /// From 1.
    pub attempt: u32,
    /// `participant.verb`.
    pub name: String,
    /// The business message, encoded.
    pub payload: Bytes,
    /// After this an action must not begin; 0 means never.
    pub deadline_us: i64,
    /// W3C trace context, or empty.
    pub traceparent: String,
    /// Undo of an effect that happened before the saga.
    pub effect_before_saga: bool,
}

impl Command {
    /// True for the first attempt of an action: the ledger has rarely heard of it.
    pub(crate) fn is_first_action(&self) -> bool {
        self.attempt <= 1 && self.key.direction == CommandDirection::Action
    }
}

/// Longest output of a success, bytes.
pub const MAX_OUTPUT: usize = 16 * 1024;

/// Longest message, bytes.
pub const MAX_MESSAGE: usize = 512;

/// What a participant answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done. Stored.
    Succeeded {
        /// Kept by the saga; at most 16 KiB.
        output: Bytes,
    },
    /// Refused for good; the participant changed nothing that an undo would have to put back. Stored.
    Rejected {
        /// UPPER_SNAKE.
        reason: String,
        /// For people, without secrets.
        message: String,
    },
    /// No answer this time; the participant changed nothing for this command. Not stored.
    Unavailable {
        /// UPPER_SNAKE.
        reason: String,
        /// For people, without secrets.
        message: String,
    },
}

impl Answer {
    /// Success without output.
    #[must_use]
    pub fn done() -> Self {
        Self::Succeeded { output: Bytes::new() }
    }

    /// A refusal for good.
    pub fn rejected(reason: Reason, message: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.as_str().to_owned(), message: message.into() }
    }

    /// No answer this time.
    pub fn unavailable(reason: Reason, message: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.as_str().to_owned(), message: message.into() }
    }

    /// "succeeded", "rejected" or "unavailable", for logs and metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "succeeded",
            Self::Rejected { .. } => "rejected",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// Its reason, empty for a success.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Succeeded { .. } => "",
            Self::Rejected { reason, .. } | Self::Unavailable { reason, .. } => reason,
        }
    }

    /// Cuts reason and message to what the wire and the ledger carry.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Rejected { reason, message } => {
                Self::Rejected { reason: cut(reason, MAX_REASON), message: cut(message, MAX_MESSAGE) }
            }
            Self::Unavailable { reason, message } => {
                Self::Unavailable { reason: cut(reason, MAX_REASON), message: cut(message, MAX_MESSAGE) }
            }
            done @ Self::Succeeded { .. } => done,
        }
    }
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

impl CommandKey {
    /// The same step's other half.
    #[must_use]
    pub fn with(self, direction: CommandDirection) -> Self {
        Self { direction, ..self }
    }
}

/// A participant. The kit gives it each command at most once with a committed effect: known commands are answered from
/// the ledger, undos of actions that never came leave a tombstone, and both live in the transaction of [`Self::handle`].
#[async_trait]
pub trait Participant: Send + Sync + fmt::Debug + 'static {
    /// What [`Self::prepare`] found out about one command.
    type Prepared: Send + Sync + fmt::Debug + 'static;

    /// True if [`Self::prepare`] has effects or costs time. Then the kit reads the ledger before it, so that only commands
    /// whose handler will run are prepared.
    const PREPARES: bool;

    /// Its name: the command queue, the schema, the config entry. 1 to 32 of [a-z0-9-].
    fn name(&self) -> &'static str;

    /// The names of the commands it knows. Any other is answered `Unavailable`, since a newer build may know it.
    fn commands(&self) -> &'static [&'static str];

    /// Which of these are undos. A name that comes in the other direction is answered as one that is not known: carried out, an undo would
    /// be stored as its step's action. Empty: each may come as either.
    fn undos(&self) -> &'static [&'static str] {
        &[]
    }

    /// Undos that are handled even though their action never came, because they close something that was there before
    /// it. The late action is refused as after any tombstone.
    fn undoes_without_action(&self) -> &'static [&'static str] {
        &[]
    }

    /// Actions for which [`Self::prepare`] only looks something up. The first attempt of one is prepared without asking the
    /// ledger, which has rarely heard of it; a repeated message then costs a look-up, and is answered from the ledger all the
    /// same.
    fn only_looks_up(&self) -> &'static [&'static str] {
        &[]
    }

    /// Its own tables; the kit adds the ledger.
    fn migrations(&self) -> &'static [Migration];

    /// Effects and look-ups outside this database (an HTTP call to a provider), before and outside the transaction, for
    /// commands the ledger does not know yet. One entry per command, in order. May be repeated after a crash, so every
    /// effect in here must be idempotent by the command's key. Bounded in time by the implementation.
    async fn prepare(&self, commands: &[Command]) -> Vec<Self::Prepared>;

    /// Carries out a batch inside the transaction that also writes the ledger. One answer per command, in order. An
    /// error or a panic rolls the whole batch back; the kit then tries its halves, with what was prepared. Must await
    /// nothing but the transaction. Different commands of one saga may stand in one batch, in any order; the same key never twice.
    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Self::Prepared)]) -> Result<Vec<Answer>, SqlError>;
}
