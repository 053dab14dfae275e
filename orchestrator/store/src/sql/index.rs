//! The index of attributes, written behind the commit.
//!
//! Two ids say how far it is. Everything up to what is *done* has its rows. What is between that and the *fence* is being read,
//! and nothing can come in there unnoticed: a start locks the fence's row, shared, before it writes, and if its id is not
//! beyond the fence it brings its rows along. To move the fence is to wait for the starts under way, and what is read after
//! that is all there is.

use crate::sql::store_error;
use baton_engine::sagas::Registry;
use baton_engine::store::StateCode;
use baton_engine::store::indexing::{BEHIND, Indexed, found_by, time_of, with_skips, with_trace};
use baton_engine::store::purge::{first_id_at, is_finished};
use baton_engine::store::{Insert, StoreError, Update};
use baton_query::filter::Attribute;
use baton_sql::database::{Database, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::collections::BTreeSet;

const COLUMNS: [&str; 3] = ["name", "value", "saga_id"];

/// The fence's row in table `attribute_index`.
const FENCE: i64 = 1;
/// The row that says what is done.
const DONE: i64 = 2;

/// One step.
pub(super) async fn step(db: &Database, registry: &Registry, now: Micros, limit: u32) -> Result<Indexed, StoreError> {
    let stepped = async {
        let (mut fence, done) = reached(db).await?;
        let behind = i64::try_from(BEHIND.as_micros()).unwrap_or(i64::MAX);
        let to = first_id_at(Micros(now.0.saturating_sub(behind)));
        // Where nothing has started since, nothing is written either.
        if done >= fence && oldest_beyond(db, done).await?.is_some_and(|oldest| oldest <= to) {
            fence = move_fence(db, fence, to).await?;
        }
        let page = page(db, done, fence, limit).await?;
        let (sagas, more) = (page.len(), page.len() >= limit as usize);
        let reached = page.last().filter(|_| more).map_or(fence, |last| last.id);
        // Another orchestrator may have done the same meanwhile; what it has reached shows in the next step.
        let done = if reached > done && write(db, registry, page, done, reached).await? { reached } else { done };
        Ok(Indexed { sagas, until: oldest_beyond(db, done).await?.map(time_of), more })
    };
    stepped.await.map_err(store_error)
}

/// Up to which saga everything is done, and when the next one was created.
pub(super) async fn done(db: &Database) -> Result<(SagaId, Option<Micros>), StoreError> {
    let done = async {
        let (_, done) = reached(db).await?;
        Ok((done, oldest_beyond(db, done).await?.map(time_of)))
    };
    done.await.map_err(store_error)
}

async fn oldest_beyond(db: &Database, id: SagaId) -> Result<Option<SagaId>, SqlError> {
    let rows = db.query("SELECT id FROM saga WHERE id > ? ORDER BY id LIMIT 1", vec![id.0.into()]).await?;
    rows.first().map(|row| row.array(0).map(SagaId)).transpose()
}

async fn reached(db: &Database) -> Result<(SagaId, SagaId), SqlError> {
    let rows = db.query("SELECT id, reached FROM attribute_index", Vec::new()).await?;
    let of = |wanted: i64| {
        let row = rows.iter().find(|row| row.int(0).is_ok_and(|id| id == wanted));
        row.map_or(Ok(SagaId([0; 16])), |row| row.array(1).map(SagaId))
    };
    Ok((of(FENCE)?, of(DONE)?))
}

/// Moves the fence forward, never back; returns where it stands.
async fn move_fence(db: &Database, stands: SagaId, to: SagaId) -> Result<SagaId, SqlError> {
    if to <= stands {
        return Ok(stands);
    }
    let moved = db.transaction(move |tx| {
        let args: Vec<Value> = vec![to.0.into(), FENCE.into(), to.0.into()];
        Box::pin(async move {
            let sql = "UPDATE attribute_index SET reached = ? WHERE id = ? AND reached < ?";
            tx.execute(sql, args).await.map(Verdict::Commit)
        })
    });
    moved.await?;
    Ok(to)
}

/// A saga as far as the index is concerned.
#[derive(Clone, Debug)]
struct Unindexed {
    id: SagaId,
    /// True if it has ended, so that it may be forgotten at any time.
    finished: bool,
    definition: DefinitionId,
    traceparent: String,
    input: Vec<u8>,
}

/// The next sagas in id order. No lock is taken: inputs never change, and no move waits for the look.
async fn page(db: &Database, after: SagaId, until: SagaId, limit: u32) -> Result<Vec<Unindexed>, SqlError> {
    let sql = "SELECT id, state, definition, definition_version, traceparent, input FROM saga \
               WHERE id > ? AND id <= ? ORDER BY id LIMIT ?";
    db.query(sql, vec![after.0.into(), until.0.into(), limit.into()]).await?.iter().map(unindexed).collect()
}

fn unindexed(row: &Row) -> Result<Unindexed, SqlError> {
    Ok(Unindexed {
        id: SagaId(row.array(0)?),
        finished: StateCode::from_stored(row.int(1)?).is_some_and(is_finished),
        definition: DefinitionId {
            name: row.text(2)?.to_owned(),
            version: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
        },
        traceparent: row.text(4)?.to_owned(),
        input: row.bytes(5)?.to_vec(),
    })
}

/// Writes the rows of a page and how far it reaches; false, and nothing written, if somebody else got on meanwhile.
async fn write(
    db: &Database,
    registry: &Registry,
    page: Vec<Unindexed>,
    done: SagaId,
    reached: SagaId,
) -> Result<bool, SqlError> {
    let finished: Vec<SagaId> = page.iter().filter(|saga| saga.finished).map(|saga| saga.id).collect();
    let found = |saga: &Unindexed| found_by(registry, &saga.definition, &saga.traceparent, &saga.input);
    let attributes: Vec<(SagaId, Vec<Attribute>)> = page.iter().map(|saga| (saga.id, found(saga))).collect();
    let written = db.transaction(move |tx| {
        let (finished, attributes) = (finished.clone(), attributes.clone());
        Box::pin(async move {
            let sql = format!("SELECT reached FROM attribute_index WHERE id = ?{}", tx.for_update());
            let rows = tx.query(&sql, vec![DONE.into()]).await?;
            if rows.first().map(|row| row.array(0)).transpose()? != Some(done.0) {
                return Ok(Verdict::Rollback(false));
            }
            let gone = gone(tx, finished).await?;
            let there = attributes.iter().filter(|(id, _)| !gone.contains(id));
            insert(tx, there.map(|(id, own)| (*id, own.as_slice()))).await?;
            let args: Vec<Value> = vec![reached.0.into(), DONE.into()];
            tx.execute("UPDATE attribute_index SET reached = ? WHERE id = ?", args).await?;
            Ok(Verdict::Commit(true))
        })
    });
    written.await
}

/// Which of these have been forgotten since they were read. The others stay until the transaction ends; nobody but who
/// forgets them, or brings a late reply, wants their locks.
async fn gone(tx: &mut Tx, finished: Vec<SagaId>) -> Result<BTreeSet<SagaId>, SqlError> {
    let lock = format!(" ORDER BY id{}", tx.for_share());
    let ids = finished.iter().map(|id| id.0.into()).collect();
    let rows = tx.select_in("SELECT id FROM saga WHERE id", Vec::new(), ids, &lock).await?;
    let mut gone: BTreeSet<SagaId> = finished.into_iter().collect();
    for row in &rows {
        gone.remove(&SagaId(row.array(0)?));
    }
    Ok(gone)
}

/// Locks the fence and writes the attributes of sagas that the index has passed by, or may. Called before anything else is
/// written, so that two starts that wait for each other's keys never wait behind a moving fence as well; where a row that
/// another batch has loaded makes a circle all the same, the database undoes one of them, which runs again.
pub(super) async fn write_late(tx: &mut Tx, inserts: &[Insert]) -> Result<(), SqlError> {
    if inserts.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT reached FROM attribute_index WHERE id = ?{}", tx.for_share());
    let rows = tx.query(&sql, vec![FENCE.into()]).await?;
    let fence = rows.first().map(|row| row.array(0)).transpose()?.map_or(SagaId([0; 16]), SagaId);
    let late = inserts.iter().filter(|insert| insert.record.saga.id <= fence);
    let found =
        late.map(|insert| (insert.record.saga.id, with_trace(insert.attributes.clone(), &insert.record.traceparent)));
    let found: Vec<(SagaId, Vec<Attribute>)> = found.collect();
    insert(tx, found.iter().map(|(id, own)| (*id, own.as_slice()))).await
}

/// What these sagas are found by since something was skipped of them: with the move, for it is seldom and no input tells it. Rows
/// that are there stay.
pub(super) async fn write_skips<'a>(tx: &mut Tx, updates: impl Iterator<Item = &'a Update>) -> Result<(), SqlError> {
    let skips = updates.filter(|update| !update.skipped.is_empty());
    let found: Vec<(SagaId, Vec<Attribute>)> =
        skips.map(|update| (update.saga.id, with_skips(&update.skipped))).collect();
    insert(tx, found.iter().map(|(id, own)| (*id, own.as_slice()))).await
}

/// In the order of the primary key, whoever inserts.
async fn insert<'a>(tx: &mut Tx, sagas: impl Iterator<Item = (SagaId, &'a [Attribute])>) -> Result<(), SqlError> {
    let mut rows: Vec<(&str, &str, SagaId)> = sagas
        .flat_map(|(id, own)| own.iter().map(move |attribute| (attribute.name.as_str(), attribute.value.as_str(), id)))
        .collect();
    rows.sort_unstable();
    let rows = rows.into_iter().map(|(name, value, id)| vec![name.into(), value.as_bytes().into(), id.0.into()]);
    tx.insert_missing("saga_attribute", &COLUMNS, rows.collect()).await?;
    Ok(())
}
