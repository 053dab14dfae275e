//! The provider's own ledger. Every change is one durable transaction; a repeated payment changes nothing.

use crate::envelope::Refusal;
use crate::payment::{Payment, Status};
pub use crate::record::NewPayment;
use crate::record::record;
use crate::refund::refund;
pub use crate::refund::{CANCELLATIONS_MAX, Cancel, Reference};
use crate::row::{COLUMNS, HISTORY, cancellation_of, payment_of};
use crate::schema::MIGRATIONS;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use serde::Serialize;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Payments taken by one call. The demo pays 1,000 orders, a load run 10,000.
pub const PAY_MAX: usize = 10_000;

/// Rows of one page of the ledger at most.
pub const PAGE_MAX: usize = 10_000;

/// One payment as an audit sees it; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct LedgerLine {
    /// The provider's id.
    pub imp_uid: String,
    /// The merchant's number.
    pub merchant_uid: String,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands.
    pub status: Status,
    /// Captured; 0 unless money was taken.
    pub paid_minor_units: i64,
    /// Refunded.
    pub cancelled_minor_units: i64,
    /// How many refunds.
    pub cancellations: i64,
}

/// Sums of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Totals {
    /// ISO 4217.
    pub currency: String,
    /// Captured payments.
    pub payments: i64,
    /// Captured, minor units.
    pub paid_minor_units: i64,
    /// Refunded, minor units.
    pub cancelled_minor_units: i64,
    /// Refunds.
    pub cancellations: i64,
    /// The sum of the append-only entries, minor units: captured minus refunded, or the ledger is broken.
    pub entries_minor_units: i64,
}

/// The ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) database: Database,
}

impl Ledger {
    /// Opens the ledger and brings its tables up to date.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open(config: DatabaseConfig) -> Result<Self, SqlError> {
        let database = Database::open(config).await?;
        database.migrate(MIGRATIONS).await?;
        Ok(Self { database })
    }

    /// Records payments, all or none, and returns their ids in order. A payment that is recorded already with the same
    /// content is left alone; one that was `Ready` or `Failed` may change.
    ///
    /// # Errors
    /// [`Refusal`] for a number that is already paid, an id with other content, or an amount that differs from the
    /// prepared one.
    pub async fn pay(&self, payments: Vec<NewPayment>) -> Result<Vec<String>, Refusal> {
        let now_us = now_us();
        let payments: Vec<(String, NewPayment)> = payments
            .into_iter()
            .map(|new| (new.imp_uid.clone().unwrap_or_else(|| format!("imp_{}", uuid::Uuid::now_v7().simple())), new))
            .collect();
        let ids = payments.iter().map(|(imp_uid, _)| imp_uid.clone()).collect();
        let outcome = self
            .database
            .transaction(move |tx| {
                let payments = payments.clone();
                Box::pin(async move {
                    Ok(match record(tx, &payments, now_us).await? {
                        Ok(()) => Verdict::Commit(Ok(())),
                        Err(refusal) => Verdict::Rollback(Err(refusal)),
                    })
                })
            })
            .await;
        match outcome {
            Err(SqlError::Duplicate(_)) => Err(Refusal::conflict("a payment of this imp_uid or merchant_uid exists")),
            outcome => outcome?.map(|()| ids),
        }
    }

    /// The payment with its refunds.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn find(&self, imp_uid: &str) -> Result<Option<Payment>, SqlError> {
        let sql = format!("SELECT {COLUMNS} FROM sandbox_payment WHERE imp_uid = ?");
        let rows = self.database.query(&sql, vec![imp_uid.into()]).await?;
        let Some(mut payment) = rows.first().map(payment_of).transpose()? else { return Ok(None) };
        if payment.cancellations > 0 {
            let rows = self.database.query(HISTORY, vec![imp_uid.into()]).await?;
            payment.history = rows.iter().map(cancellation_of).collect::<Result<_, _>>()?;
        }
        Ok(Some(payment))
    }

    /// Those of these payments that exist, with their refunds, in any order.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn find_many(&self, imp_uids: &[&str]) -> Result<Vec<Payment>, SqlError> {
        let select = format!("SELECT {COLUMNS} FROM sandbox_payment WHERE imp_uid");
        let ids = imp_uids.iter().map(|id| (*id).into()).collect();
        let mut payments = Vec::with_capacity(imp_uids.len());
        for row in self.database.query_in(&select, ids, "").await? {
            let payment = payment_of(&row)?;
            // Its history, and it as it is now: a refund may have come in between.
            let refunded = if payment.cancellations > 0 { self.find(&payment.imp_uid).await? } else { None };
            payments.push(refunded.unwrap_or(payment));
        }
        Ok(payments)
    }

    /// Refunds, unless the payment's state or the checksum forbids it; returns the payment as it is then.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was changed.
    pub async fn cancel(&self, cancel: Cancel) -> Result<Payment, Refusal> {
        let now_us = now_us();
        let imp_uid = match &cancel.payment {
            Reference::ImpUid(imp_uid) => imp_uid.clone(),
            Reference::MerchantUid(number) => {
                self.find_by_merchant(number, None, None).await?.ok_or_else(Refusal::not_found)?
            }
        };
        self.database
            .transaction(move |tx| {
                let (imp_uid, cancel) = (imp_uid.clone(), cancel.clone());
                Box::pin(async move {
                    Ok(match refund(tx, &imp_uid, &cancel, now_us).await? {
                        Ok(payment) => Verdict::Commit(Ok(payment)),
                        Err(refusal) => Verdict::Rollback(Err(refusal)),
                    })
                })
            })
            .await?
    }

    /// Fixes the amount that a number must be paid with.
    ///
    /// # Errors
    /// [`Refusal`] if another amount was fixed before and `replace` is false.
    pub async fn prepare(&self, number: &str, currency: &str, amount: i64, replace: bool) -> Result<(), Refusal> {
        let row = vec![Value::from(number), currency.into(), amount.into()];
        self.database
            .transaction(move |tx| {
                let row = row.clone();
                Box::pin(async move {
                    let sql = format!(
                        "SELECT currency, amount FROM sandbox_prepared WHERE merchant_uid = ?{}",
                        tx.for_update()
                    );
                    let found = tx.query(&sql, vec![row[0].clone()]).await?;
                    if found.first().is_some_and(|found| found.0[..] == row[1..]) {
                        return Ok(Verdict::Commit(Ok(())));
                    }
                    if !found.is_empty() && !replace {
                        return Ok(Verdict::Rollback(Err(Refusal::business("another amount is prepared already"))));
                    }
                    tx.execute("DELETE FROM sandbox_prepared WHERE merchant_uid = ?", vec![row[0].clone()]).await?;
                    tx.execute("INSERT INTO sandbox_prepared (merchant_uid, currency, amount) VALUES (?, ?, ?)", row)
                        .await?;
                    Ok(Verdict::Commit(Ok(())))
                })
            })
            .await?
    }

    /// Currency and amount fixed for a number.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn prepared(&self, number: &str) -> Result<Option<(String, i64)>, SqlError> {
        let sql = "SELECT currency, amount FROM sandbox_prepared WHERE merchant_uid = ?";
        let rows = self.database.query(sql, vec![number.into()]).await?;
        rows.first().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?))).transpose()
    }

    /// One page of all payments, ordered by id, beginning after `after` (empty for the first page).
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn page(&self, after: &str, limit: usize) -> Result<Vec<LedgerLine>, SqlError> {
        let limit = i64::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
        let sql = format!("SELECT {COLUMNS} FROM sandbox_payment WHERE imp_uid > ? ORDER BY imp_uid LIMIT ?");
        let rows = self.database.query(&sql, vec![after.into(), limit.into()]).await?;
        rows.iter()
            .map(|row| {
                let payment = payment_of(row)?;
                Ok(LedgerLine {
                    paid_minor_units: if payment.status.is_captured() { payment.amount } else { 0 },
                    imp_uid: payment.imp_uid,
                    merchant_uid: payment.merchant_uid,
                    currency: payment.currency,
                    status: payment.status,
                    cancelled_minor_units: payment.cancelled,
                    cancellations: payment.cancellations,
                })
            })
            .collect()
    }

    /// Sums for an audit, one per currency. Reads the whole ledger.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn totals(&self) -> Result<Vec<Totals>, SqlError> {
        let payments = "SELECT currency, COUNT(*), CAST(SUM(amount) AS SIGNED), CAST(SUM(cancelled) AS SIGNED), \
                        CAST(SUM(cancellations) AS SIGNED) FROM sandbox_payment \
                        WHERE status IN ('paid', 'cancelled') GROUP BY currency ORDER BY currency";
        let entries = "SELECT currency, CAST(SUM(amount) AS SIGNED) FROM sandbox_entry GROUP BY currency";
        let mut sums = HashMap::new();
        for row in self.database.query(entries, Vec::new()).await? {
            sums.insert(row.text(0)?.to_owned(), row.int(1)?);
        }
        let rows = self.database.query(payments, Vec::new()).await?;
        rows.iter()
            .map(|row| {
                let currency = row.text(0)?.to_owned();
                Ok(Totals {
                    payments: row.int(1)?,
                    paid_minor_units: row.int(2)?,
                    cancelled_minor_units: row.int(3)?,
                    cancellations: row.int(4)?,
                    entries_minor_units: sums.get(&currency).copied().unwrap_or(0),
                    currency,
                })
            })
            .collect()
    }
}

/// Microseconds since the epoch.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_micros()).ok()).unwrap_or(0)
}
