//! The engine against a store and a bus that fail on action.

use crate::support;
use baton_orchestrator::api::view;
use baton_orchestrator::engine::handle::{EngineHandle, Rejected};
use baton_orchestrator::engine::input::{Act, Input, NotSettled, StartOutcome};
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::store::query::SagaQuery as _;
use baton_orchestrator::workers::active_count::ActiveCount;
use baton_orchestrator::workers::probe::NoProbe;
use baton_orchestrator::workers::waker::Couriers;
use baton_query::filter::parse;
use baton_shop::saga::registry;
use saga_core::event::{OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, SagaId, State};
use std::sync::Arc;
use std::time::Duration;
use support::faulty::Fault;
use support::{Bench, Settlement, delivery, drive, order_start, start, wait_for};

fn succeeded(step: u8) -> Reply {
    Reply {
        step,
        direction: Direction::Action,
        attempt: 1,
        outcome: Outcome::Succeeded { output: bytes::Bytes::new() },
    }
}

#[tokio::test]
async fn a_start_is_committed_and_its_command_sent() {
    let mut bench = Bench::new();
    assert!(matches!(start(&mut bench, 1).await, Ok(StartOutcome::Started(_))));
    let commands = bench.bus.commands();
    assert_eq!(commands.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["order.open"]);
    assert!(bench.bus.published.lock().unwrap().is_empty(), "commands wait for no confirm");
    assert_eq!(bench.store.get(SagaId([1; 16])).await.unwrap().expect("committed").saga.version, 1);
}

#[tokio::test]
async fn the_same_start_twice_in_one_batch_is_one_saga() {
    let mut bench = Bench::new();
    let (first, second) = (bench.handle.clone(), bench.handle.clone());
    let first = tokio::spawn(async move { first.start(order_start(1)).await });
    let mut again = order_start(1);
    again.id = SagaId([9; 16]);
    let second = tokio::spawn(async move { second.start(again).await });
    wait_for("both to queue", || bench.handle.waiting() == 2).await;
    bench.engine.run_once().await;
    let verdicts = [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()];
    assert!(matches!(&verdicts[0], Ok(StartOutcome::Started(_))), "{verdicts:?}");
    assert!(
        matches!(&verdicts[1], Ok(StartOutcome::Taken { same: true, holder, .. }) if *holder == SagaId([1; 16])),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn a_taken_key_is_found_and_does_not_hold_up_the_batch() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    let (first, second) = (bench.handle.clone(), bench.handle.clone());
    let mut other = order_start(2);
    other.keys = order_start(1).keys;
    let taken = tokio::spawn(async move { first.start(other).await });
    let fresh = tokio::spawn(async move { second.start(order_start(3)).await });
    wait_for("both to queue", || bench.handle.waiting() == 2).await;
    bench.engine.run_once().await;
    assert!(matches!(taken.await.unwrap().unwrap(), Ok(StartOutcome::Taken { same: false, key: 0, .. })));
    assert!(matches!(fresh.await.unwrap().unwrap(), Ok(StartOutcome::Started(_))));
}

#[tokio::test]
async fn a_lost_commit_answer_is_read_not_assumed() {
    for (fault, commands) in [(Fault::DoneButUnanswered, 0), (Fault::NotDoneAndUnanswered, 1)] {
        let mut bench = Bench::new();
        bench.store.fail_next([fault]);
        let verdict = start(&mut bench, 1).await;
        assert!(matches!(verdict, Ok(StartOutcome::Started(_))), "{fault:?}: {verdict:?}");
        assert_eq!(bench.bus.commands().len(), commands, "{fault:?}");
        assert_eq!(bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga.version, 1);
        // Done but unanswered: the row is there, and whoever looks at it sends what it waits for.
        bench.clock.pass(Duration::from_secs(1));
        let waker = bench.waker(Arc::new(NoProbe));
        assert_eq!(bench.look(&waker, &mut Couriers::default()).await.sent_again, 1, "{fault:?}");
        assert_eq!(bench.bus.commands().len(), commands + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_operators_action_is_not_applied_twice_when_in_doubt() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    bench.store.fail_next([Fault::DoneButUnanswered]);
    let handle = bench.handle.clone();
    let action = OperatorAction { verb: Verb::Pause, actor: "op".into(), reason: "test".into() };
    let verdict =
        tokio::spawn(async move { handle.action(Act { version: Some(1), ..Act::new(SagaId([1; 16]), action) }).await });
    drive(&mut bench.engine, &verdict).await;
    assert!(matches!(verdict.await.unwrap().unwrap(), Err(NotSettled::InDoubt(_))));
    let saga = bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga;
    assert_eq!(saga.version, 2);
    assert!(matches!(saga.state, State::Paused { .. }));
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_replies_are_held() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    bench.store.fail_next([Fault::Away]);
    let (delivered, settlements) = delivery();
    bench.handle.delivery(vec![(SagaId([1; 16]), succeeded(1))], delivered).await;
    bench.engine.run_once().await;
    assert_eq!(*settlements.lock().unwrap(), []);
    bench.engine.run_once().await;
    wait_for("the ack", || *settlements.lock().unwrap() == [Settlement::Acked]).await;
    let saga = bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga;
    assert!(matches!(saga.state, State::Running { step: 2, .. }), "{:?}", saga.state);
}

#[tokio::test]
async fn a_batch_that_conflicts_is_settled_one_by_one() {
    let mut bench = Bench::new();
    for n in 1..=3 {
        start(&mut bench, n).await.expect("settled");
    }
    bench.store.fail_next([Fault::Conflict]);
    let inputs = (1..=3).map(|n| Input::Reply(SagaId([n; 16]), succeeded(1))).collect();
    let handle = bench.handle.clone();
    let settled = tokio::spawn(async move { handle.many(inputs).await });
    drive(&mut bench.engine, &settled).await;
    for n in 1..=3 {
        let saga = bench.store.get(SagaId([n; 16])).await.unwrap().unwrap().saga;
        assert_eq!(saga.version, 2, "saga {n}");
    }
}

/// Why a saga tries again stands in its row, where lists and filters find it, and is gone once it got over it.
#[tokio::test]
async fn why_a_saga_tries_again_is_kept_while_it_does() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    let id = SagaId([1; 16]);
    let away = Outcome::Unavailable { reason: "AWAY".to_owned(), message: "for people".to_owned() };
    for (reply, reason) in [(Reply { outcome: away, ..succeeded(1) }, "AWAY"), (succeeded(1), "")] {
        let (handle, input) = (bench.handle.clone(), Input::Reply(id, reply));
        let settled = tokio::spawn(async move { handle.many(vec![input]).await });
        drive(&mut bench.engine, &settled).await;
        let record = bench.store.get(id).await.unwrap().unwrap();
        assert_eq!(view::saga(&registry(), &record).reason, reason);
        let filter = parse("reason = AWAY", &[]).unwrap();
        let search = Search::new(filter, registry(), record.saga.updated_at);
        assert_eq!(bench.store.count(search, 10, 10).await.unwrap().count, u64::from(!reason.is_empty()));
    }
}

#[tokio::test]
async fn replies_of_unknown_sagas_are_acknowledged_and_change_nothing() {
    let mut bench = Bench::new();
    let (delivered, settlements) = delivery();
    bench.handle.delivery(vec![(SagaId([5; 16]), succeeded(1))], delivered).await;
    bench.engine.run_once().await;
    wait_for("the ack", || *settlements.lock().unwrap() == [Settlement::Acked]).await;
    assert_eq!(bench.store.get(SagaId([5; 16])).await.unwrap(), None);
}

#[tokio::test]
async fn one_batch_is_one_transaction_and_one_message_per_participant() {
    let mut bench = Bench::new();
    let starts: Vec<_> = (1..=100)
        .map(|n| {
            let handle = bench.handle.clone();
            tokio::spawn(async move { handle.start(order_start(n)).await })
        })
        .collect();
    wait_for("all to queue", || bench.handle.waiting() == 100).await;
    bench.engine.run_once().await;
    for started in starts {
        assert!(matches!(started.await.unwrap().unwrap(), Ok(StartOutcome::Started(_))));
    }
    assert_eq!(bench.store.commits.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(bench.bus.sent.lock().unwrap().len(), 1);
    assert_eq!(bench.bus.commands().len(), 100);
}

#[tokio::test]
async fn past_the_bound_callers_are_told_to_come_back() {
    let (handle, jobs) = EngineHandle::new(16, 2, UnderWay::new(100));
    let waiting: Vec<_> = (1..=2)
        .map(|n| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.start(order_start(n)).await })
        })
        .collect();
    wait_for("two to queue", || handle.waiting() == 2).await;
    assert_eq!(handle.start(order_start(3)).await.unwrap_err(), Rejected::Overloaded);
    // A caller that goes away does not make room for others: its start is still in the queue.
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    for aborted in waiting {
        assert!(aborted.await.unwrap_err().is_cancelled());
    }
    assert_eq!(handle.start(order_start(4)).await.unwrap_err(), Rejected::Overloaded);
    assert_eq!(jobs.len(), 2);
}

#[tokio::test]
async fn no_more_sagas_are_started_than_may_be_under_way() {
    let mut bench = Bench::bounded(3);
    for n in 1..=3 {
        assert!(matches!(start(&mut bench, n).await, Ok(StartOutcome::Started(_))));
    }
    assert_eq!(bench.handle.start(order_start(4)).await.unwrap_err(), Rejected::Overloaded);
    assert!(bench.store.get(SagaId([4; 16])).await.unwrap().is_none(), "a refusal leaves nothing");

    // Those that another orchestrator ended make room once they are counted.
    for n in 1..=2 {
        bench.store.end(SagaId([n; 16])).await;
    }
    assert_eq!(bench.handle.start(order_start(4)).await.unwrap_err(), Rejected::Overloaded);
    bench.active_count.run_once().await.unwrap();
    assert!(matches!(start(&mut bench, 4).await, Ok(StartOutcome::Started(_))));
    assert!(matches!(start(&mut bench, 5).await, Ok(StartOutcome::Started(_))));
    assert_eq!(bench.handle.start(order_start(6)).await.unwrap_err(), Rejected::Overloaded);

    // And one that comes to rest here makes room at once.
    let handle = bench.handle.clone();
    let action = OperatorAction { verb: Verb::Pause, actor: "op".into(), reason: "test".into() };
    let paused = tokio::spawn(async move { handle.action(Act::new(SagaId([5; 16]), action)).await });
    drive(&mut bench.engine, &paused).await;
    assert_eq!(bench.under_way.now(), 2);
}

/// After a restart nothing moves here, and what there is counts all the same.
#[tokio::test]
async fn what_was_left_by_another_life_is_counted() {
    let mut before = Bench::bounded(3);
    for n in 1..=3 {
        assert!(matches!(start(&mut before, n).await, Ok(StartOutcome::Started(_))));
    }
    let after = UnderWay::new(3);
    let count = ActiveCount::new(before.store.clone(), after.clone(), before.metrics.clone());
    assert!(after.admits(0), "it is not known yet");
    count.run_once().await.unwrap();
    assert_eq!((after.now(), before.metrics.under_way.get()), (3, 3));
    assert!(!after.admits(0));
}

#[tokio::test]
async fn a_store_that_goes_away_in_the_middle_of_singles_ends_them() {
    let mut bench = Bench::new();
    for n in 1..=50 {
        start(&mut bench, n).await.expect("settled");
    }
    let before = bench.store.commits.load(std::sync::atomic::Ordering::SeqCst);
    bench.store.fail_next([Fault::Conflict, Fault::Away]);
    let inputs = (1..=50).map(|n| Input::Reply(SagaId([n; 16]), succeeded(1))).collect();
    let handle = bench.handle.clone();
    let settled = tokio::spawn(async move { handle.many(inputs).await });
    drive(&mut bench.engine, &settled).await;
    assert_eq!(settled.await.unwrap(), 0);
    assert_eq!(bench.store.commits.load(std::sync::atomic::Ordering::SeqCst) - before, 2);
}

#[tokio::test]
async fn a_row_that_does_not_fit_its_definition_is_left_alone_and_spoils_nobody() {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    start(&mut bench, 2).await.expect("settled");
    bench.store.damage(SagaId([1; 16]), 40).await;
    let inputs = (1..=2).map(|n| Input::Reply(SagaId([n; 16]), succeeded(1))).collect();
    let before = bench.store.commits.load(std::sync::atomic::Ordering::SeqCst);
    let handle = bench.handle.clone();
    let settled = tokio::spawn(async move { handle.many(inputs).await });
    drive(&mut bench.engine, &settled).await;
    assert_eq!(settled.await.unwrap(), 1);
    assert_eq!(
        bench.store.commits.load(std::sync::atomic::Ordering::SeqCst) - before,
        3,
        "in one, once its row was read; it is read once more before it is given up"
    );
}

#[tokio::test]
async fn closing_ends_the_engine_whoever_holds_a_handle() {
    let bench = Bench::new();
    let (handle, closing) = (bench.handle.clone(), bench.closing.clone());
    let engine = tokio::spawn(bench.engine.run());
    closing.cancel();
    engine.await.expect("it ends");
    assert_eq!(handle.start(order_start(1)).await.unwrap_err(), Rejected::Stopping);
}
