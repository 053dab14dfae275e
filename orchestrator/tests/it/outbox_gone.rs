//! An installation from before commands were sent by couriers that may lose them: what waited in its outbox is published once
//! more, and its sagas under way are looked at.

use crate::support::RecordingBus;
use baton_courier::bus::Destination;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::letters::LetterState;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_orchestrator::store::row::{SAGA_COLUMNS, saga_values};
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::workers::replays::Replays;
use baton_sql::database::{DatabaseConfig, Verdict};
use baton_sql::migration::Migration;
use baton_sql::value::Value;
use saga_core::saga::SagaId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Columns of the table that is gone.
const OUTBOX_COLUMNS: [&str; 4] = ["id", "participant", "body", "created_at"];

/// What waits in it: for whom, and what.
fn waiting() -> [(Uuid, Destination, &'static [u8]); 3] {
    let stock = || Destination::Commands("stock".to_owned());
    [
        (sample::request_id(1, 1), stock(), b"a command"),
        (sample::request_id(1, 2), Destination::Replies, b"\x00a reply\xff"),
        (sample::request_id(1, 3), stock(), b"a command"),
    ]
}

fn rows() -> Vec<Vec<Value>> {
    let rows = waiting().into_iter().map(|(id, destination, body)| {
        let participant = match destination {
            Destination::Commands(name) => name,
            Destination::Replies => "@replies".to_owned(),
        };
        vec![id.into_bytes().into(), participant.into(), body.into(), sample::START.0.into()]
    });
    rows.collect()
}

/// A saga in each state, and what waits in the outbox, as the last build before wrote them.
async fn old(store: &SqlStore) {
    let before: Vec<Migration> = MIGRATIONS.iter().filter(|migration| migration.id < "0080").copied().collect();
    store.database().migrate(&before).await.unwrap();
    let states = sample::every_state().into_iter().zip(0..);
    let sagas: Vec<_> = states.map(|((_, state), n)| saga_values(&sample::record(sample::id(1, n), state))).collect();
    let put = store.database().transaction(move |tx| {
        let sagas = sagas.clone();
        Box::pin(async move {
            tx.insert_many("saga", &SAGA_COLUMNS, sagas).await?;
            tx.insert_many("outbox", &OUTBOX_COLUMNS, rows()).await.map(Verdict::Commit)
        })
    });
    put.await.unwrap();
    assert_eq!(store.migrate().await.unwrap().len(), MIGRATIONS.len() - before.len());
}

async fn goes_on(store: SqlStore) {
    old(&store).await;
    let gone = store.database().query("SELECT id FROM outbox", Vec::new()).await;
    gone.expect_err("the table is gone");

    // The first four states are those of sagas under way; their deadlines have passed.
    let active: BTreeSet<SagaId> = (0..4).map(|n| sample::id(1, n)).collect();
    assert_eq!(store.under_way(100).await.unwrap(), active.len() as u64);
    let later = Arc::new(|_: &_, now: saga_core::time::Micros| now.plus(Duration::from_secs(3600)));
    let seen = store.look(vec![sample::definition()], 100, Duration::MAX, later).await.unwrap();
    assert_eq!(seen.iter().map(|record| record.saga.id).collect::<BTreeSet<_>>(), active);

    let operations = Operations::new(Arc::new(store));
    let unsent = operations.unsent_letters(10).await.unwrap();
    assert!(unsent.iter().all(|(letter, _)| letter.state == LetterState::Replayed && letter.sagas.is_empty()));
    assert_eq!(operations.waiting_letters().await.unwrap(), 0, "no operator need decide");
    let bus = Arc::new(RecordingBus::default());
    let replays = Replays::new(operations.clone(), bus.clone());
    assert_eq!(replays.run_once().await.unwrap(), 3);
    assert_eq!(replays.run_once().await.unwrap(), 0, "once");
    let published: Vec<_> = std::mem::take(&mut *bus.published.lock().unwrap());
    let published = published.into_iter().map(|message| (message.destination, message.body.to_vec()));
    let expected = waiting().map(|(_, destination, body)| (destination, body.to_vec()));
    assert_eq!(published.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_sqlite_file_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    goes_on(SqlStore::open(DatabaseConfig::sqlite(dir.path().join("store.db"))).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_mariadb_schema_goes_on() {
    goes_on(SqlStore::open(crate::support::office::mariadb().await).await.unwrap()).await;
}
