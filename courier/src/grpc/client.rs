//! The orchestrator's end: a stream to each participant, which comes back when it breaks.

use super::{MAX_IN_STREAM, arrivals, message_id};
use crate::bus::{CommandBus, Consumer, Depth, Destination, MAX_BODY, Message};
use crate::error::BusError;
use crate::local::{DeadLetter, LocalBus};
use async_trait::async_trait;
use baton_proto::baton::courier::v1::courier_service_client::CourierServiceClient;
use baton_proto::baton::courier::v1::{CarryRequest, CarryResponse};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

/// Before a stream that broke is opened again; doubled for each failure in a row, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// And no longer than this: a participant that is back is noticed within it.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Streams to participants. Clones share them; the last one to go ends them.
#[derive(Clone, Debug)]
pub struct GrpcCourier {
    arrived: LocalBus,
    links: Arc<BTreeMap<String, Link>>,
    /// Ends the streams with the last clone.
    _open: Arc<tokio_util::sync::DropGuard>,
    closed: CancellationToken,
}

/// One participant. Empty while there is no stream to it.
#[derive(Debug, Default)]
struct Link(Mutex<Option<mpsc::Sender<CarryRequest>>>);

impl Link {
    /// Returns whether there was a stream.
    fn set(&self, sender: Option<mpsc::Sender<CarryRequest>>) -> bool {
        // A panic elsewhere leaves one or the other.
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), sender).is_some()
    }

    fn is_up(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// True if the stream has taken it.
    fn take(&self, message: Message) -> bool {
        let link = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let request = || CarryRequest {
            participant: String::new(),
            message_id: Bytes::copy_from_slice(message.id.as_bytes()),
            body: message.body.clone(),
        };
        message.body.len() <= MAX_BODY && link.as_ref().is_some_and(|link| link.try_send(request()).is_ok())
    }
}

impl GrpcCourier {
    /// Opens a stream over each channel, by the participant's name, and again whenever one breaks. Must be called inside a
    /// tokio runtime.
    #[must_use]
    pub fn start(channels: BTreeMap<String, Channel>) -> Self {
        let closed = CancellationToken::new();
        let names = channels.keys().map(|name| (name.clone(), Link::default()));
        let links: Arc<BTreeMap<String, Link>> = Arc::new(names.collect());
        let arrived = arrivals();
        for (participant, channel) in channels {
            let stream = Stream { participant, channel, arrived: arrived.clone(), links: links.clone() };
            let closed = closed.clone();
            tokio::spawn(async move { closed.run_until_cancelled(stream.run()).await });
        }
        Self { arrived, links, _open: Arc::new(closed.clone().drop_guard()), closed }
    }

    fn hand_over(&self, message: Message) -> bool {
        let Destination::Commands(name) = &message.destination else {
            // To oneself: a reply that an operator sends again.
            self.arrived.send(vec![message]);
            return true;
        };
        self.links.get(name).is_some_and(|link| link.take(message))
    }
}

#[async_trait]
impl CommandBus for GrpcCourier {
    fn send(&self, messages: Vec<Message>) {
        for message in messages {
            let id = message.id;
            if !self.hand_over(message) {
                tracing::debug!(message_id = %id, "dropped: no stream takes it");
            }
        }
    }

    /// Taken over is what a stream has taken: there is nobody to keep it.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        messages.into_iter().filter_map(|message| Some(message.id).filter(|_| self.hand_over(message))).collect()
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.arrived.consume(source).await
    }

    async fn depths(&self, destination: &Destination) -> Result<Vec<Depth>, BusError> {
        self.arrived.depths(destination).await
    }

    async fn consume_dead_letters(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.arrived.consume_dead_letters(source).await
    }

    fn health(&self) -> Result<(), BusError> {
        self.arrived.health()
    }

    fn carries(&self, participant: &str) -> Result<(), BusError> {
        self.health()?;
        match self.links.get(participant) {
            Some(link) if link.is_up() => Ok(()),
            Some(_) => Err(BusError::Unavailable(format!("there is no stream to {participant}"))),
            None => Err(BusError::Unavailable(format!("{participant} has no endpoint"))),
        }
    }

    async fn close(&self) {
        self.closed.cancel();
        self.arrived.close().await;
    }
}

struct Stream {
    participant: String,
    channel: Channel,
    arrived: LocalBus,
    links: Arc<BTreeMap<String, Link>>,
}

impl Stream {
    async fn run(self) {
        let mut failures = 0_u32;
        loop {
            let began = tokio::time::Instant::now();
            let ended = self.carry().await;
            let was_up = self.link(None);
            // One that was open for a while has nothing to do with those that broke before it.
            failures = if was_up && began.elapsed() > MAX_PAUSE { 1 } else { failures.saturating_add(1) };
            // The first and then ever fewer: an outage is one event, not thousands.
            if failures.is_power_of_two() {
                let why = ended.err().map_or_else(|| "it was closed".to_owned(), |status| told(&status));
                let name = &self.participant;
                tracing::warn!(
                    participant = name,
                    attempts = failures,
                    why,
                    "no stream to a participant, its sagas wait: does it run with courier = \"grpc\", and is participants.{name}.endpoint its address?"
                );
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(6)).min(MAX_PAUSE);
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        }
    }

    /// The way to the participant from now on; returns whether there was one.
    fn link(&self, sender: Option<mpsc::Sender<CarryRequest>>) -> bool {
        self.links.get(&self.participant).is_some_and(|link| link.set(sender))
    }

    /// One stream until it ends.
    async fn carry(&self) -> Result<(), tonic::Status> {
        let (sender, requests) = mpsc::channel(MAX_IN_STREAM);
        let first = CarryRequest { participant: self.participant.clone(), ..CarryRequest::default() };
        // There is room for one.
        let _ = sender.try_send(first);
        let mut client = CourierServiceClient::new(self.channel.clone()).max_decoding_message_size(2 * MAX_BODY);
        let mut responses = client.carry(ReceiverStream::new(requests)).await?.into_inner();
        self.link(Some(sender));
        tracing::info!(participant = self.participant, "there is a stream to a participant");
        while let Some(CarryResponse { message_id: id, body, dead_letter_reason }) = responses.message().await? {
            let id = message_id(&id);
            if dead_letter_reason.is_empty() {
                // Waits for room: what is behind it waits in the stream.
                self.arrived.offer(Message { id, destination: Destination::Replies, body }).await;
            } else {
                let source = Destination::Commands(self.participant.clone());
                self.arrived.bury(DeadLetter { source, message_id: Some(id), reason: dead_letter_reason, body });
            }
        }
        Ok(())
    }
}

/// What a status says, with the error below it: a transport's own message is no more than that it failed.
fn told(status: &tonic::Status) -> String {
    let below = std::error::Error::source(status).and_then(|error| error.source()).map(|error| format!(": {error}"));
    format!("{:?}: {}{}", status.code(), status.message(), below.unwrap_or_default())
}
