//! One table at a time, for all sagas of a page.

use super::dossier::{Claim, Dossier, Effect, Found, Hold, JournalRow};
use super::{ReadError, reading};
use crate::evidence::LedgerPayment;
use baton_orchestrator::api::start::business_start_key;
use baton_orchestrator::store::row::journal;
use baton_orchestrator::store::{Fingerprint, Holder, StartKey};
use baton_order::order::{self, Order};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::statement::placeholders;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use shop_domain::identifier::OrderNumber;
use std::collections::{BTreeMap, BTreeSet};

/// An order saga with the order's number and the payment's id that its input names.
pub(super) type Input = (SagaId, String, String);

/// Rows of one table that belong to one page of sagas. A saga has about five journal rows and at most a few per attempt.
const MOST_ROWS: usize = 1_000_000;

/// Rows of one read inside a page.
const CHUNK: usize = 10_000;

/// Ids above `after`, up to `up_to`.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) after: Option<[u8; 16]>,
    pub(super) up_to: Option<[u8; 16]>,
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

pub(super) async fn journals(
    store: &Database,
    range: &Range,
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
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
pub(super) async fn start_keys(store: &Database, dossiers: &mut BTreeMap<SagaId, Dossier>) -> Result<(), ReadError> {
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

pub(super) async fn ledger(
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

pub(super) async fn holds(
    database: &Database,
    range: &Range,
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
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

pub(super) async fn closed(
    database: &Database,
    range: &Range,
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
    in_range(database, "closed payments", ("payment_closed", &["saga_id"], "closed_at"), range, |row| {
        let id = SagaId(row.array(0)?);
        dossiers.entry(id).or_insert_with(|| Dossier::new(id)).closed = true;
        Ok(())
    })
    .await
}

pub(super) async fn orders(
    database: &Database,
    inputs: &[Input],
    dossiers: &mut BTreeMap<SagaId, Dossier>,
) -> Result<(), ReadError> {
    let numbers: BTreeSet<[u8; 16]> = inputs
        .iter()
        .filter_map(|(_, number, _)| OrderNumber::parse(number).ok())
        .map(|number| number.bytes())
        .collect();
    let before = format!("{}order_no", order::SELECT_ORDER);
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

pub(super) async fn claims(
    database: &Database,
    inputs: &[Input],
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

pub(super) async fn payments(
    database: &Database,
    inputs: &[Input],
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
