//! The participant's end: whoever has a stream to it sends commands, and is sent the replies to them.

use super::{MAX_IN_STREAM, arrivals, message_id};
use crate::bus::{CommandBus, Consumer, Depth, Destination, MAX_BODY, Message};
use crate::error::BusError;
use crate::local::LocalBus;
use async_trait::async_trait;
use baton_proto::baton::courier::v1::courier_service_server::{CourierService, CourierServiceServer};
use baton_proto::baton::courier::v1::{CarryRequest, CarryResponse};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// Before a dead letter that no stream takes is offered again.
const LETTER_AGAIN: Duration = Duration::from_secs(1);

/// The streams that one process of a participant serves. Clones share them.
#[derive(Clone, Debug)]
pub struct GrpcEnd {
    participant: Arc<str>,
    arrived: LocalBus,
    streams: Arc<Mutex<Streams>>,
}

#[derive(Debug, Default)]
struct Streams {
    opened: u64,
    open: BTreeMap<u64, mpsc::Sender<Result<CarryResponse, Status>>>,
}

impl GrpcEnd {
    /// An end that nobody has a stream to yet. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(participant: &str) -> Self {
        let end = Self { participant: participant.into(), arrived: arrivals(), streams: Arc::default() };
        tokio::spawn(end.clone().hand_on_letters());
        end
    }

    /// The service to serve.
    #[must_use]
    pub fn service(&self) -> CourierServiceServer<Self> {
        CourierServiceServer::new(self.clone()).max_decoding_message_size(2 * MAX_BODY)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // A map: a panic elsewhere leaves it whole.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Into the stream of this number, or into any if that one is gone. False if none takes it.
    fn respond(&self, to: Option<u64>, response: CarryResponse) -> bool {
        let streams = self.streams();
        let own = to.and_then(|number| streams.open.get(&number));
        own.or_else(|| streams.open.values().next()).is_some_and(|stream| stream.try_send(Ok(response)).is_ok())
    }

    fn reply_in(&self, to: Option<u64>, messages: Vec<Message>) -> Vec<Uuid> {
        let taken = messages.into_iter().filter_map(|message| {
            let message_id = Bytes::copy_from_slice(message.id.as_bytes());
            let response = CarryResponse { message_id, body: message.body, dead_letter_reason: String::new() };
            let is_taken = response.body.len() <= MAX_BODY && self.respond(to, response);
            if !is_taken {
                tracing::debug!(message_id = %message.id, "dropped: no stream takes it");
            }
            Some(message.id).filter(|_| is_taken)
        });
        taken.collect()
    }

    /// Dead letters are kept by orchestrators. Ends with the bus.
    async fn hand_on_letters(self) {
        let own = Destination::Commands(self.participant.to_string());
        let Ok(mut letters) = self.arrived.consume_dead_letters(own).await else { return };
        while let Ok(taken) = letters.take(1).await {
            for letter in taken {
                let message_id = letter.message_id.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default();
                let (body, dead_letter_reason) = (letter.body.clone(), letter.reason.clone());
                let response = CarryResponse { message_id, body, dead_letter_reason };
                while !self.respond(None, response.clone()) {
                    tokio::time::sleep(LETTER_AGAIN).await;
                }
                letter.ack().await;
            }
        }
    }
}

#[async_trait]
impl CourierService for GrpcEnd {
    type CarryStream = ReceiverStream<Result<CarryResponse, Status>>;

    async fn carry(&self, request: Request<Streaming<CarryRequest>>) -> Result<Response<Self::CarryStream>, Status> {
        // One that is going takes nothing new.
        self.arrived.health().map_err(|_| Status::unavailable("this process is stopping"))?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.ok_or_else(|| Status::invalid_argument("the stream says nothing"))?;
        if first.participant != *self.participant {
            let served = &self.participant;
            return Err(Status::not_found(format!("this is {served}, not {}", first.participant.escape_debug())));
        }
        let (responses, stream) = mpsc::channel(MAX_IN_STREAM);
        let number = {
            let mut streams = self.streams();
            streams.opened += 1;
            let number = streams.opened;
            streams.open.insert(number, responses);
            number
        };
        let end = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(CarryRequest { message_id: id, body, .. })) = requests.message().await {
                let destination = Destination::Commands(end.participant.to_string());
                let message = Message { id: message_id(&id), destination, body };
                // Waits for room: what is behind it waits in the stream.
                end.arrived.offer_from(message, Some(number.to_string().into())).await;
            }
            end.streams().open.remove(&number);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

#[async_trait]
impl CommandBus for GrpcEnd {
    fn send(&self, messages: Vec<Message>) {
        self.reply_in(None, messages);
    }

    fn reply(&self, to: Option<&str>, messages: Vec<Message>) {
        self.reply_in(to.and_then(|number| number.parse().ok()), messages);
    }

    /// Taken over is what a stream has taken: there is nobody to keep it.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        self.reply_in(None, messages)
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.arrived.consume(source).await
    }

    async fn depths(&self, destination: &Destination) -> Result<Vec<Depth>, BusError> {
        self.arrived.depths(destination).await
    }

    fn health(&self) -> Result<(), BusError> {
        self.arrived.health()
    }

    async fn close(&self) {
        // Dropped, so that their streams end and orchestrators look for another process.
        self.streams().open.clear();
        self.arrived.close().await;
    }
}
