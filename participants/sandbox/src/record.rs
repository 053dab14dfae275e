//! Recording payments: the transaction body behind `/_sandbox/pay`.

use crate::envelope::Refusal;
use crate::payment::{Details, Payment, Status};
use crate::row::{COLUMNS, payment_of};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use std::collections::{BTreeSet, HashMap};

const PAYMENT_COLUMNS: [&str; 13] = [
    "imp_uid",
    "merchant_uid",
    "paid_merchant_uid",
    "currency",
    "amount",
    "cancelled",
    "cancellations",
    "status",
    "details",
    "started_us",
    "paid_us",
    "failed_us",
    "cancelled_us",
];

/// A payment to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// The provider's id; `None` makes one up.
    pub imp_uid: Option<String>,
    /// The merchant's number.
    pub merchant_uid: String,
    /// ISO 4217, one that the sandbox knows.
    pub currency: String,
    /// Minor units, positive.
    pub amount: i64,
    /// `Ready`, `Paid` or `Failed`.
    pub status: Status,
    /// What the browser sent.
    pub details: Details,
}

/// Records payments under the ids they come with, all or none.
pub(crate) async fn record(
    tx: &mut Tx,
    payments: &[(String, NewPayment)],
    now_us: i64,
) -> Result<Result<(), Refusal>, SqlError> {
    let known = known_payments(tx, payments).await?;
    if let Some(refusal) = prepared_otherwise(tx, payments).await? {
        return Ok(Err(refusal));
    }
    let mut fresh = Vec::with_capacity(payments.len());
    let mut replaced = Vec::new();
    for (imp_uid, new) in payments {
        if let Some(old) = known.get(imp_uid) {
            if !same_content(old, new) {
                return Ok(Err(Refusal::conflict(format!("{imp_uid} exists with other content"))));
            }
            // A capture is final here: what comes later (a repeat, a late "failed") changes nothing.
            if old.status.is_captured() || old.status == new.status {
                continue;
            }
            replaced.push(Value::from(imp_uid.as_str()));
        }
        fresh.push((imp_uid, new));
    }
    tx.execute_in("DELETE FROM sandbox_payment WHERE imp_uid", Vec::new(), replaced).await?;
    insert(tx, &fresh, now_us).await?;
    Ok(Ok(()))
}

fn same_content(old: &Payment, new: &NewPayment) -> bool {
    old.merchant_uid == new.merchant_uid && old.currency == new.currency && old.amount == new.amount
}

async fn known_payments(tx: &mut Tx, payments: &[(String, NewPayment)]) -> Result<HashMap<String, Payment>, SqlError> {
    // Sorted, so that everybody locks in one order.
    let ids: BTreeSet<&str> = payments.iter().map(|(imp_uid, _)| imp_uid.as_str()).collect();
    let ids = ids.into_iter().map(Value::from).collect();
    let before = format!("SELECT {COLUMNS} FROM sandbox_payment WHERE imp_uid");
    let rows = tx.select_in(&before, Vec::new(), ids, tx.for_update()).await?;
    rows.iter().map(|row| payment_of(row).map(|payment| (payment.imp_uid.clone(), payment))).collect()
}

/// The refusal for the first number that was prepared with another amount.
async fn prepared_otherwise(tx: &mut Tx, payments: &[(String, NewPayment)]) -> Result<Option<Refusal>, SqlError> {
    let numbers = payments.iter().map(|(_, new)| Value::from(new.merchant_uid.as_str())).collect();
    let before = "SELECT merchant_uid, currency, amount FROM sandbox_prepared WHERE merchant_uid";
    let mut prepared = HashMap::new();
    for row in tx.select_in(before, Vec::new(), numbers, "").await? {
        prepared.insert(row.text(0)?.to_owned(), (row.text(1)?.to_owned(), row.int(2)?));
    }
    let differs = |new: &NewPayment| {
        prepared
            .get(&new.merchant_uid)
            .is_some_and(|(currency, amount)| *currency != new.currency || *amount != new.amount)
    };
    Ok(payments
        .iter()
        .find(|(_, new)| differs(new))
        .map(|(_, new)| Refusal::conflict(format!("{} was prepared with another amount", new.merchant_uid))))
}

async fn insert(tx: &mut Tx, fresh: &[(&String, &NewPayment)], now_us: i64) -> Result<(), SqlError> {
    let rows = fresh.iter().map(|(imp_uid, new)| payment_row(imp_uid, new, now_us)).collect();
    tx.insert_many("sandbox_payment", &PAYMENT_COLUMNS, rows).await?;
    let entries = fresh
        .iter()
        .filter(|(_, new)| new.status.is_captured())
        .map(|(imp_uid, new)| {
            vec![imp_uid.as_str().into(), new.currency.as_str().into(), new.amount.into(), now_us.into()]
        })
        .collect();
    tx.insert_many("sandbox_entry", &["imp_uid", "currency", "amount", "at_us"], entries).await?;
    Ok(())
}

fn payment_row(imp_uid: &str, new: &NewPayment, now_us: i64) -> Vec<Value> {
    let at = |status: Status| Value::Int(if new.status == status { now_us } else { 0 });
    vec![
        imp_uid.into(),
        new.merchant_uid.as_str().into(),
        new.status.is_captured().then_some(new.merchant_uid.as_str()).into(),
        new.currency.as_str().into(),
        new.amount.into(),
        Value::Int(0),
        Value::Int(0),
        new.status.as_str().into(),
        details_text(&new.details).into(),
        now_us.into(),
        at(Status::Paid),
        at(Status::Failed),
        Value::Int(0),
    ]
}

fn details_text(details: &Details) -> String {
    // A struct of optional texts always serializes; the fallback reads back as no details.
    serde_json::to_string(details).unwrap_or_else(|_| "{}".to_owned())
}
