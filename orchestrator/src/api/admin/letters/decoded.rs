//! What a dead letter says.

use crate::redact::{self, Redactor};
use baton_courier::bus::Destination;
use baton_engine::sagas::{Part, Registry};
use baton_operations::letters::Letter;
use baton_operations::workers::dead_letters::items;
use baton_proto::baton::participant::v1::{self as wire, Command, CommandKey, Reply};
use baton_query::step_position::StepPosition;
use bytes::Bytes;
use prost::Message as _;
use saga_core::saga::Direction;
use serde_json::{Value, json};
use uuid::Uuid;

/// Bytes of a message that does not decode that are shown.
const MAX_HEX: usize = 256;

/// A letter's message for people.
pub(super) struct DecodedLetter {
    /// Its items as JSON; empty if none decodes.
    pub(super) json: String,
    /// What does not decode, as a sentence, or empty.
    pub(super) flaw: String,
    /// The first bytes if nothing decodes.
    pub(super) hex: String,
}

/// The message item by item, so that one that does not decode hides no other. Only of a message in which nothing decodes the
/// bytes are shown.
pub(super) fn decoded(registry: &Registry, shown: &Redactor, letter: &Letter, body: &Bytes) -> DecodedLetter {
    let (kind, list) = match letter.destination {
        Destination::Commands(_) => ("baton.participant.v1.Command", "commands"),
        Destination::Replies => ("baton.participant.v1.Reply", "replies"),
    };
    let whole = items(body).unwrap_or_default();
    let readable = whole.iter().filter_map(|item| {
        let mut value = shown.value(kind, item)?;
        match &letter.destination {
            Destination::Commands(_) => fill_command(registry, shown, &Command::decode(item.clone()).ok()?, &mut value),
            Destination::Replies => fill_key(Reply::decode(item.clone()).ok()?.key.as_ref(), &mut value),
        }
        Some(value)
    });
    let readable: Vec<Value> = readable.collect();
    let bad = whole.len() - readable.len();
    if readable.is_empty() {
        let flaw = match whole.len() {
            0 => "It is no batch of messages.".to_owned(),
            count => format!("None of its {count} items decodes."),
        };
        let hex = body.iter().take(MAX_HEX).map(|byte| format!("{byte:02x}")).collect();
        return DecodedLetter { json: String::new(), flaw, hex };
    }
    let flaw = if bad > 0 { format!("{bad} of its {} items do not decode.", whole.len()) } else { String::new() };
    DecodedLetter { json: redact::bounded(&json!({ list: readable })), flaw, hex: String::new() }
}

/// A payload as its message, without what is secret or personal. One of an unknown type stays taken out.
fn fill_command(registry: &Registry, shown: &Redactor, command: &Command, value: &mut Value) {
    fill_key(command.key.as_ref(), value);
    let kind = command.key.as_ref().and_then(|key| payload_type(registry, command, key));
    if let Some(payload) = kind.and_then(|kind| shown.value(kind, &command.payload)) {
        value["payload"] = payload;
    }
}

/// The saga's id as everybody writes it.
fn fill_key(key: Option<&CommandKey>, value: &mut Value) {
    if let Some(id) = key.and_then(|key| Uuid::from_slice(&key.saga_id).ok()) {
        value["key"]["sagaId"] = json!(id.to_string());
    }
}

/// What a command's payload is, by its saga's definition; nothing if its name is not what that step asks.
fn payload_type(registry: &Registry, command: &Command, key: &CommandKey) -> Option<&'static str> {
    let step = u8::try_from(key.step).ok()?;
    let direction = match wire::Direction::try_from(key.direction).ok()? {
        wire::Direction::Action => Direction::Action,
        wire::Direction::Undo => Direction::Undo,
        wire::Direction::Unspecified => return None,
    };
    let own = registry.iter().filter(|saga_type| saga_type.definition().id().to_string() == command.definition);
    own.filter(|saga_type| StepPosition::new(saga_type.definition(), step, direction).command == command.name)
        .find_map(|saga_type| saga_type.message_type(Part::Command(step, direction)))
}
