//! Dead letters that the orchestrator has taken out of their queues.

use super::{Databases, ReadError, reading};
use crate::evidence::DeadLetter;
use baton_orchestrator::operations::letters::REPLIES;
use baton_sql::error::SqlError;
use baton_sql::value::Row;

/// Letters read, those that are to be sent again and then the newest: more of the same say nothing new.
const MOST: u32 = 1_000;

/// State of a letter, as stored, that somebody has decided to send again and that is not sent yet.
const UNSENT: i64 = 4;

/// What the collector keeps of a letter that does not say why it is one.
const NO_REASON: &str = "UNKNOWN";

/// Collected dead letters.
///
/// # Errors
/// If the database refuses or is away.
pub async fn letters(databases: &Databases) -> Result<Vec<DeadLetter>, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(Vec::new()) };
    let sql =
        "SELECT destination, message_id, reason, state = ? FROM dead_letter ORDER BY state = ? DESC, id DESC LIMIT ?";
    let rows =
        store.query(sql, vec![UNSENT.into(), UNSENT.into(), MOST.into()]).await.map_err(reading("the dead letters"))?;
    rows.iter().map(decode).collect::<Result<_, _>>().map_err(reading("the dead letters"))
}

fn decode(row: &Row) -> Result<DeadLetter, SqlError> {
    let queue = match row.text(0)? {
        REPLIES => "the collected dead letters of the replies".to_owned(),
        participant => format!("the collected dead letters of {participant}"),
    };
    let message = row.opt_bytes(1)?.and_then(|id| uuid::Uuid::from_slice(id).ok());
    let reason = Some(row.text(2)?.to_owned()).filter(|reason| reason != NO_REASON);
    let message = message.map(|id| id.to_string()).unwrap_or_default();
    Ok(DeadLetter { queue, message, reason, unsent: row.int(3)? != 0 })
}
