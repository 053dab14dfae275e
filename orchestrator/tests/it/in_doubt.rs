//! Which failures mean that the store is away, and what is said once the outcome of a commit is unknown.

use crate::support;
use baton_orchestrator::engine::input::{Act, Input, NotSettled};
use baton_orchestrator::store::SagaStore as _;
use saga_core::event::{OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, SagaId};
use std::sync::atomic::Ordering;
use support::faulty::Fault;
use support::{Bench, order_start, start, wait_for};

const SAGA: SagaId = SagaId([1; 16]);

#[tokio::test]
async fn only_a_store_that_is_away_is_waited_for() {
    let cases: [(&[Fault], bool); 4] = [
        (&[Fault::Refused, Fault::Refused], false),
        (&[Fault::Conflict, Fault::Conflict], false),
        (&[Fault::Away], true),
        (&[Fault::NotDoneAndUnanswered, Fault::Away], true),
    ];
    for (faults, away) in cases {
        let mut bench = Bench::new();
        start(&mut bench, 1).await.expect("settled");
        bench.store.fail_next(faults.iter().copied());
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        let reply = Input::Reply(SAGA, Reply { step: 1, direction: Direction::Action, attempt: 1, outcome });
        let handle = bench.handle.clone();
        let settled = tokio::spawn(async move { handle.many(vec![reply]).await });
        // One batch, and the look at the store that follows it.
        bench.engine.run_once().await;
        assert_eq!(settled.await.expect("no panic"), 0, "{faults:?}");
        assert_eq!(bench.store.looks.load(Ordering::SeqCst) > 0, away, "{faults:?}");
    }
}

/// Whatever failed after the answer of a COMMIT was lost, nobody is told that nothing was written.
#[tokio::test]
async fn once_in_doubt_a_later_failure_does_not_end_the_doubt() {
    for later in [Fault::DuplicateKey, Fault::Refused, Fault::Conflict, Fault::Away] {
        let mut bench = Bench::new();
        bench.store.fail_next([Fault::DoneButUnanswered, later, later, later]);
        let verdict = start(&mut bench, 1).await;
        assert!(matches!(verdict, Err(NotSettled::InDoubt(_))), "{later:?}: {verdict:?}");
        assert_eq!(bench.store.get(SAGA).await.unwrap().expect("it was started").saga.version, 1);
    }
}

#[tokio::test]
async fn an_action_in_a_batch_in_doubt_is_not_given_again_alone() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    let lost = [Fault::DoneButUnanswered, Fault::DuplicateKey, Fault::DuplicateKey, Fault::DuplicateKey];
    bench.store.fail_next(lost);
    let (actions, starts) = (bench.handle.clone(), bench.handle.clone());
    let action = OperatorAction { verb: Verb::Pause, actor: "op".into(), reason: "test".into() };
    let acted = tokio::spawn(async move { actions.action(Act::new(SAGA, action)).await.expect("queued") });
    let started = tokio::spawn(async move { starts.start(order_start(2)).await.expect("queued") });
    wait_for("both to queue", || bench.handle.waiting() == 2).await;
    bench.engine.run_once().await;
    let why = [acted.await.expect("no panic").err(), started.await.expect("no panic").err()];
    assert!(why.iter().all(|why| matches!(why, Some(NotSettled::InDoubt(_)))), "{why:?}");
    assert_eq!(bench.store.get(SAGA).await.unwrap().expect("a saga").saga.version, 2, "paused once");
}
