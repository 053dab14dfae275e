//! The seam to durable state: what the engine writes and reads by ([`SagaStore`]), what people ask ([`query::SagaQuery`]), the
//! implementations, and the suites they all pass.

pub mod audit;
pub mod fingerprint;
pub mod indexing;
pub mod purge;
pub mod query;
mod state;

use crate::hold_policy::{Held, Mark};
use async_trait::async_trait;
use audit::NewAudit;
use baton_query::filter::Attribute;
use baton_query::skips::SkippedHalf;
pub use fingerprint::Fingerprint;
use purge::Sweep;
use saga_core::event::Entry;
use saga_core::saga::{Cause, DefinitionId, Saga, SagaId};
use saga_core::time::Micros;
pub use state::{StateCode, causes};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Until a row that does not decode is looked at again.
pub const UNREADABLE_AGAIN: Duration = Duration::from_secs(60);

/// A saga with what the shell keeps beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The value.
    pub saga: Saga,
    /// Business key, for example the number of a trip; at most 128 bytes, possibly empty. Indexed, not unique.
    pub business_key: String,
    /// W3C traceparent the saga was started under, or empty.
    pub traceparent: String,
    /// Why the newest settled attempt at the half-step it is at came to nothing; see [`baton_query::failure`].
    pub last_failure: Option<Cause>,
    /// What operators skipped of it, in order; see [`baton_query::skips`].
    pub skipped: Vec<SkippedHalf>,
}

impl Record {
    /// Why it tries again, is stuck, unwinds or unwound: what is newest of these.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.last_failure.as_ref().or_else(|| self.saga.cause())
    }
}

/// A key that at most one saga may hold, for ever: a digest of (definition, request id) or of an exclusive business key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartKey(pub [u8; 32]);

/// Who holds a start key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The key.
    pub key: StartKey,
    /// The saga that holds it.
    pub saga: SagaId,
    /// What that saga was started with.
    pub fingerprint: Fingerprint,
}

/// A saga to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// The saga at version 1.
    pub record: Record,
    /// Keys it takes; a taken key fails the commit with [`StoreError::DuplicateKey`].
    pub keys: Vec<StartKey>,
    /// Stored with every key.
    pub fingerprint: Fingerprint,
    /// When it is to be looked at, unless it has moved on to rest by then.
    pub look_at: Option<Micros>,
    /// What it is found by, each once, within the bounds of [`crate::sagas::attributes`]. Written here only if the index has
    /// passed the saga's id by; see [`query::SagaQuery::index`].
    pub attributes: Vec<Attribute>,
}

/// A saga to overwrite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The saga as it shall be.
    pub saga: Saga,
    /// Its last failure as it shall be.
    pub last_failure: Option<Cause>,
    /// What is skipped of it then: what was skipped when it was loaded, and perhaps more.
    pub skipped: Vec<SkippedHalf>,
    /// The version it was loaded with; the commit fails with [`StoreError::Conflict`] if the row has another.
    pub loaded_version: u64,
    /// The latest moment at which it is to be looked at; a look that is due before stays. `None` for a saga that is not under
    /// way any more: it has none.
    pub look_at: Option<Micros>,
    /// False if outputs, causes, last failure and what is skipped are as loaded, so that the data column need not be written.
    pub data_changed: bool,
}

/// Everything one batch writes, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New sagas.
    pub inserts: Vec<Insert>,
    /// Moved sagas, each id once.
    pub updates: Vec<Update>,
    /// Journal entries of both, several per saga possible, versions ascending within a saga.
    pub journal: Vec<Entry>,
    /// Sagas that holds have paused in this batch; a hold that does not stand any more fails the commit with
    /// [`StoreError::HoldLifted`].
    pub marks: Vec<Mark>,
    /// Acts of operators to write down; a request id that is taken fails the commit with [`StoreError::RequestTaken`].
    pub audits: Vec<NewAudit>,
}

/// What a commit's decision is made on.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The sagas asked for that exist, locked until the commit.
    pub records: BTreeMap<SagaId, Record>,
    /// Rows that exist but cannot be decoded, with the reason. They never hide the others.
    pub broken: Vec<(SagaId, String)>,
    /// The database's clock.
    pub now: Micros,
}

/// When a saga is to be looked at again, once a look has found it. Given the saga and the database's clock.
pub type NextLook = Arc<dyn Fn(&Record, Micros) -> Micros + Send + Sync>;

/// Decides what to write. Pure but for what it captures, and run again from scratch when the database asks for it
/// (deadlock): the last run is the one that counts.
pub type Decide = Box<dyn FnMut(&Loaded) -> Changes + Send>;

/// Why the store could not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached; nothing was written. Try later.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost at COMMIT: it may or may not have happened. Load again and compare versions.
    #[error("commit outcome unknown: {0}")]
    UnknownOutcome(String),
    /// A row changed under us or the database could not settle a deadlock; nothing was written. Load and decide again,
    /// saga by saga.
    #[error("conflict: {0}")]
    Conflict(String),
    /// A start key is taken; nothing was written. Ask [`SagaStore::find_keys`] which.
    #[error("start key taken")]
    DuplicateKey,
    /// An act with this request id is written down already; nothing was written. Look it up.
    #[error("request id taken")]
    RequestTaken,
    /// These holds do not stand any more, so that nobody would resume what they pause; nothing was written.
    #[error("{} of the holds do not stand any more", .0.len())]
    HoldLifted(Vec<Held>),
    /// The database refuses a value or a statement; nothing was written. A defect or a poisoned saga.
    #[error("store refused: {0}")]
    Refused(String),
    /// A row that was asked for does not decode; it says why, without contents.
    #[error("unreadable: {0}")]
    Unreadable(String),
}

/// [`SagaStore::commit`] with a decision that comes to something beside its changes: what the run that counts came to is
/// handed back with them.
///
/// # Errors
/// Those of the commit.
pub async fn commit_with<R: Send + 'static>(
    store: &(impl SagaStore + ?Sized),
    ids: Vec<SagaId>,
    mut decide: impl FnMut(&Loaded) -> (Changes, R) + Send + 'static,
) -> Result<(Changes, R), StoreError> {
    let (came_to, runs) = mpsc::channel();
    let decide = move |loaded: &Loaded| {
        let (changes, outcome) = decide(loaded);
        // Taken below, unless nobody waits for the commit any more.
        let _ = came_to.send(outcome);
        changes
    };
    let changes = store.commit(ids, Box::new(decide)).await?;
    let outcome = runs.try_iter().last();
    let outcome = outcome.ok_or_else(|| StoreError::Refused("committed without a decision".to_owned()))?;
    Ok((changes, outcome))
}

/// Durable state, as far as sagas are driven by it. Small on purpose: intent, not mechanism; what people ask is
/// [`query::SagaQuery`]. Every implementation passes the suite in `baton_store::conformance`.
#[async_trait]
pub trait SagaStore: Send + Sync + fmt::Debug + 'static {
    /// In one transaction: locks and loads `ids` (in id order), lets `decide` choose, writes its choice, commits, returns
    /// it. Not cancelled by dropping the future. With `ids` empty nothing is loaded. A `decide` that panics writes nothing
    /// and is `Refused`. Rows are checked for what they are, not against their definitions, which stores do not know:
    /// that is [`saga_core::machine::check`], before anything is decided on them.
    async fn commit(&self, ids: Vec<SagaId>, decide: Decide) -> Result<Changes, StoreError>;

    /// Which of these keys are taken, and by whom.
    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError>;

    /// One saga; `Ok(None)` if there is none, `Unreadable` if its row does not decode.
    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError>;

    /// Journal entries with version > `after`, oldest first, at most `limit`. `Unreadable` if one of them does not decode.
    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// Takes sagas of the `known` definitions that are to be looked at, the longest due first, at most `limit`, and in the same
    /// transaction puts each off to what `next` says of it: whoever else looks meanwhile does not get it, and if this process
    /// dies with it, it is looked at again then. Nothing else of the saga changes, its version neither. Rows that another
    /// transaction has locked just now are left out. Rows that do not decode are put off by
    /// [`UNREADABLE_AGAIN`].
    /// (Sagas of definitions this build does not know are left to builds that do, and must not fill the page.)
    /// A look that lies further ahead than `farthest` is due, too: nobody puts one off for so long, so that the clock was set back.
    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError>;

    /// How many sagas are under way (somebody is to look at them), of any definition; counts no further than `limit`.
    async fn under_way(&self, limit: u32) -> Result<u64, StoreError>;

    /// One step of forgetting: looks at the next at most `limit` sagas, in id order, that were created before `before` by
    /// their ids and come after `after`; deletes those of them that completed or were compensated before `before`, with
    /// their journals, and keeps a [`purge::Forgotten`] for each. Start keys stay, so that no request is ever carried out twice.
    /// One transaction, short: about 5,000 journal entries at most, so that a step may get less far than `limit`. Any
    /// number of callers may do this at once; rows that others hold are left for another time. After a crash a saga is there
    /// as a whole or forgotten as a whole.
    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError>;

    /// The database's clock as this process last measured it.
    fn now(&self) -> Micros;

    /// Ok if the store can commit right now. Measures the clock again.
    async fn ready(&self) -> Result<(), StoreError>;
}
