//! Payments and refunds as the ledger's tables hold them.

use crate::payment::{Cancellation, Payment, Status};
use baton_sql::error::SqlError;
use baton_sql::value::Row;

/// What [`payment_of`] reads, in its order.
pub(crate) const COLUMNS: &str = "imp_uid, merchant_uid, currency, amount, cancelled, cancellations, status, details, \
                       started_us, paid_us, failed_us, cancelled_us";

/// What [`cancellation_of`] reads, of one payment.
pub(crate) const HISTORY: &str =
    "SELECT ordinal, amount, reason, cancelled_us FROM sandbox_cancellation WHERE imp_uid = ? ORDER BY ordinal";

pub(crate) fn payment_of(row: &Row) -> Result<Payment, SqlError> {
    Ok(Payment {
        imp_uid: row.text(0)?.to_owned(),
        merchant_uid: row.text(1)?.to_owned(),
        currency: row.text(2)?.to_owned(),
        amount: row.int(3)?,
        cancelled: row.int(4)?,
        cancellations: row.int(5)?,
        status: Status::parse(row.text(6)?).ok_or_else(|| SqlError::Refused("unknown status in the ledger".into()))?,
        details: serde_json::from_str(row.text(7)?).unwrap_or_default(),
        started_us: row.int(8)?,
        paid_us: row.int(9)?,
        failed_us: row.int(10)?,
        cancelled_us: row.int(11)?,
        history: Vec::new(),
    })
}

pub(crate) fn cancellation_of(row: &Row) -> Result<Cancellation, SqlError> {
    Ok(Cancellation {
        ordinal: row.int(0)?,
        amount: row.int(1)?,
        reason: row.text(2)?.to_owned(),
        cancelled_us: row.int(3)?,
    })
}
