//! A copy of the sandbox provider's ledger, fetched over HTTP, as a database in memory.
//!
//! For installations whose ledger file is not on this machine. A copy is as old as its first page: it is for an audit at
//! rest.

use crate::outside::{GatherError, ledger_page};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::value::Value;

/// Payments copied at most: some 200 bytes each.
const MOST: usize = 2_000_000;

/// As much of the ledger's table as an audit reads.
const TABLE: &str = "CREATE TABLE sandbox_payment (imp_uid TEXT NOT NULL PRIMARY KEY, merchant_uid TEXT NOT NULL, \
                     currency TEXT NOT NULL, amount INTEGER NOT NULL, cancelled INTEGER NOT NULL, \
                     cancellations INTEGER NOT NULL, status TEXT NOT NULL) WITHOUT ROWID";

const INDEX: &str = "CREATE INDEX sandbox_payment_merchant ON sandbox_payment (merchant_uid)";

const COLUMNS: [&str; 7] = ["imp_uid", "merchant_uid", "currency", "amount", "cancelled", "cancellations", "status"];

/// Copies the ledger behind `url`, the sandbox's base URL.
///
/// # Errors
/// If the provider refuses or is away, or has more than two million payments.
pub async fn copy(http: &reqwest::Client, url: &str) -> Result<Database, GatherError> {
    let failed = |error: baton_sql::error::SqlError| GatherError::Provider(error.to_string());
    let database = Database::open(DatabaseConfig::SqliteMemory).await.map_err(failed)?;
    let made = database.transaction(|tx| {
        Box::pin(async move {
            tx.execute(TABLE, Vec::new()).await?;
            tx.execute(INDEX, Vec::new()).await?;
            Ok(Verdict::Commit(()))
        })
    });
    made.await.map_err(failed)?;
    let (mut after, mut copied) = (String::new(), 0);
    loop {
        let (payments, next) = ledger_page(http, url.trim_end_matches('/'), &after).await?;
        copied += payments.len();
        if copied > MOST {
            return Err(GatherError::Endless("the provider's ledger"));
        }
        // What was captured is all that counts here: `ready` and `failed` have taken no money.
        let rows: Vec<Vec<Value>> = payments
            .into_iter()
            .map(|payment| {
                let status = if payment.paid > 0 { "paid" } else { "ready" };
                let texts = [payment.imp_uid, payment.merchant_uid, payment.currency].map(Value::Text);
                let numbers = [payment.paid, payment.refunded, payment.refunds].map(Value::Int);
                texts.into_iter().chain(numbers).chain([status.into()]).collect()
            })
            .collect();
        let written = database.transaction(move |tx| {
            let rows = rows.clone();
            Box::pin(async move {
                tx.insert_many("sandbox_payment", &COLUMNS, rows).await?;
                Ok(Verdict::Commit(()))
            })
        });
        written.await.map_err(failed)?;
        match next {
            Some(next) => after = next,
            None => return Ok(database),
        }
    }
}
