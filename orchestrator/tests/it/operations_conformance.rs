//! Operations pass the one suite, wherever they are kept.

use crate::support::Clock;
use baton_orchestrator::operations::conformance::{Suite, exercise};
use baton_orchestrator::operations::memory::MemoryOperations;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_sql::database::DatabaseConfig;
use std::sync::Arc;

async fn sql(config: DatabaseConfig) {
    let clock = Clock::new();
    let own = clock.clone();
    let store = SqlStore::open_with_clock(config, Arc::new(move || own.now())).await.expect("open");
    store.migrate().await.expect("migrated");
    let store = Arc::new(store);
    exercise(Suite { store: store.clone(), operations: store, pass: Box::new(move |time| clock.pass(time)) }).await;
}

#[tokio::test]
async fn memory_conforms() {
    let clock = Clock::new();
    let own = clock.clone();
    let store = Arc::new(MemoryStore::new(Arc::new(move || own.now())));
    let operations = Arc::new(MemoryOperations::new(store.clone()));
    exercise(Suite { store, operations, pass: Box::new(move |time| clock.pass(time)) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    sql(DatabaseConfig::SqliteMemory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms() {
    let server = baton_supervisor::shared::mariadb().await;
    sql(DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server))).await;
}
