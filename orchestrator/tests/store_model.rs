//! The SQL store against the memory store: the same random commits, the same answers and the same contents.

use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Fingerprint, Insert, ListQuery, Loaded, SagaStore, StoreError};
use baton_sql::database::DatabaseConfig;
use proptest::collection::vec;
use proptest::prelude::*;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const SAGAS: u32 = 6;
const KEYS: u32 = 5;
const MESSAGES: u32 = 6;

/// One commit, in numbers small enough to collide often.
#[derive(Clone, Debug)]
struct Batch {
    inserts: Vec<(u32, usize, Vec<u32>)>,
    updates: Vec<(u32, usize, bool)>,
    outbox: Vec<u32>,
    confirmed: Vec<u32>,
    elapsed_us: i64,
}

fn batch() -> impl Strategy<Value = Batch> {
    let states = sample::every_state().len();
    (
        vec((0..SAGAS, 0..states, vec(0..KEYS, 0..2)), 0..3),
        vec((0..SAGAS, 0..states, prop::bool::weighted(0.05)), 0..4),
        vec(0..MESSAGES, 0..2),
        vec(0..MESSAGES, 0..2),
        0..4_i64,
    )
        .prop_map(|(inserts, updates, outbox, confirmed, elapsed_us)| Batch {
            inserts,
            updates,
            outbox,
            confirmed,
            elapsed_us,
        })
}

fn id(number: u32) -> SagaId {
    sample::id(1, number)
}

fn decide(batch: &Batch, loaded: &Loaded) -> Changes {
    let states = sample::every_state();
    let mut changes = Changes::default();
    for (number, state, keys) in &batch.inserts {
        let record = sample::record(id(*number), states[*state].1.clone());
        changes.journal.push(sample::started(&record.saga));
        let keys = keys.iter().map(|key| sample::key(1, *key)).collect();
        changes.inserts.push(Insert { record, keys, fingerprint: Fingerprint([*number as u8; 32]) });
    }
    for (number, state, stale) in &batch.updates {
        if let Some(record) = loaded.records.get(&id(*number)) {
            sample::advance(&mut changes, record, states[*state].1.clone());
            if *stale && let Some(update) = changes.updates.last_mut() {
                update.loaded_version += 1;
            }
        }
    }
    changes.outbox = batch.outbox.iter().map(|n| sample::message(sample::message_id(1, *n), loaded.now)).collect();
    changes.confirmed = batch.confirmed.iter().map(|n| sample::message_id(1, *n)).collect();
    changes
}

fn kind<T>(result: &Result<T, StoreError>) -> &'static str {
    match result {
        Ok(_) => "committed",
        Err(StoreError::Conflict(_)) => "conflict",
        Err(StoreError::DuplicateKey) => "duplicate key",
        Err(StoreError::Refused(_)) => "refused",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(StoreError::UnknownOutcome(_)) => "unknown outcome",
    }
}

async fn run(batches: Vec<Batch>) -> Result<(), TestCaseError> {
    let time = Arc::new(AtomicI64::new(sample::START.0));
    let read = Arc::clone(&time);
    let clock: Arc<dyn Fn() -> Micros + Send + Sync> = Arc::new(move || Micros(read.load(Ordering::SeqCst)));
    let model = MemoryStore::new(clock.clone());
    let sql = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, clock).await.unwrap();
    sql.migrate().await.unwrap();
    let stores: [&dyn SagaStore; 2] = [&model, &sql];
    for batch in batches {
        time.fetch_add(batch.elapsed_us, Ordering::SeqCst);
        let mut answers = Vec::new();
        for store in stores {
            let (ids, batch) = ((0..SAGAS).map(id).collect(), batch.clone());
            let answer = store.commit(ids, Box::new(move |loaded| decide(&batch, loaded))).await;
            answers.push((kind(&answer), answer.ok()));
        }
        prop_assert_eq!(&answers[0], &answers[1]);
        prop_assert_eq!(contents(&model).await, contents(&sql).await);
    }
    Ok(())
}

async fn contents(store: &dyn SagaStore) -> impl std::fmt::Debug + PartialEq {
    let mut sagas = Vec::new();
    for number in 0..SAGAS {
        sagas.push((store.get(id(number)).await.unwrap(), store.journal(id(number), 0, 100).await.unwrap()));
    }
    let listed = store.list(ListQuery { limit: 4, ..ListQuery::default() }).await.unwrap();
    let keys = store.find_keys((0..KEYS).map(|key| sample::key(1, key)).collect()).await.unwrap();
    let holders: Vec<_> = keys.iter().map(|holder| (holder.key, holder.saga, holder.fingerprint)).collect();
    let due = store.due(vec![sample::definition()], 3).await.unwrap();
    let unconfirmed = store.unconfirmed(Duration::from_micros(2), None, 3).await.unwrap();
    let later = store.unconfirmed(Duration::ZERO, Some(sample::message_id(1, 1)), 2).await.unwrap();
    (sagas, listed, holders, due, unconfirmed, later)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sql_store_is_the_memory_store(batches in vec(batch(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(batches))?;
    }
}
