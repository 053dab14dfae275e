//! Defects put into the engine on purpose: each check passes on the real engine and catches its bug.

use crate::support;
use baton_courier::bus::Message;
use baton_orchestrator::engine::planted::EngineBug;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::workers::probe::NoProbe;
use baton_orchestrator::workers::waker::Couriers;
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::faulty::Fault;
use support::{Bench, Settlement, delivery, start, wait_for};

/// I14: a command on the bus has a committed saga that ordered it.
async fn no_command_without_a_commit(bench: &mut Bench) -> Result<(), String> {
    bench.store.fail_next([Fault::Conflict]);
    let _ = start(bench, 1).await;
    for command in bench.bus.commands() {
        let saga = SagaId(command.key.unwrap().saga_id.as_ref().try_into().unwrap());
        if bench.store.get(saga).await.unwrap().is_none() {
            return Err(format!("command {} of a saga that was never committed", command.name));
        }
    }
    Ok(())
}

/// I1: a reply that is not applied durably is not acknowledged.
async fn no_ack_without_a_commit(bench: &mut Bench) -> Result<(), String> {
    start(bench, 1).await.expect("settled");
    bench.store.fail_next([Fault::Away]);
    let (delivered, settlements) = delivery();
    let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
    let reply = Reply { step: 1, direction: Direction::Action, attempt: 1, outcome };
    bench.handle.delivery(vec![(SagaId([1; 16]), reply)], delivered).await;
    bench.engine.run_once().await;
    let applied = bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga.version > 1;
    let settled = settlements.lock().unwrap().clone();
    if settled.is_empty() || applied { Ok(()) } else { Err(format!("{settled:?} although nothing was committed")) }
}

/// I14': whatever waits can be sent again from its row alone.
async fn what_is_lost_is_sent_again(bench: &mut Bench) -> Result<(), String> {
    start(bench, 1).await.expect("settled");
    let lost = std::mem::take(&mut *bench.bus.sent.lock().unwrap());
    bench.clock.pass(Duration::from_secs(1));
    let waker = bench.waker(Arc::new(NoProbe));
    bench.look(&waker, &mut Couriers::default()).await;
    let bodies = |messages: &[Message]| messages.iter().map(|message| message.body.clone()).collect::<Vec<_>>();
    let again = bench.bus.sent.lock().unwrap().clone();
    if bodies(&again) == bodies(&lost) { Ok(()) } else { Err(format!("{again:?} instead of {lost:?}")) }
}

/// Sending again is no attempt: the saga stays as it is.
async fn sending_again_moves_nothing(bench: &mut Bench) -> Result<(), String> {
    start(bench, 1).await.expect("settled");
    let before = bench.store.get(SagaId([1; 16])).await.unwrap();
    bench.clock.pass(Duration::from_secs(1));
    let waker = bench.waker(Arc::new(NoProbe));
    bench.look(&waker, &mut Couriers::default()).await;
    let after = bench.store.get(SagaId([1; 16])).await.unwrap();
    if after == before { Ok(()) } else { Err(format!("{after:?} instead of {before:?}")) }
}

/// While the bus is away no attempt is given up, and none at once when it is back.
async fn no_attempt_ends_by_an_outage(bench: &mut Bench) -> Result<(), String> {
    start(bench, 1).await.expect("settled");
    let (waker, mut couriers) = (bench.waker(Arc::new(NoProbe)), Couriers::default());
    for away in [true, true, false] {
        bench.bus.away.store(away, Ordering::SeqCst);
        bench.look(&waker, &mut couriers).await;
        let saga = bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga;
        if saga.version != 1 {
            return Err(format!("given up although the bus was away: {:?}", saga.state));
        }
        bench.clock.pass(Duration::from_secs(60));
    }
    Ok(())
}

/// A machine with a defect in it: it panics at one reply, to the saga that is made of ones.
fn panics_at_saga_one(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    assert!(!matches!(event, Event::Reply(_)) || saga.id != SagaId([1; 16]), "planted");
    machine::apply(definition, saga, event, now)
}

/// A saga that this process has moved itself is tried on the value it keeps, before any transaction.
#[tokio::test]
async fn a_machine_that_panics_costs_one_input_and_not_the_engine() {
    let mut bench = Bench::with(|_| Some(EngineBug::Machine(panics_at_saga_one)));
    for n in 1..=2 {
        start(&mut bench, n).await.expect("settled");
    }
    let mut all = Vec::new();
    for n in 1..=2 {
        let (delivered, settlements) = delivery();
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        let reply = Reply { step: 1, direction: Direction::Action, attempt: 1, outcome };
        bench.handle.delivery(vec![(SagaId([n; 16]), reply)], delivered).await;
        all.push(settlements);
    }
    assert!(bench.engine.run_once().await, "it goes on");
    for (settlements, expected) in all.iter().zip([Settlement::DeadLettered, Settlement::Acked]) {
        wait_for("the settlement", || *settlements.lock().unwrap() == [expected]).await;
    }
    for (n, version) in [(1, 1), (2, 2)] {
        assert_eq!(bench.store.get(SagaId([n; 16])).await.unwrap().expect("a saga").saga.version, version);
    }
}

#[tokio::test]
async fn send_before_commit_is_caught() {
    no_command_without_a_commit(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|bus| Some(EngineBug::SendBeforeCommit(bus.clone())));
    no_command_without_a_commit(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn ack_before_commit_is_caught() {
    no_ack_without_a_commit(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|_| Some(EngineBug::AckBeforeCommit));
    no_ack_without_a_commit(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn never_send_again_is_caught() {
    what_is_lost_is_sent_again(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|_| Some(EngineBug::NeverSendAgain));
    what_is_lost_is_sent_again(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn sending_again_as_an_attempt_is_caught() {
    sending_again_moves_nothing(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|_| Some(EngineBug::SendingAgainIsAnAttempt));
    sending_again_moves_nothing(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn a_clock_that_runs_while_the_bus_is_away_is_caught() {
    no_attempt_ends_by_an_outage(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|_| Some(EngineBug::ClockRunsWhileAway));
    no_attempt_ends_by_an_outage(&mut bug).await.expect_err("the bug is caught");
}
