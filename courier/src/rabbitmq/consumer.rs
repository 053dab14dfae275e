//! Consumes one queue over a connection of its own.

use super::connection::{Broker, Slot, backoff};
use super::declare::{Declarer, message_id, reason};
use super::own_queue::OwnQueue;
use super::publisher::Publisher;
use super::settle::{RabbitSettle, delivery_count};
use crate::bus::{Consumer, Delivery, Destination, MAX_BODY};
use crate::error::BusError;
use crate::topology::{self, OWN_REPLY_PREFIX};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lapin::message;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Opening a channel and a consumer; a broker that needs longer is away.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A consumer that was idle for this long, and up to half as long again, opens a new channel. If a queue is deleted and declared again at once, the
/// broker may not tell the consumers of the old one; messages then go to a consumer that exists in its books only.
const RENEW_AFTER: Duration = Duration::from_secs(30);

/// The same for dead letters, which nothing waits for.
const RENEW_QUARANTINE_AFTER: Duration = Duration::from_secs(180);

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
    /// Set if what it consumes is a queue of this process alone, whose dead letters go where those of `queue` go.
    own: Option<OwnQueue>,
    prefetch: u16,
    open: Option<Open>,
    /// Attempts to open it since it was open last.
    in_vain: u32,
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
        let (is_quarantine, open, in_vain) = (false, None, 0);
        let (held, renew_at) = (Arc::default(), Instant::now());
        Ok(Self {
            slot,
            broker,
            declarer,
            publisher,
            source,
            queue,
            is_quarantine,
            own: None,
            prefetch,
            open,
            in_vain,
            held,
            renew_at,
        })
    }

    /// The same for a queue that this process has of its own.
    pub(super) fn of_own(self, own: OwnQueue) -> Self {
        Self { own: Some(own), ..self }
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
            let own = self.own.as_ref().map(OwnQueue::renamed);
            if let Some(own) = &own {
                self.declarer.own_queue(&channel, own, &self.queue).await?;
            }
            let queue = own.as_deref().unwrap_or(&self.queue).into();
            let options = BasicConsumeOptions::default();
            let deliveries = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
            lapin::Result::Ok((channel, deliveries))
        });
        let reason = match opening.await {
            Ok(Ok((channel, deliveries))) => {
                self.open = Some(Open { connection, _channel: channel, deliveries });
                self.renew_at = self.renewal();
                self.slot.worked();
                self.in_vain = 0;
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "opening a consumer hangs".to_owned(),
        };
        self.slot.failed(&connection, &reason);
        Err(BusError::Unavailable(reason))
    }

    /// The next delivery, opening the consumer as often as it takes.
    async fn next(&mut self) -> Result<message::Delivery, BusError> {
        loop {
            if self.open.is_none()
                && let Err(error) = self.open().await
            {
                if matches!(error, BusError::Closed) {
                    return Err(error);
                }
                let pause = self.not_open(&error);
                tokio::time::sleep(pause).await;
                continue;
            }
            let Some(open) = &mut self.open else { continue };
            let reason = match timeout_at(self.renew_at, open.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => {
                    self.renew_at = self.renewal();
                    return Ok(delivery);
                }
                Ok(Some(Err(error))) => error.to_string(),
                // A deleted queue ends the stream without a word while everything looks connected.
                Ok(None) => "the consumer was cancelled by the broker".to_owned(),
                Err(_) => {
                    self.renew_at = self.renewal();
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

    /// Tells who looks after the process, and returns how long to wait before the next attempt. The connection may be as good
    /// as ever: somebody has made the queue with other arguments, or taken our rights to it.
    fn not_open(&mut self, error: &BusError) -> Duration {
        self.in_vain = self.in_vain.saturating_add(1);
        // The first and then ever fewer: an outage is one event, not thousands.
        if self.in_vain.is_power_of_two() {
            let instead =
                if self.own.is_some() { "replies come by the queue that all orchestrators share" } else { "" };
            let queue = if self.own.is_some() { OWN_REPLY_PREFIX } else { &self.queue };
            tracing::warn!(queue, attempts = self.in_vain, %error, instead, "the queue is not consumed");
        }
        // Work goes on without dead letters being read, and replies that find no queue of ours go to the shared one.
        if !self.is_quarantine && self.own.is_none() {
            self.slot.stalled(&format!("{} is not consumed: {error}", self.queue));
        }
        backoff(self.in_vain)
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
    fn wrap(&self, raw: message::Delivery) -> Option<Delivery> {
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
        let delivery = delivery.answered_to(raw.properties.reply_to().as_ref().map(|queue| queue.as_str().into()));
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

    /// Spread out, so that consumers that were opened together are not renewed together.
    fn renewal(&self) -> Instant {
        let after = if self.is_quarantine { RENEW_QUARANTINE_AFTER } else { RENEW_AFTER };
        let half = after.as_millis() as u64 / 2;
        Instant::now() + after + Duration::from_millis(RandomState::new().build_hasher().finish() % half)
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
