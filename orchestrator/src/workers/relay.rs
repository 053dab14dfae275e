//! The relay: publishes outbox messages that stay unconfirmed, whoever committed them.

use crate::engine::sender::Sender;
use crate::metrics::Metrics;
use crate::store::{SagaStore, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Messages published again per look. Up to 256 commands each: a backlog after an outage drains in steps, not in a flood.
const MAX_MESSAGES: u32 = 64;

/// Publishes unconfirmed outbox messages of every instance.
#[derive(Debug)]
pub struct Relay {
    store: Arc<dyn SagaStore>,
    sender: Arc<Sender>,
    metrics: Arc<Metrics>,
    age: Duration,
    pause: Duration,
}

impl Relay {
    /// A relay that looks every `pause` for messages older than `age`.
    #[must_use]
    pub fn new(
        store: Arc<dyn SagaStore>,
        sender: Arc<Sender>,
        metrics: Arc<Metrics>,
        age: Duration,
        pause: Duration,
    ) -> Self {
        Self { store, sender, metrics, age, pause }
    }

    /// Runs until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause) => {}
            }
            if let Err(error) = self.run_once().await {
                tracing::debug!(%error, "relay could not look");
            }
        }
    }

    /// One look; returns how many messages it published again.
    pub async fn run_once(&self) -> Result<usize, StoreError> {
        let messages = self.store.unconfirmed(self.age, MAX_MESSAGES).await?;
        let sent = self.sender.send(messages);
        self.metrics.relayed.inc_by(sent as u64);
        Ok(sent)
    }
}
