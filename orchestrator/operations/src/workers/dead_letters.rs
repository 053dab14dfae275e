//! The collector: takes dead letters out of one quarantine to where an operator decides about them.

use crate::Operations;
use crate::letters::{MAX_WAITING, NewLetter};
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination};
use baton_courier::error::BusError;
use baton_engine::committer::NewId;
use baton_engine::store::StoreError;
use baton_engine::workers::inbox;
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
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

/// Between two attempts to keep letters that the database refuses.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// Longest reason kept, bytes.
const MAX_REASON: usize = 63;

/// Takes the dead letters of one destination.
pub struct Collector {
    operations: Operations,
    bus: Arc<dyn CommandBus>,
    destination: Destination,
    new_id: NewId,
    /// Letters that the database refuses, still unacknowledged: nothing may get lost, and a broker would count every
    /// release. Its prefetch bounds them. Tried again when the time has come.
    refused: Mutex<Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    letters: Vec<Delivery>,
    again_at: Option<Instant>,
}

impl Collector {
    /// A collector for one destination.
    #[must_use]
    pub fn new(operations: Operations, bus: Arc<dyn CommandBus>, destination: Destination, new_id: NewId) -> Self {
        Self { operations, bus, destination, new_id, refused: Mutex::default() }
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
    /// While they cannot be kept they are held, since a broker would count every release. One that the database refuses is
    /// held by itself, and the others go on.
    ///
    /// # Errors
    /// If the bus is closed.
    pub async fn run_once(&self, consumer: &mut dyn Consumer) -> Result<(), BusError> {
        // What is too much stays in its queue.
        while !matches!(self.operations.waiting_letters().await, Ok(waiting) if waiting < MAX_WAITING) {
            sleep(PAUSE).await;
        }
        let taken = timeout(QUIET, consumer.take(MAX_TAKE)).await;
        self.settle(self.due_again()).await;
        match taken {
            Ok(taken) => self.settle(taken?).await,
            Err(_) => self.forget().await,
        }
        Ok(())
    }

    /// Keeps letters and acknowledges them; those that the database refuses are set aside.
    async fn settle(&self, taken: Vec<Delivery>) {
        if taken.is_empty() {
            return;
        }
        let letters: Vec<NewLetter> = taken.iter().map(|delivery| self.letter(delivery)).collect();
        let kept = loop {
            match self.keep(&letters).await {
                Ok(kept) => break kept,
                Err(error) => tracing::warn!(%error, "dead letters are not kept yet"),
            }
            sleep(PAUSE).await;
        };
        for (delivery, is_kept) in taken.into_iter().zip(kept) {
            if is_kept { delivery.ack().await } else { self.set_aside(delivery) }
        }
    }

    /// Keeps them together, or, if the database refuses that, one by one. Says of each whether it is kept.
    async fn keep(&self, letters: &[NewLetter]) -> Result<Vec<bool>, StoreError> {
        let (mut new, mut kept) = (0, vec![true; letters.len()]);
        match self.operations.keep_letters(letters).await {
            Err(StoreError::Refused(why)) => {
                tracing::error!(why, "dead letters are kept one by one");
                for (letter, is_kept) in letters.iter().zip(&mut kept) {
                    match self.operations.keep_letters(std::slice::from_ref(letter)).await {
                        Err(StoreError::Refused(_)) => *is_kept = false,
                        one => new += one?,
                    }
                }
            }
            all => new = all?,
        }
        if new > 0 {
            tracing::warn!(kept = new, destination = ?self.destination, "dead letters collected");
        }
        Ok(kept)
    }

    fn set_aside(&self, delivery: Delivery) {
        let mut refused = self.refused();
        // One that was set aside before a connection was lost comes again; its old delivery settles nothing any more.
        refused.letters.retain(|one| one.message_id != delivery.message_id || one.body != delivery.body);
        refused.letters.push(delivery);
        refused.again_at.get_or_insert_with(|| Instant::now() + REFUSED_AGAIN);
        let (count, destination) = (refused.letters.len(), &self.destination);
        tracing::error!(count, ?destination, "the database refuses dead letters; they stay in their queue");
    }

    /// What was set aside, if it is time to try it again.
    fn due_again(&self) -> Vec<Delivery> {
        let mut refused = self.refused();
        if refused.again_at.is_none_or(|at| at > Instant::now()) {
            return Vec::new();
        }
        std::mem::take(&mut *refused).letters
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        // A list and a time: a panic elsewhere leaves nothing half-changed.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn letter(&self, delivery: &Delivery) -> NewLetter {
        NewLetter {
            id: (self.new_id)(),
            destination: self.destination.clone(),
            message_id: delivery.message_id,
            reason: reason(&delivery.reason),
            body: delivery.body.clone(),
            sagas: sagas(&self.destination, &delivery.body),
        }
    }

    async fn forget(&self) {
        let before = Micros(self.operations.now().0.saturating_sub(KEEP_DECIDED_US));
        if let Err(error) = self.operations.forget_letters(before, FORGET).await {
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
