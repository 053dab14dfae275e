//! The store on MariaDB and on SQLite: one implementation, the dialects differ in two clauses.

pub mod audit;
mod commit;
mod forget;
mod index;
pub mod journal_digest;
mod look;
pub mod marks;
mod moves;
mod read;
mod search;

use crate::migrations::MIGRATIONS;
use async_trait::async_trait;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::indexing::Indexed;
use baton_engine::store::purge::{Forgotten, Sweep};
use baton_engine::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery};
use baton_engine::store::{Changes, Decide, Holder, NextLook, Record, SagaStore, StartKey, StoreError};
use baton_sql::clock::DatabaseClock;
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::error::SqlError;
use baton_sql::faults::Faults;
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What writing came to: the inner error asks for a rollback.
type Written = Result<Result<(), StoreError>, SqlError>;

/// Durable state in a SQL database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    db: Database,
    clock: Arc<DatabaseClock>,
}

impl SqlStore {
    /// Opens the database and measures its clock. Changes nothing: see [`SqlStore::migrate`].
    pub async fn open(config: DatabaseConfig) -> Result<Self, StoreError> {
        let db = Database::open(config).await.map_err(store_error)?;
        let store = Self { db, clock: Arc::new(DatabaseClock::measured()) };
        store.clock.measure(&store.db).await.map_err(store_error)?;
        Ok(store)
    }

    /// The same on a clock of the caller's, which is not measured against the database's: for the simulator and tests.
    pub async fn open_with_clock(
        config: DatabaseConfig,
        clock: Arc<dyn Fn() -> Micros + Send + Sync>,
    ) -> Result<Self, StoreError> {
        let db = Database::open(config).await.map_err(store_error)?;
        Ok(Self { db, clock: Arc::new(DatabaseClock::given(Arc::new(move || clock().0))) })
    }

    /// The same store with faults around its database.
    #[must_use]
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { db: self.db.with_faults(faults), clock: self.clock.clone() }
    }

    /// Creates what is missing of the schema; returns the ids of the migrations applied.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, StoreError> {
        self.db.migrate(MIGRATIONS).await.map_err(store_error)
    }

    /// The database below, for migrations' status and for tests that damage rows.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.db
    }
}

#[async_trait]
impl SagaStore for SqlStore {
    async fn commit(&self, ids: Vec<SagaId>, decide: Decide) -> Result<Changes, StoreError> {
        self.clock.refresh(&self.db);
        // Shared with each run of the body; locked only while deciding, which awaits nothing.
        let decide = Arc::new(Mutex::new(decide));
        let mut ids = ids;
        ids.sort_unstable();
        ids.dedup();
        let clock = Arc::clone(&self.clock);
        self.db
            .transaction(move |tx| commit::run(tx, ids.clone(), Arc::clone(&decide), Arc::clone(&clock)))
            .await
            .map_err(store_error)?
    }

    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
        read::find_keys(&self.db.ahead(), keys).await
    }

    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError> {
        read::get(&self.db, id).await
    }

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        read::journal(&self.db, id, after, limit).await
    }

    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError> {
        look::look(&self.db.ahead(), &self.clock, known, limit, farthest, next).await
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        read::under_way(&self.db.ahead(), limit).await
    }

    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError> {
        forget::forget(&self.db, before, after, limit, self.now()).await
    }

    fn now(&self) -> Micros {
        Micros(self.clock.now_us())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        // A crowd of readers is no outage: the engine asks this before it goes on.
        let db = self.db.ahead();
        self.clock.measure(&db).await.map_err(store_error)?;
        db.ready("saga").await.map_err(store_error)
    }
}

#[async_trait]
impl SagaQuery for SqlStore {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        read::list(&self.db, query).await
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        search::search(&self.db, query).await
    }

    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
        search::count(&self.db, &search, limit, max_rows).await
    }

    async fn index(&self, registry: &Registry, limit: u32) -> Result<Option<Indexed>, StoreError> {
        index::step(&self.db, registry, self.now(), limit).await.map(Some)
    }

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        forget::forgotten(&self.db, id).await
    }
}

/// A database's error as the store's callers see it.
pub fn store_error(error: SqlError) -> StoreError {
    match error {
        SqlError::Unavailable(reason) => StoreError::Unavailable(reason),
        SqlError::UnknownOutcome(reason) => StoreError::UnknownOutcome(reason),
        SqlError::Conflict(reason) | SqlError::Duplicate(reason) => StoreError::Conflict(reason),
        SqlError::Constraint(reason) | SqlError::Refused(reason) => StoreError::Refused(reason),
        SqlError::Decode { .. } => StoreError::Refused(error.to_string()),
    }
}
