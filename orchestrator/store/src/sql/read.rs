//! Reads: pages by keyset, and rows that do not decode never hide the others.

use crate::row::journal::{JOURNAL_COLUMNS, decode_entry};
use crate::row::{self, SAGA_COLUMNS};
use crate::sql::store_error;
use baton_engine::store::StateCode;
use baton_engine::store::query::ListQuery;
use baton_engine::store::{Fingerprint, Holder, Record, StartKey, StoreError};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::statement::placeholders;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use saga_core::event::Entry;
use saga_core::saga::SagaId;

/// Most rows one page reads, whatever it was asked for.
const MAX_PAGE: u32 = 10_000;

pub(super) async fn find_keys(db: &Database, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
    let keys = keys.into_iter().map(|key| key.0.into()).collect();
    let sql = "SELECT key_digest, saga_id, fingerprint FROM saga_key WHERE key_digest";
    let rows = db.query_in(sql, keys, " ORDER BY key_digest").await.map_err(store_error)?;
    let holder = |row: &Row| {
        Ok(Holder {
            key: StartKey(row.array(0)?),
            saga: SagaId(row.array(1)?),
            fingerprint: Fingerprint(row.array(2)?),
        })
    };
    rows.iter().map(holder).collect::<Result<_, SqlError>>().map_err(store_error)
}

pub(super) async fn get(db: &Database, id: SagaId) -> Result<Option<Record>, StoreError> {
    let sql = format!("SELECT {} FROM saga WHERE id = ?", SAGA_COLUMNS.join(", "));
    let rows = db.query(&sql, vec![id.0.into()]).await.map_err(store_error)?;
    let decoded = rows.first().map(row::decode_saga).transpose();
    decoded.map_err(|error| StoreError::Unreadable(format!("saga {id} does not decode: {error}")))
}

/// Reads on past rows that do not decode, or that only the database takes for wanted, until the page is full.
pub(super) async fn list(db: &Database, query: ListQuery) -> Result<Vec<Record>, StoreError> {
    let wanted = query.limit.min(MAX_PAGE) as usize;
    let mut page = Vec::new();
    let mut before = query.before;
    while page.len() < wanted {
        let asked = wanted - page.len();
        let rows = list_rows(db, &query, before, asked).await?;
        let exhausted = rows.len() < asked;
        before = rows.last().map(row::decode_id).transpose().map_err(store_error)?.or(before);
        // MariaDB's text columns compare without trailing spaces: its rows are candidates.
        let is_wanted = |record: &Record| query.business_key.as_ref().is_none_or(|key| *key == record.business_key);
        page.extend(decodable(&rows)?.into_iter().filter(is_wanted));
        if exhausted {
            break;
        }
    }
    Ok(page)
}

async fn list_rows(
    db: &Database,
    query: &ListQuery,
    before: Option<SagaId>,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let mut conditions = Vec::new();
    let mut args: Vec<Value> = Vec::new();
    if !query.states.is_empty() {
        conditions.push(among(&query.states));
        args.extend(query.states.iter().map(|state| Value::from(*state as u8)));
    }
    if let Some(key) = &query.business_key {
        conditions.push("business_key = ?".to_owned());
        args.push(key.as_str().into());
    }
    if let Some(id) = before {
        conditions.push("id < ?".to_owned());
        args.push(id.0.into());
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let sql = format!("SELECT {} FROM saga{filter} ORDER BY id DESC LIMIT ?", SAGA_COLUMNS.join(", "));
    args.push((limit as i64).into());
    db.query(&sql, args).await.map_err(store_error)
}

/// Sagas in one of these states, by the index that knows where they are. Completed ones are nearly all there are: for them
/// the newest first are as good as any index.
fn among(states: &[StateCode]) -> String {
    let list = placeholders(states.len());
    let unusual = |state: &StateCode| !matches!(state, StateCode::Running | StateCode::Completed);
    let active = |state: &StateCode| matches!(state, StateCode::Running | StateCode::Compensating);
    if states.iter().all(unusual) {
        format!("unusual IN {list}")
    } else if states.iter().all(active) {
        format!("look_at IS NOT NULL AND state IN {list}")
    } else {
        format!("state IN {list}")
    }
}

pub(super) async fn journal(db: &Database, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let columns = JOURNAL_COLUMNS.join(", ");
    let sql = format!("SELECT {columns} FROM journal WHERE saga_id = ? AND version > ? ORDER BY version LIMIT ?");
    let args = vec![id.0.into(), row::version_value(after).into(), limit.min(MAX_PAGE).into()];
    let rows = db.query(&sql, args).await.map_err(store_error)?;
    // Only the first entry refers to the input.
    let input = match rows.first().map(|row| row.int(1)).transpose().map_err(store_error)? {
        Some(1) => {
            let saga = db.query("SELECT input FROM saga WHERE id = ?", vec![id.0.into()]).await.map_err(store_error)?;
            let input = saga.first().map(|row| row.bytes(0)).transpose().map_err(store_error)?;
            input.map(Bytes::copy_from_slice).unwrap_or_default()
        }
        _ => Bytes::new(),
    };
    let refused = |error| StoreError::Unreadable(format!("journal of saga {id} does not decode: {error}"));
    rows.iter().map(|row| decode_entry(row, &input)).collect::<Result<_, _>>().map_err(refused)
}

/// By the index of looks alone: no row is read.
pub(super) async fn under_way(db: &Database, limit: u32) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM saga WHERE look_at IS NOT NULL LIMIT ?) AS under_way";
    let rows = db.query(sql, vec![limit.into()]).await.map_err(store_error)?;
    let count = rows.first().map(|row| row.int(0)).transpose().map_err(store_error)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// The rows that decode; the others are logged, and [`get`] says why they do not.
fn decodable(rows: &[Row]) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row::decode_id(row).map_err(store_error)?;
        match row::decode_saga(row) {
            Ok(record) => records.push(record),
            Err(error) => tracing::error!(saga_id = %id, %error, "saga row does not decode"),
        }
    }
    Ok(records)
}
