//! The messages that wait in the outbox, command by command.

use super::dossier::Pending;
use super::{Databases, ReadError, reading};
use baton_orchestrator::store::REPLIES;
use baton_proto::baton::participant::v1 as wire;
use baton_sql::value::{Row, Value};
use prost::Message as _;
use saga_core::saga::{CommandId, Direction, SagaId};
use std::collections::BTreeMap;

/// Outbox rows kept, newest left out. More of them wait only while the broker is away.
const MOST_OUTBOX: usize = 10_000;

/// The messages that wait in the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Rows found, up to the bound.
    pub rows: usize,
    /// True if there are more than the bound.
    pub more: bool,
    /// Rows that are no command batch, by id.
    pub damaged: Vec<String>,
    /// Commands by saga.
    pub commands: BTreeMap<SagaId, Vec<Pending>>,
}

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
            outbox.rows += 1;
            if let Err(why) = add_message(&mut outbox, row) {
                outbox.damaged.push(why);
            }
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

fn add_message(outbox: &mut Outbox, row: &Row) -> Result<(), String> {
    let id = row.array(0).map(uuid::Uuid::from_bytes).map_err(|error| format!("an outbox row: {error}"))?;
    let participant = row.text(1).map_err(|error| format!("outbox row {id}: {error}"))?;
    if participant == REPLIES {
        // A reply that an operator sends again: no command waits in it.
        return Ok(());
    }
    let body = row.bytes(2).map_err(|error| format!("outbox row {id}: {error}"))?;
    let batch = wire::CommandBatch::decode(body).map_err(|error| format!("outbox row {id}: {error}"))?;
    if batch.commands.is_empty() {
        return Err(format!("outbox row {id} carries no command"));
    }
    for command in batch.commands {
        let wanted = command.key.as_ref().and_then(command_id);
        let wanted = wanted.ok_or_else(|| format!("outbox row {id}: a command without a key"))?;
        let pending =
            Pending { message: id, participant: participant.to_owned(), command: wanted, attempt: command.attempt };
        outbox.commands.entry(wanted.saga).or_default().push(pending);
    }
    Ok(())
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
