//! Operations: what operators' own work is kept in, beside the sagas and in the same database. Sagas never depend on it: an
//! orchestrator without operations drives them all the same.

pub mod audit;
pub mod ended;
pub mod holds;
pub mod incidents;
pub mod instances;
pub mod jobs;
pub mod letters;
pub mod standing;

use crate::held::Known;
use crate::store::SagaStore as _;
use crate::store::sql::SqlStore;
use baton_sql::database::Database;
use saga_core::time::Micros;
use std::sync::Arc;

/// Access to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Operations {
    store: Arc<SqlStore>,
    known: Arc<Known>,
}

impl Operations {
    /// Operations in the database that holds the sagas; their tables are made by the same migrations.
    #[must_use]
    pub fn new(store: Arc<SqlStore>) -> Self {
        Self { store, known: Arc::default() }
    }

    fn database(&self) -> &Database {
        self.store.database()
    }

    /// The database's clock, as it was last measured.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.store.now()
    }
}
