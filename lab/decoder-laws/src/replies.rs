//! Reply messages, as the inbox reads them: a bad item spoils only itself, and texts and outputs are bounded.

use baton_orchestrator::workers::inbox::{self, DecodedReplies};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{Direction, SagaId};

/// Longest output of a success.
const MAX_OUTPUT: usize = 16 * 1024;
/// Longest reason and message that reach a saga.
const MAX_TEXTS: (usize, usize) = (63, 512);

/// A decoder of reply messages.
pub type DecodeReplies = fn(&Bytes) -> Result<DecodedReplies, &'static str>;

/// The law of [`inbox::decode`]; the bytes are a message.
pub fn check(data: &[u8]) {
    holds(inbox::decode, data);
}

/// The same law of any decoder.
///
/// # Panics
/// If `decode` breaks it.
pub fn holds(decode: DecodeReplies, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let whole = wire::ReplyBatch::decode(body.clone());
    let Ok((replies, bad)) = decode(&body) else {
        assert!(whole.is_err() || whole.is_ok_and(|batch| batch.replies.len() > 256), "a good batch was quarantined");
        return;
    };
    if let Ok(batch) = whole {
        assert_eq!(replies.len() as u64 + bad, batch.replies.len() as u64, "every item is accounted for");
        let apart: Vec<_> = batch.replies.into_iter().filter_map(inbox::reply_of).collect();
        assert_eq!(replies, apart, "each item is what it is alone");
    }
    for (saga, reply) in replies {
        match &reply.outcome {
            Outcome::Succeeded { output } => assert!(output.len() <= MAX_OUTPUT, "an output beyond its bound"),
            Outcome::Rejected { reason, message } | Outcome::Unavailable { reason, message } => {
                assert!(reason.len() <= MAX_TEXTS.0 && message.len() <= MAX_TEXTS.1, "a text beyond its bound");
            }
        }
        let again = wire::ReplyBatch { replies: vec![written(saga, &reply)] }.encode_to_vec().into();
        assert_eq!(decode(&again), Ok((vec![(saga, reply)], 0)), "written again it is the same");
    }
}

fn written(saga: SagaId, reply: &Reply) -> wire::Reply {
    let direction = match reply.direction {
        Direction::Action => wire::Direction::Action,
        Direction::Undo => wire::Direction::Undo,
    };
    let outcome = match reply.outcome.clone() {
        Outcome::Succeeded { output } => wire::reply::Outcome::Succeeded(wire::Succeeded { output }),
        Outcome::Rejected { reason, message } => wire::reply::Outcome::Rejected(wire::Rejected { reason, message }),
        Outcome::Unavailable { reason, message } => {
            wire::reply::Outcome::Unavailable(wire::Unavailable { reason, message })
        }
    };
    let key = wire::CommandKey {
        saga_id: Bytes::copy_from_slice(&saga.0),
        step: u32::from(reply.step),
        direction: direction.into(),
    };
    wire::Reply { key: Some(key), attempt: reply.attempt, outcome: Some(outcome), traceparent: String::new() }
}
