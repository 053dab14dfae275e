//! Looks at sagas under way: found by the index, put off in the same transaction.

use crate::row::{self, SAGA_COLUMNS};
use crate::sql::store_error;
use baton_engine::store::{NextLook, Record, StoreError, UNREADABLE_AGAIN};
use baton_sql::clock::DatabaseClock;
use baton_sql::database::{Database, Dialect, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::DefinitionId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;

/// Sagas that are put off to about the same moment share it, so that they share a statement: in microseconds.
const GRAIN: i64 = 50_000;

pub(super) async fn look(
    db: &Database,
    clock: &Arc<DatabaseClock>,
    known: Vec<DefinitionId>,
    limit: u32,
    farthest: Duration,
    next: NextLook,
) -> Result<Vec<Record>, StoreError> {
    if known.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let now = Micros(clock.now_us());
    let (wanted, args) = wanted(&known, (now, now.plus(farthest)), db.dialect());
    // Mostly there is nothing, which costs no transaction.
    let sql = format!("SELECT 1 FROM saga WHERE {wanted} LIMIT 1");
    if db.query(&sql, args.clone()).await.map_err(store_error)?.is_empty() {
        return Ok(Vec::new());
    }
    let lock = match db.dialect() {
        Dialect::MariaDb => " FOR UPDATE SKIP LOCKED",
        Dialect::Sqlite => "",
    };
    // In the order of the index, so that a page costs a page, however many are due.
    let columns = SAGA_COLUMNS.join(", ");
    let sql = format!("SELECT {columns} FROM saga WHERE {wanted} ORDER BY look_at LIMIT ?{lock}");
    let mut args = args;
    args.push(limit.into());
    let taken = db.transaction(move |tx| {
        let (sql, args, next) = (sql.clone(), args.clone(), next.clone());
        Box::pin(async move {
            let rows = tx.query(&sql, args).await?;
            put_off(tx, &rows, now, &next).await.map(Verdict::Commit)
        })
    });
    taken.await.map_err(store_error)
}

fn wanted(known: &[DefinitionId], (now, farthest): (Micros, Micros), dialect: Dialect) -> (String, Vec<Value>) {
    // MariaDB compares texts without trailing spaces: without its length another definition would be taken for a known one,
    // fill the page, and be put off.
    let (pair, has_length) = match dialect {
        Dialect::MariaDb => ("(definition = ? AND definition_version = ? AND LENGTH(definition) = ?)", true),
        Dialect::Sqlite => ("(definition = ? AND definition_version = ?)", false),
    };
    let pairs = vec![pair; known.len()].join(" OR ");
    let mut args: Vec<Value> = vec![now.0.into(), farthest.0.into()];
    for DefinitionId { name, version } in known {
        args.extend([Value::from(name.as_str()), Value::from(*version)]);
        args.extend(has_length.then(|| Value::Int(i64::try_from(name.len()).unwrap_or(i64::MAX))));
    }
    (format!("(look_at <= ? OR look_at > ?) AND ({pairs})"), args)
}

/// Those that decode, each put off to its next look, and the others by a minute.
async fn put_off(tx: &mut Tx, rows: &[Row], now: Micros, next: &NextLook) -> Result<Vec<Record>, SqlError> {
    let mut records = Vec::with_capacity(rows.len());
    let mut later: Vec<(Value, Value)> = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row::decode_id(row)?;
        let at = match row::decode_saga(row) {
            Ok(record) => {
                let at = next(&record, now);
                records.push(record);
                at
            }
            Err(error) => {
                tracing::error!(saga_id = %id, %error, "saga row does not decode");
                now.plus(UNREADABLE_AGAIN)
            }
        };
        // Up, so that it is never due again at once.
        let at = at.0.saturating_add(GRAIN - 1) / GRAIN * GRAIN;
        later.push((id.0.into(), at.into()));
    }
    tx.update_each("saga", "look_at", "id", later).await?;
    Ok(records)
}
