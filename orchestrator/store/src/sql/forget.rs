//! Forgetting finished sagas: a page of the primary key is read without locks, and what may go is deleted in one short
//! transaction of its own.

use crate::sql::store_error;
use baton_engine::store::StateCode;
use baton_engine::store::StoreError;
use baton_engine::store::purge::{Candidate, Forgotten, Sweep, choose, first_id_at, is_finished};
use baton_sql::database::{Database, Dialect, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use saga_core::time::Micros;

/// Columns of table `forgotten`.
const FORGOTTEN_COLUMNS: [&str; 4] = ["saga_id", "state", "ended_at", "forgotten_at"];

/// One step; `now` is noted as its time.
pub(super) async fn forget(
    db: &Database,
    before: Micros,
    after: Option<SagaId>,
    limit: u32,
    now: Micros,
) -> Result<Sweep, StoreError> {
    let page = page(db, before, after, limit).await.map_err(store_error)?;
    let (chosen, reached) = choose(&page, before, limit);
    if chosen.is_empty() {
        return Ok(Sweep { forgotten: 0, reached });
    }
    let ids: Vec<Value> = chosen.into_iter().map(|id| id.0.into()).collect();
    let deleted = db.transaction(move |tx| {
        let ids = ids.clone();
        Box::pin(async move { delete(tx, ids, now).await.map(Verdict::Commit) })
    });
    Ok(Sweep { forgotten: deleted.await.map_err(store_error)?, reached })
}

/// The next sagas in id order whose ids are of before `before`. No lock is taken, so that no move waits for the look.
async fn page(db: &Database, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Vec<Candidate>, SqlError> {
    let later = if after.is_some() { " AND id > ?" } else { "" };
    let sql = format!("SELECT id, state, updated_at, version FROM saga WHERE id < ?{later} ORDER BY id LIMIT ?");
    let mut args: Vec<Value> = vec![first_id_at(before).0.into()];
    args.extend(after.map(|id| Value::from(id.0)));
    args.push(limit.into());
    db.query(&sql, args).await?.iter().map(candidate).collect()
}

/// The state is judged by its column alone: a row whose data does not decode is as finished as its neighbours. A state that
/// this build does not know is not.
fn candidate(row: &Row) -> Result<Candidate, SqlError> {
    Ok(Candidate {
        id: SagaId(row.array(0)?),
        finished: StateCode::from_stored(row.int(1)?).is_some_and(is_finished),
        moved_at: Micros(row.int(2)?),
        entries: u64::try_from(row.int(3)?).unwrap_or(0),
    })
}

/// Deletes these sagas, whose ids are sorted, with their journals; returns how many. Rows that another transaction holds,
/// another orchestrator's step or a batch with a late reply, are passed over instead of waited for: the next round meets
/// them again. What is finished stays so, but it costs nothing to let the database look once more.
async fn delete(tx: &mut Tx, ids: Vec<Value>, now: Micros) -> Result<usize, SqlError> {
    let lock = match tx.dialect() {
        Dialect::MariaDb => " FOR UPDATE SKIP LOCKED",
        Dialect::Sqlite => "",
    };
    let (completed, compensated) = (StateCode::Completed as u8, StateCode::Compensated as u8);
    let before = "SELECT id, state, updated_at FROM saga WHERE state IN (?, ?) AND id";
    let states = vec![completed.into(), compensated.into()];
    let rows = tx.select_in(before, states, ids, &format!(" ORDER BY id{lock}")).await?;
    let mut held = Vec::with_capacity(rows.len());
    let mut left = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: Value = row.array::<16>(0)?.into();
        left.push(vec![id.clone(), row.int(1)?.into(), row.int(2)?.into(), now.0.into()]);
        held.push(id);
    }
    tx.insert_many("forgotten", &FORGOTTEN_COLUMNS, left).await?;
    tx.execute_in("DELETE FROM journal WHERE saga_id", Vec::new(), held.clone()).await?;
    tx.execute_in("DELETE FROM saga_attribute WHERE saga_id", Vec::new(), held.clone()).await?;
    tx.execute_in("DELETE FROM saga WHERE id", Vec::new(), held).await?;
    Ok(rows.len())
}

pub(super) async fn forgotten(db: &Database, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
    let sql = "SELECT state, ended_at, forgotten_at FROM forgotten WHERE saga_id = ?";
    let rows = db.query(sql, vec![id.0.into()]).await.map_err(store_error)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let code = row.int(0).map_err(store_error)?;
    let state = StateCode::from_stored(code);
    let state = state.ok_or_else(|| StoreError::Refused(format!("forgotten saga {id}: unknown state {code}")))?;
    let time = |column| row.int(column).map(Micros).map_err(store_error);
    Ok(Some(Forgotten { state, ended_at: time(1)?, forgotten_at: time(2)? }))
}
