//! The index of attributes in databases: what was there before it, who comes late, who is forgotten, and two at once.

use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::conformance::sample::{self, Labelled};
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_orchestrator::store::purge::first_id_at;
use baton_orchestrator::store::query::{SagaQuery as _, SearchQuery};
use baton_orchestrator::store::row::{SAGA_COLUMNS, saga_values};
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Insert, SagaStore};
use baton_orchestrator::workers::index::Index;
use baton_query::filter::parse;
use baton_query::sort::OrderBy;
use baton_sql::database::{DatabaseConfig, Verdict};
use baton_sql::migration::Migration;
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

async fn sqlite(dir: &tempfile::TempDir) -> SqlStore {
    SqlStore::open(DatabaseConfig::sqlite(dir.path().join("store.db"))).await.unwrap()
}

async fn mariadb() -> SqlStore {
    let server = baton_supervisor::shared::mariadb().await;
    SqlStore::open(DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server))).await.unwrap()
}

fn labelled() -> Labelled {
    Labelled::new("labelled", 1)
}

fn registry() -> Registry {
    labelled().registry()
}

fn insert(n: u32) -> Insert {
    labelled().insert(sample::record(sample::id(1, n), State::Completed), &format!("region=r{}\nlabel=l{n}", n % 3))
}

async fn started(store: &SqlStore, inserts: Vec<Insert>) {
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
}

async fn found(store: &SqlStore, filter: &str) -> usize {
    let search = Search::new(parse(filter, &Labelled::NAMES).unwrap(), registry(), store.now());
    let query = SearchQuery { search, order: OrderBy::default(), after: None, limit: 1_000, max_rows: 100_000 };
    let found = store.search(query).await.unwrap();
    assert!(found.next.is_none());
    found.records.len()
}

/// Rows that the index has for a saga: one for each attribute, and one for its trace.
async fn rows(store: &SqlStore, id: SagaId) -> usize {
    let sql = "SELECT name, value FROM saga_attribute WHERE saga_id = ?";
    store.database().query(sql, vec![id.0.into()]).await.unwrap().len()
}

async fn caught_up(store: &SqlStore, limit: u32) -> usize {
    let mut sagas = 0;
    loop {
        let indexed = store.index(&registry(), limit).await.unwrap().unwrap();
        sagas += indexed.sagas;
        if !indexed.more {
            return sagas;
        }
    }
}

/// An installation from before there were attributes: its sagas are found at once, and by the index as it catches up, step by
/// step, whoever goes on with it.
async fn what_was_there_before_is_caught_up_with(store: SqlStore) {
    let before: Vec<Migration> = MIGRATIONS.iter().filter(|migration| migration.id < "0070").copied().collect();
    store.database().migrate(&before).await.unwrap();
    let old: Vec<_> = (0..60).map(|n| saga_values(&insert(n).record)).collect();
    let put = store.database().transaction(move |tx| {
        let old = old.clone();
        Box::pin(async move { tx.insert_many("saga", &SAGA_COLUMNS, old).await.map(Verdict::Commit) })
    });
    put.await.unwrap();
    assert_eq!(store.migrate().await.unwrap().len(), MIGRATIONS.len() - before.len());
    assert_eq!((found(&store, "region = r1").await, rows(&store, sample::id(1, 0)).await), (20, 0));

    let first = store.index(&registry(), 16).await.unwrap().unwrap();
    assert!(first.sagas == 16 && first.more && first.until.is_some());
    assert_eq!((rows(&store, sample::id(1, 15)).await, rows(&store, sample::id(1, 16)).await), (3, 0));
    assert_eq!((found(&store, "region = r1").await, found(&store, "label = l59").await), (20, 1));
    assert_eq!(caught_up(&store, 16).await, 44, "it goes on where it was");
    assert_eq!(rows(&store, sample::id(1, 59)).await, 3);
    assert_eq!((found(&store, "region = r1").await, found(&store, "label = l59").await), (20, 1));
    assert_eq!(caught_up(&store, 16).await, 0, "nothing is done twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_sqlite_file_is_caught_up_with() {
    let dir = tempfile::tempdir().unwrap();
    what_was_there_before_is_caught_up_with(sqlite(&dir).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_mariadb_schema_is_caught_up_with() {
    what_was_there_before_is_caught_up_with(mariadb().await).await;
}

async fn late_starts_bring_their_attributes_and_forgetting_takes_them(store: SqlStore) {
    store.migrate().await.unwrap();
    let (usual, late) = (insert(2), insert(1));
    started(&store, vec![usual.clone()]).await;
    assert_eq!(rows(&store, usual.record.saga.id).await, 0, "a start leaves that to the index");
    caught_up(&store, 16).await;
    started(&store, vec![late.clone()]).await;
    assert_eq!(rows(&store, late.record.saga.id).await, 3, "the index has passed this one");
    let mut young = insert(3);
    young.record.saga.id = first_id_at(store.now().plus(Duration::from_secs(60)));
    started(&store, vec![young.clone()]).await;
    assert_eq!(rows(&store, young.record.saga.id).await, 0, "and not that one");
    assert_eq!((found(&store, "label = l1").await, found(&store, "label = l3").await), (1, 1));

    let before = Micros(sample::START.0 + 1_000_000);
    assert_eq!(store.forget(before, None, 100).await.unwrap().forgotten, 2);
    assert_eq!((rows(&store, usual.record.saga.id).await, rows(&store, late.record.saga.id).await), (0, 0));
    assert_eq!(found(&store, "label = l1").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_writes_late_attributes_with_the_start() {
    let dir = tempfile::tempdir().unwrap();
    late_starts_bring_their_attributes_and_forgetting_takes_them(sqlite(&dir).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_writes_late_attributes_with_the_start() {
    late_starts_bring_their_attributes_and_forgetting_takes_them(mariadb().await).await;
}

/// A start that looked at the fence before it moved is waited for: it brings no attributes, and nobody would find it.
#[tokio::test(flavor = "multi_thread")]
async fn the_fence_waits_for_starts_under_way() {
    let store = mariadb().await;
    store.migrate().await.unwrap();
    started(&store, vec![insert(0)]).await;
    let (locked, held) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let mut channels = Some((locked, released));
    let (database, row) = (store.database().clone(), saga_values(&insert(1).record));
    let starting = tokio::spawn(async move {
        let start = database.transaction(move |tx| {
            let (row, channels) = (row.clone(), channels.take());
            Box::pin(async move {
                tx.query("SELECT reached FROM attribute_index WHERE id = 1 LOCK IN SHARE MODE", Vec::new()).await?;
                if let Some((locked, released)) = channels {
                    locked.send(()).unwrap();
                    let _ = released.await;
                }
                tx.insert_many("saga", &SAGA_COLUMNS, vec![row]).await.map(Verdict::Commit)
            })
        });
        start.await.unwrap();
    });
    held.await.unwrap();
    let indexing = tokio::spawn({
        let store = store.clone();
        async move { caught_up(&store, 16).await }
    });
    let waits = "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND info LIKE 'UPDATE attribute_index%'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(4);
    while store.database().query(waits, Vec::new()).await.unwrap()[0].int(0).unwrap() == 0 {
        assert!(tokio::time::Instant::now() < deadline && !indexing.is_finished(), "the fence waited for nobody");
    }
    release.send(()).unwrap();
    starting.await.unwrap();
    assert_eq!(indexing.await.unwrap(), 2);
    assert_eq!(rows(&store, sample::id(1, 1)).await, 3);
}

/// Any number may do it at once: nothing is missed, and nothing is written twice.
#[tokio::test(flavor = "multi_thread")]
async fn rivals_index_each_saga() {
    let store = mariadb().await;
    store.migrate().await.unwrap();
    started(&store, (0..200).map(insert).collect()).await;
    let rivals: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { caught_up(&store, 7).await })
        })
        .collect();
    for rival in rivals {
        rival.await.unwrap();
    }
    caught_up(&store, 7).await;
    let count = store.database().query("SELECT COUNT(*) FROM saga_attribute", Vec::new()).await.unwrap();
    assert_eq!(count[0].int(0).unwrap(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_tells_how_far_it_is_and_ends_where_there_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(&dir).await;
    store.migrate().await.unwrap();
    started(&store, (0..300).map(insert).collect()).await;
    let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
    let index = Index::new(Arc::new(store.clone()), Arc::new(store.clone()), registry(), metrics.clone());
    assert!(index.run_once().await.unwrap().unwrap().more);
    assert!(metrics.index_behind.get() > 1_000_000, "years behind");
    assert!(!index.run_once().await.unwrap().unwrap().more);
    assert_eq!(metrics.index_behind.get(), 0);

    let memory = Arc::new(MemoryStore::new(Arc::new(|| sample::START)));
    Index::new(memory.clone(), memory, registry(), metrics).run(CancellationToken::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_compare_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    for store in [sqlite(&dir).await, mariadb().await] {
        store.migrate().await.unwrap();
        let values = ["a", "A", "a ", "\u{e4}", "a\u{308}", "", "50%", "_"];
        let of = |(n, value): (u32, &&str)| {
            labelled().insert(sample::record(sample::id(1, n), State::Completed), &format!("region={value}"))
        };
        started(&store, (0..).zip(&values).map(of).collect()).await;
        caught_up(&store, 16).await;
        for value in values {
            assert_eq!(found(&store, &format!("region = \"{value}\"")).await, 1, "{value:?}");
        }
    }
}
