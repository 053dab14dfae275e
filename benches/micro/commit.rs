//! One commit of a batch: so many sagas moved by a step, and their journal.

use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Loaded, Record, SagaStore};
use baton_sql::database::DatabaseConfig;
use baton_supervisor::shared;
use criterion::{BenchmarkId, Criterion, Throughput};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// Sagas in a batch.
const SIZES: [u32; 5] = [1, 16, 64, 256, 1_024];

fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Micros(i64::try_from(since.as_micros()).unwrap())
}

/// New sagas that wait for a reply; each space of ids is used once.
async fn insert(store: &dyn SagaStore, space: u8, count: u32) -> Vec<SagaId> {
    let until = Micros(now().0 + 3_600_000_000);
    let records: Vec<Record> =
        (0..count).map(|n| sample::record(sample::id(space, n), sample::running(1, until))).collect();
    let ids = records.iter().map(|record| record.saga.id).collect();
    let inserts = records.into_iter().map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    ids
}

async fn step(store: &dyn SagaStore, ids: Vec<SagaId>) {
    let expected = ids.len();
    let decide = move |loaded: &Loaded| {
        let mut changes = Changes::default();
        for record in loaded.records.values() {
            let until = Micros(loaded.now.0 + 3_600_000_000);
            sample::advance(&mut changes, record, sample::running(1, until));
        }
        changes
    };
    let written = store.commit(ids, Box::new(decide)).await.unwrap();
    assert_eq!(written.updates.len(), expected);
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, store: &dyn SagaStore) {
    let mut group = criterion.benchmark_group(format!("commit, {name}"));
    for (space, size) in (1..).zip(SIZES) {
        let ids = runtime.block_on(insert(store, space, size));
        group.throughput(Throughput::Elements(u64::from(size)));
        group.bench_with_input(BenchmarkId::from_parameter(size), &ids, |bencher, ids| {
            bencher.iter(|| runtime.block_on(step(store, ids.clone())));
        });
    }
    group.finish();
}

pub fn all(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    measure(criterion, &runtime, "memory", &MemoryStore::new(Arc::new(now)));
    let open = async |config| {
        let store = SqlStore::open(config).await.unwrap();
        store.migrate().await.unwrap();
        store
    };
    let dir = tempfile::tempdir().unwrap();
    let sqlite = runtime.block_on(open(DatabaseConfig::sqlite(dir.path().join("store.db"))));
    measure(criterion, &runtime, "SQLite", &sqlite);
    let mariadb = runtime.block_on(async {
        let url = shared::fresh_schema(shared::mariadb().await);
        open(DatabaseConfig::mariadb(url)).await
    });
    measure(criterion, &runtime, "MariaDB", &mariadb);
}
