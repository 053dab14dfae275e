//! Dead letters: kept until an operator decides, and decided once.

use crate::audit::NewAudit;
use async_trait::async_trait;
use baton_courier::bus::{Destination, MAX_BODY};
use baton_engine::store::StoreError;
use bytes::Bytes;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::fmt;
use uuid::Uuid;

/// Stands for the reply queue where a participant is named: no participant can be called so.
pub const REPLIES: &str = "@replies";

/// Sagas noted beside a letter, so that lists need not decode it.
pub const MAX_NOTED: usize = 8;

/// Letters that may wait. Beyond it they stay in their queues, which drop their oldest as they always did.
pub const MAX_WAITING: u32 = 100_000;

/// The id of the message as which a letter is sent again: the letter's own, marked as a UUID of version 8. So a message that comes
/// back says whose replay it is, and one that is sent twice, because nobody noted that it was sent, is kept once.
#[must_use]
pub fn replay_id(letter: Uuid) -> Uuid {
    with_version(letter, 8)
}

/// The letter whose replay the message of this id is, if it is one's.
#[must_use]
pub fn replay_of(message: Uuid) -> Option<Uuid> {
    (message.get_version_num() == 8).then(|| with_version(message, 7))
}

fn with_version(id: Uuid, version: u8) -> Uuid {
    let mut bytes = id.into_bytes();
    bytes[6] = bytes[6] & 0x0f | version << 4;
    Uuid::from_bytes(bytes)
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterState {
    /// Waits for an operator.
    Waiting,
    /// Sent again.
    Replayed,
    /// Given up.
    Dropped,
}

impl LetterState {
    /// The word for it, as in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Replayed => "REPLAYED",
            Self::Dropped => "DROPPED",
        }
    }
}

/// A dead letter to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// The id it gets if it is new, a UUIDv7.
    pub id: Uuid,
    /// Whose queue it was in.
    pub destination: Destination,
    /// The sender's id.
    pub message_id: Option<Uuid>,
    /// UPPER_SNAKE, at most 63 bytes.
    pub reason: String,
    /// As it arrived; only the first [`MAX_BODY`] bytes are kept.
    pub body: Bytes,
    /// Sagas it concerns; only the first [`MAX_NOTED`] are noted.
    pub sagas: Vec<SagaId>,
}

impl NewLetter {
    /// What is kept of its body.
    #[must_use]
    pub fn kept(&self) -> Bytes {
        self.body.slice(..self.body.len().min(MAX_BODY))
    }

    /// Digest of what makes two letters the same one: destination, message id and body.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        let mut key = blake3::Hasher::new();
        let id = self.message_id.map(|id| id.into_bytes().to_vec()).unwrap_or_default();
        for part in [queue(&self.destination).as_bytes(), &id, &self.body] {
            key.update(&(part.len() as u64).to_le_bytes());
            key.update(part);
        }
        *key.finalize().as_bytes()
    }
}

/// A destination as it is stored: the participant's name, or [`REPLIES`].
#[must_use]
pub fn queue(destination: &Destination) -> &str {
    match destination {
        Destination::Commands(name) => name,
        Destination::Replies => REPLIES,
    }
}

/// A dead letter without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its id, a UUIDv7 of when it was collected.
    pub id: Uuid,
    /// Where it was meant to go.
    pub destination: Destination,
    /// The sender's id.
    pub message_id: Option<Uuid>,
    /// UPPER_SNAKE.
    pub reason: String,
    /// Bytes it had when it arrived.
    pub size: u64,
    /// The first sagas it concerns.
    pub sagas: Vec<SagaId>,
    /// What became of it.
    pub state: LetterState,
    /// When it was collected.
    pub collected_at: Micros,
    /// When that was decided.
    pub decided_at: Option<Micros>,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It was taken.
    Done(Letter),
    /// There is no such letter.
    Missing,
    /// It was decided before.
    Before(LetterState),
    /// It is longer than the bus carries, and cannot be sent again.
    TooLarge,
    /// An act with the same request id is written down already.
    RequestTaken,
}

/// Dead letters. Each call is one transaction, an operator's decision with its audit entry in it: after a crash all of it is
/// there or nothing.
#[async_trait]
pub trait LetterStore: Send + Sync + fmt::Debug + 'static {
    /// Keeps letters that were taken out of a quarantine; returns how many are new. One that waits already (the same
    /// destination, message id and body) is not kept twice, nor one whose id was kept before and that is decided by now, so
    /// that whoever lost the answer may ask again. After a crash all of them are there or none. `Conflict` if another process kept one of them just now: ask again.
    async fn keep_letters(&self, letters: &[NewLetter]) -> Result<usize, StoreError>;

    /// How many letters wait; counts no further than [`MAX_WAITING`].
    async fn waiting_letters(&self) -> Result<u32, StoreError>;

    /// A page of letters, newest first: at most `limit`, only those collected before `before`.
    async fn letters(
        &self,
        state: Option<LetterState>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Letter>, StoreError>;

    /// One letter with what is kept of its body.
    async fn letter(&self, id: Uuid) -> Result<Option<(Letter, Bytes)>, StoreError>;

    /// The newest letter whose message has this id.
    async fn letter_of_message(&self, message: Uuid) -> Result<Option<Letter>, StoreError>;

    /// Decides that a waiting letter is sent again, to where it was meant to go: in one transaction it is marked and that is
    /// written down. It is sent by whoever takes it from [`Self::unsent_letters`]. One that fails again becomes a new letter,
    /// since its message id is another.
    async fn replay_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError>;

    /// Letters that are to be sent again and that nobody has said are sent, with what is kept of their bodies: at most `limit`.
    async fn unsent_letters(&self, limit: u32) -> Result<Vec<(Letter, Bytes)>, StoreError>;

    /// The bus has taken these over for good. After a crash before it they are sent once more.
    async fn letters_sent(&self, ids: &[Uuid]) -> Result<(), StoreError>;

    /// Gives a waiting letter up: in one transaction it is marked and that is written down.
    async fn drop_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError>;

    /// Deletes at most `limit` letters that were decided before `before`, but none that is still to be sent; returns how many.
    async fn forget_letters(&self, before: Micros, limit: u32) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_says_whose_it_is() {
        let letter = Uuid::now_v7();
        let message = replay_id(letter);
        assert_ne!(message, letter);
        assert_eq!(replay_of(message), Some(letter));
        assert_eq!(replay_of(letter), None);
    }
}
