//! What is in a message, as far as the checks and the story of a run want it.

use baton_courier::bus::Destination;
use baton_participant_kit::codec;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::saga::{CommandId, Direction, SagaId};
use saga_core::transition::Command;

/// A batch whose items are still bytes, so that one that cannot be read spoils only itself.
#[derive(Clone, PartialEq, prost::Message)]
struct Items {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    items: Vec<Bytes>,
}

/// What the checks want of a command; the rest of the message is skipped, not copied.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Head {
    #[prost(message, optional, tag = "1")]
    pub(super) key: Option<wire::CommandKey>,
    #[prost(uint32, tag = "2")]
    attempt: u32,
    #[prost(int64, tag = "5")]
    pub(super) deadline_us: i64,
}

/// A command of the machine's as it is named here.
#[must_use]
pub fn named(command: &Command) -> (CommandKey, u32) {
    let CommandId { saga, step, direction } = command.id;
    let direction = match direction {
        Direction::Action => CommandDirection::Action,
        Direction::Undo => CommandDirection::Undo,
    };
    (CommandKey { saga: saga.0, step, direction }, command.attempt)
}

/// The commands of a message, as far as the checks want them.
pub(super) fn heads(body: &Bytes) -> impl Iterator<Item = Head> {
    let batch = Items::decode(body.clone()).unwrap_or_default();
    batch.items.into_iter().filter_map(|item| Head::decode(item).ok())
}

/// The commands of a message, with their attempts.
pub(super) fn commands(body: &Bytes) -> Vec<(CommandKey, u32)> {
    heads(body).filter_map(|head| Some((codec::key_from_wire(head.key.as_ref()?)?, head.attempt))).collect()
}

/// The commands that a message is about.
#[must_use]
pub fn keys(destination: &Destination, body: &Bytes) -> Vec<CommandKey> {
    match destination {
        Destination::Commands(_) => commands(body).into_iter().map(|(key, _)| key).collect(),
        Destination::Replies => {
            let batch = wire::ReplyBatch::decode(body.clone()).unwrap_or_default();
            batch.replies.iter().filter_map(|reply| codec::key_from_wire(reply.key.as_ref()?)).collect()
        }
    }
}

/// A message in a few words.
#[must_use]
pub fn describe(destination: &Destination, body: &Bytes) -> String {
    let keys = keys(destination, body);
    let shown = keys.iter().take(4).map(|key| {
        let saga = SagaId(key.saga).to_string();
        let direction = if key.direction == CommandDirection::Action { "action" } else { "undo" };
        format!("{}/{}/{direction}", &saga[saga.len() - 4..], key.step)
    });
    let shown: Vec<String> = shown.collect();
    if keys.len() > 4 { format!("{} +{}", shown.join(" "), keys.len() - 4) } else { shown.join(" ") }
}
