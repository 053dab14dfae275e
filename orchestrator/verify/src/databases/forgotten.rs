//! What retention has left of the sagas it deleted.
//!
//! The ledgers, reservations and claims of a forgotten saga stay, so that its id counts for a page like a saga's: pages keep
//! their size however many sagas were forgotten between two that are there.

use super::tables::Range;
use super::{ReadError, reading};
use baton_orchestrator::api::start::business_start_key;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// The first `limit` forgotten sagas in the range, with the state they ended in.
pub(super) async fn in_range(store: &Database, range: &Range, limit: usize) -> Result<Vec<(SagaId, i64)>, ReadError> {
    let (condition, mut args) = range.on("saga_id");
    let sql = format!("SELECT saga_id, state FROM forgotten WHERE {condition} ORDER BY saga_id LIMIT ?");
    args.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = store.query(&sql, args).await.map_err(reading("forgotten sagas"))?;
    let pairs = rows.iter().map(|row| Ok((SagaId(row.array(0)?), row.int(1)?)));
    pairs.collect::<Result<_, SqlError>>().map_err(reading("forgotten sagas"))
}

/// Those of `ids` that were forgotten.
pub(super) async fn among(store: &Database, ids: Vec<Value>) -> Result<BTreeSet<SagaId>, ReadError> {
    let rows = store.query_in("SELECT saga_id FROM forgotten WHERE saga_id", ids, "").await;
    let id = |row: &Row| row.array(0).map(SagaId);
    let rows = rows.map_err(reading("forgotten sagas"))?;
    rows.iter().map(id).collect::<Result<_, _>>().map_err(reading("forgotten sagas"))
}

/// The forgotten sagas of these business keys of these definitions, as their start keys tell: of exclusive ones only.
///
/// # Errors
/// If the database refuses or is away.
pub async fn of_keys(
    store: &Database,
    definitions: &BTreeSet<String>,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, SagaId>, ReadError> {
    let mut digests: BTreeMap<[u8; 32], &str> = BTreeMap::new();
    for definition in definitions {
        digests.extend(keys.iter().map(|key| (business_start_key(definition, key).0, *key)));
    }
    let values = digests.keys().map(|digest| Value::from(*digest)).collect();
    let sql = "SELECT key_digest, saga_id FROM saga_key WHERE key_digest";
    let rows = store.query_in(sql, values, "").await.map_err(reading("start keys"))?;
    let mut holders = BTreeMap::new();
    for row in &rows {
        let digest: [u8; 32] = row.array(0).map_err(reading("start keys"))?;
        let id = row.array(1).map(SagaId).map_err(reading("start keys"))?;
        if let Some(key) = digests.get(&digest) {
            holders.insert((*key).to_owned(), id);
        }
    }
    let forgotten = among(store, holders.values().map(|id| id.0.into()).collect()).await?;
    holders.retain(|_, id| forgotten.contains(id));
    Ok(holders)
}

#[cfg(test)]
mod tests;
