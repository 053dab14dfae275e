//! Counts the sagas under way in the store, since other orchestrators start and end them too.

use baton_engine::metrics::Metrics;
use baton_engine::store::{SagaStore, StoreError};
use baton_engine::under_way::UnderWay;
use baton_engine::workers::repeat;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two counts. What other orchestrators may start beyond the bound is what they start in this time.
const PAUSE: Duration = Duration::from_millis(250);

/// Counts left out at most while nothing seems to be under way: what another orchestrator has begun, or left, is seen after as many.
const QUIET: u32 = 20;

/// How many times the bound are counted at most.
const BEYOND: usize = 4;

/// Keeps the number of sagas under way.
#[derive(Debug)]
pub struct ActiveCount {
    store: Arc<dyn SagaStore>,
    under_way: Arc<UnderWay>,
    metrics: Arc<Metrics>,
    /// Counts left out in a row.
    left_out: AtomicU32,
}

impl ActiveCount {
    /// A count of what this store holds.
    #[must_use]
    pub fn new(store: Arc<dyn SagaStore>, under_way: Arc<UnderWay>, metrics: Arc<Metrics>) -> Self {
        Self { store, under_way, metrics, left_out: 0.into() }
    }

    /// Runs until cancelled. While the store is away the last count stands.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, PAUSE, "sagas under way could not be counted", || self.run_once()).await;
    }

    /// One count, if there may be anything to count. Far beyond the bound it does not matter how many there are.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        if self.under_way.is_quiet() && self.left_out.fetch_add(1, Ordering::Relaxed) < QUIET {
            return Ok(());
        }
        self.left_out.store(0, Ordering::Relaxed);
        let about_to_count = self.under_way.about_to_count();
        let limit = u32::try_from(self.under_way.max().saturating_mul(BEYOND)).unwrap_or(u32::MAX);
        let sagas = self.store.under_way(limit).await?;
        self.under_way.counted(sagas, about_to_count);
        self.metrics.under_way.set(i64::try_from(sagas).unwrap_or(i64::MAX));
        Ok(())
    }
}
