//! The collector: takes dead letters out of one quarantine into the desk, where an operator decides about them.

use crate::desk::Desk;
use crate::desk::letters::{MAX_WAITING, NewLetter};
use crate::store::StoreError;
use crate::workers::inbox;
use baton_bus::bus::{CommandBus, Consumer, Delivery, Destination};
use baton_bus::error::BusError;
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Letters kept by one transaction.
const MAX_TAKE: usize = 16;

/// Between two attempts to keep letters, and before a bus is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// A quarantine that has been quiet for so long is a good moment to forget what was decided long ago.
const QUIET: Duration = Duration::from_secs(60);

/// Decided letters are kept for 30 days.
const KEEP_DECIDED_US: i64 = 30 * 24 * 3600 * 1_000_000;

/// Decided letters deleted at once.
const FORGET: u32 = 256;

/// Longest reason kept, bytes.
const MAX_REASON: usize = 63;

/// Takes the dead letters of one destination.
#[derive(Debug)]
pub struct Collector {
    desk: Desk,
    bus: Arc<dyn CommandBus>,
    destination: Destination,
}

impl Collector {
    /// A collector for one destination.
    #[must_use]
    pub fn new(desk: Desk, bus: Arc<dyn CommandBus>, destination: Destination) -> Self {
        Self { desk, bus, destination }
    }

    /// Runs until cancelled or until the bus is closed. Letters that are not kept yet go back to their queue then.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.collect() => {}
        }
    }

    async fn collect(&self) {
        loop {
            match self.bus.consume_dead_letters(self.destination.clone()).await {
                Ok(mut consumer) => while self.run_once(&mut *consumer).await.is_ok() {},
                Err(error) => tracing::debug!(%error, "dead letters cannot be consumed"),
            }
            if matches!(self.bus.health(), Err(BusError::Closed)) {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Keeps the next letters, then acknowledges them: after a crash in between they come again, and are found to be kept.
    /// While they cannot be kept they are held, since a broker would count every release.
    ///
    /// # Errors
    /// If the bus is closed.
    pub async fn run_once(&self, consumer: &mut dyn Consumer) -> Result<(), BusError> {
        // What is too much stays in its queue.
        while !matches!(self.desk.waiting_letters().await, Ok(waiting) if waiting < MAX_WAITING) {
            sleep(PAUSE).await;
        }
        let Ok(taken) = timeout(QUIET, consumer.take(MAX_TAKE)).await else {
            self.forget().await;
            return Ok(());
        };
        let taken = taken?;
        let letters: Vec<NewLetter> = taken.iter().map(|delivery| self.letter(delivery)).collect();
        while let Err(error) = self.keep(&letters).await {
            tracing::warn!(%error, "dead letters are not kept yet");
            sleep(PAUSE).await;
        }
        for delivery in taken {
            delivery.ack().await;
        }
        Ok(())
    }

    /// Keeps them together, or, if the database refuses that, one by one: one that it refuses holds up as few as can be.
    async fn keep(&self, letters: &[NewLetter]) -> Result<(), StoreError> {
        let kept = match self.desk.keep_letters(letters).await {
            Err(StoreError::Refused(why)) if letters.len() > 1 => {
                tracing::error!(why, "dead letters are kept one by one");
                let mut kept = 0;
                for letter in letters {
                    kept += self.desk.keep_letters(std::slice::from_ref(letter)).await?;
                }
                kept
            }
            kept => kept?,
        };
        if kept > 0 {
            tracing::warn!(kept, destination = ?self.destination, "dead letters collected");
        }
        Ok(())
    }

    fn letter(&self, delivery: &Delivery) -> NewLetter {
        NewLetter {
            destination: self.destination.clone(),
            message_id: delivery.message_id,
            reason: reason(&delivery.reason),
            body: delivery.body.clone(),
            sagas: sagas(&self.destination, &delivery.body),
        }
    }

    async fn forget(&self) {
        let before = Micros(self.desk.now().0.saturating_sub(KEEP_DECIDED_US));
        if let Err(error) = self.desk.forget_letters(before, FORGET).await {
            tracing::debug!(%error, "decided dead letters could not be forgotten");
        }
    }
}

/// A reason from outside, harmless; one that is none becomes `UNKNOWN`.
fn reason(text: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match text.len() {
        1..=MAX_REASON if text.bytes().all(is_word) => text.to_owned(),
        _ => "UNKNOWN".to_owned(),
    }
}

/// The items of a message that is a batch of commands or replies; `None` if it is no batch.
#[must_use]
pub fn items(body: &Bytes) -> Option<Vec<Bytes>> {
    inbox::RawBatch::decode(body.clone()).ok().map(|batch| batch.items)
}

/// Every saga that a message concerns, each once, as far as it decodes.
#[must_use]
pub fn sagas(destination: &Destination, body: &Bytes) -> Vec<SagaId> {
    let mut sagas = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for item in items(body).unwrap_or_default() {
        let key = match destination {
            Destination::Commands(_) => wire::Command::decode(item).ok().and_then(|command| command.key),
            Destination::Replies => wire::Reply::decode(item).ok().and_then(|reply| reply.key),
        };
        let saga = key.and_then(|key| key.saga_id.as_ref().try_into().ok()).map(SagaId);
        sagas.extend(saga.filter(|saga| seen.insert(*saga)));
    }
    sagas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words() {
        for (text, kept) in [("TOO_LARGE", "TOO_LARGE"), ("", "UNKNOWN"), ("<b>", "UNKNOWN"), ("no", "UNKNOWN")] {
            assert_eq!(reason(text), kept);
        }
        assert_eq!(reason(&"A".repeat(64)), "UNKNOWN");
    }
}
