//! One batch in one transaction: lock and load, then one statement per table wherever possible.

use crate::row::journal::{JOURNAL_COLUMNS, journal_values};
use crate::row::{self, SAGA_COLUMNS};
use crate::sql::{Written, audit, index, marks, moves};
use baton_crash_point::{Point, hit};
use baton_engine::store::audit::RequestTaken;
use baton_engine::store::{Changes, Decide, Insert, Loaded, StoreError};
use baton_sql::clock::DatabaseClock;
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a run of the transaction's body is: the inner error is the store's own, already decided.
pub(super) type Body<'t> = BoxFuture<'t, Result<Verdict<Result<Changes, StoreError>>, SqlError>>;

const KEY_COLUMNS: [&str; 4] = ["key_digest", "saga_id", "fingerprint", "created_at"];

/// One run: lock and load `ids`, which are sorted, decide, write.
pub(super) fn run(tx: &mut Tx, ids: Vec<SagaId>, decide: Arc<Mutex<Decide>>, clock: Arc<DatabaseClock>) -> Body<'_> {
    Box::pin(async move {
        let loaded = load(tx, ids, &clock).await?;
        let changes = decide.lock().unwrap_or_else(PoisonError::into_inner)(&loaded);
        Ok(match write(tx, &changes).await? {
            Ok(()) => {
                hit(Point::ORCHESTRATOR_INSIDE_COMMIT);
                Verdict::Commit(Ok(changes))
            }
            Err(error) => Verdict::Rollback(Err(error)),
        })
    })
}

/// Locks and loads `ids`, which are sorted: every transaction locks in the same order.
async fn load(tx: &mut Tx, ids: Vec<SagaId>, clock: &DatabaseClock) -> Result<Loaded, SqlError> {
    let before = format!("SELECT {} FROM saga WHERE id", SAGA_COLUMNS.join(", "));
    let after = format!(" ORDER BY id{}", tx.for_update());
    let ids = ids.into_iter().map(|id| id.0.into()).collect();
    let rows = tx.select_in(&before, Vec::new(), ids, &after).await?;
    // Read after the locks are held, so that it is not before the commits they waited for.
    let mut loaded = Loaded { now: Micros(clock.now_us()), ..Loaded::default() };
    for row in rows {
        let id = row::decode_id(&row)?;
        match row::decode_saga(&row) {
            Ok(record) => {
                loaded.records.insert(id, record);
            }
            Err(error) => {
                tracing::error!(saga_id = %id, %error, "saga row does not decode");
                loaded.broken.push((id, error.to_string()));
            }
        }
    }
    Ok(loaded)
}

/// Writes everything: keys early, because a taken one is the likeliest end of a batch.
async fn write(tx: &mut Tx, changes: &Changes) -> Written {
    if let Some(reason) = changes.inserts.iter().find_map(|insert| row::check_insert(insert).err()) {
        return Ok(Err(StoreError::Refused(reason)));
    }
    index::write_late(tx, &changes.inserts).await?;
    if let Err(error) = insert_keys(tx, &changes.inserts).await? {
        return Ok(Err(error));
    }
    if let Err(error) = moves::write(tx, &changes.updates).await? {
        return Ok(Err(error));
    }
    let sagas = changes.inserts.iter().map(|insert| {
        let mut values = row::saga_values(&insert.record);
        values.push(insert.look_at.map(|at| at.0).into());
        values
    });
    let columns = [SAGA_COLUMNS.as_slice(), &["look_at"]].concat();
    tx.insert_many("saga", &columns, sagas.collect()).await?;

    let inputs: BTreeMap<SagaId, &Bytes> =
        changes.inserts.iter().map(|insert| (insert.record.saga.id, &insert.record.saga.input)).collect();
    let input_of = |id: &SagaId| inputs.get(id).map_or(&[][..], |input| input.as_ref());
    let entries = changes.journal.iter().map(|entry| journal_values(entry, input_of(&entry.saga))).collect();
    tx.insert_many("journal", &JOURNAL_COLUMNS, entries).await?;

    if let Err(lifted) = marks::append(tx, &changes.marks).await? {
        return Ok(Err(StoreError::HoldLifted(lifted)));
    }
    Ok(audit::append(tx, &changes.audits).await?.map_err(|RequestTaken| StoreError::RequestTaken))
}

async fn insert_keys(tx: &mut Tx, inserts: &[Insert]) -> Written {
    let mut keys: Vec<(&[u8; 32], &Insert)> =
        inserts.iter().flat_map(|insert| insert.keys.iter().map(move |key| (&key.0, insert))).collect();
    // In one order everywhere: two batches that want the same keys must not wait for each other in a circle.
    keys.sort_unstable_by_key(|(digest, _)| *digest);
    let rows = keys.into_iter().map(|(digest, insert)| {
        let saga = &insert.record.saga;
        vec![digest.into(), saga.id.0.into(), insert.fingerprint.0.into(), saga.created_at.0.into()]
    });
    match tx.insert_many("saga_key", &KEY_COLUMNS, rows.collect()).await {
        Ok(_) => Ok(Ok(())),
        Err(SqlError::Duplicate(_)) => Ok(Err(StoreError::DuplicateKey)),
        Err(error) => Err(error),
    }
}
