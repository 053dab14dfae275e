//! The messages that wait in the outbox, command by command.

use super::{Databases, ReadError, reading};
use crate::evidence::Outbox;
use crate::saga_evidence::Pending;
use baton_orchestrator::operations::letters::REPLIES;
use baton_proto::baton::participant::v1 as wire;
use baton_sql::value::{Row, Value};
use prost::Message as _;
use saga_core::saga::{CommandId, Direction, SagaId};

/// Outbox rows kept, newest left out. More of them wait only while the broker is away.
const MOST_OUTBOX: usize = 10_000;

/// The outbox as it is now.
///
/// # Errors
/// If the database refuses or is away.
pub async fn outbox(databases: &Databases) -> Result<Outbox, ReadError> {
    let mut outbox = Outbox::default();
    let Some(store) = &databases.orchestrator else { return Ok(outbox) };
    let sql = "SELECT id, participant, body FROM outbox WHERE id > ? ORDER BY id LIMIT 256";
    let mut after = Value::Bytes(vec![]);
    loop {
        let rows = store.query(sql, vec![after.clone()]).await.map_err(reading("the outbox"))?;
        for row in &rows {
            add_row(&mut outbox, row);
        }
        match rows.last().and_then(|row| row.0.first().cloned()) {
            Some(id) if rows.len() == 256 && outbox.rows < MOST_OUTBOX => after = id,
            last => {
                outbox.more = rows.len() == 256 && last.is_some();
                return Ok(outbox);
            }
        }
    }
}

fn add_row(outbox: &mut Outbox, row: &Row) {
    let parts = row.array(0).and_then(|id| Ok((uuid::Uuid::from_bytes(id), row.text(1)?, row.bytes(2)?)));
    match parts {
        Ok((id, participant, body)) => add_message(outbox, id, participant, body),
        Err(error) => {
            outbox.rows += 1;
            outbox.damaged.push(format!("an outbox row: {error}"));
        }
    }
}

/// Adds a message that waits, with its commands.
pub fn add_message(outbox: &mut Outbox, id: uuid::Uuid, participant: &str, body: &[u8]) {
    outbox.rows += 1;
    if participant == REPLIES {
        // A reply that an operator sends again: no command waits in it.
        return;
    }
    match commands(id, participant, body) {
        Ok(commands) => {
            for pending in commands {
                outbox.commands.entry(pending.command.saga).or_default().push(pending);
            }
        }
        Err(why) => outbox.damaged.push(format!("outbox row {id}{why}")),
    }
}

fn commands(id: uuid::Uuid, participant: &str, body: &[u8]) -> Result<Vec<Pending>, String> {
    let batch = wire::CommandBatch::decode(body).map_err(|error| format!(": {error}"))?;
    if batch.commands.is_empty() {
        return Err(" carries no command".to_owned());
    }
    let pending = batch.commands.into_iter().map(|command| {
        let wanted = command.key.as_ref().and_then(command_id).ok_or_else(|| ": a command without a key".to_owned())?;
        Ok(Pending { message: id, participant: participant.to_owned(), command: wanted, attempt: command.attempt })
    });
    pending.collect()
}

fn command_id(key: &wire::CommandKey) -> Option<CommandId> {
    let direction = match key.direction() {
        wire::Direction::Unspecified => return None,
        wire::Direction::Action => Direction::Action,
        wire::Direction::Undo => Direction::Undo,
    };
    let saga = SagaId(key.saga_id.as_ref().try_into().ok()?);
    Some(CommandId { saga, step: u8::try_from(key.step).ok()?, direction })
}
