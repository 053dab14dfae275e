//! Retention: forgets finished sagas that are old enough, in small steps that give way to everything else.

use crate::metrics::Metrics;
use crate::store::purge::Sweep;
use crate::store::{SagaStore, StoreError};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A step is followed by a pause of this many times what it took: at most a tenth of the time goes into forgetting, and
/// when the database is slow because others load it, the steps become rarer by themselves.
const PAUSES: u32 = 9;

/// Between two rounds, and after a step that failed. A round with nothing to forget costs one page for every few hundred
/// sagas that are old and parked or under way.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(10);

/// What is forgotten, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a saga is kept after its end. At least that; under load it stays longer.
    pub keep: Duration,
    /// Sagas one step looks at, at most.
    pub step: u32,
}

/// Forgets finished sagas, in rounds through those that are old enough. It remembers where a round has got to: sagas that
/// are parked or under way are passed once a round, not with every step, and what was just deleted, which a database goes
/// on reading over until it has tidied up, is not read again.
#[derive(Debug)]
pub struct Retention {
    store: Arc<dyn SagaStore>,
    metrics: Arc<Metrics>,
    policy: Policy,
    /// Where this round has got to; `None` at its beginning. A crash loses it, and costs one look from the beginning.
    reached: Option<SagaId>,
}

impl Retention {
    /// Retention by a policy.
    #[must_use]
    pub fn new(store: Arc<dyn SagaStore>, metrics: Arc<Metrics>, policy: Policy) -> Self {
        Self { store, metrics, policy, reached: None }
    }

    /// Runs until cancelled, which a step that has begun is waited for.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let pause = match self.run_once().await {
                Ok(Sweep { reached: Some(_), .. }) => begun.elapsed() * PAUSES,
                Ok(Sweep { reached: None, .. }) => BETWEEN_ROUNDS.max(begun.elapsed() * PAUSES),
                Err(error) => {
                    tracing::debug!(%error, "finished sagas could not be forgotten");
                    BETWEEN_ROUNDS
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One step of this round. If it fails nothing of it happened, or all of it where the store lost the answer; the next
    /// one begins at the same place.
    pub async fn run_once(&mut self) -> Result<Sweep, StoreError> {
        let keep = i64::try_from(self.policy.keep.as_micros()).unwrap_or(i64::MAX);
        let before = Micros(self.store.now().0.saturating_sub(keep));
        let sweep = self.store.forget(before, self.reached, self.policy.step).await?;
        self.reached = sweep.reached;
        self.metrics.forgotten.inc_by(sweep.forgotten as u64);
        Ok(sweep)
    }
}
