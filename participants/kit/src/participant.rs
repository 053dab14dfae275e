//! The seam a participant implements: commands in batches, answers in batches.

use async_trait::async_trait;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use bytes::Bytes;
use std::fmt;

/// Which half of a step is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
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
    pub direction: Direction,
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

/// What a participant answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done. Stored.
    Succeeded {
        /// Kept by the saga; at most 16 KiB.
        output: Bytes,
    },
    /// Refused for good; the participant changed nothing for this command. Stored.
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

/// A participant. The kit gives it each command at most once with a committed effect: known commands are answered from
/// the ledger, undos of actions that never came leave a tombstone, and both live in the transaction of [`Self::handle`].
#[async_trait]
pub trait Participant: Send + Sync + fmt::Debug + 'static {
    /// What [`Self::prepare`] found out about one command.
    type Prepared: Send + Sync + fmt::Debug;

    /// Its name: the command queue, the schema, the config entry.
    fn name(&self) -> &'static str;

    /// Its own tables; the kit adds the ledger.
    fn migrations(&self) -> &'static [Migration];

    /// Effects and look-ups outside this database (an HTTP call to a provider), before and outside the transaction, for
    /// commands the ledger does not know yet. One entry per command, in order. May be repeated after a crash, so every
    /// effect in here must be idempotent by the command's key. Bounded in time by the implementation.
    async fn prepare(&self, commands: &[Command]) -> Vec<Self::Prepared>;

    /// Carries out a batch inside the transaction that also writes the ledger. One answer per command, in order. An
    /// error rolls the whole batch back; the kit then tries its members one by one.
    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Self::Prepared)]) -> Result<Vec<Answer>, SqlError>;
}
