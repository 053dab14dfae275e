//! Reads what operators did, entry by entry, and the journals it is compared with. Changes nothing; memory stays within one
//! page. May run while operators act: entries and head are committed together, and are read in an order that shows it.

use super::{ReadError, forgotten, reading};
use crate::acts::{Acts, Journal, Judge};
use baton_orchestrator::store::audit::{AuditRow, Digest, Head};
use baton_orchestrator::store::row::audit::{AUDIT_COLUMNS, decode_audit};
use baton_orchestrator::store::row::journal;
use baton_orchestrator::store::sql::journal_digest::{Reader, journal_digests};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::event::{Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Entries that one statement brings.
const ENTRIES: usize = 500;

/// Journal rows that one statement brings.
const ROWS: usize = 5_000;

/// Audits what operators did, as the orchestrator's database `store` has it. `noted` is a head that was noted earlier.
///
/// # Errors
/// If the database refuses or is away.
pub async fn acts(store: &Database, noted: Option<Digest>) -> Result<Acts, ReadError> {
    let mut judge = Judge::new(head(store).await?, noted);
    let mut after = i64::MIN;
    loop {
        let page = page(store, after).await?;
        judge_page(store, &page, &mut judge).await?;
        match page.last() {
            Some((number, _)) if page.len() == ENTRIES => after = *number,
            _ => break,
        }
    }
    let head = head(store).await?;
    orders(store, &mut judge).await?;
    Ok(judge.finish(head))
}

/// The head, if it is there and decodes.
async fn head(store: &Database) -> Result<Option<Head>, ReadError> {
    let rows =
        store.query("SELECT number, hash FROM audit_head", Vec::new()).await.map_err(reading("the audit's head"))?;
    let [row] = rows.as_slice() else { return Ok(None) };
    let number = row.int(0).ok().and_then(|number| u64::try_from(number).ok());
    Ok(number.zip(row.array(1).ok()).map(|(number, hash)| Head { number, hash }))
}

/// An entry with its number, or why it does not decode.
type Numbered = (i64, Result<AuditRow, String>);

async fn page(store: &Database, after: i64) -> Result<Vec<Numbered>, ReadError> {
    let columns = AUDIT_COLUMNS.join(", ");
    let from = format!("FROM audit WHERE number > ? ORDER BY number LIMIT {ENTRIES}");
    match store.query(&format!("SELECT {columns} {from}"), vec![after.into()]).await {
        Ok(rows) => rows.iter().map(read).collect::<Result<_, SqlError>>().map_err(reading("audit entries")),
        // One row of them cannot even be brought here: which?
        Err(SqlError::Decode { .. }) => {
            let rows = store.query(&format!("SELECT number {from}"), vec![after.into()]).await;
            let mut page = Vec::new();
            for row in rows.map_err(reading("audit entries"))? {
                let number = row.int(0).map_err(reading("audit entries"))?;
                let sql = format!("SELECT {columns} FROM audit WHERE number = ?");
                match store.query(&sql, vec![number.into()]).await {
                    Ok(rows) => page.extend(rows.first().map(read).transpose().map_err(reading("audit entries"))?),
                    Err(error @ SqlError::Decode { .. }) => page.push((number, Err(error.to_string()))),
                    Err(error) => return Err(reading("audit entries")(error)),
                }
            }
            Ok(page)
        }
        Err(error) => Err(reading("audit entries")(error)),
    }
}

fn read(row: &Row) -> Result<Numbered, SqlError> {
    Ok((row.int(0)?, decode_audit(row).map_err(|error| error.to_string())))
}

async fn judge_page(store: &Database, page: &[Numbered], judge: &mut Judge) -> Result<(), ReadError> {
    let rows = page.iter().filter_map(|(_, row)| row.as_ref().ok());
    let bound: Vec<(&AuditRow, SagaId)> = rows.filter_map(|row| row.audit.saga.map(|saga| (row, saga))).collect();
    let wanted = bound.iter().map(|(row, saga)| (*saga, row.audit.version));
    let digests = journal_digests(&mut Reader::Database(store), wanted).await.map_err(reading("journals"))?;
    let digest = |row: &AuditRow, saga: SagaId| digests.get(&(saga, row.audit.version)).copied();
    let differs = bound.iter().filter(|(row, saga)| row.journal != digest(row, *saga)).map(|(_, saga)| *saga);
    let fates = fates(store, differs.collect()).await?;
    for (number, row) in page {
        match row {
            Ok(row) => {
                let journal = row
                    .audit
                    .saga
                    .and_then(|saga| fates.get(&saga).copied().or_else(|| digest(row, saga).map(Journal::There)));
                judge.entry(row, journal);
            }
            Err(why) => judge.unreadable(*number, why),
        }
    }
    Ok(())
}

/// Which of the sagas whose journals differ have none any more, and why. A saga is forgotten as a whole: one that has
/// rows left after it is said to be forgotten was not.
async fn fates(store: &Database, sagas: BTreeSet<SagaId>) -> Result<BTreeMap<SagaId, Journal>, ReadError> {
    let ids = |sagas: &BTreeSet<SagaId>| sagas.iter().map(|saga| Value::from(saga.0)).collect();
    let forgotten = forgotten::among(store, ids(&sagas)).await?;
    let rows = store.query_in("SELECT DISTINCT saga_id FROM journal WHERE saga_id", ids(&sagas), "").await;
    let there = rows.map_err(reading("journals"))?;
    let there = there.iter().map(|row| row.array(0).map(SagaId)).collect::<Result<BTreeSet<_>, _>>();
    let there = there.map_err(reading("journals"))?;
    let gone = sagas.into_iter().filter(|saga| !there.contains(saga));
    Ok(gone.map(|saga| (saga, if forgotten.contains(&saga) { Journal::Forgotten } else { Journal::Gone })).collect())
}

/// Looks for an entry for each order that any journal has.
async fn orders(store: &Database, judge: &mut Judge) -> Result<(), ReadError> {
    let sql = format!(
        "SELECT saga_id, version, at, event FROM journal WHERE saga_id > ? OR (saga_id = ? AND version > ?) \
         ORDER BY saga_id, version LIMIT {ROWS}"
    );
    let mark = order_mark();
    let mut after = ([0_u8; 16], i64::MIN);
    loop {
        let args = vec![after.0.into(), after.0.into(), after.1.into()];
        let rows = store.query(&sql, args).await.map_err(reading("journals"))?;
        let mut given: Vec<(SagaId, i64, Micros)> = Vec::new();
        for row in &rows {
            let (saga, version, at, is_order) = entry(row, mark).map_err(reading("journals"))?;
            after = (saga.0, version);
            if is_order {
                given.push((saga, version, at));
            }
        }
        let spoken_of = spoken_of(store, given.iter().map(|(saga, ..)| *saga).collect()).await?;
        for (saga, version, at) in given {
            judge.order(saga, version, at, spoken_of.contains(&(saga, version)));
        }
        if rows.len() < ROWS {
            return Ok(());
        }
    }
}

fn entry(row: &Row, mark: Option<u8>) -> Result<(SagaId, i64, Micros, bool), SqlError> {
    let is_order = row.bytes(3)?.first().copied() == mark;
    Ok((SagaId(row.array(0)?), row.int(1)?, Micros(row.int(2)?), is_order))
}

/// The byte that a stored order begins with: the number of its field.
fn order_mark() -> Option<u8> {
    let order = OperatorAction { verb: Verb::Pause, actor: String::new(), reason: String::new() };
    journal::encode(&JournalRecord::Moved(Event::Action(order)), &[]).first().copied()
}

/// The versions of these sagas that entries speak of.
async fn spoken_of(store: &Database, sagas: BTreeSet<SagaId>) -> Result<BTreeSet<(SagaId, i64)>, ReadError> {
    let subjects = sagas.iter().map(|saga| Value::from(format!("sagas/{saga}"))).collect();
    let rows = store.query_in("SELECT saga_id, version FROM audit WHERE subject", subjects, "").await;
    let rows = rows.map_err(reading("audit entries"))?;
    // An entry whose saga does not decode speaks of none; that it is damaged is found where entries are read.
    Ok(rows.iter().filter_map(|row| Some((SagaId(row.array(0).ok()?), row.int(1).ok()?))).collect())
}

#[cfg(test)]
mod tests;
