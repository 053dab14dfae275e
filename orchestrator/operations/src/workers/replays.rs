//! Sends replayed dead letters: published, so that the bus has them for good, then noted as sent.

use crate::Operations;
use crate::letters::{Letter, queue, replay_id};
use baton_courier::bus::{CommandBus, Message};
use baton_engine::store::StoreError;
use baton_engine::workers::repeat;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Letters sent at once.
const MAX_LETTERS: u32 = 64;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends what operators have decided to send again.
pub struct Replays {
    operations: Operations,
    bus: Arc<dyn CommandBus>,
}

impl Replays {
    /// A worker that has done nothing yet.
    #[must_use]
    pub fn new(operations: Operations, bus: Arc<dyn CommandBus>) -> Self {
        Self { operations, bus }
    }

    /// Runs until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, PAUSE, "replayed letters could not be sent", async || self.run_once().await.map(|_| ())).await;
    }

    /// Sends letters and notes those that the bus has taken over; returns how many. After a crash in between they are sent once
    /// more, as the same message.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn run_once(&self) -> Result<usize, StoreError> {
        let letters = self.operations.unsent_letters(MAX_LETTERS).await?;
        if letters.is_empty() {
            return Ok(0);
        }
        let mut sent_as: Vec<(Uuid, Uuid)> = Vec::with_capacity(letters.len());
        let messages = letters.into_iter().map(|(Letter { id, destination, .. }, body)| {
            let message = replay_id(id);
            sent_as.push((message, id));
            tracing::info!(letter = %id, to = queue(&destination), "dead letter is sent again");
            Message { id: message, destination, body }
        });
        let messages = messages.collect();
        let confirmed: HashSet<Uuid> = self.bus.publish(messages).await.into_iter().collect();
        let sent: Vec<Uuid> =
            sent_as.into_iter().filter(|(message, _)| confirmed.contains(message)).map(|(_, id)| id).collect();
        if !sent.is_empty() {
            self.operations.letters_sent(&sent).await?;
        }
        Ok(sent.len())
    }
}
