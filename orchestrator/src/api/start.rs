//! Starting a saga: what makes a request the same request, and what the verdict means to the caller.

use crate::api::admin::holds::not_held;
use crate::api::lookup::Lookup;
use crate::api::view::name_of;
use baton_engine::handle::{EngineHandle, Rejected};
use baton_engine::input::{NotSettled, Start, StartOutcome};
use baton_engine::sagas::{SagaType, attributes};
use baton_engine::store::{Fingerprint, Record, StartKey};
use baton_operations::Operations;
use baton_operations::reason::{SagaReason, of_store};
use baton_rpc::request_id::RequestId;
use bytes::Bytes;
use saga_core::saga::SagaId;
use std::sync::Arc;
use tonic::Status;
use uuid::Uuid;

/// Longest input of a saga.
pub const MAX_INPUT: usize = 64 * 1024;

/// What a caller asks to be started.
#[derive(Debug)]
pub struct ParsedStart {
    /// The saga's type.
    pub saga_type: Arc<dyn SagaType>,
    /// The caller's request id.
    pub request: RequestId,
    /// The input, encoded.
    pub input: Bytes,
    /// Trace context the saga is started under.
    pub traceparent: String,
}

/// Why a saga was not started.
#[derive(Debug)]
pub enum NotBegun {
    /// The saga that has the business key, which only one may ever have; it was started by another request.
    BusinessKeyTaken(SagaId),
    /// What callers are told.
    Refused(Status),
}

impl From<Status> for NotBegun {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<NotBegun> for Status {
    fn from(refused: NotBegun) -> Self {
        match refused {
            NotBegun::Refused(status) => status,
            NotBegun::BusinessKeyTaken(holder) => SagaReason::BusinessKeyTaken
                .status(format!("another request has started a saga for this business key: {}", name_of(holder))),
        }
    }
}

/// Starts sagas.
pub struct Starter<'a> {
    pub(super) engine: &'a EngineHandle,
    pub(super) lookup: Lookup<'a>,
    /// Knows which definitions are held, if this orchestrator keeps any operations.
    pub(super) operations: Option<&'a Operations>,
}

impl Starter<'_> {
    /// Refuses a start that would not be let in anyway, before it is looked at.
    pub fn admit(&self) -> Result<(), Status> {
        self.engine.room().map_err(rejection)
    }

    /// Starts a saga, or finds the one this very request started before. The id is made by the caller so that it can
    /// subscribe first.
    pub async fn begin(&self, id: SagaId, asked: ParsedStart) -> Result<Arc<Record>, NotBegun> {
        if asked.input.len() > MAX_INPUT {
            return Err(SagaReason::InputTooLarge.status(format!("the input is longer than {MAX_INPUT} bytes")).into());
        }
        let accepted = asked.saga_type.accept(&asked.input).map_err(|violations| violations.into_status())?;
        let attributes =
            attributes::checked(&*asked.saga_type, &asked.input).map_err(|violations| violations.into_status())?;
        let definition = asked.saga_type.definition().id().clone();
        let mut keys = vec![digest(b"request", &definition.name, &asked.request.bytes())];
        if accepted.exclusive {
            keys.push(business_start_key(&definition.name, &accepted.business_key));
        }
        not_held(self.operations, self.lookup.store, &definition.name, &keys).await?;
        let fingerprint = fingerprint_of(&definition.name, &asked.input);
        let start = Start {
            id,
            definition,
            input: asked.input,
            business_key: accepted.business_key,
            traceparent: asked.traceparent,
            keys,
            fingerprint,
            attributes,
        };
        let outcome = self.engine.start(start).await.map_err(rejection)?;
        self.begun(outcome).await
    }

    async fn begun(&self, outcome: Result<StartOutcome, NotSettled>) -> Result<Arc<Record>, NotBegun> {
        let refused = match outcome {
            Ok(StartOutcome::Started(record)) => return Ok(record),
            Ok(StartOutcome::Taken { same: true, key: 0, holder }) => {
                match self.lookup.store.get(holder).await.map_err(|error| of_store(&error))? {
                    Some(record) => return Ok(Arc::new(record)),
                    None => self.lookup.carried_out_before(holder).await,
                }
            }
            Ok(StartOutcome::Taken { key: 0, .. }) => {
                SagaReason::RequestIdReused.status("request_id was used before with other content")
            }
            Ok(StartOutcome::Taken { holder, .. }) => return Err(NotBegun::BusinessKeyTaken(holder)),
            Err(why) => not_settled(&why, "repeat with the same request_id"),
        };
        Err(refused.into())
    }
}

pub(super) fn rejection(rejected: Rejected) -> Status {
    match rejected {
        Rejected::Overloaded => SagaReason::Overloaded.status("too many sagas are waiting or under way; try again"),
        Rejected::Stopping => SagaReason::ShuttingDown.status("this orchestrator is shutting down; try another"),
    }
}

/// Why a start or an action is not settled, for its caller; `again` says how it can be repeated if the outcome is unknown.
pub(super) fn not_settled(why: &NotSettled, again: &str) -> Status {
    match why {
        NotSettled::Unavailable(_) | NotSettled::Contended(_) => {
            tracing::warn!(%why, "not committed");
            SagaReason::StoreUnavailable.status("the store is unavailable; nothing was changed; try again")
        }
        NotSettled::InDoubt(_) => {
            tracing::warn!(%why, "in doubt");
            SagaReason::OutcomeUnknown.status(format!("the outcome is unknown; {again}"))
        }
        NotSettled::UnknownDefinition(definition) => SagaReason::SagaUnreadable
            .status(format!("this build does not know the definition {definition}; another build must be asked")),
        NotSettled::Unreadable(_) => {
            tracing::error!(%why, "not settled");
            SagaReason::SagaUnreadable.status("the saga's row cannot be read; nothing moves it before it is mended")
        }
        NotSettled::Poisoned(_) => {
            tracing::error!(%why, "not settled");
            SagaReason::Internal.status("internal error")
        }
    }
}

/// The start key that an exclusive business key is: at most one saga holds it. Stored for ever, never changed.
#[must_use]
pub fn business_start_key(definition: &str, business_key: &str) -> StartKey {
    digest(b"business", definition, business_key.as_bytes())
}

/// What a saga's start keys are stored with: tells its request from another one under the same key.
#[must_use]
pub fn fingerprint_of(definition: &str, input: &[u8]) -> Fingerprint {
    Fingerprint(digest(b"content", definition, input).0)
}

fn digest(kind: &[u8], definition: &str, content: &[u8]) -> StartKey {
    let mut hasher = blake3::Hasher::new();
    for part in [kind, definition.as_bytes(), content] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    StartKey(*hasher.finalize().as_bytes())
}

/// A new saga's id: a UUIDv7, so that ids are ordered by time.
#[must_use]
pub fn new_saga_id() -> SagaId {
    SagaId(Uuid::now_v7().into_bytes())
}
