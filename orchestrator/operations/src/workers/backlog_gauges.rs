//! What lies about and waits for somebody, as gauges: dead letters, and sagas that nobody wakes or can drive.
//!
//! Every orchestrator counts the whole installation's, so that one that is left tells of all.

use crate::Operations;
use baton_engine::metrics::Metrics;
use baton_engine::sagas::Registry;
use baton_engine::store::{StateCode, StoreError};
use baton_engine::under_way::UnderWay;
use baton_engine::workers::repeat;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts what waits for operators.
#[derive(Debug)]
pub struct BacklogGauges {
    operations: Operations,
    metrics: Arc<Metrics>,
    registry: Registry,
    under_way: Arc<UnderWay>,
}

impl BacklogGauges {
    /// Of what this database holds; `under_way` is told what of it nobody of `registry`'s build drives.
    #[must_use]
    pub fn new(operations: Operations, metrics: Arc<Metrics>, registry: Registry, under_way: Arc<UnderWay>) -> Self {
        Self { operations, metrics, registry, under_way }
    }

    /// Runs until cancelled. While the database is away the last figures stand.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, PAUSE, "what waits could not be counted", || self.run_once()).await;
    }

    /// One look: two queries of which each reads an index alone, and one of the sagas that have not ended.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        self.metrics.dead_letters.set(self.operations.waiting_letters().await?.into());
        let late = self.operations.overdue().await?;
        self.metrics.overdue_age.set(i64::try_from(late.as_secs()).unwrap_or(i64::MAX));
        let (groups, _) = self.operations.standing().await?;
        let strange = groups.iter().filter(|group| self.registry.pinned(&group.definition).is_none());
        let strange = strange.filter(|group| matches!(group.state, StateCode::Running | StateCode::Compensating));
        let undrivable: u64 = strange.map(|group| group.count).sum();
        self.under_way.undrivable(undrivable);
        if self.metrics.undrivable.set(i64::try_from(undrivable).unwrap_or(i64::MAX)) == 0 && undrivable > 0 {
            tracing::warn!(
                undrivable,
                "sagas under way are of definitions that this build does not know; `baton definitions list` names them"
            );
        }
        Ok(())
    }
}
