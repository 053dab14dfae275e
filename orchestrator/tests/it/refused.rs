//! What the store refuses: tried once more before a reply is given up, and only the reply that cannot be written is.

use crate::support;
use baton_orchestrator::engine::input::StartOutcome;
use baton_orchestrator::store::SagaStore as _;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{Direction, SagaId};
use std::sync::{Arc, Mutex};
use support::faulty::Fault;
use support::{Bench, Settlement, delivery, start, wait_for};

fn succeeded() -> Reply {
    let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
    Reply { step: 1, direction: Direction::Action, attempt: 1, outcome }
}

async fn started(bench: &mut Bench, n: u8) {
    assert!(matches!(start(bench, n).await, Ok(StartOutcome::Started(_))));
}

/// Queues a reply to each of these sagas, every one in a delivery of its own.
async fn answer(bench: &Bench, sagas: &[u8]) -> Vec<Arc<Mutex<Vec<Settlement>>>> {
    let mut all = Vec::new();
    for n in sagas {
        let (delivered, settlements) = delivery();
        bench.handle.delivery(vec![(SagaId([*n; 16]), succeeded())], delivered).await;
        all.push(settlements);
    }
    all
}

async fn settled_as(settlements: &Mutex<Vec<Settlement>>, expected: Settlement) {
    wait_for("the settlement", || !settlements.lock().unwrap().is_empty()).await;
    assert_eq!(*settlements.lock().unwrap(), [expected]);
}

async fn version(bench: &Bench, n: u8) -> u64 {
    bench.store.get(SagaId([n; 16])).await.unwrap().expect("a saga").saga.version
}

#[tokio::test]
async fn a_reply_that_is_refused_once_is_applied() {
    let mut bench = Bench::new();
    started(&mut bench, 1).await;
    bench.store.fail_next([Fault::Refused]);
    let settlements = answer(&bench, &[1]).await;
    bench.engine.run_once().await;
    settled_as(&settlements[0], Settlement::Acked).await;
    assert_eq!(version(&bench, 1).await, 2);
}

#[tokio::test]
async fn one_of_several_that_is_refused_once_alone_is_applied() {
    let mut bench = Bench::new();
    for n in 1..=3 {
        started(&mut bench, n).await;
    }
    // Together, then the first of them alone.
    bench.store.fail_next([Fault::Refused, Fault::Refused]);
    let settlements = answer(&bench, &[1, 2, 3]).await;
    bench.engine.run_once().await;
    for (n, settlement) in (1..=3).zip(&settlements) {
        settled_as(settlement, Settlement::Acked).await;
        assert_eq!(version(&bench, n).await, 2);
    }
}

#[tokio::test]
async fn a_saga_that_is_always_refused_is_quarantined_and_only_it() {
    let mut bench = Bench::new();
    for n in 1..=3 {
        started(&mut bench, n).await;
    }
    bench.store.refuse(SagaId([2; 16]));
    let settlements = answer(&bench, &[1, 2, 3]).await;
    bench.engine.run_once().await;
    settled_as(&settlements[0], Settlement::Acked).await;
    settled_as(&settlements[1], Settlement::DeadLettered).await;
    settled_as(&settlements[2], Settlement::Acked).await;
    assert_eq!((version(&bench, 1).await, version(&bench, 2).await, version(&bench, 3).await), (2, 1, 2));
}

#[tokio::test]
async fn a_row_that_was_garbled_on_its_way_is_read_again() {
    let mut bench = Bench::new();
    for n in 1..=2 {
        started(&mut bench, n).await;
    }
    // Behind the engine's back, so that it has to read them.
    for n in 1..=2 {
        bench.store.touch(SagaId([n; 16])).await;
    }
    bench.store.garble_next(SagaId([1; 16]));
    let settlements = answer(&bench, &[1, 2]).await;
    bench.engine.run_once().await;
    for (n, settlement) in (1..=2).zip(&settlements) {
        settled_as(settlement, Settlement::Acked).await;
        assert_eq!(version(&bench, n).await, 3);
    }
}
