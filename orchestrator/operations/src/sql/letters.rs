//! Dead letters in SQL.

use super::append;
use crate::audit::NewAudit;
use crate::letters::{Decided, Letter, LetterState, LetterStore, MAX_NOTED, MAX_WAITING, NewLetter, REPLIES, queue};
use async_trait::async_trait;
use baton_courier::bus::{Destination, MAX_BODY};
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_store::sql::{SqlStore, store_error};
use bytes::Bytes;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeSet;
use uuid::Uuid;

const COLUMNS: &str = "id, destination, message_id, reason, size, sagas, state, collected_at, decided_at";

/// Columns of a new row.
const INSERTED: [&str; 10] =
    ["id", "destination", "message_id", "reason", "body", "size", "sagas", "waiting_key", "state", "collected_at"];

#[async_trait]
impl LetterStore for SqlStore {
    async fn keep_letters(&self, letters: &[NewLetter]) -> Result<usize, StoreError> {
        let now = self.now();
        let rows: Vec<(Value, Vec<Value>)> = letters.iter().map(|letter| new_row(letter, now)).collect();
        let kept = self.database().transaction(move |tx| {
            let rows = rows.clone();
            Box::pin(async move { insert(tx, rows).await.map(Verdict::Commit) })
        });
        kept.await.map_err(store_error)
    }

    async fn waiting_letters(&self) -> Result<u32, StoreError> {
        let sql = "SELECT COUNT(*) FROM (SELECT id FROM dead_letter WHERE state = ? LIMIT ?) AS waiting";
        let args = vec![code(LetterState::Waiting).into(), MAX_WAITING.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0)).map_err(store_error)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn letters(
        &self,
        state: Option<LetterState>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Letter>, StoreError> {
        let mut wanted = Vec::new();
        let mut args: Vec<Value> = Vec::new();
        if let Some(state) = state {
            wanted.push("state IN (?, ?)");
            args.extend([code(state).into(), if state == LetterState::Replayed { UNSENT } else { code(state) }.into()]);
        }
        if let Some(before) = before {
            wanted.push("id < ?");
            args.push(before.into_bytes().into());
        }
        let filter = if wanted.is_empty() { String::new() } else { format!(" WHERE {}", wanted.join(" AND ")) };
        args.push(limit.into());
        let sql = format!("SELECT {COLUMNS} FROM dead_letter{filter} ORDER BY id DESC LIMIT ?");
        let rows = self.database().query(&sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(unreadable)
    }

    async fn letter(&self, id: Uuid) -> Result<Option<(Letter, Bytes)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, body FROM dead_letter WHERE id = ?");
        let rows = self.database().query(&sql, vec![id.into_bytes().into()]).await.map_err(store_error)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || Ok((decode(row)?, Bytes::copy_from_slice(row.bytes(9)?)));
        read().map(Some).map_err(unreadable)
    }

    async fn letter_of_message(&self, message: Uuid) -> Result<Option<Letter>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM dead_letter WHERE message_id = ? ORDER BY id DESC LIMIT 1");
        let rows = self.database().query(&sql, vec![message.into_bytes().into()]).await.map_err(store_error)?;
        rows.first().map(decode).transpose().map_err(unreadable)
    }

    async fn replay_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        decided(self, id, LetterState::Replayed, audit).await
    }

    async fn unsent_letters(&self, limit: u32) -> Result<Vec<(Letter, Bytes)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, body FROM dead_letter WHERE state = ? ORDER BY id LIMIT ?");
        let rows = self.database().query(&sql, vec![UNSENT.into(), limit.into()]).await.map_err(store_error)?;
        let read = |row: &Row| Ok((decode(row)?, Bytes::copy_from_slice(row.bytes(9)?)));
        rows.iter().map(read).collect::<Result<_, _>>().map_err(unreadable)
    }

    async fn letters_sent(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let ids: Vec<Value> = ids.iter().map(|id| id.into_bytes().into()).collect();
        let sent = self.database().transaction(move |tx| {
            let (args, ids) = (vec![code(LetterState::Replayed).into(), UNSENT.into()], ids.clone());
            Box::pin(async move {
                let sql = "UPDATE dead_letter SET state = ? WHERE state = ? AND id";
                tx.execute_in(sql, args, ids).await.map(Verdict::Commit)
            })
        });
        sent.await.map(|_| ()).map_err(store_error)
    }

    async fn drop_letter(&self, id: Uuid, audit: NewAudit) -> Result<Decided, StoreError> {
        decided(self, id, LetterState::Dropped, audit).await
    }

    async fn forget_letters(&self, before: Micros, limit: u32) -> Result<u64, StoreError> {
        let database = self.database();
        let sql = "SELECT id FROM dead_letter WHERE decided_at < ? AND state <> ? ORDER BY decided_at LIMIT ?";
        let rows =
            database.query(sql, vec![before.0.into(), UNSENT.into(), limit.into()]).await.map_err(store_error)?;
        let ids: Vec<Value> = rows.into_iter().filter_map(|row| row.0.into_iter().next()).collect();
        let deleted = database.transaction(move |tx| {
            let ids = ids.clone();
            Box::pin(async move {
                tx.execute_in("DELETE FROM dead_letter WHERE id", Vec::new(), ids).await.map(Verdict::Commit)
            })
        });
        deleted.await.map_err(store_error)
    }
}

async fn insert(tx: &mut Tx, rows: Vec<(Value, Vec<Value>)>) -> Result<usize, SqlError> {
    let keys = rows.iter().map(|(key, _)| key.clone()).collect();
    let known = tx.select_in("SELECT waiting_key FROM dead_letter WHERE waiting_key", Vec::new(), keys, "").await?;
    let ids = rows.iter().filter_map(|(_, row)| row.first().cloned()).collect();
    let kept_before = tx.select_in("SELECT id FROM dead_letter WHERE id", Vec::new(), ids, "").await?;
    let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
    for row in known.iter().chain(&kept_before) {
        seen.insert(row.bytes(0)?.to_vec());
    }
    // The second of two alike in one batch is left out, too.
    let mut is_new = |value: Option<&Value>| matches!(value, Some(Value::Bytes(value)) if seen.insert(value.clone()));
    let new = rows.into_iter().filter(|(key, row)| is_new(row.first()) && is_new(Some(key))).map(|(_, row)| row);
    let new: Vec<Vec<Value>> = new.collect();
    let kept = new.len();
    tx.insert_many("dead_letter", &INSERTED, new).await?;
    Ok(kept)
}

fn new_row(letter: &NewLetter, now: Micros) -> (Value, Vec<Value>) {
    let key = Value::from(letter.key());
    let sagas: Vec<u8> = letter.sagas.iter().take(MAX_NOTED).flat_map(|saga| saga.0).collect();
    let row = vec![
        letter.id.into_bytes().into(),
        queue(&letter.destination).into(),
        letter.message_id.map(|id| Value::from(id.into_bytes())).unwrap_or(Value::Null),
        letter.reason.as_str().into(),
        letter.kept().as_ref().into(),
        i64::try_from(letter.body.len()).unwrap_or(i64::MAX).into(),
        sagas.into(),
        key.clone(),
        code(LetterState::Waiting).into(),
        now.0.into(),
    ];
    (key, row)
}

/// As stored: replayed, and still to be sent.
const UNSENT: i64 = 4;

/// A state as stored; the numbers never change their meaning.
fn code(state: LetterState) -> i64 {
    match state {
        LetterState::Waiting => 1,
        LetterState::Replayed => 2,
        LetterState::Dropped => 3,
    }
}

async fn decided(store: &SqlStore, id: Uuid, state: LetterState, audit: NewAudit) -> Result<Decided, StoreError> {
    let now = audit.at;
    let decided = store.database().transaction(move |tx| {
        let audit = audit.clone();
        Box::pin(async move { decide(tx, id, state, audit, now).await })
    });
    decided.await.map_err(store_error)
}

async fn decide(
    tx: &mut Tx,
    id: Uuid,
    state: LetterState,
    audit: NewAudit,
    now: Micros,
) -> Result<Verdict<Decided>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM dead_letter WHERE id = ?{}", tx.for_update());
    let rows = tx.query(&sql, vec![id.into_bytes().into()]).await?;
    let Some(row) = rows.first() else { return Ok(Verdict::Rollback(Decided::Missing)) };
    let letter = decode(row)?;
    if letter.state != LetterState::Waiting {
        return Ok(Verdict::Rollback(Decided::Before(letter.state)));
    }
    let is_sent = state == LetterState::Replayed;
    if is_sent && letter.size > MAX_BODY as u64 {
        return Ok(Verdict::Rollback(Decided::TooLarge));
    }
    let update = "UPDATE dead_letter SET state = ?, decided_at = ?, waiting_key = NULL WHERE id = ?";
    let stored = if is_sent { UNSENT } else { code(state) };
    tx.execute(update, vec![stored.into(), now.0.into(), id.into_bytes().into()]).await?;
    Ok(match append(tx, audit).await? {
        Ok(()) => Verdict::Commit(Decided::Done(Letter { state, decided_at: Some(now), ..letter })),
        Err(_) => Verdict::Rollback(Decided::RequestTaken),
    })
}

fn decode(row: &Row) -> Result<Letter, SqlError> {
    let destination = match row.text(1)? {
        REPLIES => Destination::Replies,
        name => Destination::Commands(name.to_owned()),
    };
    let message_id = row.opt_bytes(2)?.and_then(|id| Uuid::from_slice(id).ok());
    let state = match row.int(6)? {
        1 => LetterState::Waiting,
        2 | UNSENT => LetterState::Replayed,
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
