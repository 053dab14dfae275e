//! The sandbox provider's ledger over HTTP: page by page, or copied into a database in memory.
//!
//! A copy is for installations whose ledger file is not on this machine. It is as old as its first page: it is for an audit
//! at rest.

use crate::evidence::Payment;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::value::Value;

/// Payments read at most: some 200 bytes each.
const MOST: usize = 2_000_000;

/// Payments of one page.
const PAGE: usize = 10_000;

/// As much of the ledger's table as an audit reads.
const TABLE: &str = "CREATE TABLE sandbox_payment (imp_uid TEXT NOT NULL PRIMARY KEY, merchant_uid TEXT NOT NULL, \
                     currency TEXT NOT NULL, amount INTEGER NOT NULL, cancelled INTEGER NOT NULL, \
                     cancellations INTEGER NOT NULL, status TEXT NOT NULL) WITHOUT ROWID";

const INDEX: &str = "CREATE INDEX sandbox_payment_merchant ON sandbox_payment (merchant_uid)";

const COLUMNS: [&str; 7] = ["imp_uid", "merchant_uid", "currency", "amount", "cancelled", "cancellations", "status"];

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The provider refused or is away, or a copy could not be written.
    #[error("the provider's ledger: {0}")]
    Unread(String),
    /// There is more than an audit keeps in memory.
    #[error("the provider's ledger has more than two million payments")]
    TooMany,
}

/// Reads the ledger, and keeps its place between pages.
#[derive(Debug)]
pub struct Ledger<'a> {
    http: &'a reqwest::Client,
    base: &'a str,
    /// The payment after which the next page begins; `None` after the last page.
    after: Option<String>,
    read: usize,
}

impl<'a> Ledger<'a> {
    /// `base` is the sandbox's base URL.
    #[must_use]
    pub fn new(http: &'a reqwest::Client, base: &'a str) -> Self {
        Self { http, base: base.trim_end_matches('/'), after: Some(String::new()), read: 0 }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// If the provider refuses or is away, or has more than two million payments.
    pub async fn next(&mut self) -> Result<Option<Vec<Payment>>, LedgerError> {
        let Some(after) = &self.after else { return Ok(None) };
        // Ids are visible ASCII; only the few characters with a meaning in a query need care, and the provider's own ids
        // have none of them.
        let url = format!("{}/_sandbox/ledger?limit={PAGE}&after={after}", self.base);
        let answer = self.http.get(url).send().await.map_err(unread)?;
        let envelope: Envelope = answer.json().await.map_err(unread)?;
        let page = match envelope.response {
            Some(page) if envelope.code == 0 => page,
            _ => return Err(LedgerError::Unread(envelope.message.unwrap_or_else(|| "refused".to_owned()))),
        };
        self.after = page.next;
        self.read += page.payments.len();
        if self.read > MOST { Err(LedgerError::TooMany) } else { Ok(Some(page.payments)) }
    }
}

/// The provider's envelope around a page.
#[derive(Debug, serde::Deserialize)]
struct Envelope {
    code: i32,
    message: Option<String>,
    response: Option<LedgerPage>,
}

#[derive(Debug, serde::Deserialize)]
struct LedgerPage {
    payments: Vec<Payment>,
    next: Option<String>,
}

/// The URL is left out: a base URL may hold credentials.
fn unread(error: reqwest::Error) -> LedgerError {
    LedgerError::Unread(error.without_url().to_string())
}

/// Copies the ledger behind `url`, the sandbox's base URL.
///
/// # Errors
/// If the provider refuses or is away, or has more than two million payments.
pub async fn copy(http: &reqwest::Client, url: &str) -> Result<Database, LedgerError> {
    let failed = |error: baton_sql::error::SqlError| LedgerError::Unread(error.to_string());
    let database = Database::open(DatabaseConfig::SqliteMemory).await.map_err(failed)?;
    let made = database.transaction(|tx| {
        Box::pin(async move {
            tx.execute(TABLE, Vec::new()).await?;
            tx.execute(INDEX, Vec::new()).await?;
            Ok(Verdict::Commit(()))
        })
    });
    made.await.map_err(failed)?;
    let mut ledger = Ledger::new(http, url);
    while let Some(payments) = ledger.next().await? {
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
    }
    Ok(database)
}
