//! Defects put into the engine on purpose: each check passes on the real engine and catches its bug.

use crate::support;
use baton_orchestrator::engine::planted::{EngineBug, drop_unconfirmed};
use baton_orchestrator::engine::sender::Sender;
use baton_orchestrator::store::SagaStore as _;
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
    bench.published().await;
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

/// I14: a message whose publish nobody confirmed keeps its outbox row.
async fn unconfirmed_rows_stay(bench: &mut Bench, plant: impl Fn(&Arc<Sender>, &Bench)) -> Result<(), String> {
    bench.bus.mute.store(true, Ordering::SeqCst);
    start(bench, 1).await.expect("settled");
    bench.published().await;
    plant(&bench.sender, bench);
    start(bench, 2).await.expect("settled");
    bench.published().await;
    bench.clock.pass(Duration::from_secs(2));
    let rows = bench.store.unconfirmed(Duration::from_secs(1), None, 10).await.unwrap();
    if rows.len() == 2 { Ok(()) } else { Err(format!("{} of 2 outbox rows are left", rows.len())) }
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
async fn publish_before_commit_is_caught() {
    no_command_without_a_commit(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|sender| Some(EngineBug::PublishBeforeCommit(sender.clone())));
    no_command_without_a_commit(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn ack_before_commit_is_caught() {
    no_ack_without_a_commit(&mut Bench::new()).await.expect("the engine is right");
    let mut bug = Bench::with(|_| Some(EngineBug::AckBeforeCommit));
    no_ack_without_a_commit(&mut bug).await.expect_err("the bug is caught");
}

#[tokio::test]
async fn outbox_row_dropped_before_confirm_is_caught() {
    unconfirmed_rows_stay(&mut Bench::new(), |_, _| {}).await.expect("the engine is right");
    let plant = |sender: &Arc<Sender>, bench: &Bench| {
        let ids: Vec<_> = bench.bus.published.lock().unwrap().iter().map(|message| message.id).collect();
        drop_unconfirmed(sender, ids);
    };
    unconfirmed_rows_stay(&mut Bench::new(), plant).await.expect_err("the bug is caught");
}
