//! Journal entries and their blobs mapped to each other.

use crate::row::{Undecodable, read_cause, step_index, version_value};
use baton_proto::baton::store::v1 as stored;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use prost::Message;
use saga_core::event::{Entry, Event, JournalRecord, OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{DefinitionId, Direction, SagaId};
use saga_core::time::Micros;
use stored::{journal_event, reply_event};

/// Columns of table `journal`, in the order [`journal_values`] writes and [`decode_entry`] reads them.
pub const JOURNAL_COLUMNS: [&str; 4] = ["saga_id", "version", "at", "event"];

/// A row of table `journal`. `saga_input` is column `saga.input`: a start entry does not store the same bytes again.
#[must_use]
pub fn journal_values(entry: &Entry, saga_input: &[u8]) -> Vec<Value> {
    vec![
        entry.saga.0.into(),
        version_value(entry.version).into(),
        entry.at.0.into(),
        encode(&entry.record, saga_input).into(),
    ]
}

/// A row of table `journal` read back.
pub fn decode_entry(row: &Row, saga_input: &Bytes) -> Result<Entry, Undecodable> {
    Ok(Entry {
        saga: SagaId(row.array(0)?),
        version: u64::try_from(row.int(1)?).map_err(|_| Undecodable("negative version".to_owned()))?,
        at: Micros(row.int(2)?),
        record: decode(row.bytes(3)?, saga_input)?,
    })
}

/// Column `journal.event`.
#[must_use]
pub fn encode(record: &JournalRecord, saga_input: &[u8]) -> Vec<u8> {
    let record = match record {
        JournalRecord::Started { definition, input } => journal_event::Record::Started(stored::Started {
            definition: definition.name.clone(),
            definition_version: definition.version,
            input: if input == saga_input { Bytes::new() } else { input.clone() },
        }),
        JournalRecord::Moved(Event::Reply(reply)) => journal_event::Record::Reply(stored::ReplyEvent {
            step: u32::from(reply.step),
            undo: reply.direction == Direction::Undo,
            attempt: reply.attempt,
            outcome: Some(stored_outcome(reply)),
        }),
        JournalRecord::Moved(Event::Wake) => journal_event::Record::Wake(stored::WakeEvent {}),
        JournalRecord::Moved(Event::Action(action)) => journal_event::Record::Action(stored::ActionEvent {
            verb: action.verb.as_str().to_owned(),
            actor: action.actor.clone(),
            reason: action.reason.clone(),
        }),
    };
    stored::JournalEvent { record: Some(record) }.encode_to_vec()
}

/// Column `journal.event` read back.
pub fn decode(blob: &[u8], saga_input: &Bytes) -> Result<JournalRecord, Undecodable> {
    let record = stored::JournalEvent::decode(blob)?.record;
    Ok(match record.ok_or_else(|| Undecodable("a journal event of an unknown kind".to_owned()))? {
        journal_event::Record::Started(started) => JournalRecord::Started {
            definition: DefinitionId { name: started.definition, version: started.definition_version },
            input: if started.input.is_empty() { saga_input.clone() } else { started.input },
        },
        journal_event::Record::Reply(reply) => JournalRecord::Moved(Event::Reply(Reply {
            step: step_index(reply.step)?,
            direction: if reply.undo { Direction::Undo } else { Direction::Action },
            attempt: reply.attempt,
            outcome: read_outcome(reply.outcome)?,
        })),
        journal_event::Record::Wake(stored::WakeEvent {}) => JournalRecord::Moved(Event::Wake),
        journal_event::Record::Action(action) => JournalRecord::Moved(Event::Action(OperatorAction {
            verb: read_verb(&action.verb)?,
            actor: action.actor,
            reason: action.reason,
        })),
    })
}

fn stored_outcome(reply: &Reply) -> reply_event::Outcome {
    let cause = |reason: &str, message: &str| stored::Cause {
        step: u32::from(reply.step),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    match &reply.outcome {
        Outcome::Succeeded { output } => reply_event::Outcome::Succeeded(output.clone()),
        Outcome::Rejected { reason, message } => reply_event::Outcome::Rejected(cause(reason, message)),
        Outcome::Unavailable { reason, message } => reply_event::Outcome::Unavailable(cause(reason, message)),
    }
}

fn read_outcome(outcome: Option<reply_event::Outcome>) -> Result<Outcome, Undecodable> {
    Ok(match outcome.ok_or_else(|| Undecodable("a reply without an outcome".to_owned()))? {
        reply_event::Outcome::Succeeded(output) => Outcome::Succeeded { output },
        reply_event::Outcome::Rejected(cause) => {
            let cause = read_cause(cause)?;
            Outcome::Rejected { reason: cause.reason, message: cause.message }
        }
        reply_event::Outcome::Unavailable(cause) => {
            let cause = read_cause(cause)?;
            Outcome::Unavailable { reason: cause.reason, message: cause.message }
        }
    })
}

fn read_verb(text: &str) -> Result<Verb, Undecodable> {
    Ok(match text {
        "cancel" => Verb::Cancel,
        "retry" => Verb::Retry,
        "skip" => Verb::Skip,
        "resolve-done" => Verb::ResolveDone,
        "resolve-undone" => Verb::ResolveUndone,
        "pause" => Verb::Pause,
        "resume" => Verb::Resume,
        other => return Err(Undecodable(format!("unknown verb {other}"))),
    })
}
