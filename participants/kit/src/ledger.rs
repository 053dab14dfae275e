//! The ledger: one row per command that was answered for good, in the transaction of its effect.

use crate::codec::MAX_STEP;
use crate::participant::{Answer, CommandDirection, CommandKey, MAX_OUTPUT, Participant};
use crate::plan::Stored;
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use std::collections::BTreeSet;

/// The ledger's table. `outcome` is 1 for succeeded, 2 for rejected. Rows are never updated.
pub const MIGRATIONS: &[Migration] = &[Migration {
    id: "0000_ledger",
    mariadb: "CREATE TABLE IF NOT EXISTS ledger (
        saga_id BINARY(16) NOT NULL,
        step SMALLINT NOT NULL,
        direction SMALLINT NOT NULL,
        outcome SMALLINT NOT NULL,
        output VARBINARY(16384) NOT NULL,
        reason VARCHAR(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        message VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        attempt BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (saga_id, step, direction),
        CHECK (direction IN (1, 2)),
        CHECK (outcome IN (1, 2))
    ) ENGINE = InnoDB",
    sqlite: "CREATE TABLE IF NOT EXISTS ledger (
        saga_id BLOB NOT NULL CHECK (length(saga_id) = 16),
        step INTEGER NOT NULL,
        direction INTEGER NOT NULL CHECK (direction IN (1, 2)),
        outcome INTEGER NOT NULL CHECK (outcome IN (1, 2)),
        output BLOB NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (saga_id, step, direction)
    ) STRICT, WITHOUT ROWID",
}];

/// What a participant's schema needs: the ledger and its own tables. For [`Database::migrate`].
#[must_use]
pub fn migrations<P: Participant>(participant: &P) -> Vec<Migration> {
    MIGRATIONS.iter().chain(participant.migrations()).copied().collect()
}

const COLUMNS: [&str; 9] =
    ["saga_id", "step", "direction", "outcome", "output", "reason", "message", "attempt", "created_at"];
const SELECT: &str = "SELECT saga_id, step, direction, outcome, output, reason, message FROM ledger WHERE saga_id";

/// A row to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The command.
    pub key: CommandKey,
    /// The attempt that brought the answer.
    pub attempt: u32,
    /// The answer: succeeded or rejected.
    pub answer: Answer,
}

/// Everything the ledger knows of the sagas of these commands. A saga has a handful of rows at one participant, so that
/// the whole saga is read: an undo needs its action's row too, and one value per saga keeps the statement short.
pub async fn read(database: &Database, keys: impl Iterator<Item = CommandKey>) -> Result<Stored, SqlError> {
    stored(database.query_in(SELECT, sagas(keys), "").await?)
}

/// The same inside a transaction.
pub async fn read_in(tx: &mut Tx, keys: impl Iterator<Item = CommandKey>) -> Result<Stored, SqlError> {
    stored(tx.select_in(SELECT, Vec::new(), sagas(keys), "").await?)
}

/// Inserts rows in key order, so that two workers never wait for each other in a circle. `Duplicate` means that somebody
/// else has answered one of these commands meanwhile.
pub async fn insert(tx: &mut Tx, mut entries: Vec<Entry>, now_us: i64) -> Result<(), SqlError> {
    entries.sort_by_key(|entry| entry.key);
    let rows = entries.into_iter().filter_map(|entry| values(entry, now_us)).collect::<Vec<_>>();
    if !rows.is_empty() {
        tx.insert_many("ledger", &COLUMNS, rows).await?;
    }
    Ok(())
}

fn sagas(keys: impl Iterator<Item = CommandKey>) -> Vec<Value> {
    keys.map(|key| key.saga).collect::<BTreeSet<_>>().into_iter().map(Value::from).collect()
}

/// The columns of an entry; `None` for an answer that is never stored.
#[must_use]
pub fn values(entry: Entry, now_us: i64) -> Option<Vec<Value>> {
    let (outcome, output, reason, message) = match entry.answer.bounded() {
        Answer::Succeeded { output } => (1, output, String::new(), String::new()),
        Answer::Rejected { reason, message } => (2, Bytes::new(), reason, message),
        Answer::Unavailable { .. } => return None,
    };
    debug_assert!(output.len() <= MAX_OUTPUT, "the batch checks outputs before it stores them");
    Some(vec![
        entry.key.saga.into(),
        entry.key.step.into(),
        direction_number(entry.key.direction).into(),
        Value::Int(outcome),
        output.as_ref().into(),
        reason.into(),
        message.into(),
        entry.attempt.into(),
        now_us.into(),
    ])
}

fn direction_number(direction: CommandDirection) -> i64 {
    match direction {
        CommandDirection::Action => 1,
        CommandDirection::Undo => 2,
    }
}

fn stored(rows: Vec<Row>) -> Result<Stored, SqlError> {
    rows.iter().map(decode).collect()
}

/// A row read back: what the ledger says about one command.
pub fn decode(row: &Row) -> Result<(CommandKey, Answer), SqlError> {
    Ok((row_key(row)?, row_answer(row)?))
}

fn row_key(row: &Row) -> Result<CommandKey, SqlError> {
    let step = u8::try_from(row.int(1)?).ok().filter(|step| u32::from(*step) <= MAX_STEP);
    let step = step.ok_or_else(|| odd(1, "a step"))?;
    let direction = match row.int(2)? {
        1 => CommandDirection::Action,
        2 => CommandDirection::Undo,
        _ => return Err(odd(2, "a direction")),
    };
    Ok(CommandKey { saga: row.array(0)?, step, direction })
}

fn row_answer(row: &Row) -> Result<Answer, SqlError> {
    match row.int(3)? {
        1 => Ok(Answer::Succeeded { output: Bytes::copy_from_slice(row.bytes(4)?) }),
        2 => Ok(Answer::Rejected { reason: row.text(5)?.to_owned(), message: row.text(6)?.to_owned() }),
        _ => Err(odd(3, "an outcome")),
    }
}

fn odd(column: usize, expected: &'static str) -> SqlError {
    SqlError::Decode { column, expected, found: "another number".to_owned() }
}
