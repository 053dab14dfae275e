//! Stuck sagas are told: once each, by one orchestrator, and only while they are stuck. Over SQLite and MariaDB.

use crate::support;
use async_trait::async_trait;
use baton_courier::bus::Destination;
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::letters::NewLetter;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _, Update};
use baton_orchestrator::workers::backlog_gauges::BacklogGauges;
use baton_orchestrator::workers::incidents::{Incidents, Webhook};
use baton_shop::saga::registry;
use baton_sql::database::{DatabaseConfig, Verdict};
use saga_core::saga::{Cause, Direction, Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use support::order_start;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Hears everything, and says so unless it was told not to.
#[derive(Debug, Default)]
struct Ear {
    deaf: Mutex<bool>,
    heard: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Webhook for Ear {
    async fn tell(&self, id: &str, _at: i64, body: Vec<u8>) -> Result<(), String> {
        self.heard.lock().unwrap().push((id.to_owned(), serde_json::from_slice(&body).expect("JSON")));
        if *self.deaf.lock().unwrap() { Err("deaf".to_owned()) } else { Ok(()) }
    }
}

impl Ear {
    fn ids(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }
}

async fn stores() -> Vec<(&'static str, Arc<SqlStore>)> {
    let sqlite = SqlStore::open(DatabaseConfig::SqliteMemory).await.expect("SQLite");
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    let mariadb = SqlStore::open(DatabaseConfig::mariadb(url)).await.expect("MariaDB");
    let stores = vec![("SQLite", Arc::new(sqlite)), ("MariaDB", Arc::new(mariadb))];
    for (name, store) in &stores {
        store.migrate().await.expect(name);
        store.ready().await.expect(name);
    }
    stores
}

fn stuck(n: u8, now: Micros) -> Record {
    let start = order_start(n);
    let why = Cause { step: 4, reason: "ORDER_STATE".to_owned(), message: "words that nobody is told".to_owned() };
    let state = State::Stuck { step: 4, direction: Direction::Action, attempt: 1, why, unwinding: None };
    let at = Micros(now.0 - 90_000_000);
    let saga = Saga {
        id: SagaId([n; 16]),
        definition: start.definition,
        version: 5,
        state,
        created_at: at,
        updated_at: at,
        deadline: None,
        input: start.input,
        outputs: Vec::new(),
    };
    Record {
        saga,
        business_key: start.business_key,
        traceparent: String::new(),
        last_failure: None,
        skipped: Vec::new(),
    }
}

fn worker(store: &Arc<SqlStore>, ear: Option<&Arc<Ear>>) -> (Incidents, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
    let webhook = ear.map(|ear| ear.clone() as Arc<dyn Webhook>);
    let operations = Operations::new(store.clone());
    (Incidents::new(operations, store.clone(), registry(), metrics.clone(), webhook), metrics)
}

/// Lets every attempt's pause pass.
async fn all_due(store: &SqlStore) {
    let done = store.database().transaction(|tx| {
        Box::pin(async move { tx.execute("UPDATE incident SET next_at = 0", Vec::new()).await.map(Verdict::Commit) })
    });
    done.await.expect("due");
}

#[tokio::test]
async fn each_is_told_once_and_under_one_id() {
    for (name, store) in stores().await {
        let records = [stuck(1, store.now()), stuck(2, store.now())];
        let changes = Changes { inserts: records.iter().cloned().map(sample::insert).collect(), ..Changes::default() };
        store.commit(Vec::new(), sample::always(changes)).await.expect(name);
        let ear = Arc::new(Ear::default());
        let (incidents, metrics) = worker(&store, Some(&ear));
        *ear.deaf.lock().unwrap() = true;
        incidents.run_once().await.expect(name);
        assert_eq!(ear.ids().len(), 2, "{name}");
        assert_eq!((metrics.incidents.get(), metrics.incidents_told.get()), (2, 0), "{name}");
        assert!(metrics.incident_age.get() >= 90, "{name}");
        incidents.run_once().await.expect(name);
        assert_eq!(ear.ids().len(), 2, "{name}: not before its pause is over");

        // One moves on before anybody has heard of it.
        let mut saga = records[1].saga.clone();
        (saga.version, saga.state) = (6, State::Completed);
        let update = Update {
            saga,
            last_failure: None,
            skipped: Vec::new(),
            loaded_version: 5,
            look_at: None,
            data_changed: true,
        };
        let changes = Changes { updates: vec![update], ..Changes::default() };
        store.commit(vec![SagaId([2; 16])], sample::always(changes)).await.expect(name);
        *ear.deaf.lock().unwrap() = false;
        all_due(&store).await;
        // Two orchestrators look at once.
        let (other, _) = worker(&store, Some(&ear));
        let (one, two) = tokio::join!(incidents.run_once(), other.run_once());
        one.and(two).expect(name);
        all_due(&store).await;
        incidents.run_once().await.expect(name);
        let ids = ear.ids();
        let first = format!("incident-{}-5", uuid::Uuid::from_bytes([1; 16]));
        assert_eq!(ids.iter().filter(|id| **id == first).count(), 2, "{name}: refused, then heard: {ids:?}");
        assert_eq!(ids.len(), 3, "{name}: {ids:?}");

        let heard = ear.heard.lock().unwrap();
        let (_, body) = heard.last().expect("one");
        let data = &body["data"];
        assert_eq!(body["type"], "saga.incident.opened", "{name}");
        assert_eq!(
            (&data["step"], &data["direction"], &data["reason"]),
            (&"order.confirm".into(), &"action".into(), &"ORDER_STATE".into())
        );
        assert_eq!(data["path"], format!("/sagas/{}", uuid::Uuid::from_bytes([1; 16])), "{name}");
        let told = body.to_string();
        assert!(!told.contains("words that nobody") && !told.contains("customer"), "{name}: {told}");
    }
}

/// Says nothing, ever; lets others know that it was asked.
#[derive(Debug, Default)]
struct Mute(Notify);

#[async_trait]
impl Webhook for Mute {
    async fn tell(&self, _id: &str, _at: i64, _body: Vec<u8>) -> Result<(), String> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn who_shuts_down_does_not_wait_for_a_webhook_that_hangs() {
    for (name, store) in stores().await {
        let changes = Changes { inserts: vec![sample::insert(stuck(1, store.now()))], ..Changes::default() };
        store.commit(Vec::new(), sample::always(changes)).await.expect(name);
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let (mute, operations) = (Arc::new(Mute::default()), Operations::new(store.clone()));
        let incidents = Incidents::new(operations, store.clone(), registry(), metrics, Some(mute.clone()));
        let stop = CancellationToken::new();
        let running = tokio::spawn(incidents.run(stop.clone()));
        mute.0.notified().await;
        stop.cancel();
        running.await.expect(name);
    }
}

#[tokio::test]
async fn without_a_webhook_they_are_counted_and_nothing_is_written() {
    for (name, store) in stores().await {
        let changes = Changes { inserts: vec![sample::insert(stuck(1, store.now()))], ..Changes::default() };
        store.commit(Vec::new(), sample::always(changes)).await.expect(name);
        let (incidents, metrics) = worker(&store, None);
        incidents.run_once().await.expect(name);
        assert_eq!(metrics.incidents.get(), 1, "{name}");
        let rows = store.database().query("SELECT COUNT(*) FROM incident", Vec::new()).await.expect(name);
        assert_eq!(rows[0].int(0).expect("a count"), 0, "{name}");
    }
}

#[tokio::test]
async fn what_waits_for_somebody_is_counted() {
    for (name, store) in stores().await {
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let operations = Operations::new(store.clone());
        let under_way = UnderWay::new(3);
        under_way.counted(3, under_way.about_to_count());
        let (known, counted) = (Registry::default(), under_way.clone());
        let backlog_gauges = BacklogGauges::new(operations.clone(), metrics.clone(), known, counted);
        let figures = async || {
            backlog_gauges.run_once().await.expect(name);
            (metrics.overdue_age.get(), metrics.dead_letters.get())
        };
        let put = async |n: u8, state: State| {
            let mut record = stuck(n, store.now());
            record.saga.state = state;
            let changes = Changes { inserts: vec![sample::insert(record)], ..Changes::default() };
            store.commit(Vec::new(), sample::always(changes)).await.expect(name);
        };
        let running = |wake: i64| {
            let until = Micros(store.now().0 + wake * 1_000_000);
            State::Running { step: 3, wait: Wait::Reply { attempt: 1, last: 8, until } }
        };
        assert_eq!(figures().await, (0, 0), "{name}: nothing");
        // On time, at rest, and in need of a person: nobody has to wake these.
        put(1, running(60)).await;
        put(2, State::Completed).await;
        put(3, stuck(3, store.now()).saga.state).await;
        assert_eq!(figures().await, (0, 0), "{name}");
        put(4, running(-90)).await;
        put(5, running(-10)).await;
        let letter = NewLetter {
            id: Uuid::now_v7(),
            destination: Destination::Replies,
            message_id: None,
            reason: "BATCH_UNREADABLE".to_owned(),
            body: vec![7].into(),
            sagas: Vec::new(),
        };
        operations.keep_letters(&[letter]).await.expect(name);
        let (late, letters) = figures().await;
        assert!((90..95).contains(&late) && letters == 1, "{name}: {late} s, {letters}");
        assert_eq!(metrics.undrivable.get(), 3, "{name}: a build that knows no definition drives none");
        assert!(under_way.admits(2) && !under_way.admits(3), "{name}: they refuse no others");
    }
}
