//! Start keys and business keys: which sagas they name, and which sagas are there at all.

use super::{Databases, ReadError, forgotten, reading};
use crate::evidence::{Evidence, Reference};
use crate::memory::{Kept, Memory};
use baton_orchestrator::api::start::business_start_key;
use baton_query::filter::StateKind;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// The sagas that something names, and whether each has a row, or had one until retention deleted it. Nothing where the
/// orchestrators' database is not read.
///
/// # Errors
/// If the database refuses or is away.
pub async fn references(databases: &Databases, named: Vec<(String, SagaId)>) -> Result<Vec<Reference>, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(Vec::new()) };
    let values = named.iter().map(|(_, id)| Value::from(id.0)).collect();
    let rows = store.query_in("SELECT id FROM saga WHERE id", values, "").await.map_err(reading("sagas"))?;
    let there = rows.iter().map(|row| row.array(0).map(SagaId)).collect::<Result<BTreeSet<_>, _>>();
    let mut found = there.map_err(reading("sagas"))?;
    // Read after the rows, so that one that is forgotten in between is not missed.
    let gone = named.iter().filter(|(_, id)| !found.contains(id)).map(|(_, id)| Value::from(id.0)).collect();
    found.extend(forgotten::among(store, gone).await?);
    Ok(named.into_iter().map(|(by, saga)| Reference { by, saga, is_there: found.contains(&saga) }).collect())
}

/// Business keys with several sagas that are looked at: any number of sagas may share one that is not exclusive. What is left
/// out is found saga by saga, since a start key has one holder.
const SHARED: usize = 10_000;

/// Adds what the start keys say, counted by the database itself; the first hundred that are wrong.
///
/// # Errors
/// If the database refuses or is away.
pub(crate) async fn start_keys(store: &Database, evidence: &mut Evidence) -> Result<(), ReadError> {
    let rows = async |sql: &str| store.query(sql, Vec::new()).await.map_err(reading("start keys"));
    let count = rows("SELECT COUNT(*) FROM saga_key").await?;
    let count = count.first().map_or(Ok(0), |row| row.int(0)).map_err(reading("start keys"))?;
    evidence.start_keys = usize::try_from(count).unwrap_or(0);
    let without_saga = "SELECT DISTINCT k.saga_id FROM saga_key k LEFT JOIN saga s ON s.id = k.saga_id \
                        LEFT JOIN forgotten f ON f.saga_id = k.saga_id \
                        WHERE s.id IS NULL AND f.saga_id IS NULL LIMIT 100";
    for row in rows(without_saga).await? {
        let saga = row.array(0).map(SagaId).map_err(reading("start keys"))?;
        evidence.references.push(Reference { by: "a start key".to_owned(), saga, is_there: false });
    }
    let shared = format!(
        "SELECT definition, business_key, COUNT(*) FROM saga WHERE business_key <> '' \
         GROUP BY definition, business_key HAVING COUNT(*) > 1 LIMIT {SHARED}"
    );
    evidence.shared_keys = exclusive(store, &rows(&shared).await?).await?;
    Ok(())
}

/// Those business keys that any saga holds as a start key: at most one saga may have it.
async fn exclusive(store: &Database, rows: &[Row]) -> Result<Vec<(String, i64)>, ReadError> {
    let mut shared = BTreeMap::new();
    for row in rows {
        let parts = (|| Ok::<_, SqlError>((row.text(0)?, row.text(1)?, row.int(2)?)))();
        let (definition, key, count) = parts.map_err(reading("business keys"))?;
        shared.insert(business_start_key(definition, key).0, (key.to_owned(), count));
    }
    let digests = shared.keys().map(|digest| Value::from(*digest)).collect();
    let held = store.query_in("SELECT key_digest FROM saga_key WHERE key_digest", digests, "").await;
    let held = held.map_err(reading("start keys"))?;
    let held: Result<Vec<[u8; 32]>, SqlError> = held.iter().map(|row| row.array(0)).collect();
    let held = held.map_err(reading("start keys"))?;
    Ok(held.iter().filter_map(|digest| shared.remove(digest)).collect())
}

/// What is stored of these business keys of these definitions.
///
/// # Errors
/// If the database refuses or is away.
pub(crate) async fn memory(
    store: &Database,
    definitions: &BTreeSet<String>,
    keys: &BTreeSet<&str>,
) -> Result<Memory, ReadError> {
    let mut memory = Memory::default();
    let values = keys.iter().map(|key| Value::from(*key)).collect();
    let sql = "SELECT business_key, id, state FROM saga WHERE business_key";
    for row in store.query_in(sql, values, "").await.map_err(reading("sagas"))? {
        let (key, kept) = kept(&row).map_err(reading("sagas"))?;
        memory.sagas.entry(key).or_default().push(kept);
    }
    let forgotten = forgotten::of_keys(store, definitions, keys).await?;
    memory.forgotten = forgotten.into_iter().map(|(key, id)| (key, id.to_string())).collect();
    Ok(memory)
}

fn kept(row: &Row) -> Result<(String, Kept), SqlError> {
    let code = row.int(2)?;
    let state = StateKind::ALL.into_iter().find(|kind| kind.code() == code);
    Ok((row.text(0)?.to_owned(), Kept { id: SagaId(row.array(1)?).to_string(), state }))
}
