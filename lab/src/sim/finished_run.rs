//! A run at rest.

use super::client::Clients;
use super::stage::Stage;
use super::workload::Workload;
use baton_orchestrator::store::Record;

/// What the verdict is made from.
pub struct FinishedRun<'a> {
    /// Databases, store and world.
    pub stage: &'a Stage,
    /// What was ordered.
    pub workload: &'a Workload,
    /// What clients were told.
    pub clients: &'a Clients,
    /// Every saga.
    pub records: &'a [Record],
    /// Whether the run came to rest in time.
    pub rested: bool,
    /// How many unreadable messages were put in.
    pub corrupt: u64,
}
