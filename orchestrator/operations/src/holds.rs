//! Holds: definitions and participants that are halted, and the sagas that each has paused.
//!
//! A saga is marked by the commit that pauses it, see [`baton_engine::store::Changes::marks`], and by nothing else: a mark that was
//! written apart could be taken for the one of another pause. It has the version before the pause: whoever releases the hold
//! finds in the saga's journal from there on whether it is still the hold's.

use crate::audit::NewAudit;
use async_trait::async_trait;
use baton_engine::hold_policy::Held;
use baton_engine::store::StoreError;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// A hold as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What is held.
    pub held: Held,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub created_at: Micros,
    /// Who releases it and why, once it is being released.
    pub release: Option<(String, String)>,
    /// Sagas that are marked as paused by it.
    pub paused: u64,
}

/// What became of an operator's act on a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The hold afterwards; if it was so before, nothing is written down.
    Hold(Box<Hold>),
    /// There is no such hold.
    Unknown,
    /// An act with this request id is written down already.
    RequestTaken,
}

/// Holds and their marks. Each call is one transaction, an operator's act with its audit entry in it: after a crash all of it is
/// there or nothing.
#[async_trait]
pub trait HoldStore: Send + Sync + fmt::Debug + 'static {
    /// All holds, by name.
    async fn holds(&self) -> Result<Vec<Hold>, StoreError>;

    /// Holds something, from now on. What is being released is held again.
    async fn hold(&self, hold: Hold, act: NewAudit) -> Result<Placed, StoreError>;

    /// Begins to release a hold: nothing is refused any more, and its sagas are resumed one after the other.
    async fn release(&self, held: Held, act: NewAudit) -> Result<Placed, StoreError>;

    /// Claims a hold for `lease`, or renews the claim; `None` if another worker has it, or it is gone.
    async fn claim_hold(&self, held: &Held, worker: Uuid, lease: Duration) -> Result<Option<Hold>, StoreError>;

    /// Ends a claim before its time, so that another worker need not wait for it to lapse.
    async fn leave_hold(&self, held: &Held, worker: Uuid) -> Result<(), StoreError>;

    /// Takes marks away, of sagas that have been resumed or are not the hold's any more, unless they have got a later version:
    /// then another pause has come with it.
    async fn unmark(&self, held: &Held, sagas: Vec<(SagaId, u64)>) -> Result<(), StoreError>;

    /// Marked sagas after one with the versions they were seen at, oldest first, at most `limit`.
    async fn marked(&self, held: &Held, after: Option<SagaId>, limit: u32) -> Result<Vec<(SagaId, u64)>, StoreError>;

    /// Takes away a hold that is being released and has no saga left.
    async fn forget_hold(&self, held: &Held) -> Result<(), StoreError>;
}
