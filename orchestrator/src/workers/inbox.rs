//! The inbox: takes reply messages from the bus, decodes them item by item, hands them to the engine.

use crate::engine::handle::EngineHandle;
use crate::metrics::Metrics;
use baton_bus::bus::{Consumer, Delivery};
use baton_bus::error::BusError;
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

/// Replies that can be read go to the engine. If none can, the message is quarantined with the reason; a message with
/// some bad items is kept for its good ones, and the sagas of the others move on by their deadlines.
async fn hand_over(engine: &EngineHandle, metrics: &Metrics, delivery: Delivery) {
    match decode(&delivery.body) {
        Ok((replies, bad)) => {
            metrics.quarantined.inc_by(bad);
            if bad > 0 {
                tracing::warn!(bad, good = replies.len(), "reply message holds items that cannot be read");
            }
            if replies.is_empty() && bad > 0 {
                // Aside: quarantine may take as long as the broker likes, the queue behind it must not. What is aside is
                // unacknowledged, so the prefetch bounds it.
                tokio::spawn(quarantine(delivery, "MALFORMED_REPLY"));
            } else if replies.is_empty() {
                delivery.ack().await;
            } else {
                engine.delivery(replies, delivery).await;
            }
        }
        Err(reason) => {
            metrics.quarantined.inc();
            tracing::warn!(reason, "reply message quarantined");
            tokio::spawn(quarantine(delivery, reason));
        }
    }
}

async fn quarantine(delivery: Delivery, reason: &'static str) {
    hit(Point::OrchestratorBeforeQuarantine);
    delivery.dead_letter(reason).await;
    hit(Point::OrchestratorAfterQuarantine);
}

/// A batch whose items are still bytes: the same wire format as `ReplyBatch`, so that one bad item spoils only itself.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawBatch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) items: Vec<Bytes>,
}

/// The replies of a message that can be read, and how many items cannot.
pub type Decoded = (Vec<(SagaId, Reply)>, u64);

/// Decodes a reply message. An error is the reason to quarantine it whole.
pub fn decode(body: &Bytes) -> Result<Decoded, &'static str> {
    let batch = RawBatch::decode(body.clone()).map_err(|_| "UNDECODABLE")?;
    if batch.items.len() > MAX_REPLIES {
        return Err("TOO_MANY_REPLIES");
    }
    let mut bad = 0;
    let mut replies = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        match wire::Reply::decode(item).ok().and_then(reply_of) {
            Some(reply) => replies.push(reply),
            None => bad += 1,
        }
    }
    Ok((replies, bad))
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
        let (replies, bad) = decode(&Bytes::from(RawBatch { items }.encode_to_vec())).expect("decodes");
        assert_eq!((replies.len(), bad), (1, 3));
        assert_eq!(replies[0].0, SagaId([7; 16]));
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
    fn unknown_fields_survive_reading() {
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
