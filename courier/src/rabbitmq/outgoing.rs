//! What is published: a message with its exchange, its key and its properties.

use crate::bus::{Destination, MAX_BODY, Message};
use crate::topology;
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use std::sync::Arc;
use uuid::Uuid;

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;
const CONTENT_TYPE: &str = "application/protobuf";

/// One message with its way.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// What to declare before publishing.
    pub(super) destination: Destination,
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    pub(super) id: Uuid,
    pub(super) body: Bytes,
    delivery_mode: u8,
    /// Of a command: where its reply should go.
    reply_to: Option<Arc<str>>,
    reason: Option<String>,
}

impl Outgoing {
    /// A message that the broker need not keep: see [`crate::bus::CommandBus::send`].
    /// A command asks for its reply to go to `own`, if the sender has such a queue.
    pub(super) fn transient(message: Message, own: Option<&Arc<str>>) -> Option<Self> {
        let reply_to = own.filter(|_| matches!(message.destination, Destination::Commands(_))).cloned();
        Self::message(message).map(|message| Self { delivery_mode: TRANSIENT, reply_to, ..message })
    }

    /// A reply to a command that said where it should go.
    pub(super) fn reply(message: Message, to: &str) -> Option<Self> {
        let (exchange, routing_key) = (topology::OWN_REPLY_EXCHANGE, to.to_owned());
        Self::transient(message, None).map(|message| Self { exchange, routing_key, ..message })
    }

    /// A command or a reply; nothing if it can never be published, which is logged.
    pub(super) fn message(message: Message) -> Option<Self> {
        if message.body.len() > MAX_BODY {
            tracing::error!(message_id = %message.id, bytes = message.body.len(), "message too large to publish");
            return None;
        }
        let route = topology::route(&message.destination)
            .inspect_err(|error| tracing::error!(message_id = %message.id, %error, "message cannot be routed"))
            .ok()?;
        let (destination, id, body) = (message.destination, message.id, message.body);
        let (exchange, routing_key) = (route.exchange, route.routing_key);
        let (delivery_mode, reply_to, reason) = (PERSISTENT, None, None);
        Some(Self { destination, exchange, routing_key, id, body, delivery_mode, reply_to, reason })
    }

    /// A dead letter of `source`, whose queue is `queue`.
    pub(super) fn dead_letter(source: Destination, queue: String, id: Uuid, body: Bytes, reason: &str) -> Self {
        let exchange = topology::DEAD_LETTER_EXCHANGE;
        let (delivery_mode, reply_to, reason) = (PERSISTENT, None, Some(reason.to_owned()));
        Self { destination: source, exchange, routing_key: queue, id, body, delivery_mode, reply_to, reason }
    }

    pub(super) fn properties(&self) -> BasicProperties {
        let mut properties = BasicProperties::default()
            .with_delivery_mode(self.delivery_mode)
            .with_content_type(CONTENT_TYPE.into())
            .with_message_id(self.id.to_string().into());
        if let Some(reply_to) = &self.reply_to {
            properties = properties.with_reply_to((&**reply_to).into());
        }
        let Some(reason) = &self.reason else { return properties };
        let mut headers = FieldTable::default();
        headers.insert(topology::REASON_HEADER.into(), AMQPValue::LongString(reason.as_str().into()));
        properties.with_headers(headers)
    }
}
