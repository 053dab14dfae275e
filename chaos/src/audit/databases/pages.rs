//! Dossiers page by page, in the order of the sagas' ids.
//!
//! A page covers a range of ids, not a list of sagas: rows that name a saga which does not exist are found as well.

use super::dossier::{Claim, Dossier, Effect, Found, Hold, JournalRow, Pending};
use super::{Databases, ORDER, PAYMENT, ReadError, STOCK, reading};
use crate::audit::evidence::LedgerPayment;
use baton_edge::shop::identifier::OrderNumber;
use baton_orchestrator::api::begin::business_start_key;
use baton_orchestrator::store::row::{self, SAGA_COLUMNS, journal};
use baton_orchestrator::store::{Fingerprint, Holder, Record as SagaRow, StartKey};
use baton_order::order::{self, Order};
use baton_proto::baton::participant::v1 as wire;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::statement::placeholders;
use baton_sql::value::{Row, Value};
use prost::Message as _;
use saga_core::saga::{CommandId, Direction, SagaId};
use std::collections::{BTreeMap, BTreeSet};

/// Sagas of one page. With their journals and everything around them that is a few megabytes.
pub const PAGE: usize = 500;

/// Rows of one table that belong to one page of sagas. A saga has about five journal rows and at most a few per attempt.
const MOST_ROWS: usize = 1_000_000;

/// Rows of one read inside a page.
const CHUNK: usize = 10_000;

/// Outbox rows kept, newest left out. More of them wait only while the broker is away.
const MOST_OUTBOX: usize = 10_000;

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

/// The messages that wait in the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Rows found, up to the bound.
    pub rows: usize,
    /// True if there are more than the bound.
    pub more: bool,
    /// Rows that are no command batch, by id.
    pub damaged: Vec<String>,
    /// Commands by saga.
    pub commands: BTreeMap<SagaId, Vec<Pending>>,
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
        let sagas = saga_rows(store, self.after, self.size).await?;
        let last = sagas.last().map(|(id, _)| id.0);
        let full = sagas.len() == self.size;
        let range = Range { after: self.after, up_to: last.filter(|_| full) };
        let page = read(self.databases, sagas, &range, outbox).await?;
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
        let sagas = rows.iter().map(|row| (*id, saga_row(row))).collect();
        let range = Range { after: Some(before(id.0)), up_to: Some(id.0) };
        found.extend(read(databases, sagas, &range, outbox).await?);
    }
    Ok(found)
}

/// The outbox as it is now.
///
/// # Errors
/// If the database refuses or is away.
pub async fn outbox(databases: &Databases) -> Result<Outbox, ReadError> {
    let mut outbox = Outbox::default();
    let Some(store) = &databases.orchestrator else { return Ok(outbox) };
    let sql = "SELECT id, participant, body FROM outbox WHERE id > ? ORDER BY id LIMIT 256";
    let mut after = Value::Bytes(vec![]);
    loop {
        let rows = store.query(sql, vec![after.clone()]).await.map_err(reading("the outbox"))?;
        for row in &rows {
            outbox.rows += 1;
            if let Err(why) = add_message(&mut outbox, row) {
                outbox.damaged.push(why);
            }
        }
        match rows.last().and_then(|row| row.0.first().cloned()) {
            Some(id) if rows.len() == 256 && outbox.rows < MOST_OUTBOX => after = id,
            last => {
                outbox.more = rows.len() == 256 && last.is_some();
                return Ok(outbox);
            }
        }
    }
}

fn add_message(outbox: &mut Outbox, row: &Row) -> Result<(), String> {
    let id = row.array(0).map(uuid::Uuid::from_bytes).map_err(|error| format!("an outbox row: {error}"))?;
    let participant = row.text(1).map_err(|error| format!("outbox row {id}: {error}"))?;
    let body = row.bytes(2).map_err(|error| format!("outbox row {id}: {error}"))?;
    let batch = wire::CommandBatch::decode(body).map_err(|error| format!("outbox row {id}: {error}"))?;
    if batch.commands.is_empty() {
        return Err(format!("outbox row {id} carries no command"));
    }
    for command in batch.commands {
        let wanted = command.key.as_ref().and_then(command_id);
        let wanted = wanted.ok_or_else(|| format!("outbox row {id}: a command without a key"))?;
        let pending =
            Pending { message: id, participant: participant.to_owned(), command: wanted, attempt: command.attempt };
        outbox.commands.entry(wanted.saga).or_default().push(pending);
    }
    Ok(())
}

fn command_id(key: &wire::CommandKey) -> Option<CommandId> {
    let direction = match key.direction() {
        wire::Direction::Unspecified => return None,
        wire::Direction::Action => Direction::Action,
        wire::Direction::Undo => Direction::Undo,
    };
    let saga = SagaId(key.saga_id.as_ref().try_into().ok()?);
    Some(CommandId { saga, step: u8::try_from(key.step).ok()?, direction })
}

/// Ids above `after`, up to `up_to`.
#[derive(Clone, Debug)]
struct Range {
    after: Option<[u8; 16]>,
    up_to: Option<[u8; 16]>,
}

impl Range {
    /// A condition on `column`, and its parameters.
    fn on(&self, column: &str) -> (String, Vec<Value>) {
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
fn before(mut id: [u8; 16]) -> [u8; 16] {
    for byte in id.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    id
}

async fn read(
    databases: &Databases,
    sagas: Vec<(SagaId, Found<SagaRow>)>,
    range: &Range,
    outbox: &Outbox,
) -> Result<Vec<Dossier>, ReadError> {
    let mut dossiers: BTreeMap<SagaId, Dossier> = BTreeMap::new();
    for (id, saga) in sagas {
        dossiers.entry(id).or_insert_with(|| Dossier::new(id)).saga = saga;
    }
    if let Some(store) = &databases.orchestrator {
        journals(store, range, &mut dossiers).await?;
        start_keys(store, &mut dossiers).await?;
        let within =
            |id: &SagaId| range.after.is_none_or(|after| id.0 > after) && range.up_to.is_none_or(|up_to| id.0 <= up_to);
        for (id, pending) in outbox.commands.iter().filter(|(id, _)| within(id)) {
            dossiers.entry(*id).or_insert_with(|| Dossier::new(*id)).pending = pending.clone();
        }
    }
    for (name, database) in &databases.participants {
        ledger(database, name, range, &mut dossiers).await?;
    }
    if let Some(stock) = databases.participant(STOCK) {
        holds(stock, range, &mut dossiers).await?;
    }
    let inputs: Vec<(SagaId, String, String)> = dossiers
        .values()
        .filter_map(|dossier| dossier.order_input().map(|input| (dossier.id, input.order_number, input.payment_id)))
        .collect();
    if let Some(database) = databases.participant(ORDER) {
        orders(database, &inputs, &mut dossiers).await?;
    }
    if let Some(database) = databases.participant(PAYMENT) {
        claims(database, &inputs, &mut dossiers).await?;
        closed(database, range, &mut dossiers).await?;
    }
    if let Some(database) = &databases.provider {
        payments(database, &inputs, &mut dossiers).await?;
    }
    Ok(dossiers.into_values().collect())
}

async fn saga_rows(
    store: &Database,
    after: Option<[u8; 16]>,
    limit: usize,
) -> Result<Vec<(SagaId, Found<SagaRow>)>, ReadError> {
    let (condition, mut args) = Range { after, up_to: None }.on("id");
    let sql = format!("SELECT {} FROM saga WHERE {condition} ORDER BY id LIMIT ?", SAGA_COLUMNS.join(", "));
    args.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = store.query(&sql, args).await.map_err(reading("sagas"))?;
    rows.iter().map(|row| Ok((row::decode_id(row).map_err(reading("sagas"))?, saga_row(row)))).collect()
}

fn saga_row(row: &Row) -> Found<SagaRow> {
    match row::decode_saga(row) {
        Ok(record) => Found::Row(record),
        Err(error) => Found::Damaged(error.to_string()),
    }
}

/// Rows of one table in the range, ordered by `key`, the primary key (whose first column is the saga), in chunks by keyset.
/// A row is the key followed by `columns`.
async fn in_range(
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

async fn journals(store: &Database, range: &Range, dossiers: &mut BTreeMap<SagaId, Dossier>) -> Result<(), ReadError> {
    in_range(store, "journals", ("journal", &["saga_id", "version"], "at, event"), range, |row| {
        let id = SagaId(row.array(0)?);
        let dossier = dossiers.entry(id).or_insert_with(|| Dossier::new(id));
        let input = dossier.saga.row().map(|record| record.saga.input.clone()).unwrap_or_default();
        let record = journal::decode(row.bytes(3)?, &input).map_err(|error| error.to_string());
        dossier.journal.push(JournalRow { version: row.int(1)?, at: row.int(2)?, record });
        Ok(())
    })
    .await
}

/// Who holds the start keys of the sagas' business keys.
async fn start_keys(store: &Database, dossiers: &mut BTreeMap<SagaId, Dossier>) -> Result<(), ReadError> {
    let mut wanted: BTreeMap<[u8; 32], Vec<SagaId>> = BTreeMap::new();
    for dossier in dossiers.values() {
        if let Some(record) = dossier.saga.row().filter(|record| !record.business_key.is_empty()) {
            let key = business_start_key(&record.saga.definition.name, &record.business_key);
            wanted.entry(key.0).or_default().push(dossier.id);
        }
    }
    let keys = wanted.keys().map(|key| Value::from(*key)).collect();
    let sql = "SELECT key_digest, saga_id, fingerprint FROM saga_key WHERE key_digest";
    for row in store.query_in(sql, keys, "").await.map_err(reading("start keys"))? {
        let holder = holder(&row).map_err(reading("start keys"))?;
        for id in wanted.get(&holder.key.0).into_iter().flatten() {
            if let Some(dossier) = dossiers.get_mut(id) {
                dossier.start_key = Some(holder);
            }
        }
    }
    Ok(())
}

fn holder(row: &Row) -> Result<Holder, SqlError> {
    Ok(Holder { key: StartKey(row.array(0)?), saga: SagaId(row.array(1)?), fingerprint: Fingerprint(row.array(2)?) })
}

async fn ledger(
    database: &Database,
    participant: &str,
    range: &Range,
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
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
        let dossier = dossiers.entry(id).or_insert_with(|| Dossier::new(id));
        dossier.effects.entry(participant.to_owned()).or_default().push(effect);
        Ok(())
    })
    .await
}

async fn holds(database: &Database, range: &Range, dossiers: &mut BTreeMap<SagaId, Dossier>) -> Result<(), ReadError> {
    let columns = "order_no, quantity, state";
    in_range(database, "reservations", ("reservation", &["saga_id", "item_id"], columns), range, |row| {
        let id = SagaId(row.array(0)?);
        let hold = Hold {
            item: row.text(1)?.to_owned(),
            order: OrderNumber::from_bytes(row.array(2)?).to_string(),
            quantity: row.int(3)?,
            state: row.int(4)?,
        };
        dossiers.entry(id).or_insert_with(|| Dossier::new(id)).holds.push(hold);
        Ok(())
    })
    .await
}

async fn closed(database: &Database, range: &Range, dossiers: &mut BTreeMap<SagaId, Dossier>) -> Result<(), ReadError> {
    in_range(database, "closed payments", ("payment_closed", &["saga_id"], "closed_at"), range, |row| {
        let id = SagaId(row.array(0)?);
        dossiers.entry(id).or_insert_with(|| Dossier::new(id)).closed = true;
        Ok(())
    })
    .await
}

async fn orders(
    database: &Database,
    inputs: &[(SagaId, String, String)],
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
    let numbers: BTreeSet<[u8; 16]> = inputs
        .iter()
        .filter_map(|(_, number, _)| OrderNumber::parse(number).ok())
        .map(|number| number.bytes())
        .collect();
    let before = format!("{}order_no", order::SELECT);
    let values = numbers.into_iter().map(Value::from).collect();
    let mut rows = BTreeMap::new();
    for row in database.query_in(&before, values, "").await.map_err(reading("orders"))? {
        let number = OrderNumber::from_bytes(row.array(0).map_err(reading("orders"))?).to_string();
        let order = match Order::from_row(&row) {
            Ok(order) => Found::Row(order),
            Err(error) => Found::Damaged(error.to_string()),
        };
        rows.insert(number, order);
    }
    for (id, number, _) in inputs {
        if let (Some(dossier), Some(order)) = (dossiers.get_mut(id), rows.get(number)) {
            dossier.order = order.clone();
        }
    }
    Ok(())
}

/// What a claim is read from, in its order.
pub(super) const CLAIM: &str = "payment_id, order_no, saga_id, currency, amount, state";

pub(super) fn claim(row: &Row) -> Result<Claim, SqlError> {
    Ok(Claim {
        payment: row.text(0)?.to_owned(),
        order: OrderNumber::from_bytes(row.array(1)?).to_string(),
        saga: SagaId(row.array(2)?),
        currency: row.text(3)?.to_owned(),
        amount: row.int(4)?,
        state: row.int(5)?,
    })
}

async fn claims(
    database: &Database,
    inputs: &[(SagaId, String, String)],
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
    let ids: BTreeSet<&str> = inputs.iter().map(|(_, _, payment)| payment.as_str()).collect();
    let values = ids.into_iter().map(Value::from).collect();
    let before = format!("SELECT {CLAIM} FROM payment WHERE payment_id");
    let mut rows = BTreeMap::new();
    for row in database.query_in(&before, values, "").await.map_err(reading("claims"))? {
        let claim = claim(&row).map_err(reading("claims"))?;
        rows.insert(claim.payment.clone(), claim);
    }
    for (id, _, payment) in inputs {
        if let (Some(dossier), Some(claim)) = (dossiers.get_mut(id), rows.get(payment)) {
            dossier.claim = Found::Row(claim.clone());
        }
    }
    Ok(())
}

/// What a payment of the provider is read from, in its order.
pub(super) const PAID: &str = "imp_uid, merchant_uid, currency, amount, cancelled, cancellations, status";

pub(super) fn paid(row: &Row) -> Result<LedgerPayment, SqlError> {
    let captured = matches!(row.text(6)?, "paid" | "cancelled");
    Ok(LedgerPayment {
        imp_uid: row.text(0)?.to_owned(),
        merchant_uid: row.text(1)?.to_owned(),
        currency: row.text(2)?.to_owned(),
        paid: if captured { row.int(3)? } else { 0 },
        refunded: row.int(4)?,
        refunds: row.int(5)?,
    })
}

async fn payments(
    database: &Database,
    inputs: &[(SagaId, String, String)],
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
    let numbers: BTreeSet<&str> = inputs.iter().map(|(_, number, _)| number.as_str()).collect();
    let values = numbers.into_iter().map(Value::from).collect();
    let before = format!("SELECT {PAID} FROM sandbox_payment WHERE merchant_uid");
    let mut rows: BTreeMap<String, Vec<LedgerPayment>> = BTreeMap::new();
    for row in database.query_in(&before, values, "").await.map_err(reading("the provider's ledger"))? {
        let payment = paid(&row).map_err(reading("the provider's ledger"))?;
        rows.entry(payment.merchant_uid.clone()).or_default().push(payment);
    }
    for (id, number, _) in inputs {
        if let (Some(dossier), Some(paid)) = (dossiers.get_mut(id), rows.get(number)) {
            dossier.paid = paid.clone();
        }
    }
    Ok(())
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
