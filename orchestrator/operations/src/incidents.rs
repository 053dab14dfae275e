//! Incidents: sagas that are stuck, and whether somebody was told.

use async_trait::async_trait;
use baton_engine::store::StoreError;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::fmt;
use std::time::Duration;

/// Incidents that one look opens, and tells, at most.
pub const MOST: u32 = 100;

/// How often one is told before it is given up.
pub const MAX_ATTEMPTS: i64 = 20;

/// Longest pause between two attempts. One that lies further ahead is of before the clock was set back, and over.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How far stuck sagas are counted.
pub(super) const MAX_COUNT: u32 = 10_000;

/// How long a row is kept after its saga has moved on.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A stuck saga of which nobody was told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The saga.
    pub saga: SagaId,
    /// Its version since it is stuck.
    pub version: u64,
    /// Since when.
    pub opened_at: Micros,
    /// How often telling was tried.
    pub attempts: i64,
}

/// Incidents. Each call is one transaction; a crash between two of them tells somebody once more, under the same id.
#[async_trait]
pub trait IncidentStore: Send + Sync + fmt::Debug + 'static {
    /// Writes down those that are stuck and not written down yet, and forgets those that are not stuck any more for a day.
    async fn open_incidents(&self) -> Result<(), StoreError>;

    /// Those that are still stuck and whose time to be told has come.
    async fn untold_incidents(&self) -> Result<Vec<Incident>, StoreError>;

    /// Takes one to tell it, so that no other orchestrator does meanwhile; it comes up again after `pause` unless it is told
    /// by then. False if another took it first.
    async fn claim_incident(&self, incident: Incident, pause: Duration) -> Result<bool, StoreError>;

    /// Notes that somebody was told. A crash before this tells them once more, under the same id.
    async fn incident_told(&self, incident: Incident) -> Result<(), StoreError>;

    /// How many sagas are stuck, counted to a bound, and since when the one that has been for longest.
    async fn incidents(&self) -> Result<(u64, Option<Micros>), StoreError>;
}
