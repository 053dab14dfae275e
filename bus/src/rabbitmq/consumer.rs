//! Consumes one queue over a connection of its own, and settles deliveries.

use super::connection::{Broker, Slot};
use super::declare::{Declarer, message_id, reason};
use super::outgoing::Outgoing;
use super::publisher::Publisher;
use crate::bus::{Consumer, Delivery, Destination, MAX_BODY, Settle};
use crate::error::BusError;
use crate::topology;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as RawDelivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties, Channel, Connection};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

/// Opening a channel and a consumer; a broker that needs longer is away.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Pause before the next attempt, beside that of a connection that failed: a broker that refuses a queue answers at once.
const OPEN_AGAIN: Duration = Duration::from_millis(100);

/// A consumer that was idle for this long opens a new channel. If a queue is deleted and declared again at once, the
/// broker may not tell the consumers of the old one; messages then go to a consumer that exists in its books only.
const RENEW_AFTER: Duration = Duration::from_secs(20);

/// First and longest time a released message is held before it goes back: a participant whose database is away would
/// otherwise spin, and spend the delivery limit in a second.
const FIRST_RELEASE: Duration = Duration::from_millis(100);
const LONGEST_RELEASE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct RabbitConsumer {
    slot: Arc<Slot>,
    broker: Arc<Broker>,
    declarer: Arc<Declarer>,
    publisher: Publisher,
    source: Destination,
    queue: String,
    /// Whether the queue is a dead-letter queue.
    is_quarantine: bool,
    prefetch: u16,
    open: Option<Open>,
    /// Deliveries in somebody's hands.
    held: Arc<AtomicUsize>,
    /// When an idle consumer is renewed.
    renew_at: Instant,
}

#[derive(Debug)]
struct Open {
    connection: Arc<Connection>,
    // Held: the consumer ends with its channel.
    _channel: Channel,
    deliveries: lapin::Consumer,
}

impl RabbitConsumer {
    pub(super) fn new(
        broker: &Arc<Broker>,
        declarer: Arc<Declarer>,
        publisher: Publisher,
        source: Destination,
        prefetch: u16,
    ) -> Result<Self, BusError> {
        let queue = topology::route(&source)?.queue;
        let (slot, broker) = (broker.slot("consume"), broker.clone());
        let (held, renew_at) = (Arc::default(), Instant::now());
        let (is_quarantine, open) = (false, None);
        Ok(Self { slot, broker, declarer, publisher, source, queue, is_quarantine, prefetch, open, held, renew_at })
    }

    /// The same for the dead letters of its source.
    pub(super) fn of_dead_letters(self) -> Result<Self, BusError> {
        let queue = topology::route(&self.source)?.dead_letter_queue;
        Ok(Self { queue, is_quarantine: true, ..self })
    }

    /// Declares, connects and consumes. Cancel-safe: what is half open is dropped.
    async fn open(&mut self) -> Result<(), BusError> {
        self.declarer.declare(&self.source).await?;
        let connection = self.slot.connected().await?;
        let opening = timeout(OPEN_WITHIN, async {
            let channel = connection.create_channel().await?;
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
            let deliveries = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
            lapin::Result::Ok((channel, deliveries))
        });
        let reason = match opening.await {
            Ok(Ok((channel, deliveries))) => {
                self.open = Some(Open { connection, _channel: channel, deliveries });
                self.renew_at = Instant::now() + RENEW_AFTER;
                self.slot.worked();
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "opening a consumer hangs".to_owned(),
        };
        self.slot.failed(&connection, &reason);
        Err(BusError::Unavailable(reason))
    }

    /// The next delivery, opening the consumer as often as it takes.
    async fn next(&mut self) -> Result<RawDelivery, BusError> {
        loop {
            if self.open.is_none()
                && let Err(error) = self.open().await
            {
                if matches!(error, BusError::Closed) {
                    return Err(error);
                }
                tracing::debug!(queue = self.queue, %error, "consumer not open");
                tokio::time::sleep(OPEN_AGAIN).await;
                continue;
            }
            let Some(open) = &mut self.open else { continue };
            let reason = match timeout_at(self.renew_at, open.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => {
                    self.renew_at = Instant::now() + RENEW_AFTER;
                    return Ok(delivery);
                }
                Ok(Some(Err(error))) => error.to_string(),
                // A deleted queue ends the stream without a word while everything looks connected.
                Ok(None) => "the consumer was cancelled by the broker".to_owned(),
                Err(_) => {
                    self.renew_at = Instant::now() + RENEW_AFTER;
                    // Closing the channel would make the broker deliver again what is being worked on.
                    if self.held.load(Ordering::Relaxed) == 0 {
                        self.open = None;
                    }
                    continue;
                }
            };
            self.fail(&reason);
        }
    }

    fn fail(&mut self, reason: &str) {
        if let Some(open) = self.open.take() {
            self.slot.failed(&open.connection, reason);
        }
    }

    /// Deliveries that are here already; stops at an error, which the next call meets again.
    fn drain(&mut self, into: &mut Vec<Delivery>, max: usize) {
        while into.len() < max
            && let Some(open) = &mut self.open
        {
            match open.deliveries.next().now_or_never() {
                Some(Some(Ok(delivery))) => into.extend(self.wrap(delivery)),
                Some(Some(Err(_)) | None) => {
                    self.fail("the consumer ended");
                }
                None => break,
            }
        }
    }

    /// Nothing if the body is too large: such a delivery is quarantined here.
    fn wrap(&self, raw: RawDelivery) -> Option<Delivery> {
        self.held.fetch_add(1, Ordering::Relaxed);
        let settle = RabbitSettle {
            acker: Some(raw.acker),
            held: self.held.clone(),
            deliveries: delivery_count(&raw.properties),
            publisher: self.publisher.clone(),
            source: self.source.clone(),
            queue: self.queue.clone(),
            is_quarantine: self.is_quarantine,
            message_id: message_id(&raw.properties),
        };
        let id = settle.message_id;
        let delivery = Delivery::new(Bytes::from(raw.data), id, raw.redelivered, Box::new(settle));
        if self.is_quarantine {
            return Some(delivery.because(reason(&raw.properties)));
        }
        if delivery.body.len() <= MAX_BODY {
            return Some(delivery);
        }
        tracing::warn!(queue = self.queue, bytes = delivery.body.len(), "delivery too large");
        // In the background: taking goes on meanwhile. At most `prefetch` of these can run.
        tokio::spawn(delivery.dead_letter(topology::TOO_LARGE));
        None
    }

    async fn take_open(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            let first = self.next().await?;
            // No await from here on: what has left the stream must reach the caller.
            let mut deliveries: Vec<Delivery> = self.wrap(first).into_iter().collect();
            self.drain(&mut deliveries, max);
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let broker = self.broker.clone();
        tokio::select! {
            biased;
            () = broker.closed() => Err(BusError::Closed),
            taken = self.take_open(max.max(1)) => taken,
        }
    }
}

#[derive(Debug)]
struct RabbitSettle {
    /// Empty once settled.
    acker: Option<Acker>,
    held: Arc<AtomicUsize>,
    /// How often it was delivered before.
    deliveries: u32,
    publisher: Publisher,
    source: Destination,
    queue: String,
    is_quarantine: bool,
    message_id: Option<Uuid>,
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
fn delivery_count(properties: &BasicProperties) -> u32 {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let count = match headers.and_then(|headers| headers.get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    };
    count.clamp(0, i64::from(u32::MAX)).try_into().unwrap_or(u32::MAX)
}
