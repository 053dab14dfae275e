//! The relay: publishes outbox messages that stay unconfirmed, whoever committed them.

use crate::metrics::Metrics;
use crate::sender::Sender;
use crate::store::{SagaStore, StoreError};
use baton_crash_point::{Point, hit};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages published again per look. Up to 256 commands each: a backlog after an outage drains in steps, not in a flood.
const MAX_MESSAGES: u32 = 64;

/// Publishes unconfirmed outbox messages of every instance, in rounds through the whole outbox: messages that nobody
/// confirms, say of a participant without a queue, never hide those behind them.
#[derive(Debug)]
pub struct Relay {
    store: Arc<dyn SagaStore>,
    sender: Arc<Sender>,
    metrics: Arc<Metrics>,
    age: Duration,
    pause: Duration,
    /// Where this round has got to; `None` at its beginning.
    reached: Option<Uuid>,
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
        Self { store, sender, metrics, age, pause, reached: None }
    }

    /// Runs until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause) => {}
            }
            if let Err(error) = self.run_once().await {
                tracing::debug!(%error, "relay could not look");
            }
        }
    }

    /// One look at the next page of this round; returns how many messages it published again. A page that is not full
    /// ends the round.
    pub async fn run_once(&mut self) -> Result<usize, StoreError> {
        let messages = self.store.unconfirmed(self.age, self.reached, MAX_MESSAGES).await?;
        let is_full = messages.len() >= MAX_MESSAGES as usize;
        self.reached = messages.last().filter(|_| is_full).map(|message| message.id);
        if !messages.is_empty() {
            hit(Point::ORCHESTRATOR_BEFORE_RELAY);
        }
        let sent = self.sender.send(messages);
        if sent > 0 {
            hit(Point::ORCHESTRATOR_AFTER_RELAY);
        }
        self.metrics.relayed.inc_by(sent as u64);
        Ok(sent)
    }
}
