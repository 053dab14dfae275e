//! Waiting for a saga to move or end: told by this process, hinted at by others, and in the worst case polled.

use crate::api::Api;
use crate::notify::Subscription;
use crate::store::{Record, StoreError};
use saga_core::saga::{SagaId, State};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a watcher trusts that it would have been told: the price of lost hints.
const POLL: Duration = Duration::from_secs(1);

/// Follows one saga.
#[derive(Debug)]
pub struct Follower {
    api: Api,
    id: SagaId,
    subscription: Subscription,
    seen: u64,
}

impl Follower {
    /// Follows a saga from now on; what it was before is the caller's to know.
    #[must_use]
    pub fn new(api: &Api, id: SagaId, seen: u64) -> Self {
        Self { api: api.clone(), id, subscription: api.notifier.subscribe(id), seen }
    }

    /// Leaves out versions up to this one from now on.
    pub fn skip_to(&mut self, version: u64) {
        self.seen = self.seen.max(version);
    }

    /// The next version of the saga, whenever it comes. Versions may be skipped, never repeated or reordered.
    /// Cancel-safe. An error means the store was asked and is away.
    pub async fn next(&mut self) -> Result<Arc<Record>, StoreError> {
        loop {
            let heard = tokio::select! {
                heard = self.subscription.next() => heard,
                () = tokio::time::sleep(POLL) => crate::notify::Heard::default(),
            };
            let record = match heard.record {
                Some(record) => Some(record),
                None => self.api.store.get(self.id).await?.map(Arc::new),
            };
            if let Some(record) = record
                && record.saga.version > self.seen
            {
                self.seen = record.saga.version;
                return Ok(record);
            }
        }
    }

    /// Follows until the saga rests or the deadline comes; returns the newest that is known, `last` if nothing newer.
    pub async fn until_rest(&mut self, mut last: Arc<Record>, deadline: Instant) -> Arc<Record> {
        while !rests(&last) {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Ok(record)) => last = record,
                // A store that is away is no reason to give up before the deadline.
                Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(_) => return last,
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        last
    }
}

/// True if nothing more happens to the saga without an operator.
#[must_use]
pub fn rests(record: &Record) -> bool {
    match &record.saga.state {
        State::Completed | State::Compensated { .. } | State::Stuck { .. } | State::Paused { .. } => true,
        State::Running { .. } | State::Compensating { .. } => false,
    }
}
