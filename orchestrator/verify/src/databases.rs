//! Evidence straight from the databases: the same statements for MariaDB and SQLite, a page at a time.
//!
//! Nothing here judges: rows that no correct Baton could have written are read as they are. Reading changes nothing.
//!
//! While the installation runs, a page is read in this order: saga rows, journals, ledgers, then what a [`domain`]
//! adds. Journals and ledgers only grow, and each is written before the next step of a saga's path, so that what a saga row
//! claims can always be found in what is read after it.

pub mod acts;
pub mod domain;
pub mod forgotten;
pub mod keys;
pub mod letters;
pub mod pages;
pub mod tables;

use crate::saga_evidence::SagaEvidence;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use saga_core::saga::SagaId;
use std::collections::BTreeMap;

/// What is known of the sagas of a page.
pub type Sagas = BTreeMap<SagaId, SagaEvidence>;

/// Where the evidence is. What is missing is left out, and the invariants that need it say so.
#[derive(Clone, Debug, Default)]
pub struct Databases {
    /// The orchestrator's schema.
    pub orchestrator: Option<Database>,
    /// Participants by name; each has a ledger.
    pub participants: BTreeMap<String, Database>,
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
pub fn reading(what: impl Into<String>) -> impl FnOnce(SqlError) -> ReadError {
    let what = what.into();
    move |error| ReadError::Database { what, error }
}
