//! What lies about and waits for somebody, as gauges: dead letters, and sagas that nobody wakes.
//!
//! Every orchestrator counts the whole installation's, so that one that is left tells of all.

use crate::Operations;
use baton_engine::metrics::Metrics;
use baton_engine::store::StoreError;
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
}

impl BacklogGauges {
    /// Of what this database holds.
    #[must_use]
    pub fn new(operations: Operations, metrics: Arc<Metrics>) -> Self {
        Self { operations, metrics }
    }

    /// Runs until cancelled. While the database is away the last figures stand.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, PAUSE, "what waits could not be counted", || self.run_once()).await;
    }

    /// One look: two queries of which each reads an index alone.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        self.metrics.dead_letters.set(self.operations.waiting_letters().await?.into());
        let late = self.operations.overdue().await?;
        self.metrics.overdue_age.set(i64::try_from(late.as_secs()).unwrap_or(i64::MAX));
        Ok(())
    }
}
