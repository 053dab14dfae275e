//! Batches on the wire: decoded item by item, so that a bad one spoils nothing beside it.

use crate::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_proto::baton::participant::v1 as wire;
use bytes::{Buf as _, Bytes};
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};

/// Most commands or replies in one message.
pub const MAX_ITEMS: usize = 256;
/// Longest command name, bytes.
pub const MAX_NAME: usize = 64;
/// Longest payload, bytes.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// Highest step.
pub const MAX_STEP: u32 = 63;
/// Longest trace context kept; a longer one is no W3C traceparent and is dropped.
const MAX_TRACEPARENT: usize = 128;
/// Longest reply message: 16 KiB below the bus's bound, for what the bus may add.
pub const MAX_REPLY_BODY: usize = 240 * 1024;

/// Both batches carry their items in field 1.
const ITEMS_FIELD: u32 = 1;

/// A batch whose items are still bytes; on the wire the same as `CommandBatch` and `ReplyBatch`.
#[derive(Clone, PartialEq, prost::Message)]
struct RawBatch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    items: Vec<Bytes>,
}

/// One item of a command batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A command within all bounds.
    Command(Command),
    /// A command that breaks a bound, but says whom to answer.
    Malformed {
        /// Whom to answer.
        key: CommandKey,
        /// The attempt, or 0 if the command cannot be decoded: then it may have been damaged on its way, attempt and all.
        attempt: u32,
        /// What is wrong, for people.
        message: &'static str,
    },
    /// Nobody can be answered.
    Unreadable(Bytes),
}

/// Splits a message into its items. `None` if it is no batch at all, or one of more than [`MAX_ITEMS`].
#[must_use]
pub fn decode(body: Bytes) -> Option<Vec<Item>> {
    let batch = RawBatch::decode(body).ok()?;
    (batch.items.len() <= MAX_ITEMS).then(|| batch.items.into_iter().map(item).collect())
}

/// A batch of the given items, for the dead-letter queue.
#[must_use]
pub fn batch_of(items: Vec<Bytes>) -> Bytes {
    RawBatch { items }.encode_to_vec().into()
}

/// The key on the wire.
#[must_use]
pub fn key_to_wire(key: CommandKey) -> wire::CommandKey {
    let direction = match key.direction {
        CommandDirection::Action => wire::Direction::Action,
        CommandDirection::Undo => wire::Direction::Undo,
    };
    wire::CommandKey {
        saga_id: Bytes::copy_from_slice(&key.saga),
        step: u32::from(key.step),
        direction: direction.into(),
    }
}

/// A key from the wire; `None` if a part is missing or out of bounds.
#[must_use]
pub fn key_from_wire(key: &wire::CommandKey) -> Option<CommandKey> {
    let saga = key.saga_id.as_ref().try_into().ok()?;
    let step = u8::try_from(key.step).ok().filter(|step| u32::from(*step) <= MAX_STEP)?;
    let direction = match wire::Direction::try_from(key.direction).ok()? {
        wire::Direction::Unspecified => return None,
        wire::Direction::Action => CommandDirection::Action,
        wire::Direction::Undo => CommandDirection::Undo,
    };
    Some(CommandKey { saga, step, direction })
}

/// The reply that carries an answer.
#[must_use]
pub fn reply(key: CommandKey, attempt: u32, traceparent: String, answer: Answer) -> wire::Reply {
    let outcome = match answer.bounded() {
        Answer::Succeeded { output } => wire::reply::Outcome::Succeeded(wire::Succeeded { output }),
        Answer::Rejected { reason, message } => wire::reply::Outcome::Rejected(wire::Rejected { reason, message }),
        Answer::Unavailable { reason, message } => {
            wire::reply::Outcome::Unavailable(wire::Unavailable { reason, message })
        }
    };
    wire::Reply { key: Some(key_to_wire(key)), attempt, outcome: Some(outcome), traceparent }
}

/// Packs replies, in order, into as few bodies as the bounds allow.
#[must_use]
pub fn pack(replies: &[wire::Reply]) -> Vec<Bytes> {
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    let mut items = 0;
    for reply in replies {
        // Five bytes hold the tag and any length below 2^28.
        let size = reply.encoded_len() + 5;
        let full = bodies.last().is_none_or(|body| items == MAX_ITEMS || body.len() + size > MAX_REPLY_BODY);
        if full {
            bodies.push(Vec::new());
            items = 0;
        }
        let index = bodies.len() - 1;
        encode_key(ITEMS_FIELD, WireType::LengthDelimited, &mut bodies[index]);
        encode_varint(reply.encoded_len() as u64, &mut bodies[index]);
        reply.encode_raw(&mut bodies[index]);
        items += 1;
    }
    bodies.into_iter().map(Bytes::from).collect()
}

fn item(bytes: Bytes) -> Item {
    let Ok(command) = wire::Command::decode(bytes.clone()) else {
        return match readable_key(bytes.clone()) {
            Some(key) => Item::Malformed { key, attempt: 0, message: "the command cannot be decoded" },
            None => Item::Unreadable(bytes),
        };
    };
    let Some(key) = command.key.as_ref().and_then(key_from_wire) else {
        return Item::Unreadable(bytes);
    };
    let malformed = |message| Item::Malformed { key, attempt: command.attempt, message };
    if command.name.is_empty() || command.name.len() > MAX_NAME {
        return malformed("the name must be 1 to 64 bytes");
    }
    if command.payload.len() > MAX_PAYLOAD {
        return malformed("the payload must be at most 64 KiB");
    }
    if command.effect_before_saga && key.direction == CommandDirection::Action {
        return malformed("only an undo can concern an effect before the saga");
    }
    let mut traceparent = command.traceparent;
    if traceparent.len() > MAX_TRACEPARENT {
        traceparent.clear();
    }
    Item::Command(Command {
        key,
        attempt: command.attempt,
        name: command.name,
        payload: command.payload,
        deadline_us: command.deadline_us,
        traceparent,
        effect_before_saga: command.effect_before_saga,
    })
}

/// The key of a command that cannot be decoded as a whole: field 1, if the bytes make sense up to it.
fn readable_key(mut bytes: Bytes) -> Option<CommandKey> {
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).ok()?;
        if tag == 1 && wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            if length > bytes.len() {
                return None;
            }
            return key_from_wire(&wire::CommandKey::decode(bytes.split_to(length)).ok()?);
        }
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Item, MAX_REPLY_BODY, batch_of, decode, key_to_wire, pack, reply};
    use crate::participant::{Answer, CommandDirection, CommandKey};
    use baton_proto::baton::participant::v1 as wire;
    use bytes::Bytes;
    use prost::Message as _;

    fn key(number: u8) -> CommandKey {
        CommandKey { saga: [number; 16], step: 3, direction: CommandDirection::Action }
    }

    fn command(number: u8) -> wire::Command {
        wire::Command {
            key: Some(key_to_wire(key(number))),
            attempt: 2,
            name: "toy.add".to_owned(),
            ..wire::Command::default()
        }
    }

    #[test]
    fn a_command_batch_decodes_item_by_item() {
        let body = wire::CommandBatch { commands: vec![command(1), command(2)] }.encode_to_vec();
        let items = decode(body.into()).unwrap();
        assert!(matches!(&items[1], Item::Command(command) if command.key == key(2) && command.attempt == 2));
    }

    #[test]
    fn a_bad_item_is_told_apart_by_whether_it_can_be_answered() {
        let mut cut = command(2).encode_to_vec();
        cut.truncate(cut.len() - 3);
        let long = wire::Command { name: "x".repeat(65), ..command(3) };
        let heavy = wire::Command { payload: vec![0; 64 * 1024 + 1].into(), ..command(4) };
        let nameless = wire::Command { name: String::new(), ..command(5) };
        let keyless = wire::Command { key: None, ..command(6) };
        let mut undirected = command(7);
        undirected.key.as_mut().unwrap().direction = 0;
        let before = wire::Command { effect_before_saga: true, ..command(8) };
        let items = [
            command(1).encode_to_vec(),
            cut,
            long.encode_to_vec(),
            heavy.encode_to_vec(),
            nameless.encode_to_vec(),
            keyless.encode_to_vec(),
            undirected.encode_to_vec(),
            before.encode_to_vec(),
            vec![0xff; 9],
        ];
        let body = batch_of(items.into_iter().map(Bytes::from).collect());
        let kinds = decode(body).unwrap().into_iter().map(|item| match item {
            Item::Command(_) => "command",
            Item::Malformed { .. } => "malformed",
            Item::Unreadable(_) => "unreadable",
        });
        let expected = "command malformed malformed malformed malformed unreadable unreadable malformed unreadable";
        assert_eq!(kinds.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        assert_eq!(decode(Bytes::from_static(b"\xff\xff\xff")), None);
        assert_eq!(decode(Bytes::from_static(b"{\"json\":1}")), None);
        assert_eq!(decode(batch_of(vec![Bytes::new(); 257])), None);
        assert_eq!(decode(Bytes::new()), Some(Vec::new()));
    }

    #[test]
    fn unknown_fields_do_no_harm() {
        let mut bytes = command(1).encode_to_vec();
        prost::encoding::string::encode(99, &"new".to_owned(), &mut bytes);
        assert!(matches!(decode(batch_of(vec![bytes.into()])).unwrap()[0], Item::Command(_)));
    }

    #[test]
    fn replies_are_packed_within_both_bounds_and_decode_as_reply_batches() {
        let small = vec![reply(key(1), 1, String::new(), Answer::done()); 600];
        let counts = pack(&small).into_iter().map(|body| wire::ReplyBatch::decode(body).unwrap().replies.len());
        assert_eq!(counts.collect::<Vec<_>>(), [256, 256, 88]);
        let output = Bytes::from(vec![7; 16 * 1024]);
        let large = vec![reply(key(1), 1, String::new(), Answer::Succeeded { output }); 40];
        let bodies = pack(&large);
        assert!(bodies.len() > 1 && bodies.iter().all(|body| body.len() <= MAX_REPLY_BODY));
        let back = bodies.into_iter().flat_map(|body| wire::ReplyBatch::decode(body).unwrap().replies);
        assert_eq!(back.collect::<Vec<_>>(), large);
    }
}
