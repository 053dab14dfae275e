//! Wrong decoders: the corpus must be enough for the laws to refuse them.

use crate::corpus::files;
use baton_decoder_laws::{commands, replies};
use baton_orchestrator::workers::inbox::{self, DecodedReplies};
use baton_participant_kit::codec::{self, Item};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::Outcome;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// True if some file of the corpus shows that the law is broken.
fn noticed(law: &str, holds: impl Fn(&[u8])) -> bool {
    files(law).iter().any(|(_, bytes)| catch_unwind(AssertUnwindSafe(|| holds(bytes))).is_err())
}

#[test]
fn wrong_decoders_of_commands_are_noticed() {
    let wrong: [(&str, commands::DecodeCommands); 5] = [
        ("leaves bad items out", |body| {
            let items = codec::decode(body)?;
            Some(items.into_iter().filter(|item| matches!(item, Item::Command(_))).collect())
        }),
        ("refuses a message for one bad item", |body| {
            let items = codec::decode(body)?;
            items.iter().all(|item| !matches!(item, Item::Unreadable(_))).then_some(items)
        }),
        ("forgets who can be answered", |body| {
            let forget = |item| match item {
                Item::Malformed { .. } => Item::Unreadable(Bytes::new()),
                other => other,
            };
            Some(codec::decode(body)?.into_iter().map(forget).collect())
        }),
        ("takes steps for others", |body| {
            let shift = |item| match item {
                Item::Command(mut command) => {
                    command.key.step = command.key.step.wrapping_add(1);
                    Item::Command(command)
                }
                other => other,
            };
            Some(codec::decode(body)?.into_iter().map(shift).collect())
        }),
        ("knows no bound", |body| {
            let batch = wire::CommandBatch::decode(body.clone()).ok()?;
            codec::decode(body).or_else(|| Some(vec![Item::Unreadable(Bytes::new()); batch.commands.len()]))
        }),
    ];
    assert!(!noticed("commands", |bytes| commands::holds(codec::decode, bytes)));
    for (defect, decode) in wrong {
        assert!(noticed("commands", |bytes| commands::holds(decode, bytes)), "a decoder that {defect}");
    }
}

#[test]
fn wrong_decoders_of_replies_are_noticed() {
    fn with(body: &Bytes, change: impl Fn(&mut Outcome)) -> Result<DecodedReplies, &'static str> {
        let (mut replies, bad) = inbox::decode(body)?;
        replies.iter_mut().for_each(|(_, reply)| change(&mut reply.outcome));
        Ok((replies, bad))
    }
    let wrong: [(&str, replies::DecodeReplies); 4] = [
        ("counts no bad items", |body| inbox::decode(body).map(|(replies, _)| (replies, 0))),
        ("quarantines a message for one bad item", |body| {
            let (replies, bad) = inbox::decode(body)?;
            if bad == 0 { Ok((replies, bad)) } else { Err("BAD") }
        }),
        ("takes doubt for a refusal", |body| {
            with(body, |outcome| {
                if let Outcome::Unavailable { reason, message } = outcome.clone() {
                    *outcome = Outcome::Rejected { reason, message };
                }
            })
        }),
        ("lets long texts through", |body| {
            with(body, |outcome| {
                if let Outcome::Rejected { message, .. } | Outcome::Unavailable { message, .. } = outcome {
                    *message = message.repeat(2);
                }
            })
        }),
    ];
    assert!(!noticed("replies", |bytes| replies::holds(inbox::decode, bytes)));
    for (defect, decode) in wrong {
        assert!(noticed("replies", |bytes| replies::holds(decode, bytes)), "a decoder that {defect}");
    }
}
