//! What is being released: no pause comes too late, nothing is forgotten, and one that cannot be seen to hinders no other.

use super::support::office::{Office, both, mariadb};
use super::support::{Bench, order_start, wait_for};
use super::{ORDER_SAGAS, STOCK};
use baton_orchestrator::hold_policy::{Held, Mark};
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::holds::Hold;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::audit::NewAudit;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::{Changes, Fingerprint, Record, SagaStore as _};
use baton_orchestrator::workers::holds::Holds;
use baton_shop::saga::registry;
use baton_sql::database::DatabaseConfig;
use saga_core::saga::SagaId;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_another_orchestrator_has_released_catches_nobody() {
    for office in both().await {
        office.hold(STOCK).await.expect("held");
        let saga = office.start(1).await;
        office.answer(saga, 1).await;
        // This process has not heard of it when the saga comes there.
        let neighbour = office.neighbour();
        neighbour.release(STOCK).await.expect("releasing");
        neighbour.holds_worker().run_once().await.expect("a round");
        assert!(neighbour.holds().await.is_empty());
        office.answer(saga, 2).await;
        assert_eq!(office.state(saga).await, "running");
        office.sends_to("stock", 1).await;
        assert!(office.actions(saga).await.is_empty());
    }
}

/// A worker stalls before its pause is committed for longer than its claim lasts, and another one sees the release through.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_comes_after_its_hold_was_released_is_not_given() {
    for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
        let mut bench = Bench::over(config).await;
        let handle = bench.handle.clone();
        let started = tokio::spawn(async move { handle.start(order_start(1)).await });
        crate::support::drive(&mut bench.engine, &started).await;
        let saga = SagaId([1; 16]);
        let worker = |operations: &Operations| {
            Holds::new(
                operations.clone(),
                bench.store.clone(),
                bench.store.clone(),
                bench.handle.clone(),
                registry(),
                Uuid::now_v7(),
            )
        };
        // The engine stands still, and with it whoever waits for a pause.
        let operations = bench.operations.clone().expect("operations");
        let held = Held::parse(ORDER_SAGAS).expect("a name");
        let act = |verb: &str| NewAudit {
            at: operations.now(),
            actor: "ada".into(),
            act: verb.into(),
            subject: ORDER_SAGAS.into(),
            reason: "the warehouse burns".into(),
            before: String::new(),
            after: String::new(),
            saga: None,
            version: 0,
            request: None,
            content: Fingerprint([0; 32]),
        };
        let hold = Hold {
            held: held.clone(),
            reason: "the warehouse burns".into(),
            actor: "ada".into(),
            created_at: operations.now(),
            release: None,
            paused: 0,
        };
        operations.hold(hold, act("hold")).await.expect("held");
        let stalled = worker(&operations);
        let stalled = tokio::spawn(async move { stalled.run_once().await });
        wait_for("the pause to queue", || bench.handle.waiting() == 1).await;

        bench.clock.pass(Duration::from_secs(11));
        let neighbour = Operations::new(bench.sql.clone().expect("a database"));
        neighbour.release(held.clone(), act("release")).await.expect("releasing");
        worker(&neighbour).run_once().await.expect("a round");
        assert!(neighbour.holds().await.expect("a list").is_empty(), "seen through");

        bench.engine.run_once().await;
        stalled.await.expect("no panic").expect("a round");
        let saga = bench.store.get(saga).await.unwrap().expect("a saga").saga;
        assert_eq!((saga.state.name(), saga.version), ("running", 1), "nobody is left to resume it");
    }
}

/// The first hold meets a row that cannot be read, round after round; the second one is seen to all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_cannot_be_seen_to_keeps_no_other_waiting() {
    for office in both().await {
        let sick = office.start(1).await;
        office.hold(ORDER_SAGAS).await.expect("held");
        let worker = office.holds_worker();
        worker.run_once().await.expect("a round");
        office.release(ORDER_SAGAS).await.expect("releasing");
        office.hold(STOCK).await.expect("held");
        let saga = office.start(2).await;
        for step in [1, 2] {
            office.answer(saga, step).await;
        }
        office.release(STOCK).await.expect("releasing");
        assert_eq!((office.state(sick).await, office.state(saga).await), ("paused", "paused"));
        office.store.sicken(Some(sick));
        worker.run_once().await.expect("a round");
        assert_eq!(office.state(saga).await, "running");
        office.store.sicken(None);
        assert_eq!(office.state(sick).await, "paused");
        worker.run_once().await.expect("a round");
        assert_eq!(office.state(sick).await, "running");
        assert!(office.holds().await.is_empty());
    }
}

/// While a fleet is being upgraded an older build sees sagas that only a newer one can resume.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_build_cannot_resume_is_left_to_another() {
    for office in both().await {
        let sagas = [office.start(1).await, office.start(2).await];
        office.hold(ORDER_SAGAS).await.expect("held");
        let newer = office.holds_worker();
        newer.run_once().await.expect("a round");
        office.release(ORDER_SAGAS).await.expect("releasing");
        let (operations, store, engine) = (office.operations.clone(), office.store.clone(), office.api.engine.clone());
        let older = Holds::new(operations, store.clone(), store, engine, Registry::default(), Uuid::now_v7());
        // The newer one has the claim until it lapses; the older one does not keep it.
        office.clock.pass(Duration::from_secs(11));
        older.run_once().await.expect("a round");
        assert_eq!(office.holds().await[0].paused, 2);
        newer.run_once().await.expect("a round");
        for saga in sagas {
            assert_eq!(office.state(saga).await, "running");
        }
        assert!(office.holds().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_came_garbled_once_is_resumed_later() {
    for office in both().await {
        let (garbled, whole) = (office.start(1).await, office.start(2).await);
        office.hold(ORDER_SAGAS).await.expect("held");
        let worker = office.holds_worker();
        worker.run_once().await.expect("a round");
        office.release(ORDER_SAGAS).await.expect("releasing");
        office.store.garble_next(garbled);
        worker.run_once().await.expect("a round");
        assert_eq!((office.state(garbled).await, office.state(whole).await), ("paused", "running"));
        // Left alone is the release, not the hold.
        office.hold(ORDER_SAGAS).await.expect("held again");
        worker.run_once().await.expect("a round");
        assert_eq!(office.state(whole).await, "paused");
        office.release(ORDER_SAGAS).await.expect("releasing");
        office.clock.pass(Duration::from_secs(11));
        worker.run_once().await.expect("a round");
        assert_eq!((office.state(garbled).await, office.state(whole).await), ("running", "running"));
        assert!(office.holds().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_round_looks_at_is_left_as_well() {
    let office = Office::over(DatabaseConfig::SqliteMemory).await;
    let first = office.start(1).await;
    office.hold(ORDER_SAGAS).await.expect("held");
    let newer = office.holds_worker();
    newer.run_once().await.expect("a round");
    let original = office.store.get(first).await.unwrap().expect("a saga");
    let copies: Vec<_> = (0..1_000_u128)
        .map(|n| {
            let mut copy = original.clone();
            copy.saga.id = SagaId(Uuid::from_u128(u128::MAX - n).into_bytes());
            copy
        })
        .collect();
    let held = Held::parse(ORDER_SAGAS).expect("a name");
    let mark = |copy: &Record| Mark { held: held.clone(), saga: copy.saga.id, seen: copy.saga.version };
    let marks = copies.iter().map(mark).collect();
    let changes = Changes { inserts: copies.into_iter().map(sample::insert).collect(), marks, ..Changes::default() };
    office.store.inner.commit(Vec::new(), sample::always(changes)).await.expect("copied");
    office.release(ORDER_SAGAS).await.expect("releasing");
    office.clock.pass(Duration::from_secs(11));
    let (operations, store, engine) = (office.operations.clone(), office.store.clone(), office.api.engine.clone());
    Holds::new(operations, store.clone(), store, engine, Registry::default(), Uuid::now_v7())
        .run_once()
        .await
        .expect("a round");
    newer.run_once().await.expect("a round");
    assert_eq!(
        office.state(first).await,
        "running",
        "the newer build need not wait for the older one's claim to lapse"
    );
}
