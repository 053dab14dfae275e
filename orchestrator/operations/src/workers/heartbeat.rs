//! An orchestrator tells the others, through the database, that it lives and what it did, and at last that it goes.

use crate::Operations;
use crate::instances::{Own, Sample};
use baton_engine::metrics::Metrics;
use baton_engine::store::StoreError;
use baton_engine::workers::repeat;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Length of a stretch, and the pause between two beats.
pub const STRETCH: Duration = Duration::from_secs(5);

/// How long a stopping orchestrator tries to say that it goes. If it cannot, it looks like one that was killed.
const LEAVING: Duration = Duration::from_secs(1);

/// Tells the other orchestrators again and again that this one lives.
#[derive(Debug)]
pub struct Heartbeat {
    operations: Operations,
    metrics: Arc<Metrics>,
    own: Own,
}

impl Heartbeat {
    /// For a process that is called that for as long as it lives.
    #[must_use]
    pub fn new(operations: Operations, metrics: Arc<Metrics>, own: Own) -> Self {
        Self { operations, metrics, own }
    }

    /// Runs until cancelled, and then takes its process off the list.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, STRETCH, "no beat", || self.run_once()).await;
        match tokio::time::timeout(LEAVING, self.operations.leave(self.own.id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "left without a word"),
            Err(_) => tracing::debug!("left without a word: the database does not answer"),
        }
    }

    /// One beat.
    ///
    /// # Errors
    /// If the database cannot be written; what was counted since the last beat is then lost to the picture.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        let stretch = i64::try_from(STRETCH.as_micros()).unwrap_or(i64::MAX);
        let at = Micros(self.operations.now().0 / stretch * stretch);
        let under_way = u64::try_from(self.metrics.under_way.get()).unwrap_or(0);
        let sample = Sample { at, beat: self.metrics.stats.take(), under_way };
        self.operations.beat(&self.own, sample).await
    }
}
