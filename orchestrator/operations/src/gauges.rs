//! What lies about: where sagas stand that have not ended, how late those are that nobody wakes, what is not sent yet.

use async_trait::async_trait;
use baton_engine::store::StateCode;
use baton_engine::store::StoreError;
use saga_core::saga::{DefinitionId, Direction, SagaId, StepIndex};
use std::fmt;
use std::time::Duration;

/// Sagas that are looked at, at most: many times what admission lets in.
pub(super) const MOST: u32 = 100_000;

/// Sagas at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The definition they are pinned to.
    pub definition: DefinitionId,
    /// Their state.
    pub state: StateCode,
    /// The step they are at; 0 at an end.
    pub step: StepIndex,
    /// The half of it.
    pub direction: Direction,
    /// How many.
    pub count: u64,
    /// One of them.
    pub example: SagaId,
}

/// Figures about sagas and messages, for those who operate them. It writes nothing.
#[async_trait]
pub trait Gauges: Send + Sync + fmt::Debug + 'static {
    /// All groups of sagas that have not ended, and whether every saga was looked at. Groups whose rows do not decode are left out: lists name them.
    async fn standing(&self) -> Result<(Vec<Group>, bool), StoreError>;

    /// How late the saga is that should have acted first and has not; zero if all are on time. As exact as a
    /// second.
    async fn overdue(&self) -> Result<Duration, StoreError>;
}
