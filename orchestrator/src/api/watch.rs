//! Waiting for a saga to move or end: told by this process, hinted at by others, and in the worst case polled.

use crate::api::Api;
use baton_engine::notify::{Heard, Interest, Subscription, rests};
use baton_engine::store::{Record, StoreError};
use rand::RngExt as _;
use saga_core::saga::SagaId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a watcher trusts that it would have been told: the price of lost hints. Doubles while nothing happens, so that
/// thousands of callers who wait for an outage to end do not add to it.
const POLL: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const MAX_POLL: Duration = Duration::from_secs(8);

/// Pause before a store that is away is asked again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Follows one saga.
#[derive(Debug)]
pub struct Follower {
    api: Api,
    id: SagaId,
    subscription: Subscription,
    seen: u64,
}

impl Follower {
    /// Follows a saga from now on, for [`Self::next`] or [`Self::until_rest`]; what it was before is the caller's to know.
    #[must_use]
    pub fn new(api: &Api, id: SagaId, seen: u64, interest: Interest) -> Self {
        Self { api: api.clone(), id, subscription: api.notifier.subscribe(id, interest), seen }
    }

    /// Cancelled when the process stops.
    #[must_use]
    pub fn stop(&self) -> tokio_util::sync::CancellationToken {
        self.api.stop.clone()
    }

    /// Leaves out versions up to this one from now on.
    pub fn skip_to(&mut self, version: u64) {
        self.seen = self.seen.max(version);
    }

    /// The next version of the saga that the follower is interested in, whenever it comes. Versions may be skipped, never
    /// repeated or reordered. Cancel-safe. An error means the store was asked and is away.
    pub async fn next(&mut self) -> Result<Arc<Record>, StoreError> {
        let mut poll = POLL;
        loop {
            // Spread out, so that those who began to wait together do not ask together.
            let pause = poll.mul_f64(rand::rng().random_range(0.75..1.25));
            let heard = tokio::select! {
                heard = self.subscription.next() => heard,
                () = tokio::time::sleep(pause) => {
                    poll = (poll * 2).min(MAX_POLL);
                    Heard::default()
                }
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
            let stop = self.api.stop.clone();
            tokio::select! {
                next = self.next() => match next {
                    Ok(record) => last = record,
                    // A store that is away is no reason to give up before the deadline.
                    Err(_) => tokio::time::sleep(STORE_PAUSE).await,
                },
                () = tokio::time::sleep_until(deadline) => break,
                () = stop.cancelled() => break,
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        last
    }
}
