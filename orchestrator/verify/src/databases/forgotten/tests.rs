//! An installation with retention passes its audit, page by page; what vanished without being forgotten is named.

use crate::coverage::Mode;
use crate::databases::Databases;
use crate::databases::pages::Pages;
use crate::saga_evidence::Read;
use crate::verify::{Extras, verify};
use baton_orchestrator::api::start::business_start_key;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Insert, SagaStore as _};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use saga_core::saga::State;
use saga_core::time::Micros;
use std::collections::BTreeSet;
use std::sync::Arc;

const LATER: Micros = Micros(sample::START.0 + 3_600_000_000);

/// Five sagas, the first three of them forgotten; each holds the start key of its order, `order-N`.
async fn installation() -> (SqlStore, Databases) {
    let clock = Arc::new(|| LATER);
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, clock).await.expect("a store");
    store.migrate().await.expect("a schema");
    for n in 1..=5 {
        let mut record = sample::record(sample::id(1, n), State::Completed);
        record.business_key = format!("order-{n}");
        if n > 3 {
            record.saga.updated_at = LATER;
        }
        let journal = vec![sample::started(&record.saga)];
        let keys = vec![business_start_key("order", &record.business_key)];
        let inserts = vec![Insert { keys, ..sample::insert(record) }];
        let changes = Changes { inserts, journal, ..Changes::default() };
        store.commit(Vec::new(), sample::always(changes)).await.expect("a saga");
    }
    let swept = store.forget(LATER, None, 10).await.expect("forget");
    assert_eq!(swept.forgotten, 3);
    let databases = Databases { orchestrator: Some(store.database().clone()), ..Databases::default() };
    (store, databases)
}

async fn execute(database: &Database, sql: &'static str) {
    let done =
        database.transaction(move |tx| Box::pin(async move { tx.execute(sql, Vec::new()).await.map(Verdict::Commit) }));
    assert!(done.await.expect("it executes") > 0, "nothing was changed: {sql}");
}

/// What the audit names.
async fn offenders(databases: &Databases, mode: Mode) -> Vec<String> {
    let report = verify(databases, &[], &Registry::default(), mode, Extras::default(), &mut |_| {}).await;
    report.expect("it can be read").findings.into_iter().flat_map(|finding| finding.offenders).collect()
}

#[tokio::test]
async fn pages_hold_forgotten_sagas_and_keep_their_size() {
    let (_store, databases) = installation().await;
    let mut pages = Pages::new(&databases, &[]).of_size(2);
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await.expect("a page") {
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|it| (it.id, it.forgotten, it.saga != Read::Missing)));
    }
    let expected = (1..=5).map(|n| (sample::id(1, n), (n <= 3).then_some(5), n > 3));
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_forgotten_is_not_missed_and_what_vanished_is() {
    let (_store, databases) = installation().await;
    assert_eq!(offenders(&databases, Mode::AtRest).await, [] as [String; 0]);
    assert_eq!(offenders(&databases, Mode::Live).await, [] as [String; 0]);

    let keys: BTreeSet<&str> = ["order-1", "order-4", "order-9"].into();
    let store = databases.orchestrator.as_ref().expect("a store");
    let found = super::of_keys(store, &["order".to_owned()].into(), &keys).await.expect("keys");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("order-1".to_owned(), sample::id(1, 1))]);

    execute(store, "DELETE FROM forgotten WHERE saga_id = (SELECT MIN(saga_id) FROM forgotten)").await;
    let said = offenders(&databases, Mode::AtRest).await;
    assert!(said.len() == 1 && said[0].contains(&sample::id(1, 1).to_string()), "{said:?}");
    execute(store, "DELETE FROM saga WHERE id = (SELECT MAX(id) FROM saga)").await;
    let said = offenders(&databases, Mode::AtRest).await;
    let lost = sample::id(1, 5).to_string();
    assert!(said.iter().filter(|text| text.contains(&lost)).count() == 2, "its key and its journal: {said:?}");
}

#[tokio::test]
async fn half_a_saga_is_not_forgotten() {
    let (_store, databases) = installation().await;
    let store = databases.orchestrator.as_ref().expect("a store");
    execute(
        store,
        "INSERT INTO journal SELECT (SELECT MIN(saga_id) FROM forgotten), 1, at, event FROM journal LIMIT 1",
    )
    .await;
    let said = offenders(&databases, Mode::AtRest).await;
    assert!(said.len() == 1 && said[0].contains("still has a journal"), "{said:?}");
}
