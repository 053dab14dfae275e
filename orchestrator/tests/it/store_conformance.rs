//! Every store passes the one suite; SQL stores also survive damaged rows and deadlocks.

use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::conformance::{exercise, sample};
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_orchestrator::store::query::{ListQuery, SagaQuery as _, SearchQuery};
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Loaded, SagaStore, StoreError};
use baton_query::filter::parse;
use baton_query::sort::OrderBy;
use baton_sql::database::{DatabaseConfig, Verdict};
use baton_sql::value::Value;
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

fn clock() -> Arc<dyn Fn() -> Micros + Send + Sync> {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Micros(i64::try_from(since.as_micros()).unwrap())
    })
}

async fn open(config: DatabaseConfig) -> SqlStore {
    let store = SqlStore::open(config).await.unwrap();
    assert_eq!(store.migrate().await.unwrap().len(), MIGRATIONS.len());
    assert!(store.migrate().await.unwrap().is_empty());
    store
}

async fn mariadb() -> SqlStore {
    let server = baton_supervisor::shared::mariadb().await;
    open(DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    exercise(Arc::new(MemoryStore::new(clock()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_memory_conforms() {
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, clock()).await.unwrap();
    store.migrate().await.unwrap();
    exercise(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_file_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(DatabaseConfig::sqlite(dir.path().join("store.db"))).await;
    exercise(Arc::new(store.clone())).await;
    damaged_rows_hide_nothing(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms() {
    let store = mariadb().await;
    exercise(Arc::new(store.clone())).await;
    damaged_rows_hide_nothing(store).await;
}

async fn damaged_rows_are_named_by_searches(store: &SqlStore, ids: &[SagaId]) {
    for filter in ["key = damaged", "key = damaged AND (reason = NONE OR state = running)"] {
        let search = Search::new(parse(filter, &[]).unwrap(), Registry::default(), store.now());
        for limit in [1, 2, 3] {
            let (mut records, mut unreadable) = (Vec::new(), Vec::new());
            let mut after = None;
            loop {
                let order = OrderBy::default();
                let query = SearchQuery { search: search.clone(), order, after, limit, max_rows: 10_000 };
                let found = store.search(query).await.unwrap();
                records.extend(found.records.iter().map(|record| record.saga.id));
                unreadable.extend(found.unreadable);
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((records, unreadable), (vec![ids[2], ids[0]], vec![ids[1]]), "{filter}, by {limit}");
        }
    }
}

async fn damaged_rows_hide_nothing(store: SqlStore) {
    let ids: Vec<_> = (0..3).map(|n| sample::id(0xf0, n)).collect();
    let records: Vec<_> = ids
        .iter()
        .map(|id| {
            let mut record = sample::record(*id, sample::running(0, Micros(1)));
            record.business_key = "damaged".to_owned();
            record
        })
        .collect();
    let inserts = records.iter().cloned().map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    let damaged = ids[1].0;
    let done = store
        .database()
        .transaction(move |tx| {
            let args: Vec<Value> = vec![vec![0xff_u8; 3].into(), damaged.into()];
            Box::pin(
                async move { tx.execute("UPDATE saga SET data = ? WHERE id = ?", args).await.map(Verdict::Commit) },
            )
        })
        .await;
    assert_eq!(done.unwrap(), 1);

    let loaded = Arc::new(Mutex::new(Loaded::default()));
    let slot = Arc::clone(&loaded);
    let look = move |loaded: &Loaded| {
        *slot.lock().unwrap() = loaded.clone();
        let mut changes = Changes::default();
        for record in loaded.records.values() {
            sample::advance(&mut changes, record, sample::running(1, Micros(2)));
        }
        changes
    };
    store.commit(ids.clone(), Box::new(look)).await.unwrap();
    let loaded = loaded.lock().unwrap().clone();
    assert_eq!(loaded.records.keys().copied().collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_eq!(loaded.broken.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[1]]);
    looks_pass_over_damaged_rows(&store, &ids).await;
    let error = store.get(ids[1]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable(reason) if reason.contains("does not decode")), "{error:?}");
    damaged_rows_are_named_by_searches(&store, &ids).await;
    for limit in [1, 2, 3] {
        let query = ListQuery { business_key: Some("damaged".to_owned()), limit, ..ListQuery::default() };
        let listed: Vec<_> = store.list(query).await.unwrap().iter().map(|record| record.saga.id).collect();
        assert_eq!(listed, [ids[2], ids[0]][..2.min(limit as usize)], "a page is full although a row is damaged");
    }
}

/// Looks, and puts off by an hour.
async fn look(store: &SqlStore, limit: u32) -> Vec<SagaId> {
    let later = Arc::new(|_: &_, now: Micros| now.plus(Duration::from_secs(3600)));
    let seen = store.look(vec![sample::definition()], limit, Duration::MAX, later).await.unwrap();
    seen.into_iter().map(|record| record.saga.id).collect()
}

/// The three have waited longest of all. The damaged one is put off like the others, so that it never fills a page.
async fn looks_pass_over_damaged_rows(store: &SqlStore, ids: &[SagaId]) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(look(store, 1).await);
    }
    seen.sort_unstable();
    assert_eq!(seen, [ids[0], ids[2]]);
    assert!(look(store, 1_000).await.iter().all(|id| !ids.contains(id)), "all three are put off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_decides_again_and_writes_once() {
    let store = mariadb().await;
    let records: Vec<_> = (0..60).map(|n| sample::record(sample::id(1, n), sample::running(0, Micros(1)))).collect();
    let inserts = records.iter().cloned().map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    let (mine, theirs) = (records[0].clone(), records[1].clone());

    let (locked, other_locked) = oneshot::channel();
    let (decided, store_decided) = oneshot::channel();
    let mut channels = Some((locked, store_decided));
    let (database, first) = (store.database().clone(), mine.saga.id.0);
    // The rival changes many rows, so that the database picks the store's transaction as the victim.
    let rival = tokio::spawn(async move {
        database
            .transaction(move |tx| {
                let channels = channels.take();
                Box::pin(async move {
                    tx.execute("UPDATE saga SET attempt = 9 WHERE id > ?", vec![first.into()]).await?;
                    if let Some((locked, store_decided)) = channels {
                        locked.send(()).unwrap();
                        store_decided.await.unwrap();
                    }
                    tx.execute("UPDATE saga SET attempt = 9 WHERE id = ?", vec![first.into()])
                        .await
                        .map(Verdict::Commit)
                })
            })
            .await
    });
    other_locked.await.unwrap();
    let decisions = Arc::new(AtomicU32::new(0));
    let (counter, mut decided) = (Arc::clone(&decisions), Some(decided));
    let decide = move |loaded: &Loaded| {
        counter.fetch_add(1, Ordering::SeqCst);
        if let Some(decided) = decided.take() {
            decided.send(()).unwrap();
        }
        let mut changes = Changes::default();
        sample::advance(&mut changes, &loaded.records[&mine.saga.id], State::Completed);
        sample::advance(&mut changes, &theirs, State::Completed);
        changes
    };
    let changes = store.commit(vec![sample::id(1, 0)], Box::new(decide)).await.unwrap();
    rival.await.unwrap().unwrap();
    assert_eq!(decisions.load(Ordering::SeqCst), 2, "the victim decided again");
    for update in &changes.updates {
        assert_eq!(store.get(update.saga.id).await.unwrap().unwrap().saga, update.saga);
        assert_eq!(store.journal(update.saga.id, 0, 10).await.unwrap().len(), 1, "written once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_leaves_out_what_another_transaction_holds() {
    let store = mariadb().await;
    let records = (0..3).map(|n| sample::record(sample::id(1, n), sample::running(0, Micros(1 + i64::from(n)))));
    let inserts = records.map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    let hold = Hold::of(&store, sample::id(1, 0)).await;
    let seen = tokio::time::timeout(Duration::from_secs(30), look(&store, 10));
    assert_eq!(seen.await.expect("a look waits for no lock"), [sample::id(1, 1), sample::id(1, 2)]);
    hold.release().await;
    assert_eq!(look(&store, 10).await, [sample::id(1, 0)]);
}

/// However many orchestrators look at once, each saga is taken by one of them.
async fn looks_share_the_sagas_out(store: SqlStore) {
    const SAGAS: u32 = 200;
    let records = (0..SAGAS).map(|n| sample::record(sample::id(1, n), sample::running(0, Micros(1 + i64::from(n)))));
    let inserts = records.map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    let lookers = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            // An empty look may be one at rows that others hold.
            loop {
                let page = look(&store, 16).await;
                if page.is_empty() {
                    return seen;
                }
                seen.extend(page);
            }
        })
    });
    let mut seen = Vec::new();
    for looker in lookers.collect::<Vec<_>>() {
        seen.extend(looker.await.unwrap());
    }
    seen.extend(look(&store, SAGAS).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..SAGAS).map(|n| sample::id(1, n)).collect::<Vec<_>>(), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_share_the_sagas_out_in_mariadb() {
    looks_share_the_sagas_out(mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_share_the_sagas_out_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    looks_share_the_sagas_out(open(DatabaseConfig::sqlite(dir.path().join("store.db"))).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_passes_over_what_another_transaction_holds() {
    let store = mariadb().await;
    let inserts = (0..3).map(|n| sample::insert(sample::record(sample::id(1, n), State::Completed))).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.unwrap();
    let hold = Hold::of(&store, sample::id(1, 1)).await;
    let later = Micros(sample::START.0 + 1_000_000);
    let forgotten = || async {
        let swept = tokio::time::timeout(Duration::from_secs(3), store.forget(later, None, 10));
        swept.await.expect("it waits for no lock").unwrap().forgotten
    };
    assert_eq!(forgotten().await, 2);
    assert!(store.get(sample::id(1, 1)).await.unwrap().is_some());
    hold.release().await;
    assert_eq!(forgotten().await, 1, "the next round meets it");
}

/// Another transaction that holds the lock of a saga's row.
struct Hold {
    release: oneshot::Sender<()>,
    holder: tokio::task::JoinHandle<()>,
}

impl Hold {
    async fn of(store: &SqlStore, id: SagaId) -> Self {
        let (locked, held) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let mut channels = Some((locked, released));
        let database = store.database().clone();
        let holder = tokio::spawn(async move {
            let ended = database.transaction(move |tx| {
                let (locked, released) = channels.take().unwrap();
                Box::pin(async move {
                    tx.query("SELECT id FROM saga WHERE id = ? FOR UPDATE", vec![id.0.into()]).await?;
                    locked.send(()).unwrap();
                    let _ = released.await;
                    Ok(Verdict::Rollback(()))
                })
            });
            ended.await.unwrap();
        });
        held.await.unwrap();
        Self { release, holder }
    }

    async fn release(self) {
        self.release.send(()).unwrap();
        self.holder.await.unwrap();
    }
}

/// The engine goes on by these: it would take a crowd of readers for a store that is away.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_asks_does_not_wait_behind_readers() {
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    let watcher = open(DatabaseConfig::mariadb(url.clone())).await;
    let crowded = DatabaseConfig::MariaDb { url, connections: 4, acquire_timeout: Duration::from_secs(1) };
    let store = SqlStore::open(crowded).await.unwrap();
    let reads: Vec<_> = (0..12)
        .map(|_| {
            let database = store.database().clone();
            tokio::spawn(
                async move { database.query("SELECT SLEEP(3) AS a_crowd_of_readers", Vec::new()).await.is_ok() },
            )
        })
        .collect();
    let counted = "SELECT COUNT(*) FROM information_schema.processlist \
                   WHERE state = 'User sleep' AND info LIKE '%a_crowd_of%' AND db = DATABASE()";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while watcher.database().query(counted, Vec::new()).await.unwrap()[0].int(0).unwrap() < 3 {
        assert!(tokio::time::Instant::now() < deadline, "the reads never began");
    }
    store.ready().await.expect("the store is there");
    assert!(store.find_keys(vec![sample::key(1, 1)]).await.expect("keys").is_empty());
    assert_eq!(store.under_way(10).await.expect("a count"), 0);
    assert!(look(&store, 10).await.is_empty());
    let mut answered = 0;
    for read in reads {
        answered += u32::from(read.await.unwrap());
    }
    assert_eq!(answered, 3, "the crowd was there all the time, and some of it in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_the_databases() {
    let store = mariadb().await;
    store.ready().await.unwrap();
    let theirs = store.database().now_us().await.unwrap();
    assert!((store.now().0 - theirs).abs() < 1_000_000);
}
