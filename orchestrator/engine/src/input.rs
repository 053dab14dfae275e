//! What can be handed to the engine, and what comes back.

use crate::hold_policy::{Barrier, Held};
use crate::store::audit::content;
use crate::store::{Fingerprint, Record, StartKey};
use baton_courier::bus::Delivery;
use baton_query::filter::Attribute;
use bytes::Bytes;
use saga_core::event::{OperatorAction, Reply};
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::transition::{Ignored, Refused};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// A saga to start. Its input has been accepted by its type.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its id, a UUIDv7 made by the caller.
    pub id: SagaId,
    /// The definition it is pinned to from now on.
    pub definition: DefinitionId,
    /// The input message.
    pub input: Bytes,
    /// Business key, at most 128 bytes.
    pub business_key: String,
    /// W3C trace context, or empty.
    pub traceparent: String,
    /// Keys it takes: the request's, and the business key's if that is exclusive.
    pub keys: Vec<StartKey>,
    /// Digest of everything asked for.
    pub fingerprint: Fingerprint,
    /// What it is found by, within the bounds of [`crate::sagas::attributes`].
    pub attributes: Vec<Attribute>,
}

/// An operator's action for one saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The saga.
    pub saga: SagaId,
    /// What is to be done, by whom and why.
    pub action: OperatorAction,
    /// Only if the saga is at this version.
    pub version: Option<u64>,
    /// The id the request came with: at most one act has it, for ever, and is carried out once.
    pub request: Option<Uuid>,
    /// True for the resume of a hold that is released: if another one stands in the way, that takes the saga over. Everybody
    /// else is refused.
    pub release: bool,
    /// The hold whose pause this is. It is given only if the hold still stands when it is committed, and marked there: nobody
    /// would resume it otherwise.
    pub hold: Option<Held>,
}

impl Act {
    /// An action for a saga at any version, without a request id.
    #[must_use]
    pub fn new(saga: SagaId, action: OperatorAction) -> Self {
        Self { saga, action, version: None, request: None, release: false, hold: None }
    }

    /// Digest of what is asked: equal for a repetition, different for another act under the same request id.
    #[must_use]
    pub fn content(&self) -> Fingerprint {
        let OperatorAction { verb, actor, reason } = &self.action;
        let version = self.version.unwrap_or(0).to_le_bytes();
        content(&[verb.as_str().as_bytes(), &self.saga.0, actor.as_bytes(), reason.as_bytes(), &version])
    }
}

/// One event for one saga.
#[derive(Clone, Debug)]
pub enum Input {
    /// Start a saga.
    Start(Arc<Start>),
    /// A participant answered.
    Reply(SagaId, Reply),
    /// The saga's deadline has passed, or may have.
    Wake(SagaId),
    /// An operator acts.
    Action(Act),
}

impl Input {
    /// The saga that must be loaded for it; a start needs none.
    #[must_use]
    pub fn loads(&self) -> Option<SagaId> {
        match self {
            Self::Start(_) => None,
            Self::Reply(saga, _) | Self::Wake(saga) => Some(*saga),
            Self::Action(act) => Some(act.saga),
        }
    }
}

/// What became of one input: an outcome of its kind, or why there is none.
pub type Verdict = Result<InputOutcome, NotSettled>;

/// What an input came to.
#[derive(Clone, Debug)]
pub enum InputOutcome {
    /// Of a start.
    Start(StartOutcome),
    /// Of an operator's action.
    Action(ActionOutcome),
    /// Of a reply, or of a deadline.
    Event(EventOutcome),
}

impl InputOutcome {
    /// True if a saga that was there before moved, and the move is committed.
    #[must_use]
    pub fn moved(&self) -> bool {
        matches!(self, Self::Action(ActionOutcome::Moved(_)) | Self::Event(EventOutcome::Moved(_)))
    }
}

/// What a start came to.
#[derive(Clone, Debug)]
pub enum StartOutcome {
    /// The saga is started and committed.
    Started(Arc<Record>),
    /// A saga already holds one of the keys.
    Taken {
        /// The key that is taken: index into [`Start::keys`].
        key: usize,
        /// Who holds it.
        holder: SagaId,
        /// True if it was started with the same fingerprint: a repetition, not a conflict.
        same: bool,
    },
}

/// What an operator's action came to.
#[derive(Clone, Debug)]
pub enum ActionOutcome {
    /// The saga moved, and the move is committed.
    Moved(Arc<Record>),
    /// It breaks a rule.
    Refused(Refused),
    /// It would send what a hold keeps back.
    Held(Barrier),
    /// It was for another version.
    OtherVersion {
        /// The version the saga is at.
        current: u64,
    },
    /// An act came with the same request id before; nothing changed. Look it up.
    RequestTaken,
    /// There is no such saga.
    UnknownSaga,
}

/// What a reply or a deadline came to.
#[derive(Clone, Debug)]
pub enum EventOutcome {
    /// The saga moved, and the move is committed.
    Moved(Arc<Record>),
    /// Nothing changed, rightly.
    Ignored(Ignored),
    /// There is no such saga.
    UnknownSaga,
}

/// Why an input came to nothing that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSettled {
    /// This build does not know the saga's definition; another build does. It is left alone.
    #[error("this build does not know the definition {0}")]
    UnknownDefinition(String),
    /// The saga's row does not decode, or does not fit its definition. It is left alone.
    #[error("the saga's row cannot be read: {0}")]
    Unreadable(String),
    /// The store is away, nothing was written; try later.
    #[error("the store is away: {0}")]
    Unavailable(String),
    /// Others hold what this needs and would not let go, nothing was written; try later.
    #[error("others hold what this needs: {0}")]
    Contended(String),
    /// The outcome is unknown; read the saga before trying again.
    #[error("the outcome is unknown: {0}")]
    InDoubt(String),
    /// The store refuses to write it, or the engine answers what was not asked: a defect. Trying again will not help.
    #[error("a defect: {0}")]
    Poisoned(String),
}

/// What waits in the engine's queue.
#[derive(Debug)]
pub enum QueueEntry {
    /// A start whose caller waits, with its place among those that may wait.
    Start(Arc<Start>, oneshot::Sender<Result<StartOutcome, NotSettled>>, OwnedSemaphorePermit),
    /// An action whose operator waits, with its place among those that may wait.
    Act(Act, oneshot::Sender<Result<ActionOutcome, NotSettled>>, OwnedSemaphorePermit),
    /// The replies of one delivery; it is acknowledged once all of them are settled, and released if any could not be.
    Delivery(Vec<(SagaId, Reply)>, Delivery),
    /// Inputs whose sender only wants to know when they are settled, and how many of them moved a saga.
    Many(Vec<Input>, oneshot::Sender<usize>),
}

impl QueueEntry {
    /// How many inputs it brings.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Start(..) | Self::Act(..) => 1,
            Self::Delivery(replies, _) => replies.len(),
            Self::Many(inputs, _) => inputs.len(),
        }
    }
}
