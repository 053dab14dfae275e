//! Declares what a destination needs, and reads dead letters, on a connection of its own.

use super::connection::{Broker, Slot};
use crate::bus::Destination;
use crate::error::BusError;
use crate::local::DeadLetter;
use crate::topology::{self, Route};
use bytes::Bytes;
use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ExchangeKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Declaring a queue commits to disk; a broker that needs longer is away.
const DECLARE_WITHIN: Duration = Duration::from_secs(10);

/// What the broker answers for a queue that is not there.
const NOT_FOUND: u16 = 404;

/// The topology connection.
#[derive(Debug)]
pub(super) struct Declarer {
    slot: Arc<Slot>,
    queue_limit: u32,
}

impl Declarer {
    pub(super) fn new(broker: &Arc<Broker>, queue_limit: u32) -> Self {
        Self { slot: broker.slot("topology"), queue_limit }
    }

    /// Declares everything a destination needs. Idempotent. Waits for the broker; gives up on an error.
    pub(super) async fn declare(&self, destination: &Destination) -> Result<(), BusError> {
        let route = topology::route(destination)?;
        // The queue of builds before is fed no more, if there is one: nobody empties it.
        let _ = self.on_channel(async |channel| unbind(&channel, &route).await).await;
        self.on_channel(async |channel| declare_all(&channel, &route, self.queue_limit).await).await
    }

    /// Declares, on a consumer's own channel, a queue that only its connection consumes, and that goes with its consumer: whatever is
    /// sent to it later goes to `shared`, where its dead letters go too.
    pub(super) async fn own_queue(&self, channel: &Channel, name: &str, shared: &str) -> lapin::Result<()> {
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, work_arguments(shared, self.queue_limit)).await?;
        bind(channel, name, topology::OWN_REPLY_EXCHANGE, name).await
    }

    pub(super) async fn read_dead_letters(
        &self,
        source: &Destination,
        max: usize,
    ) -> Result<Vec<DeadLetter>, BusError> {
        let route = topology::route(source)?;
        self.declare(source).await?;
        self.on_channel(async |channel| {
            let mut letters = Vec::new();
            while letters.len() < max {
                let queue = route.dead_letter_queue.as_str().into();
                let Some(message) = channel.basic_get(queue, BasicGetOptions::default()).await? else { break };
                let delivery = message.delivery;
                letters.push(DeadLetter {
                    source: source.clone(),
                    message_id: message_id(&delivery.properties),
                    reason: reason(&delivery.properties),
                    body: Bytes::from(delivery.data),
                });
            }
            // What was read without an acknowledgement goes back when the channel closes.
            Ok(letters)
        })
        .await
    }

    /// Messages that are ready in the queue and in the dead-letter queue of a destination, as the broker counts them; a queue
    /// that is not there has none. Declares nothing.
    pub(super) async fn depths(&self, source: &Destination) -> Result<[(String, Option<u32>); 2], BusError> {
        let Route { queue, dead_letter_queue, .. } = topology::route(source)?;
        let [work, letters] = [self.depth(&queue).await?, self.depth(&dead_letter_queue).await?];
        Ok([(queue, work), (dead_letter_queue, letters)])
    }

    async fn depth(&self, queue: &str) -> Result<Option<u32>, BusError> {
        let mut is_missing = false;
        let counted = self.on_channel(async |channel| {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            is_missing = found.as_ref().is_err_and(is_not_found);
            found.map(|queue| queue.message_count())
        });
        match counted.await {
            Ok(count) => Ok(Some(count)),
            // Asking for it has closed the channel, and nothing else.
            Err(_) if is_missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn on_channel<T>(&self, work: impl AsyncFnOnce(Channel) -> lapin::Result<T>) -> Result<T, BusError> {
        let connection = self.slot.connected().await?;
        let outcome = timeout(DECLARE_WITHIN, async {
            let channel = connection.create_channel().await?;
            let done = work(channel.clone()).await?;
            channel.close(200, "done".into()).await?;
            lapin::Result::Ok(done)
        });
        let reason = match outcome.await {
            Ok(Ok(done)) => {
                self.slot.worked();
                return Ok(done);
            }
            // A refusal of this one queue or exchange has closed the channel only; others go on with the connection.
            Ok(Err(error)) if error.is_amqp_soft_error() => {
                self.slot.worked();
                return Err(BusError::Unavailable(error.to_string()));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "declaring hangs".to_owned(),
        };
        self.slot.failed(&connection, &reason);
        Err(BusError::Unavailable(reason))
    }
}

/// The sender's id of a message, if it set one and it is a UUID.
pub(super) fn message_id(properties: &BasicProperties) -> Option<Uuid> {
    properties.message_id().as_ref().and_then(|id| Uuid::try_parse(id.as_str()).ok())
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

/// Why a message is a dead letter: our header, or the broker's word if the broker moved it.
pub(super) fn reason(properties: &BasicProperties) -> String {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let text = |name: &str| match headers.and_then(|headers| headers.get(name)) {
        Some(AMQPValue::LongString(value)) => Some(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        _ => None,
    };
    text(topology::REASON_HEADER)
        .or_else(|| text("x-first-death-reason").map(|reason| reason.to_uppercase()))
        .unwrap_or_default()
}

async fn declare_all(channel: &Channel, route: &Route, queue_limit: u32) -> lapin::Result<()> {
    // Dead letters nobody bound a queue for end in one place. Commands and replies have no alternate exchange: the
    // broker would then confirm a command that no participant will ever see.
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), text(topology::UNROUTABLE_EXCHANGE));
    exchange(channel, topology::UNROUTABLE_EXCHANGE, ExchangeKind::Fanout, FieldTable::default()).await?;
    exchange(channel, topology::DEAD_LETTER_EXCHANGE, ExchangeKind::Direct, alternate).await?;
    exchange(channel, route.exchange, ExchangeKind::Direct, FieldTable::default()).await?;
    queue(channel, topology::UNROUTABLE_QUEUE, dead_letter_arguments()).await?;
    bind(channel, topology::UNROUTABLE_QUEUE, topology::UNROUTABLE_EXCHANGE, "").await?;
    queue(channel, &route.dead_letter_queue, dead_letter_arguments()).await?;
    bind(channel, &route.dead_letter_queue, topology::DEAD_LETTER_EXCHANGE, &route.queue).await?;
    queue(channel, &route.queue, work_arguments(&route.queue, queue_limit)).await?;
    bind(channel, &route.queue, route.exchange, &route.routing_key).await?;
    if route.exchange != topology::REPLY_EXCHANGE {
        return Ok(());
    }
    let mut to_any = FieldTable::default();
    to_any.insert("alternate-exchange".into(), text(topology::ANY_REPLY_EXCHANGE));
    exchange(channel, topology::ANY_REPLY_EXCHANGE, ExchangeKind::Fanout, FieldTable::default()).await?;
    bind(channel, &route.queue, topology::ANY_REPLY_EXCHANGE, "").await?;
    exchange(channel, topology::OWN_REPLY_EXCHANGE, ExchangeKind::Direct, to_any).await
}

fn work_arguments(queue: &str, queue_limit: u32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("classic"));
    arguments.insert("x-dead-letter-exchange".into(), text(topology::DEAD_LETTER_EXCHANGE));
    arguments.insert("x-dead-letter-routing-key".into(), text(queue));
    // A full queue refuses what comes: dropping its head would make dead letters of good messages.
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-max-length".into(), number(queue_limit));
    arguments
}

fn dead_letter_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-overflow".into(), text("drop-head"));
    arguments.insert("x-max-length".into(), number(topology::DEAD_LETTER_LIMIT));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(i64::from(value))
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, arguments: FieldTable) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, arguments).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, arguments).await.map(|_| ())
}

async fn unbind(channel: &Channel, route: &Route) -> lapin::Result<()> {
    let Some(before) = route.queue.strip_suffix(".v2") else { return Ok(()) };
    let (queue, exchange, key) = (format!("{before}.v1"), route.exchange, route.routing_key.as_str());
    channel.queue_unbind(queue.as_str().into(), exchange.into(), key.into(), FieldTable::default()).await
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await
}
