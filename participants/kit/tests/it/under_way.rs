//! Batches beside each other while a provider hangs, and after each other while it does not, on a clock that is turned.

use crate::support;
use baton_participant_kit::codec::batch_of;
use baton_participant_kit::participant::{Command, CommandDirection};
use baton_participant_kit::worker::WorkerOptions;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::bench::{Bench, encode};
use support::bus::Settled;
use support::toy::{Mood, add, command, effects, remove};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far longer than anything here takes, unless it never happens.
const NEVER: Duration = Duration::from_secs(60);

/// Each message is a batch of its own.
async fn bench() -> Bench {
    Bench::with(WorkerOptions { max_messages: 1, ..WorkerOptions::default() }).await
}

fn send(bench: &Bench, command: &Command) {
    bench.bus.deliver(batch_of(vec![encode(command)]));
}

fn start(bench: &Bench) -> JoinHandle<()> {
    let (worker, stop) = (Arc::clone(&bench.worker), bench.stop.clone());
    tokio::spawn(async move { worker.run(stop).await.unwrap() })
}

/// Tells the worker to stop, and waits until it has.
async fn stopped(bench: &Bench, running: JoinHandle<()>) {
    bench.stop.cancel();
    timeout(NEVER, running).await.expect("stopped").unwrap();
}

fn waiting(saga: u32) -> Command {
    command(saga, CommandDirection::Action, Mood::Wait)
}

fn dozing(saga: u32) -> Command {
    command(saga, CommandDirection::Action, Mood::Doze)
}

/// Until so many more batches wait for the test.
async fn hanging(bench: &Bench, count: usize) {
    for _ in 0..count {
        timeout(NEVER, bench.toy.waiting.notified()).await.expect("a batch that waits");
    }
}

/// The sagas of the next `count` replies.
async fn answered(bench: &Bench, count: usize) -> BTreeSet<u32> {
    let mut sagas = Vec::new();
    let reading = async {
        while sagas.len() < count {
            let ids = bench.bus.next_replies().await.into_iter().map(|reply| reply.key.unwrap().saga_id);
            sagas.extend(ids.map(|id| u32::from_be_bytes(id[12..].try_into().unwrap())));
        }
    };
    timeout(NEVER, reading).await.expect("answers");
    assert_eq!(sagas.len(), count);
    sagas.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_on_one_command_holds_up_no_other() {
    let bench = bench().await;
    send(&bench, &waiting(1));
    let running = start(&bench);
    hanging(&bench, 1).await;
    for saga in 2..12 {
        send(&bench, &dozing(saga));
    }
    assert_eq!(answered(&bench, 10).await, (2..12).collect());
    assert_eq!(bench.toy.most_preparing.load(Ordering::SeqCst), 2, "the quick ones follow each other");
    assert_eq!(effects(&bench.database, 1).await, (0, 0));
    bench.stop.cancel();
    bench.toy.go.notify_one();
    stopped(&bench, running).await;
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]), "a stopping worker finishes what it took");
    assert_eq!(bench.bus.settled(), vec![Settled::Acked; 11]);
}

#[tokio::test(start_paused = true)]
async fn quick_batches_follow_each_other() {
    let bench = bench().await;
    for saga in 0..20 {
        send(&bench, &dozing(saga));
    }
    let running = start(&bench);
    assert_eq!(answered(&bench, 20).await.len(), 20);
    assert_eq!(bench.toy.most_preparing.load(Ordering::SeqCst), 1);
    stopped(&bench, running).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_four_batches_are_under_way() {
    let bench = bench().await;
    for saga in 0..6 {
        send(&bench, &waiting(saga));
    }
    let running = start(&bench);
    hanging(&bench, 4).await;
    timeout(NEVER, bench.toy.waiting.notified()).await.expect_err("a fifth one");
    assert_eq!((bench.bus.waiting(), bench.toy.most_preparing.load(Ordering::SeqCst)), (2, 4));
    bench.stop.cancel();
    bench.toy.go.notify_waiters();
    stopped(&bench, running).await;
    assert_eq!((bench.bus.settled(), bench.bus.waiting()), (vec![Settled::Acked; 4], 2));
}

/// Until so many deliveries are acknowledged.
async fn acknowledged(bench: &Bench, count: usize) {
    let mut settled = Vec::new();
    let all = async {
        while settled.len() < count {
            settled.extend(bench.bus.next_settled().await);
        }
    };
    timeout(NEVER, all).await.expect("acknowledgements");
    assert_eq!(settled, vec![Settled::Acked; count]);
}

#[tokio::test(start_paused = true)]
async fn a_command_in_hand_is_dropped_from_later_deliveries_and_answered_once() {
    let bench = bench().await;
    send(&bench, &waiting(1));
    let running = start(&bench);
    hanging(&bench, 1).await;
    // Sent again, alone and beside another one, and as the next attempt.
    bench.bus.deliver(batch_of(vec![encode(&waiting(1)), encode(&add(2))]));
    send(&bench, &waiting(1));
    send(&bench, &Command { attempt: 2, ..add(1) });
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([2]));
    acknowledged(&bench, 3).await;
    assert_eq!((bench.toy.prepared.load(Ordering::SeqCst), bench.toy.batches.load(Ordering::SeqCst)), (2, 1));
    bench.toy.go.notify_one();
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]));
    acknowledged(&bench, 1).await;
    // Nobody has it in hand any more: sent again it gets its answer again.
    send(&bench, &waiting(1));
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]));
    assert_eq!(effects(&bench.database, 1).await, (1, 0));
    stopped(&bench, running).await;
}

/// Of two halves of one step, and of two commands of one saga, one in hand is not the other.
#[tokio::test(start_paused = true)]
async fn only_the_very_command_is_dropped() {
    let bench = bench().await;
    send(&bench, &waiting(1));
    let running = start(&bench);
    hanging(&bench, 1).await;
    send(&bench, &remove(1));
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]), "its undo");
    bench.toy.go.notify_one();
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]), "refused by the tombstone");
    assert_eq!(effects(&bench.database, 1).await, (0, 0));
    stopped(&bench, running).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_batch_had_in_hand_is_done_by_the_next() {
    let bench = bench().await;
    send(&bench, &waiting(1));
    let batch = || {
        let (worker, mut consumer, stop) = (Arc::clone(&bench.worker), bench.bus.clone(), bench.stop.clone());
        tokio::spawn(async move { worker.run_once(&mut consumer, &stop).await.unwrap() })
    };
    let dying = batch();
    hanging(&bench, 1).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    let next = batch();
    hanging(&bench, 1).await;
    // The first one's call to the provider has outlived it.
    bench.toy.go.notify_waiters();
    assert_eq!(answered(&bench, 1).await, BTreeSet::from([1]));
    assert!(next.await.unwrap());
    assert_eq!(effects(&bench.database, 1).await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_leaves_all_its_batches_in_the_queue() {
    let bench = bench().await;
    for saga in 0..3 {
        send(&bench, &waiting(saga));
    }
    let running = start(&bench);
    hanging(&bench, 3).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!((bench.bus.settled(), bench.bus.waiting()), (vec![], 3));
}
