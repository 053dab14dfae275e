//! Settles deliveries: acknowledged, quarantined, or given back after a pause.

use super::outgoing::Outgoing;
use super::publisher::Publisher;
use crate::bus::{Destination, Settle};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// First and longest time a released message is held before it goes back: a participant whose database is away would
/// otherwise spin. Only the quorum queues of dead letters count deliveries: elsewhere every pause is the first.
const FIRST_RELEASE: Duration = Duration::from_millis(100);
const LONGEST_RELEASE: Duration = Duration::from_secs(30);

/// One delivery in somebody's hands.
#[derive(Debug)]
pub(super) struct RabbitSettle {
    /// Empty once settled.
    pub(super) acker: Option<Acker>,
    pub(super) held: Arc<AtomicUsize>,
    /// How often it was delivered before.
    pub(super) deliveries: u32,
    pub(super) publisher: Publisher,
    pub(super) source: Destination,
    pub(super) queue: String,
    pub(super) is_quarantine: bool,
    pub(super) message_id: Option<Uuid>,
}

#[async_trait]
impl Settle for RabbitSettle {
    async fn ack(mut self: Box<Self>) {
        if let Some(acker) = self.acker.take() {
            ack(&acker);
        }
    }

    async fn dead_letter(mut self: Box<Self>, body: Bytes, reason: &str) {
        if self.is_quarantine {
            // It is where it belongs: as if dropped.
            return;
        }
        // A message without an id gets one here: settling goes by id.
        let id = self.message_id.unwrap_or_else(Uuid::new_v4);
        let (source, queue) = (self.source.clone(), self.queue.clone());
        let letter = Outgoing::dead_letter(source, queue, id, body, reason);
        // Not in the dead-letter queue for sure, it comes again, as if dropped.
        if !self.publisher.publish(vec![letter]).await.is_empty()
            && let Some(acker) = self.acker.take()
        {
            ack(&acker);
        }
    }

    async fn release(self: Box<Self>) {
        // As if dropped.
    }
}

impl Drop for RabbitSettle {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
        if let (Some(acker), Ok(runtime)) = (self.acker.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(put_back(acker, self.deliveries));
        }
    }
}

/// Queues the acknowledgement in the library and does not wait for the socket: a failure means that the message comes
/// again, which the caller could not prevent anyway.
fn ack(acker: &Acker) {
    let _ = acker.ack(BasicAckOptions::default()).now_or_never();
}

async fn put_back(acker: Acker, deliveries: u32) {
    let pause = FIRST_RELEASE.saturating_mul(1 << deliveries.min(10)).min(LONGEST_RELEASE);
    tokio::time::sleep(pause).await;
    let _ = acker.nack(BasicNackOptions { requeue: true, multiple: false }).now_or_never();
}

/// What the broker counted, for quorum queues.
pub(super) fn delivery_count(properties: &BasicProperties) -> u32 {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let count = match headers.and_then(|headers| headers.get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    };
    count.clamp(0, i64::from(u32::MAX)).try_into().unwrap_or(u32::MAX)
}
