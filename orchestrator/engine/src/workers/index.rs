//! The index of attributes: kept close behind the starts, and caught up with whatever was there before it.

use crate::metrics::Metrics;
use crate::sagas::Registry;
use crate::store::indexing::Indexed;
use crate::store::query::SagaQuery;
use crate::store::{SagaStore, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Sagas of one step: with two or three attributes and a trace each about a thousand rows in one transaction, some tens of
/// milliseconds on a slow disk; inputs of 64 KiB, the longest there are, take 16 MiB.
const STEP: u32 = 256;

/// A step that another follows at once is followed by a pause of this many times what it took: at most a quarter of the time
/// goes into catching up, and less while the database is slow because others load it.
const PAUSES: u32 = 3;

/// Between two looks when there is nothing to catch up with.
const BETWEEN: Duration = Duration::from_secs(1);

/// Keeps the index.
#[derive(Debug)]
pub struct Index {
    store: Arc<dyn SagaStore>,
    query: Arc<dyn SagaQuery>,
    registry: Registry,
    metrics: Arc<Metrics>,
}

impl Index {
    /// The index of what this store holds.
    #[must_use]
    pub fn new(
        store: Arc<dyn SagaStore>,
        query: Arc<dyn SagaQuery>,
        registry: Registry,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { store, query, registry, metrics }
    }

    /// Runs until cancelled, which a step that has begun is waited for, or for good if the store needs no index.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let pause = match self.run_once().await {
                Ok(None) => return,
                Ok(Some(Indexed { more: true, .. })) => begun.elapsed() * PAUSES,
                Ok(Some(Indexed { more: false, .. })) => BETWEEN,
                Err(error) => {
                    tracing::debug!(%error, "attributes could not be indexed");
                    BETWEEN
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One step. If it fails nothing of it happened, or all of it where the store lost the answer; the next one begins where
    /// the store says.
    pub async fn run_once(&self) -> Result<Option<Indexed>, StoreError> {
        let indexed = self.query.index(&self.registry, STEP).await?;
        let until = indexed.and_then(|indexed| indexed.until);
        let behind = until.map_or(0, |until| self.store.now().since(until).as_secs());
        self.metrics.index_behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
        Ok(indexed)
    }
}
