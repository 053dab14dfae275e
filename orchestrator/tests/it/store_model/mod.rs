//! Every store against a model: random histories of commits and reads get the same answers and leave the same contents.
//!
//! A failure is shrunk and printed with its seed; `BATON_SEED=N cargo test -p baton-orchestrator --test it NAME`
//! replays it. Without a seed one is drawn.

mod compare;
mod defect;
mod model;
mod step;

use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::query::WholeStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_sql::database::{DatabaseConfig, Verdict};
use compare::{Time, compare};
use defect::{DEFECTS, Defective};
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};
use step::Step;

/// Histories for a store that costs nothing to open.
const IN_MEMORY: u32 = 256;
/// Histories for a planted defect at the most; the first that shows it ends the search. The rarest shows in about one of a
/// hundred, so that one that passes has not had bad luck.
const PLANTED: u32 = 64 * IN_MEMORY;
/// Histories for a file or server; a commit there costs milliseconds.
const DURABLE: u32 = 48;

/// Runs `cases` random histories. An error holds the smallest history that fails, and how to replay it.
fn explore(name: &str, cases: u32, test: impl Fn(Vec<Step>) -> TestCaseResult) -> Result<(), String> {
    let given = std::env::var("BATON_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("BATON_SEED is a whole number"));
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::with_source_file(file!())
    };
    TestRunner::new(config).run(&step::history(), test).map_err(|failure| {
        let replay = format!("BATON_SEED={seed} cargo test -p baton-orchestrator --test it {name}");
        format!("{failure}\nseed {seed}; replay: {replay}")
    })
}

fn expect(found: Result<(), String>) {
    if let Err(failure) = found {
        panic!("{failure}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn memory_is_the_model() {
    let runtime = runtime();
    expect(explore("memory_is_the_model", 4 * IN_MEMORY, |history| {
        let time = Time::new();
        let store = MemoryStore::new(time.clock());
        runtime.block_on(compare(&store, &time, history))
    }));
}

#[test]
fn sqlite_is_the_model() {
    let runtime = runtime();
    expect(explore("sqlite_is_the_model", IN_MEMORY, |history| {
        let time = Time::new();
        runtime.block_on(async {
            let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, time.clock()).await.unwrap();
            store.migrate().await.unwrap();
            compare(&store, &time, history).await
        })
    }));
}

#[test]
fn mariadb_is_the_model() {
    let runtime = runtime();
    let time = Time::new();
    let store = runtime.block_on(async {
        let server = baton_supervisor::shared::mariadb().await;
        let config = DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server));
        let store = SqlStore::open_with_clock(config, time.clock()).await.unwrap();
        store.migrate().await.unwrap();
        store
    });
    expect(explore("mariadb_is_the_model", DURABLE, |history| {
        runtime.block_on(async {
            empty(&store).await;
            compare(&store, &time, history).await
        })
    }));
}

async fn empty(store: &SqlStore) {
    let emptied = store.database().transaction(|tx| {
        Box::pin(async move {
            for table in ["saga", "saga_key", "journal", "forgotten", "saga_attribute"] {
                tx.execute(&format!("DELETE FROM {table}"), Vec::new()).await?;
            }
            // The next history's clock is turned back.
            tx.execute("UPDATE attribute_index SET reached = ?", vec![[0_u8; 16].into()]).await?;
            Ok(Verdict::Commit(()))
        })
    });
    emptied.await.unwrap();
}

#[test]
fn every_planted_defect_is_noticed() {
    let runtime = runtime();
    for (name, defect) in DEFECTS {
        let found = explore("every_planted_defect_is_noticed", PLANTED, |history| {
            let time = Time::new();
            let store = Defective { inner: MemoryStore::new(time.clock()), defect: *defect };
            runtime.block_on(compare(&store as &dyn WholeStore, &time, history))
        });
        assert!(found.is_err(), "a store that {name} passes for a good one");
    }
}
