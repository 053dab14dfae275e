//! One table at a time, for all sagas of a page.

use super::{ReadError, Sagas, reading};
use crate::saga_evidence::{Effect, SagaEvidence};
use crate::story::JournalRow;
use baton_orchestrator::api::start::business_start_key;
use baton_orchestrator::store::row::journal;
use baton_orchestrator::store::{Fingerprint, Holder, StartKey};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::statement::placeholders;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::BTreeMap;

/// Rows of one table that belong to one page of sagas. A saga has about five journal rows and at most a few per attempt.
const MOST_ROWS: usize = 1_000_000;

/// Rows of one read inside a page.
const CHUNK: usize = 10_000;

/// Ids above `after`, up to `up_to`.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// Exclusive; `None` for from the first on.
    pub after: Option<[u8; 16]>,
    /// Inclusive; `None` for to the last.
    pub up_to: Option<[u8; 16]>,
}

impl Range {
    /// A condition on `column`, and its parameters.
    pub(super) fn on(&self, column: &str) -> (String, Vec<Value>) {
        let mut conditions = Vec::new();
        let mut args = Vec::new();
        if let Some(after) = self.after {
            conditions.push(format!("{column} > ?"));
            args.push(after.into());
        }
        if let Some(up_to) = self.up_to {
            conditions.push(format!("{column} <= ?"));
            args.push(up_to.into());
        }
        if conditions.is_empty() { ("1 = 1".to_owned(), args) } else { (conditions.join(" AND "), args) }
    }
}

/// The id before this one.
pub(super) fn before(mut id: [u8; 16]) -> [u8; 16] {
    for byte in id.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    id
}

/// Rows of one table in the range, ordered by `key`, the primary key (whose first column is the saga), in chunks by keyset.
/// A row is the key followed by `columns`.
///
/// # Errors
/// If the database refuses or is away, or has more rows than an audit keeps in memory.
pub async fn in_range(
    database: &Database,
    what: &str,
    (table, key, columns): (&str, &[&str], &str),
    range: &Range,
    mut take: impl FnMut(&Row) -> Result<(), SqlError>,
) -> Result<(), ReadError> {
    let (condition, args) = range.on(key[0]);
    let order = key.join(", ");
    let mut place: Vec<Value> = Vec::new();
    let mut read = 0;
    loop {
        let later =
            if place.is_empty() { String::new() } else { format!(" AND ({order}) > {}", placeholders(place.len())) };
        let sql =
            format!("SELECT {order}, {columns} FROM {table} WHERE {condition}{later} ORDER BY {order} LIMIT {CHUNK}");
        let args = args.iter().cloned().chain(place).collect();
        let rows = database.query(&sql, args).await.map_err(reading(what))?;
        for row in &rows {
            take(row).map_err(reading(what))?;
        }
        read += rows.len();
        if read > MOST_ROWS {
            return Err(ReadError::TooMany { what: what.to_owned(), most: MOST_ROWS });
        }
        match rows.last() {
            Some(row) if rows.len() == CHUNK => place = row.0[..key.len()].to_vec(),
            _ => return Ok(()),
        }
    }
}

pub(super) async fn journals(store: &Database, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError> {
    in_range(store, "journals", ("journal", &["saga_id", "version"], "at, event"), range, |row| {
        let id = SagaId(row.array(0)?);
        let saga = sagas.entry(id).or_insert_with(|| SagaEvidence::new(id));
        let input = saga.saga.row().map(|record| record.saga.input.clone()).unwrap_or_default();
        let record = journal::decode(row.bytes(3)?, &input).map_err(|error| error.to_string());
        saga.journal.push(JournalRow { version: row.int(1)?, at: row.int(2)?, record });
        Ok(())
    })
    .await
}

/// Who holds the start keys of the sagas' business keys.
pub(super) async fn start_keys(store: &Database, sagas: &mut Sagas) -> Result<(), ReadError> {
    let mut wanted: BTreeMap<[u8; 32], Vec<SagaId>> = BTreeMap::new();
    for saga in sagas.values() {
        if let Some(record) = saga.saga.row().filter(|record| !record.business_key.is_empty()) {
            let key = business_start_key(&record.saga.definition.name, &record.business_key);
            wanted.entry(key.0).or_default().push(saga.id);
        }
    }
    let keys = wanted.keys().map(|key| Value::from(*key)).collect();
    let sql = "SELECT key_digest, saga_id, fingerprint FROM saga_key WHERE key_digest";
    for row in store.query_in(sql, keys, "").await.map_err(reading("start keys"))? {
        let holder = holder(&row).map_err(reading("start keys"))?;
        for id in wanted.get(&holder.key.0).into_iter().flatten() {
            if let Some(saga) = sagas.get_mut(id) {
                saga.start_key = Some(holder);
            }
        }
    }
    Ok(())
}

fn holder(row: &Row) -> Result<Holder, SqlError> {
    Ok(Holder { key: StartKey(row.array(0)?), saga: SagaId(row.array(1)?), fingerprint: Fingerprint(row.array(2)?) })
}

/// The ledger of one participant.
///
/// # Errors
/// If the database refuses or is away, or has more rows than an audit keeps in memory.
pub async fn ledger(database: &Database, participant: &str, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError> {
    let what = format!("the ledger of {participant}");
    let columns = "outcome, attempt, reason, created_at";
    in_range(database, &what, ("ledger", &["saga_id", "step", "direction"], columns), range, |row| {
        let id = SagaId(row.array(0)?);
        let effect = Effect {
            step: row.int(1)?,
            direction: row.int(2)?,
            outcome: row.int(3)?,
            attempt: row.int(4)?,
            reason: row.text(5)?.to_owned(),
            created_at: row.int(6)?,
        };
        let saga = sagas.entry(id).or_insert_with(|| SagaEvidence::new(id));
        saga.effects.entry(participant.to_owned()).or_default().push(effect);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn the_id_before_another() {
        let mut id = [0; 16];
        id[14] = 1;
        let mut expected = [0; 16];
        expected[15] = 255;
        assert_eq!(before(id), expected);
        id[15] = 7;
        assert_eq!(before(id)[15], 6);
    }
}
