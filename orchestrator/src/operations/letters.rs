//! Dead letters: kept until an operator decides, and decided once.

use crate::operations::Operations;
use crate::operations::audit::{NewAudit, append};
use crate::store::sql::store_error;
use crate::store::{OutboxMessage, REPLIES, StoreError, row};
use baton_courier::bus::{Destination, MAX_BODY};
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Sagas noted beside a letter, so that lists need not decode it.
pub const MAX_NOTED: usize = 8;

/// Letters that may wait. Beyond it they stay in their queues, which drop their oldest as they always did.
pub const MAX_WAITING: u32 = 100_000;

const COLUMNS: &str = "id, destination, message_id, reason, size, sagas, state, collected_at, decided_at";

/// Columns of a new row.
const INSERTED: [&str; 10] =
    ["id", "destination", "message_id", "reason", "body", "size", "sagas", "waiting_key", "state", "collected_at"];

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterState {
    /// Waits for an operator.
    Waiting,
    /// Sent again.
    Replayed,
    /// Given up.
    Dropped,
}

impl LetterState {
    fn code(self) -> i64 {
        match self {
            Self::Waiting => 1,
            Self::Replayed => 2,
            Self::Dropped => 3,
        }
    }

    /// The word for it, as in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Replayed => "REPLAYED",
            Self::Dropped => "DROPPED",
        }
    }
}

/// A dead letter to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// Whose queue it was in.
    pub destination: Destination,
    /// The sender's id.
    pub message_id: Option<Uuid>,
    /// UPPER_SNAKE, at most 63 bytes.
    pub reason: String,
    /// As it arrived; only the first [`MAX_BODY`] bytes are kept.
    pub body: Bytes,
    /// Sagas it concerns; only the first [`MAX_NOTED`] are noted.
    pub sagas: Vec<SagaId>,
}

/// A dead letter without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its id, a UUIDv7 of when it was collected.
    pub id: Uuid,
    /// Where it was meant to go.
    pub destination: Destination,
    /// The sender's id.
    pub message_id: Option<Uuid>,
    /// UPPER_SNAKE.
    pub reason: String,
    /// Bytes it had when it arrived.
    pub size: u64,
    /// The first sagas it concerns.
    pub sagas: Vec<SagaId>,
    /// What became of it.
    pub state: LetterState,
    /// When it was collected.
    pub collected_at: Micros,
    /// When that was decided.
    pub decided_at: Option<Micros>,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It was taken.
    Done(Letter),
    /// There is no such letter.
    Missing,
    /// It was decided before.
    Before(LetterState),
    /// It is longer than the bus carries, and cannot be sent again.
    TooLarge,
    /// An act with the same request id is written down already.
    RequestTaken,
}

impl Operations {
    /// Keeps letters that were taken out of a quarantine; returns how many are new. One that waits already (the same
    /// destination, message id and body) is not kept twice, so that whoever lost the answer may ask again. After a crash all
    /// of them are there or none.
    ///
    /// # Errors
    /// `Conflict` if another process kept one of them just now: ask again.
    pub async fn keep_letters(&self, letters: &[NewLetter]) -> Result<usize, StoreError> {
        let now = self.now();
        let rows: Vec<(Value, Vec<Value>)> = letters.iter().map(|letter| new_row(letter, now)).collect();
        let kept = self.store.database().transaction(move |tx| {
            let rows = rows.clone();
            Box::pin(async move { insert(tx, rows).await.map(Verdict::Commit) })
        });
        kept.await.map_err(store_error)
    }

    /// How many letters wait; counts no further than [`MAX_WAITING`].
    pub async fn waiting_letters(&self) -> Result<u32, StoreError> {
        let sql = "SELECT COUNT(*) FROM (SELECT id FROM dead_letter WHERE state = ? LIMIT ?) AS waiting";
        let args = vec![LetterState::Waiting.code().into(), MAX_WAITING.into()];
        let rows = self.store.database().query(sql, args).await.map_err(store_error)?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0)).map_err(store_error)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// A page of letters, newest first: at most `limit`, only those collected before `before`.
    pub async fn letters(
        &self,
        state: Option<LetterState>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Letter>, StoreError> {
        let mut wanted = Vec::new();
        let mut args: Vec<Value> = Vec::new();
        if let Some(state) = state {
            wanted.push("state = ?");
            args.push(state.code().into());
        }
        if let Some(before) = before {
            wanted.push("id < ?");
            args.push(before.into_bytes().into());
        }
        let filter = if wanted.is_empty() { String::new() } else { format!(" WHERE {}", wanted.join(" AND ")) };
        args.push(limit.into());
        let sql = format!("SELECT {COLUMNS} FROM dead_letter{filter} ORDER BY id DESC LIMIT ?");
        let rows = self.store.database().query(&sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(unreadable)
    }

    /// One letter with what is kept of its body.
    pub async fn letter(&self, id: Uuid) -> Result<Option<(Letter, Bytes)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, body FROM dead_letter WHERE id = ?");
        let rows = self.store.database().query(&sql, vec![id.into_bytes().into()]).await.map_err(store_error)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || Ok((decode(row)?, Bytes::copy_from_slice(row.bytes(9)?)));
        read().map(Some).map_err(unreadable)
    }

    /// Sends a waiting letter again, to where it was meant to go: in one transaction it is marked, put into the outbox under
    /// the new message id `message`, and written down. After a crash all of that is there and the relay sends it, or none of
    /// it. One that fails again becomes a new letter, since its message id is another.
    pub async fn replay_letter(&self, id: Uuid, message: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        self.decide(id, LetterState::Replayed, Some(message), audit).await
    }

    /// Gives a waiting letter up: in one transaction it is marked and that is written down.
    pub async fn drop_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        self.decide(id, LetterState::Dropped, None, audit).await
    }

    /// Deletes at most `limit` letters that were decided before `before`; returns how many.
    pub async fn forget_letters(&self, before: Micros, limit: u32) -> Result<u64, StoreError> {
        let database = self.store.database();
        let sql = "SELECT id FROM dead_letter WHERE decided_at < ? ORDER BY decided_at LIMIT ?";
        let rows = database.query(sql, vec![before.0.into(), limit.into()]).await.map_err(store_error)?;
        let ids: Vec<Value> = rows.into_iter().filter_map(|row| row.0.into_iter().next()).collect();
        let deleted = database.transaction(move |tx| {
            let ids = ids.clone();
            Box::pin(async move {
                tx.execute_in("DELETE FROM dead_letter WHERE id", Vec::new(), ids).await.map(Verdict::Commit)
            })
        });
        deleted.await.map_err(store_error)
    }

    async fn decide(
        &self,
        id: Uuid,
        state: LetterState,
        message: Option<Uuid>,
        audit: NewAudit,
    ) -> Result<Decided, StoreError> {
        let now = audit.at;
        let decided = self.store.database().transaction(move |tx| {
            let audit = audit.clone();
            Box::pin(async move { decide(tx, id, state, message, audit, now).await })
        });
        decided.await.map_err(store_error)
    }
}

async fn insert(tx: &mut Tx, rows: Vec<(Value, Vec<Value>)>) -> Result<usize, SqlError> {
    let keys = rows.iter().map(|(key, _)| key.clone()).collect();
    let known = tx.select_in("SELECT waiting_key FROM dead_letter WHERE waiting_key", Vec::new(), keys, "").await?;
    let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
    for row in &known {
        seen.insert(row.bytes(0)?.to_vec());
    }
    // The second of two alike in one batch is left out, too.
    let mut is_new = |key: &Value| matches!(key, Value::Bytes(key) if seen.insert(key.clone()));
    let new: Vec<Vec<Value>> = rows.into_iter().filter(|(key, _)| is_new(key)).map(|(_, row)| row).collect();
    let kept = new.len();
    tx.insert_many("dead_letter", &INSERTED, new).await?;
    Ok(kept)
}

fn new_row(letter: &NewLetter, now: Micros) -> (Value, Vec<Value>) {
    let destination = stored(&letter.destination);
    let kept = &letter.body[..letter.body.len().min(MAX_BODY)];
    let mut key = blake3::Hasher::new();
    let id = letter.message_id.map(|id| id.into_bytes().to_vec()).unwrap_or_default();
    for part in [destination.as_bytes(), &id, &letter.body] {
        key.update(&(part.len() as u64).to_le_bytes());
        key.update(part);
    }
    let key = Value::from(*key.finalize().as_bytes());
    let sagas: Vec<u8> = letter.sagas.iter().take(MAX_NOTED).flat_map(|saga| saga.0).collect();
    let row = vec![
        Uuid::now_v7().into_bytes().into(),
        destination.into(),
        letter.message_id.map(|id| Value::from(id.into_bytes())).unwrap_or(Value::Null),
        letter.reason.as_str().into(),
        kept.into(),
        i64::try_from(letter.body.len()).unwrap_or(i64::MAX).into(),
        sagas.into(),
        key.clone(),
        LetterState::Waiting.code().into(),
        now.0.into(),
    ];
    (key, row)
}

async fn decide(
    tx: &mut Tx,
    id: Uuid,
    state: LetterState,
    message: Option<Uuid>,
    audit: NewAudit,
    now: Micros,
) -> Result<Verdict<Decided>, SqlError> {
    let sql = format!("SELECT {COLUMNS}, body FROM dead_letter WHERE id = ?{}", tx.for_update());
    let rows = tx.query(&sql, vec![id.into_bytes().into()]).await?;
    let Some(row) = rows.first() else { return Ok(Verdict::Rollback(Decided::Missing)) };
    let letter = decode(row)?;
    if letter.state != LetterState::Waiting {
        return Ok(Verdict::Rollback(Decided::Before(letter.state)));
    }
    let update = "UPDATE dead_letter SET state = ?, decided_at = ?, waiting_key = NULL WHERE id = ?";
    tx.execute(update, vec![state.code().into(), now.0.into(), id.into_bytes().into()]).await?;
    if let Some(message) = message {
        if letter.size > MAX_BODY as u64 {
            return Ok(Verdict::Rollback(Decided::TooLarge));
        }
        let body = Bytes::copy_from_slice(row.bytes(9)?);
        let participant = stored(&letter.destination).to_owned();
        let message = OutboxMessage { id: message, participant, body, created_at: now };
        tx.insert_many("outbox", &row::OUTBOX_COLUMNS, vec![row::outbox_values(&message)]).await?;
    }
    Ok(match append(tx, audit).await? {
        Ok(()) => Verdict::Commit(Decided::Done(Letter { state, decided_at: Some(now), ..letter })),
        Err(_) => Verdict::Rollback(Decided::RequestTaken),
    })
}

fn stored(destination: &Destination) -> &str {
    match destination {
        Destination::Commands(name) => name,
        Destination::Replies => REPLIES,
    }
}

fn decode(row: &Row) -> Result<Letter, SqlError> {
    let destination = match row.text(1)? {
        REPLIES => Destination::Replies,
        name => Destination::Commands(name.to_owned()),
    };
    let message_id = row.opt_bytes(2)?.and_then(|id| Uuid::from_slice(id).ok());
    let state = match row.int(6)? {
        1 => LetterState::Waiting,
        2 => LetterState::Replayed,
        3 => LetterState::Dropped,
        other => return Err(SqlError::Refused(format!("unknown state {other} of a dead letter"))),
    };
    Ok(Letter {
        id: Uuid::from_bytes(row.array(0)?),
        destination,
        message_id,
        reason: row.text(3)?.to_owned(),
        size: u64::try_from(row.int(4)?).unwrap_or(0),
        sagas: row.bytes(5)?.as_chunks::<16>().0.iter().map(|id| SagaId(*id)).collect(),
        state,
        collected_at: Micros(row.int(7)?),
        decided_at: row.opt_int(8)?.map(Micros),
    })
}

fn unreadable(error: SqlError) -> StoreError {
    StoreError::Unreadable(format!("a dead letter: {error}"))
}
