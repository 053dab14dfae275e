//! The courier of the real shape: RabbitMQ with connections that mend themselves. Commands and replies are transient messages in
//! durable queues, sent without confirms; dead letters are persistent, in quorum queues, and confirmed.
//!
//! Publishing, declaring and every consumer have a connection of their own, since a broker under a memory or disk alarm
//! stops reading from a connection that publishes, acknowledgements included. The client library's own recovery is off:
//! any error, and any silent end of a stream, drops the whole connection, and whoever needs it next builds a new one
//! with backoff and declares everything again.

mod connection;
mod consumer;
mod declare;
mod destinations;
pub mod greeting;
mod outgoing;
mod own_queue;
mod publisher;
mod sending;
mod settle;
mod waiting;

use crate::bus::{CommandBus, Consumer, Depth, Destination, Message};
use crate::error::BusError;
use crate::local::DeadLetter;
use crate::merged::Merged;
use crate::topology;
use async_trait::async_trait;
use connection::Broker;
use consumer::RabbitConsumer;
use declare::Declarer;
use lapin::uri::AMQPUri;
use outgoing::Outgoing;
use own_queue::OwnQueue;
use publisher::Publisher;
use sending::Sending;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Dead letters of one destination that a consumer may hold unacknowledged.
const DEAD_LETTER_PREFETCH: u16 = 16;

/// How to reach the broker, and bounds.
#[derive(Clone)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`. Secret: it is never printed.
    pub url: String,
    /// Name of the program, shown by the broker next to each connection.
    pub name: String,
    /// Deliveries a consumer may hold unacknowledged.
    pub prefetch: u16,
    /// How long [`CommandBus::publish`] waits for its confirms.
    pub confirm_deadline: Duration,
    /// Messages a command or reply queue holds before the broker refuses more. All programs that share a broker must
    /// agree, since the broker refuses to redeclare a queue with another limit.
    pub queue_limit: u32,
}

impl RabbitConfig {
    /// The defaults for a broker.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: "baton".to_owned(),
            prefetch: 500,
            confirm_deadline: Duration::from_secs(5),
            queue_limit: topology::QUEUE_LIMIT,
        }
    }
}

impl fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitConfig")
            .field("url", &"***")
            .field("name", &self.name)
            .field("prefetch", &self.prefetch)
            .field("confirm_deadline", &self.confirm_deadline)
            .field("queue_limit", &self.queue_limit)
            .finish()
    }
}

/// A connection to one broker's virtual host. Clones share it.
#[derive(Clone, Debug)]
pub struct RabbitBus {
    broker: Arc<Broker>,
    declarer: Arc<Declarer>,
    publisher: Publisher,
    sending: Sending,
    own: OwnQueue,
    prefetch: u16,
}

impl RabbitBus {
    /// Starts connecting in the background; the broker may be away. Must be called inside a tokio runtime. An error
    /// only if the URL cannot be understood; it does not repeat the URL.
    pub fn start(config: &RabbitConfig) -> Result<Self, BusError> {
        let uri: AMQPUri =
            config.url.parse().map_err(|_| BusError::Unavailable("the broker's URL is not an AMQP URL".to_owned()))?;
        let broker = Broker::new(uri, config.name.clone());
        let declarer = Arc::new(Declarer::new(&broker, config.queue_limit));
        let publisher = Publisher::start(&broker, declarer.clone(), config.confirm_deadline);
        let sending = Sending::start(&broker, declarer.clone());
        let (own, prefetch) = (OwnQueue::default(), config.prefetch.max(1));
        Ok(Self { broker, declarer, publisher, sending, own, prefetch })
    }

    /// Messages that are ready in the queue and in the dead-letter queue of a destination, by queue; `None` for a queue that
    /// is not there. Waits for the broker. Changes nothing.
    pub async fn depths(&self, source: &Destination) -> Result<[(String, Option<u32>); 2], BusError> {
        self.declarer.depths(source).await
    }

    /// Declares everything a destination needs, as its consumers do: an error if something is there that was made
    /// otherwise, or that the user may not touch. Waits for the broker. What is there already stays as it is.
    pub async fn declare(&self, destination: &Destination) -> Result<(), BusError> {
        self.declarer.declare(destination).await
    }

    /// Reads the first dead letters of a destination without removing them, at most `max`.
    pub async fn dead_letters(&self, source: &Destination, max: usize) -> Result<Vec<DeadLetter>, BusError> {
        self.declarer.read_dead_letters(source, max).await
    }
}

#[async_trait]
impl CommandBus for RabbitBus {
    fn send(&self, messages: Vec<Message>) {
        let own = self.own.name();
        self.sending.send(messages.into_iter().filter_map(|message| Outgoing::transient(message, own.as_ref())));
    }

    fn reply(&self, to: Option<&str>, messages: Vec<Message>) {
        match to {
            Some(to) => self.sending.send(messages.into_iter().filter_map(|message| Outgoing::reply(message, to))),
            None => self.send(messages),
        }
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        self.publisher.publish(messages.into_iter().filter_map(Outgoing::message).collect()).await
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        if self.broker.is_closed() {
            return Err(BusError::Closed);
        }
        let consumer = || {
            let (declarer, publisher) = (self.declarer.clone(), self.publisher.clone());
            RabbitConsumer::new(&self.broker, declarer, publisher, source.clone(), self.prefetch)
        };
        let mut consumers: Vec<Box<dyn Consumer>> = vec![Box::new(consumer()?)];
        if source == Destination::Replies {
            // They come to this process alone if they can, and to whoever takes them first if not.
            consumers.push(Box::new(consumer()?.of_own(self.own.clone())));
        }
        Ok(Box::new(Merged::new(consumers)))
    }

    async fn depths(&self, destination: &Destination) -> Result<Vec<Depth>, BusError> {
        let counted = self.declarer.depths(destination).await?;
        let depth = |((queue, messages), dead_letters): ((String, Option<u32>), bool)| {
            messages.map(|messages| Depth { queue, messages: messages.into(), dead_letters })
        };
        Ok(counted.into_iter().zip([false, true]).filter_map(depth).collect())
    }

    async fn consume_dead_letters(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        if self.broker.is_closed() {
            return Err(BusError::Closed);
        }
        let (declarer, publisher) = (self.declarer.clone(), self.publisher.clone());
        // Bodies may be of any length here, so that only few are held at once.
        let prefetch = self.prefetch.min(DEAD_LETTER_PREFETCH);
        let consumer = RabbitConsumer::new(&self.broker, declarer, publisher, source, prefetch)?;
        Ok(Box::new(Merged::new(vec![Box::new(consumer.of_dead_letters()?)])))
    }

    fn health(&self) -> Result<(), BusError> {
        self.broker.health()
    }

    fn carries(&self, _participant: &str) -> Result<(), BusError> {
        self.sending.health()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}
