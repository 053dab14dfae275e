//! Command messages, as the kit reads them: a bad item spoils nothing, bounds hold, and every answer finds its way back.

use baton_orchestrator::workers::inbox;
use baton_participant_kit::codec::{self, Item, MAX_ITEMS, MAX_NAME, MAX_PAYLOAD, MAX_STEP};
use baton_participant_kit::participant::{Answer, Command, CommandDirection};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;

/// Longest trace context that a participant is handed.
const MAX_TRACEPARENT: usize = 128;

/// A decoder of command messages.
pub type DecodeCommands = fn(Bytes) -> Option<Vec<Item>>;

/// The law of [`codec::decode`]; the bytes are a message.
pub fn check(data: &[u8]) {
    holds(codec::decode, data);
}

/// The same law of any decoder, so that it can be seen to refuse a wrong one.
///
/// # Panics
/// If `decode` breaks it.
pub fn holds(decode: DecodeCommands, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let raw = raw_items(&body);
    let Some(items) = decode(body.clone()) else {
        assert!(raw.is_none_or(|raw| raw.len() > MAX_ITEMS), "a batch within its bound was refused");
        return;
    };
    let raw = raw.expect("what was decoded is repeated bytes");
    assert!(items.len() == raw.len() && items.len() <= MAX_ITEMS, "every item is accounted for, within the bound");
    if let Ok(whole) = wire::CommandBatch::decode(body) {
        assert_eq!(whole.commands.len(), items.len(), "the schema sees the same items");
    }
    for (bytes, item) in raw.into_iter().zip(&items) {
        // Neighbours make no difference.
        assert_eq!(decode(codec::batch_of(vec![bytes.clone()])).as_deref(), Some(std::slice::from_ref(item)));
        match item {
            Item::Command(command) => of_command(decode, &bytes, command),
            Item::Malformed { key, attempt, message } => {
                assert!(u32::from(key.step) <= MAX_STEP && !message.is_empty());
                let answer =
                    Answer::Rejected { reason: "MALFORMED_COMMAND".to_owned(), message: (*message).to_owned() };
                comes_back(codec::reply(*key, *attempt, String::new(), answer));
            }
            Item::Unreadable(kept) => assert_eq!(*kept, bytes, "what is quarantined is what came"),
        }
    }
}

/// Both batches carry their items in field 1.
fn raw_items(body: &Bytes) -> Option<Vec<Bytes>> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Raw {
        #[prost(bytes = "bytes", repeated, tag = "1")]
        items: Vec<Bytes>,
    }
    Raw::decode(body.clone()).ok().map(|raw| raw.items)
}

fn of_command(decode: DecodeCommands, bytes: &Bytes, command: &Command) {
    assert!((1..=MAX_NAME).contains(&command.name.len()) && command.payload.len() <= MAX_PAYLOAD);
    assert!(u32::from(command.key.step) <= MAX_STEP && command.traceparent.len() <= MAX_TRACEPARENT);
    assert!(!command.effect_before_saga || command.key.direction == CommandDirection::Undo);
    let sent = wire::Command::decode(bytes.clone()).expect("a command is a command to the schema too");
    assert_eq!((&sent.name, &sent.payload), (&command.name, &command.payload), "nothing is changed on the way");
    let again = wire::Command {
        key: Some(codec::key_to_wire(command.key)),
        attempt: command.attempt,
        name: command.name.clone(),
        payload: command.payload.clone(),
        deadline_us: command.deadline_us,
        traceparent: command.traceparent.clone(),
        effect_before_saga: command.effect_before_saga,
        definition: String::new(),
    };
    let again = codec::batch_of(vec![again.encode_to_vec().into()]);
    assert_eq!(decode(again), Some(vec![Item::Command(command.clone())]), "written again it is the same");
    let output = command.payload.slice(..command.payload.len().min(16 * 1024));
    comes_back(codec::reply(command.key, command.attempt, command.traceparent.clone(), Answer::Succeeded { output }));
}

/// What a participant answers, the orchestrator reads, and finds the command it asked.
fn comes_back(reply: wire::Reply) {
    let bodies = codec::pack(std::slice::from_ref(&reply));
    assert!(bodies.len() == 1 && bodies[0].len() <= codec::MAX_REPLY_BODY);
    let (replies, bad) = inbox::decode(&bodies[0]).expect("a packed reply is a reply message");
    let wanted = inbox::reply_of(reply).expect("a participant's reply is one");
    assert_eq!((replies, bad), (vec![wanted], 0));
}
