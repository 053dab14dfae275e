//! The inbox: takes reply messages from the bus, decodes them item by item, hands them to the engine.

use crate::handle::EngineHandle;
use crate::metrics::Metrics;
use async_trait::async_trait;
use baton_courier::bus::{Consumer, Delivery, Settle};
use baton_courier::error::BusError;
use baton_crash_point::{Point, hit};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{Direction, SagaId};
use std::sync::Arc;

/// Messages taken at once; with up to 256 replies each this is more than one batch can use.
const MAX_TAKE: usize = 256;

/// Replies in one message at most; a longer one was not made by a participant of ours.
const MAX_REPLIES: usize = 1024;

/// Longest output of a success. The wire protocol's bound: outputs stay in the saga's row, which every batch reads.
const MAX_OUTPUT: usize = 16 * 1024;

/// Why a reply is quarantined that lacks what it must have.
const MALFORMED: &str = "MALFORMED_REPLY";

/// Takes replies from the bus.
#[derive(Debug)]
pub struct Inbox {
    consumer: Box<dyn Consumer>,
    engine: EngineHandle,
    metrics: Arc<Metrics>,
}

impl Inbox {
    /// An inbox over one consumer of the reply queue.
    #[must_use]
    pub fn new(consumer: Box<dyn Consumer>, engine: EngineHandle, metrics: Arc<Metrics>) -> Self {
        Self { consumer, engine, metrics }
    }

    /// Runs until the bus is closed.
    pub async fn run(mut self) {
        while self.run_once().await.is_ok() {}
    }

    /// One look at the queue.
    pub async fn run_once(&mut self) -> Result<(), BusError> {
        for delivery in self.consumer.take(MAX_TAKE).await? {
            self.metrics.redelivered.inc_by(u64::from(delivery.redelivered));
            hand_over(&self.engine, &self.metrics, delivery).await;
        }
        Ok(())
    }
}

/// Replies that can be read go to the engine. If none can, the message is quarantined with the reason; of a message with some
/// bad items those alone are, once the good ones are settled. The sagas of the bad ones move on by their deadlines.
async fn hand_over(engine: &EngineHandle, metrics: &Metrics, delivery: Delivery) {
    match split(&delivery.body) {
        Ok(Split { replies, bad }) => {
            metrics.quarantined.inc_by(bad.len() as u64);
            if !bad.is_empty() {
                tracing::warn!(bad = bad.len(), good = replies.len(), "reply message holds items that cannot be read");
            }
            match (replies.is_empty(), bad.is_empty()) {
                // Aside: quarantine may take as long as the broker likes, the queue behind it must not. What is aside is
                // unacknowledged, so the prefetch bounds it.
                (true, false) => {
                    tokio::spawn(quarantine(delivery, MALFORMED));
                }
                (true, true) => delivery.ack().await,
                (false, true) => engine.delivery(replies, delivery).await,
                (false, false) => engine.delivery(replies, with_bad_items(delivery, bad)).await,
            }
        }
        Err(reason) => {
            metrics.quarantined.inc();
            tracing::warn!(reason, "reply message quarantined");
            tokio::spawn(quarantine(delivery, reason));
        }
    }
}

/// The same delivery; when it is acknowledged, its bad items are quarantined.
fn with_bad_items(delivery: Delivery, bad: Vec<Bytes>) -> Delivery {
    let (body, id, redelivered) = (delivery.body.clone(), delivery.message_id, delivery.redelivered);
    let bad = RawBatch { items: bad }.encode_to_vec().into();
    Delivery::new(body, id, redelivered, Box::new(WithBadItems { delivery, bad }))
}

#[derive(Debug)]
struct WithBadItems {
    delivery: Delivery,
    /// A message of the bad items alone.
    bad: Bytes,
}

#[async_trait]
impl Settle for WithBadItems {
    async fn ack(self: Box<Self>) {
        // Aside, as above.
        let Self { mut delivery, bad } = *self;
        delivery.body = bad;
        tokio::spawn(quarantine(delivery, MALFORMED));
    }

    async fn dead_letter(mut self: Box<Self>, body: Bytes, reason: &str) {
        self.delivery.body = body;
        self.delivery.dead_letter(reason).await;
    }

    async fn release(self: Box<Self>) {
        self.delivery.release().await;
    }
}

async fn quarantine(delivery: Delivery, reason: &'static str) {
    hit(Point::ORCHESTRATOR_BEFORE_QUARANTINE);
    delivery.dead_letter(reason).await;
    hit(Point::ORCHESTRATOR_AFTER_QUARANTINE);
}

/// A batch whose items are still bytes: the same wire format as `ReplyBatch`, so that one bad item spoils only itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawBatch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub items: Vec<Bytes>,
}

/// The replies of a message that can be read, and how many items cannot.
pub type DecodedReplies = (Vec<(SagaId, Reply)>, u64);

/// Decodes a reply message. An error is the reason to quarantine it whole.
pub fn decode(body: &Bytes) -> Result<DecodedReplies, &'static str> {
    split(body).map(|Split { replies, bad }| (replies, bad.len() as u64))
}

/// A message taken apart.
struct Split {
    replies: Vec<(SagaId, Reply)>,
    /// Items that cannot be read.
    bad: Vec<Bytes>,
}

fn split(body: &Bytes) -> Result<Split, &'static str> {
    let batch = RawBatch::decode(body.clone()).map_err(|_| "UNDECODABLE")?;
    if batch.items.len() > MAX_REPLIES {
        return Err("TOO_MANY_REPLIES");
    }
    let mut bad = Vec::new();
    let mut replies = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        match wire::Reply::decode(item.clone()).ok().and_then(reply_of) {
            Some(reply) => replies.push(reply),
            None => bad.push(item),
        }
    }
    Ok(Split { replies, bad })
}

/// A wire reply as a core event; `None` if it lacks what it must have, or its output breaks the bound.
#[must_use]
pub fn reply_of(reply: wire::Reply) -> Option<(SagaId, Reply)> {
    let key = reply.key?;
    let saga = SagaId(key.saga_id.as_ref().try_into().ok()?);
    let direction = match wire::Direction::try_from(key.direction).ok()? {
        wire::Direction::Action => Direction::Action,
        wire::Direction::Undo => Direction::Undo,
        wire::Direction::Unspecified => return None,
    };
    let outcome = match reply.outcome? {
        wire::reply::Outcome::Succeeded(wire::Succeeded { output }) if output.len() > MAX_OUTPUT => return None,
        wire::reply::Outcome::Succeeded(wire::Succeeded { output }) => Outcome::Succeeded { output },
        wire::reply::Outcome::Rejected(wire::Rejected { reason, message }) => {
            Outcome::Rejected { reason: cut(reason, 63), message: cut(message, 512) }
        }
        wire::reply::Outcome::Unavailable(wire::Unavailable { reason, message }) => {
            Outcome::Unavailable { reason: cut(reason, 63), message: cut(message, 512) }
        }
    };
    let step = u8::try_from(key.step).ok()?;
    Some((saga, Reply { step, direction, attempt: reply.attempt, outcome }))
}

/// Bounds a text from outside, at a character boundary.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::QueueEntry;
    use crate::under_way::UnderWay;
    use baton_courier::bus::{CommandBus as _, Destination, Message};
    use baton_courier::local::{LocalBus, LocalConfig};
    use uuid::Uuid;

    fn good() -> wire::Reply {
        wire::Reply {
            key: Some(wire::CommandKey { saga_id: Bytes::from_static(&[7; 16]), step: 3, direction: 1 }),
            attempt: 2,
            outcome: Some(wire::reply::Outcome::Succeeded(wire::Succeeded { output: Bytes::from_static(b"out") })),
            traceparent: String::new(),
        }
    }

    #[test]
    fn a_bad_item_spoils_only_itself() {
        let lacking_outcome = wire::Reply { outcome: None, ..good() };
        let short_id = wire::Reply {
            key: Some(wire::CommandKey { saga_id: Bytes::from_static(&[7; 3]), step: 3, direction: 1 }),
            ..good()
        };
        let items = vec![
            Bytes::from(good().encode_to_vec()),
            Bytes::from_static(b"\xff\xff\xff"),
            Bytes::from(lacking_outcome.encode_to_vec()),
            Bytes::from(short_id.encode_to_vec()),
        ];
        let body = RawBatch { items: items.clone() }.encode_to_vec();
        let Split { replies, bad } = split(&Bytes::from(body)).expect("decodes");
        assert_eq!((replies.len(), bad), (1, items[1..].to_vec()));
        assert_eq!(replies[0].0, SagaId([7; 16]));
    }

    /// A bus whose quarantine can be read, an inbox on its replies, and the queue the engine would take from.
    #[tokio::test]
    async fn bad_items_are_quarantined_once_the_good_ones_are_settled() {
        let bus = LocalBus::new(LocalConfig::default());
        let (engine, mut jobs) = EngineHandle::new(8, 8, UnderWay::new(8));
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let consumer = bus.consume(Destination::Replies).await.expect("a consumer");
        let mut inbox = Inbox::new(consumer, engine, metrics.clone());
        let mut died = bus.consume_dead_letters(Destination::Replies).await.expect("a quarantine");
        let bad = Bytes::from_static(b"\xff\xff\xff");
        let body: Bytes = RawBatch { items: vec![good().encode_to_vec().into(), bad.clone()] }.encode_to_vec().into();
        let message =
            |body: &Bytes| Message { id: Uuid::now_v7(), destination: Destination::Replies, body: body.clone() };
        // What the engine could not apply is quarantined as a whole, with the engine's reason.
        for (applied, reason, left) in [
            (true, MALFORMED, Bytes::from(RawBatch { items: vec![bad.clone()] }.encode_to_vec())),
            (false, "REPLY_NOT_APPLIED", body.clone()),
        ] {
            let settled = async {
                inbox.run_once().await.expect("the bus is open");
                let Some(QueueEntry::Delivery(replies, delivery)) = jobs.recv().await else { panic!("a delivery") };
                assert_eq!(replies.len(), 1);
                assert!(bus.dead_letters().is_empty(), "not before the good one is settled");
                if applied {
                    delivery.ack().await
                } else {
                    delivery.dead_letter(reason).await
                }
                died.take(1).await.expect("a dead letter").remove(0)
            };
            let (_, letter) = tokio::join!(bus.publish(vec![message(&body)]), settled);
            assert_eq!((letter.body.clone(), letter.reason.as_str()), (left, reason));
            letter.ack().await;
        }
        assert_eq!(metrics.quarantined.get(), 2);
    }

    #[test]
    fn an_output_is_taken_up_to_its_bound() {
        let with = |length: usize| {
            let output = Bytes::from(vec![7; length]);
            let outcome = Some(wire::reply::Outcome::Succeeded(wire::Succeeded { output }));
            let batch = wire::ReplyBatch { replies: vec![wire::Reply { outcome, ..good() }, good()] };
            let (replies, bad) = decode(&Bytes::from(batch.encode_to_vec())).expect("decodes");
            (replies.len(), bad)
        };
        assert_eq!((with(MAX_OUTPUT), with(MAX_OUTPUT + 1)), ((2, 0), (1, 1)));
    }

    #[test]
    fn a_raw_batch_is_a_reply_batch() {
        let batch = wire::ReplyBatch { replies: vec![good(), good()] };
        let (replies, bad) = decode(&Bytes::from(batch.encode_to_vec())).expect("decodes");
        assert_eq!((replies.len(), bad), (2, 0));
    }

    #[test]
    fn garbage_is_named() {
        assert_eq!(decode(&Bytes::from_static(b"\x0a\xff")), Err("UNDECODABLE"));
    }

    #[test]
    fn unknown_fields_spoil_nothing() {
        let mut bytes = good().encode_to_vec();
        bytes.extend_from_slice(b"\xfa\x3e\x03new");
        let (replies, bad) =
            decode(&Bytes::from(RawBatch { items: vec![bytes.into()] }.encode_to_vec())).expect("decodes");
        assert_eq!((replies.len(), bad), (1, 0));
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(cut("ab\u{e9}".to_owned(), 3), "ab");
    }
}
