//! Refunding: the transaction body behind `/payments/cancel`.

use crate::amount::{Decimal, exponent};
use crate::envelope::Refusal;
use crate::payment::{Payment, Status};
use crate::row::{COLUMNS, HISTORY, cancellation_of, payment_of};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::value::Value;

/// Refunds of one payment at most, so that an answer stays bounded.
pub const CANCELLATIONS_MAX: i64 = 100;

/// Which payment a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The provider's id.
    ImpUid(String),
    /// The merchant's number: the captured payment of it.
    MerchantUid(String),
}

/// A refund to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Which payment.
    pub payment: Reference,
    /// How much; `None` or 0 is all that is left.
    pub amount: Option<Decimal>,
    /// What the caller believes can still be refunded; if it differs, nothing happens.
    pub checksum: Option<Decimal>,
    /// Why.
    pub reason: String,
}

/// Refunds inside a transaction: the row lock makes the comparison with the checksum and the change one step.
pub(crate) async fn refund(
    tx: &mut Tx,
    imp_uid: &str,
    cancel: &Cancel,
    now_us: i64,
) -> Result<Result<Payment, Refusal>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM sandbox_payment WHERE imp_uid = ?{}", tx.for_update());
    let rows = tx.query(&sql, vec![imp_uid.into()]).await?;
    let Some(row) = rows.first() else { return Ok(Err(Refusal::not_found())) };
    let mut payment = payment_of(row)?;
    let amount = match refundable(&payment, cancel) {
        Ok(amount) => amount,
        Err(refusal) => return Ok(Err(refusal)),
    };
    payment.cancelled += amount;
    payment.cancellations += 1;
    payment.cancelled_us = now_us;
    payment.status = if payment.remaining() == 0 { Status::Cancelled } else { Status::Paid };
    tx.execute(
        "UPDATE sandbox_payment SET cancelled = ?, cancellations = ?, cancelled_us = ?, status = ? WHERE imp_uid = ?",
        vec![
            Value::Int(payment.cancelled),
            Value::Int(payment.cancellations),
            Value::Int(now_us),
            payment.status.as_str().into(),
            imp_uid.into(),
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO sandbox_cancellation (imp_uid, ordinal, amount, reason, cancelled_us) VALUES (?, ?, ?, ?, ?)",
        vec![
            imp_uid.into(),
            Value::Int(payment.cancellations),
            Value::Int(amount),
            cancel.reason.as_str().into(),
            Value::Int(now_us),
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO sandbox_entry (imp_uid, currency, amount, at_us) VALUES (?, ?, ?, ?)",
        vec![imp_uid.into(), payment.currency.as_str().into(), Value::Int(-amount), Value::Int(now_us)],
    )
    .await?;
    let rows = tx.query(HISTORY, vec![imp_uid.into()]).await?;
    payment.history = rows.iter().map(cancellation_of).collect::<Result<_, _>>()?;
    Ok(Ok(payment))
}

/// How much a cancel call refunds, in minor units.
fn refundable(payment: &Payment, cancel: &Cancel) -> Result<i64, Refusal> {
    let minor = |decimal: Decimal| {
        exponent(&payment.currency)
            .and_then(|exponent| decimal.to_minor(exponent))
            .ok_or_else(|| Refusal::bad_request("the amount is finer than the currency's smallest unit"))
    };
    let remaining = payment.remaining();
    if !payment.status.is_captured() {
        return Err(Refusal::business("the payment is not paid"));
    }
    if cancel.checksum.map(minor).transpose()?.is_some_and(|checksum| checksum != remaining) {
        return Err(Refusal::business("the checksum differs from the cancellable balance"));
    }
    if remaining == 0 {
        return Err(Refusal::business("the payment is cancelled already"));
    }
    let amount = cancel.amount.map(minor).transpose()?.filter(|amount| *amount > 0).unwrap_or(remaining);
    if amount > remaining {
        return Err(Refusal::business("the amount exceeds the cancellable balance"));
    }
    if payment.cancellations >= CANCELLATIONS_MAX {
        return Err(Refusal::business("too many cancellations of this payment"));
    }
    Ok(amount)
}
