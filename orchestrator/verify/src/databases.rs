//! Evidence straight from the databases: the same statements for MariaDB and SQLite, a page at a time.
//!
//! Nothing here judges: rows that no correct Baton could have written are read as they are. What is read for one saga is
//! its [`dossier::Dossier`]; [`shop`] reads what belongs to no single saga. Reading changes nothing.
//!
//! While the installation runs, a page is read in this order: saga rows, journals, ledgers, business rows, the provider.
//! Journals and ledgers only grow, and each is written before the next step of the order's path, so that what a saga row
//! claims can always be found in what is read after it.

pub mod acts;
pub mod dossier;
pub mod forgotten;
pub mod letters;
pub mod outbox;
pub mod pages;
pub mod shop;
mod tables;

use baton_sql::database::Database;
use baton_sql::error::SqlError;
use std::collections::BTreeMap;

/// The participant whose table `orders` is read.
pub const ORDER: &str = "order";
/// The participant whose tables `payment` and `payment_closed` are read.
pub const PAYMENT: &str = "payment";
/// The participant whose tables `item`, `reservation` and `restock` are read.
pub const STOCK: &str = "stock";

/// Where the evidence is. What is missing is left out, and the checks that need it say so.
#[derive(Clone, Debug, Default)]
pub struct Databases {
    /// The orchestrator's schema.
    pub orchestrator: Option<Database>,
    /// Participants by name; each has a ledger, and `order`, `payment` and `stock` their business tables too.
    pub participants: BTreeMap<String, Database>,
    /// The sandbox provider's own ledger.
    pub provider: Option<Database>,
}

impl Databases {
    /// The database of one participant.
    #[must_use]
    pub fn participant(&self, name: &str) -> Option<&Database> {
        self.participants.get(name)
    }
}

/// Why evidence is incomplete. Half an audit would be worse than none, so that the reader stops.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A database refuses or is away.
    #[error("{what}: {error}")]
    Database {
        /// What was read.
        what: String,
        /// Why it could not be.
        error: SqlError,
    },
    /// More rows than the bound allows.
    #[error("{what}: more than {most} rows, which is more than an audit keeps in memory")]
    TooMany {
        /// What was read.
        what: String,
        /// The bound.
        most: usize,
    },
}

/// Adds what was read to a database's error.
fn reading(what: impl Into<String>) -> impl FnOnce(SqlError) -> ReadError {
    let what = what.into();
    move |error| ReadError::Database { what, error }
}
