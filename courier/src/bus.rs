//! The seam: what the engine and the participants ask of a bus.

use crate::error::BusError;
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// Where a message goes and where it is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// The command queue of one participant, by its name (1 to 32 of [a-z0-9-]).
    Commands(String),
    /// The reply queue, shared by all orchestrators.
    Replies,
}

/// One message to publish. Its body is sent as it is.
#[derive(Clone, Debug)]
pub struct Message {
    /// Chosen by the sender; a message that is published again keeps it.
    pub id: Uuid,
    /// Where to.
    pub destination: Destination,
    /// At most [`MAX_BODY`] bytes.
    pub body: Bytes,
}

/// Longest body the bus carries: a batch is cut before it gets longer, and anything longer that arrives is quarantined.
pub const MAX_BODY: usize = 256 * 1024;

/// How much waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Messages that wait in it.
    pub messages: u64,
    /// True for a queue of dead letters.
    pub dead_letters: bool,
}

/// Carries commands and replies. What is sent may be lost, repeated, delayed and reordered; what is published is kept, and
/// delivered at least once.
#[async_trait]
pub trait CommandBus: Send + Sync + fmt::Debug + 'static {
    /// Hands messages over and does not wait: nothing says whether they arrive. What cannot be taken at once, because the
    /// broker is away or its link is full, is dropped. For what can be sent again by whoever needs it: commands and replies.
    fn send(&self, messages: Vec<Message>);

    /// Sends replies to where the message came from that they answer, [`Delivery::reply_to`], if this courier can; otherwise, or if
    /// that one is gone, to any orchestrator.
    fn reply(&self, _to: Option<&str>, messages: Vec<Message>) {
        self.send(messages);
    }

    /// For what nobody can derive again. Publishes and waits until every message is settled or a deadline passes. Returns the ids that the bus has taken
    /// over for good. For every other id the outcome is unknown: keep the message and publish it again later, with the
    /// same id. Never returns early with an error: "nothing confirmed" is an empty list.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid>;

    /// Begins to consume. The consumer survives reconnects on its own.
    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError>;

    /// Messages that wait in the queue of a destination and in the one of its dead letters. Waits for the broker; callers
    /// bound the time. A bus that cannot tell says nothing.
    async fn depths(&self, _destination: &Destination) -> Result<Vec<Depth>, BusError> {
        Ok(Vec::new())
    }

    /// Begins to take dead letters of `source` out of their quarantine; each carries its reason. Bodies come as they are,
    /// longer than [`MAX_BODY`] too. A dead letter is gone once it is acknowledged and not before; it cannot be dead-lettered
    /// again, which puts it back. Hold what cannot be settled yet instead of releasing it: brokers count deliveries.
    /// A bus without a quarantine says so with an error.
    async fn consume_dead_letters(&self, _source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        Err(BusError::Unavailable("this bus keeps no dead letters".to_owned()))
    }

    /// Ok if messages can be published and consumed right now; otherwise why not.
    fn health(&self) -> Result<(), BusError>;

    /// Ok if commands get to this participant's courier right now, as far as is known here; otherwise why not. Nobody can answer
    /// while it is not so.
    fn carries(&self, _participant: &str) -> Result<(), BusError> {
        self.health()
    }

    /// Stops consuming and publishing; unacknowledged deliveries go back to their queues.
    async fn close(&self);
}

/// Takes deliveries from one destination.
#[async_trait]
pub trait Consumer: Send + fmt::Debug {
    /// Waits for a delivery, then takes all that are there without waiting, at most `max`. While the broker is away it
    /// waits for it to come back. `Err` only when the bus is closed. Cancel-safe: dropping the future loses nothing, and what
    /// it had begun, such as connecting, the next call goes on with (and may keep to that one's `max`).
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError>;
}

/// One message taken from a queue, owed an answer: [`Delivery::ack`], [`Delivery::dead_letter`] or [`Delivery::release`].
/// A delivery that is dropped without one goes back to its queue at the latest when its connection ends.
#[derive(Debug)]
pub struct Delivery {
    /// The body as it arrived.
    pub body: Bytes,
    /// The sender's id, if it set one.
    pub message_id: Option<Uuid>,
    /// True if the broker delivered it before.
    pub redelivered: bool,
    /// Where replies to it should go, in the courier's own words, if it knows.
    pub reply_to: Option<Arc<str>>,
    /// Of a dead letter: why it is one, UPPER_SNAKE, as whoever quarantined it said. Else empty.
    pub reason: String,
    settle: Box<dyn Settle>,
}

/// How an adapter settles one of its deliveries.
#[async_trait]
pub trait Settle: Send + fmt::Debug {
    /// Remove it from the queue. A failure is not reported: the message will come again.
    async fn ack(self: Box<Self>);
    /// Move it to the dead-letter queue with a reason, then remove it.
    async fn dead_letter(self: Box<Self>, body: Bytes, reason: &str);
    /// Put it back.
    async fn release(self: Box<Self>);
}

impl Delivery {
    /// Made by adapters.
    #[must_use]
    pub fn new(body: Bytes, message_id: Option<Uuid>, redelivered: bool, settle: Box<dyn Settle>) -> Self {
        Self { body, message_id, redelivered, reply_to: None, reason: String::new(), settle }
    }

    /// With where replies to it should go; by adapters.
    #[must_use]
    pub fn answered_to(self, reply_to: Option<Arc<str>>) -> Self {
        Self { reply_to, ..self }
    }

    /// Made a dead letter by adapters.
    #[must_use]
    pub fn because(self, reason: String) -> Self {
        Self { reason, ..self }
    }

    /// The work is durable: remove the message.
    pub async fn ack(self) {
        self.settle.ack().await;
    }

    /// The message can never be understood: quarantine it. `reason` is UPPER_SNAKE.
    pub async fn dead_letter(self, reason: &str) {
        self.settle.dead_letter(self.body, reason).await;
    }

    /// Not now: put it back.
    pub async fn release(self) {
        self.settle.release().await;
    }
}
