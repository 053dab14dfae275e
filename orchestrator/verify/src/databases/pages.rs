//! Dossiers page by page, in the order of the sagas' ids.
//!
//! A page covers a range of ids, not a list of sagas: rows that name a saga which does not exist are found as well.

use super::dossier::{Dossier, Found};
use super::outbox::Outbox;
use super::tables::{self, Input, Range, before};
use super::{Databases, ORDER, PAYMENT, ReadError, STOCK, forgotten, reading};
use baton_orchestrator::store::Record as SagaRow;
use baton_orchestrator::store::row::{self, SAGA_COLUMNS};
use baton_sql::database::Database;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// Sagas of one page. With their journals and everything around them that is a few megabytes.
pub const PAGE: usize = 500;

/// Which databases a dossier was read from: what is not covered is not known, which is not the same as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Saga rows, journals, start keys, outbox.
    pub orchestrator: bool,
    /// Participants whose ledgers and tables were read.
    pub participants: BTreeSet<String>,
    /// The provider's ledger.
    pub provider: bool,
}

impl Coverage {
    /// What `databases` covers.
    #[must_use]
    pub fn of(databases: &Databases) -> Self {
        Self {
            orchestrator: databases.orchestrator.is_some(),
            participants: databases.participants.keys().cloned().collect(),
            provider: databases.provider.is_some(),
        }
    }

    /// True if this participant was read.
    #[must_use]
    pub fn has(&self, participant: &str) -> bool {
        self.participants.contains(participant)
    }
}

/// Reads dossiers. Keeps its place between pages, and one page in memory.
#[derive(Debug)]
pub struct Pages<'a> {
    databases: &'a Databases,
    after: Option<[u8; 16]>,
    ended: bool,
    size: usize,
}

impl<'a> Pages<'a> {
    /// From the oldest saga on.
    #[must_use]
    pub fn new(databases: &'a Databases) -> Self {
        Self { databases, after: None, ended: databases.orchestrator.is_none(), size: PAGE }
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
    pub async fn next(&mut self, outbox: &Outbox) -> Result<Option<Vec<Dossier>>, ReadError> {
        let (false, Some(store)) = (self.ended, &self.databases.orchestrator) else { return Ok(None) };
        let later = Range { after: self.after, up_to: None };
        let mut members = saga_rows(store, &later, self.size).await?;
        // Read after the rows: what is forgotten in between is found in both, and looked at again.
        for (id, state) in forgotten::in_range(store, &later, self.size).await? {
            members.entry(id).or_insert_with(|| Dossier::new(id)).forgotten = Some(state);
        }
        let full = members.len() >= self.size;
        if let Some(beyond) = members.keys().nth(self.size).copied() {
            drop(members.split_off(&beyond));
        }
        let last = members.last_key_value().map(|(id, _)| id.0);
        let range = Range { after: self.after, up_to: last.filter(|_| full) };
        let page = read(self.databases, members, &range, outbox).await?;
        self.after = last.or(self.after);
        self.ended = !full;
        Ok(Some(page))
    }
}

/// The dossiers of certain sagas, read anew; those of which nothing is known are left out.
///
/// # Errors
/// If a database refuses or is away.
pub async fn of_sagas(databases: &Databases, ids: &[SagaId], outbox: &Outbox) -> Result<Vec<Dossier>, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for id in ids {
        let sql = format!("SELECT {} FROM saga WHERE id = ?", SAGA_COLUMNS.join(", "));
        let rows = store.query(&sql, vec![id.0.into()]).await.map_err(reading("sagas"))?;
        let range = Range { after: Some(before(id.0)), up_to: Some(id.0) };
        let forgotten = forgotten::in_range(store, &range, 1).await?.first().map(|(_, state)| *state);
        let saga = rows.first().map(saga_row).unwrap_or_default();
        let mut members = BTreeMap::new();
        if saga != Found::Missing || forgotten.is_some() {
            members.insert(*id, Dossier { saga, forgotten, ..Dossier::new(*id) });
        }
        found.extend(read(databases, members, &range, outbox).await?);
    }
    Ok(found)
}

async fn read(
    databases: &Databases,
    mut dossiers: BTreeMap<SagaId, Dossier>,
    range: &Range,
    outbox: &Outbox,
) -> Result<Vec<Dossier>, ReadError> {
    if let Some(store) = &databases.orchestrator {
        tables::journals(store, range, &mut dossiers).await?;
        tables::start_keys(store, &mut dossiers).await?;
        let within =
            |id: &SagaId| range.after.is_none_or(|after| id.0 > after) && range.up_to.is_none_or(|up_to| id.0 <= up_to);
        for (id, pending) in outbox.commands.iter().filter(|(id, _)| within(id)) {
            dossiers.entry(*id).or_insert_with(|| Dossier::new(*id)).pending = pending.clone();
        }
    }
    for (name, database) in &databases.participants {
        tables::ledger(database, name, range, &mut dossiers).await?;
    }
    if let Some(stock) = databases.participant(STOCK) {
        tables::holds(stock, range, &mut dossiers).await?;
    }
    let inputs: Vec<Input> = dossiers
        .values()
        .filter_map(|dossier| dossier.order_input().map(|input| (dossier.id, input.order_number, input.payment_id)))
        .collect();
    if let Some(database) = databases.participant(ORDER) {
        tables::orders(database, &inputs, &mut dossiers).await?;
    }
    if let Some(database) = databases.participant(PAYMENT) {
        tables::claims(database, &inputs, &mut dossiers).await?;
        tables::closed(database, range, &mut dossiers).await?;
    }
    if let Some(database) = &databases.provider {
        tables::payments(database, &inputs, &mut dossiers).await?;
    }
    Ok(dossiers.into_values().collect())
}

/// The first `limit` sagas in the range.
async fn saga_rows(store: &Database, range: &Range, limit: usize) -> Result<BTreeMap<SagaId, Dossier>, ReadError> {
    let (condition, mut args) = range.on("id");
    let sql = format!("SELECT {} FROM saga WHERE {condition} ORDER BY id LIMIT ?", SAGA_COLUMNS.join(", "));
    args.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = store.query(&sql, args).await.map_err(reading("sagas"))?;
    let dossier = |row: &Row| {
        let id = row::decode_id(row).map_err(reading("sagas"))?;
        Ok((id, Dossier { saga: saga_row(row), ..Dossier::new(id) }))
    };
    rows.iter().map(dossier).collect()
}

fn saga_row(row: &Row) -> Found<SagaRow> {
    match row::decode_saga(row) {
        Ok(record) => Found::Row(record),
        Err(error) => Found::Damaged(error.to_string()),
    }
}
