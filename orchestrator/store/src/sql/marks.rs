//! Sagas that holds have paused.

use baton_engine::hold_policy::{Held, Mark};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// Writes marks that a commit makes with its pauses. The inner error names the holds that do not stand any more: they
/// could not resume what they do not know of, so nothing may be written. Those that stand cannot be released before the
/// transaction ends.
pub async fn append(tx: &mut Tx, marks: &[Mark]) -> Result<Result<(), Vec<Held>>, SqlError> {
    if marks.is_empty() {
        return Ok(Ok(()));
    }
    let wanted: BTreeSet<&Held> = marks.iter().map(|mark| &mark.held).collect();
    let before = "SELECT name FROM hold WHERE releasing = 0 AND name";
    let names = wanted.iter().map(|held| held.name().into()).collect();
    let after = format!(" ORDER BY name{}", tx.for_share());
    let rows = tx.select_in(before, Vec::new(), names, &after).await?;
    let stand = rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<BTreeSet<_>, SqlError>>()?;
    let lifted: Vec<Held> =
        wanted.iter().filter(|held| !stand.contains(&held.name())).map(|it| (*it).clone()).collect();
    if !lifted.is_empty() {
        return Ok(Err(lifted));
    }
    for held in wanted {
        let own = marks.iter().filter(|mark| mark.held == *held);
        write(tx, held, own.map(|mark| (mark.saga, mark.seen)).collect()).await?;
    }
    Ok(Ok(()))
}

/// Marks sagas, each once. A mark with a later version stays: another one has paused the saga meanwhile. The caller has
/// the hold's row locked.
async fn write(tx: &mut Tx, held: &Held, sagas: BTreeMap<SagaId, u64>) -> Result<(), SqlError> {
    let seen = seen(tx, held, sagas.keys().copied()).await?;
    let newer = |(saga, version): &(SagaId, u64)| seen.get(saga).is_none_or(|marked| marked < version);
    let sagas: Vec<(SagaId, u64)> = sagas.into_iter().filter(newer).collect();
    delete(tx, held, sagas.iter().map(|(saga, _)| *saga)).await?;
    let rows = sagas.into_iter().map(|(saga, version)| {
        vec![held.name().into(), saga.0.into(), i64::try_from(version).unwrap_or(i64::MAX).into()]
    });
    tx.insert_many("hold_saga", &["hold", "saga_id", "seen_version"], rows.collect()).await?;
    Ok(())
}

/// Takes marks away, but for those that have got a later version. The caller has the hold's row locked.
pub async fn erase(tx: &mut Tx, held: &Held, sagas: &BTreeMap<SagaId, u64>) -> Result<(), SqlError> {
    let seen = seen(tx, held, sagas.keys().copied()).await?;
    let same = sagas.iter().filter(|(saga, version)| seen.get(saga) == Some(version));
    delete(tx, held, same.map(|(saga, _)| *saga)).await
}

async fn seen(
    tx: &mut Tx,
    held: &Held,
    sagas: impl Iterator<Item = SagaId>,
) -> Result<BTreeMap<SagaId, u64>, SqlError> {
    let before = "SELECT saga_id, seen_version FROM hold_saga WHERE hold = ? AND saga_id";
    let rows = tx.select_in(before, vec![held.name().into()], values(sagas), "").await?;
    rows.iter().map(decode).collect()
}

async fn delete(tx: &mut Tx, held: &Held, sagas: impl Iterator<Item = SagaId>) -> Result<(), SqlError> {
    let before = "DELETE FROM hold_saga WHERE hold = ? AND saga_id";
    tx.execute_in(before, vec![held.name().into()], values(sagas)).await?;
    Ok(())
}

fn values(sagas: impl Iterator<Item = SagaId>) -> Vec<Value> {
    sagas.map(|saga| saga.0.into()).collect()
}

/// A row of `saga_id, seen_version`.
pub fn decode(row: &Row) -> Result<(SagaId, u64), SqlError> {
    Ok((SagaId(row.array(0)?), u64::try_from(row.int(1)?).unwrap_or(0)))
}
