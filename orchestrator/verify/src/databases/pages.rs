//! Sagas page by page, in the order of their ids.
//!
//! A page covers a range of ids, not a list of sagas: rows that name a saga which does not exist are found as well.

use super::tables::{self, Range, before};
use super::{Databases, ReadError, Sagas, forgotten, reading};
use crate::databases::domain::Domain;
use crate::saga_evidence::{Read, SagaEvidence};
use baton_orchestrator::store::row::{self, SAGA_COLUMNS};
use baton_sql::database::Database;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeMap;

/// Sagas of one page. With their journals and everything around them that is a few megabytes.
pub const PAGE: usize = 500;

/// Reads sagas. Keeps its place between pages, and one page in memory.
pub struct Pages<'a> {
    databases: &'a Databases,
    domains: &'a [&'a dyn Domain],
    after: Option<[u8; 16]>,
    ended: bool,
    size: usize,
}

impl<'a> Pages<'a> {
    /// From the oldest saga on.
    #[must_use]
    pub fn new(databases: &'a Databases, domains: &'a [&'a dyn Domain]) -> Self {
        Self { databases, domains, after: None, ended: databases.orchestrator.is_none(), size: PAGE }
    }

    /// With another page size, at least 1.
    #[must_use]
    pub fn of_size(mut self, size: usize) -> Self {
        self.size = size.max(1);
        self
    }

    /// The next page; `None` after the last. The last page is not full and may be empty.
    ///
    /// # Errors
    /// If a database refuses or is away; the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<SagaEvidence>>, ReadError> {
        let (false, Some(store)) = (self.ended, &self.databases.orchestrator) else { return Ok(None) };
        let later = Range { after: self.after, up_to: None };
        let mut members = saga_rows(store, &later, self.size).await?;
        // Read after the rows: what is forgotten in between is found in both, and looked at again.
        for (id, state) in forgotten::in_range(store, &later, self.size).await? {
            members.entry(id).or_insert_with(|| SagaEvidence::new(id)).forgotten = Some(state);
        }
        let full = members.len() >= self.size;
        if let Some(beyond) = members.keys().nth(self.size).copied() {
            drop(members.split_off(&beyond));
        }
        let last = members.last_key_value().map(|(id, _)| id.0);
        let range = Range { after: self.after, up_to: last.filter(|_| full) };
        let page = read(self.databases, self.domains, members, &range).await?;
        self.after = last.or(self.after);
        self.ended = !full;
        Ok(Some(page))
    }
}

/// Certain sagas, read anew; those of which nothing is known are left out.
///
/// # Errors
/// If a database refuses or is away.
pub async fn of_sagas(
    databases: &Databases,
    domains: &[&dyn Domain],
    ids: &[SagaId],
) -> Result<Vec<SagaEvidence>, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for id in ids {
        let sql = format!("SELECT {} FROM saga WHERE id = ?", columns());
        let rows = store.query(&sql, vec![id.0.into()]).await.map_err(reading("sagas"))?;
        let range = Range { after: Some(before(id.0)), up_to: Some(id.0) };
        let forgotten = forgotten::in_range(store, &range, 1).await?.first().map(|(_, state)| *state);
        let saga = rows.first().map(saga_row).transpose()?;
        let mut members = BTreeMap::new();
        if saga.is_some() || forgotten.is_some() {
            members.insert(*id, SagaEvidence { forgotten, ..saga.unwrap_or_else(|| SagaEvidence::new(*id)) });
        }
        found.extend(read(databases, domains, members, &range).await?);
    }
    Ok(found)
}

async fn read(
    databases: &Databases,
    domains: &[&dyn Domain],
    mut sagas: Sagas,
    range: &Range,
) -> Result<Vec<SagaEvidence>, ReadError> {
    if let Some(store) = &databases.orchestrator {
        tables::journals(store, range, &mut sagas).await?;
        tables::start_keys(store, &mut sagas).await?;
    }
    for (name, database) in &databases.participants {
        tables::ledger(database, name, range, &mut sagas).await?;
    }
    for domain in domains {
        domain.of_sagas(range, &mut sagas).await?;
    }
    Ok(sagas.into_values().collect())
}

/// The first `limit` sagas in the range.
async fn saga_rows(store: &Database, range: &Range, limit: usize) -> Result<Sagas, ReadError> {
    let (condition, mut args) = range.on("id");
    let sql = format!("SELECT {} FROM saga WHERE {condition} ORDER BY id LIMIT ?", columns());
    args.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = store.query(&sql, args).await.map_err(reading("sagas"))?;
    rows.iter().map(|row| saga_row(row).map(|saga| (saga.id, saga))).collect()
}

/// Those of a saga's value, and when it is to be looked at.
fn columns() -> String {
    format!("{}, look_at", SAGA_COLUMNS.join(", "))
}

fn saga_row(row: &Row) -> Result<SagaEvidence, ReadError> {
    let id = row::decode_id(row).map_err(reading("sagas"))?;
    let look_at = row.opt_int(SAGA_COLUMNS.len()).map_err(reading("sagas"))?.map(Micros);
    let saga = match row::decode_saga(row) {
        Ok(record) => Read::Row(record),
        Err(error) => Read::Damaged(error.to_string()),
    };
    Ok(SagaEvidence { saga, look_at, ..SagaEvidence::new(id) })
}
