//! Each defect on purpose is caught: the invariant that holds under all rules breaks under the broken one.

use crate::support;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::codec::{batch_of, key_to_wire};
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Command, CommandDirection};
use baton_participant_kit::plan::{PlantedBug, Rules};
use baton_participant_kit::worker::{Worker, WorkerOptions};
use baton_proto::baton::participant::v1 as wire;
use baton_sql::database::{Database, DatabaseConfig};
use prost::Message as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::bench::{Bench, encode};
use support::bus::ObedientBus;
use support::toy::{Mood, Toy, add, command, effects, remove};
use support::{NOW_US, batches_with};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

async fn database(toy: &Toy) -> Database {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.unwrap();
    database.migrate(&ledger::migrations(toy)).await.unwrap();
    database
}

fn rules(planted: Option<PlantedBug>) -> Rules {
    Rules { planted }
}

/// Every effect happens at most once, however often its command comes.
async fn effect_once(planted: Option<PlantedBug>) -> bool {
    let toy = Arc::new(Toy::default());
    let database = database(&toy).await;
    let worker = batches_with(&toy, &database, rules(planted));
    for _ in 0..3 {
        worker.answer(&[add(1)]).await;
    }
    effects(&database, 1).await == (1, 0)
}

/// After an undo the action never takes effect.
async fn no_late_action(planted: Option<PlantedBug>) -> bool {
    let toy = Arc::new(Toy::default());
    let database = database(&toy).await;
    let worker = batches_with(&toy, &database, rules(planted));
    worker.answer(&[remove(1)]).await;
    worker.answer(&[add(1)]).await;
    effects(&database, 1).await == (0, 0)
}

/// A refusal stays a refusal, even if the participant would say yes by now.
async fn refusals_last(planted: Option<PlantedBug>) -> bool {
    let toy = Arc::new(Toy::default());
    let database = database(&toy).await;
    let worker = batches_with(&toy, &database, rules(planted));
    let refused = command(1, CommandDirection::Action, Mood::Reject);
    worker.answer(std::slice::from_ref(&refused)).await;
    toy.changed_its_mind.store(true, Ordering::SeqCst);
    worker.answer(&[refused]).await;
    effects(&database, 1).await == (0, 0)
}

/// A command is not lost when its worker dies before the commit.
async fn nothing_lost(planted: Option<PlantedBug>) -> bool {
    let toy = Arc::new(Toy::default());
    let database = database(&toy).await;
    let bus = ObedientBus::default();
    let one = command(1, CommandDirection::Action, Mood::Wait);
    let encoded = wire::Command {
        key: Some(key_to_wire(one.key)),
        attempt: 1,
        name: one.name,
        payload: one.payload,
        ..wire::Command::default()
    };
    bus.deliver(batch_of(vec![encoded.encode_to_vec().into()]));
    let options = WorkerOptions { rules: rules(planted), ..WorkerOptions::default() };
    let clock = Clock::from_fn(|| NOW_US);
    let worker = Worker::new(
        Arc::clone(&toy),
        database.clone(),
        Arc::new(bus.clone()),
        clock,
        ParticipantMetrics::default(),
        options,
    );
    let worker = Arc::new(worker);
    let dying = Arc::clone(&worker);
    let running = tokio::spawn(async move { dying.run(CancellationToken::new()).await });
    toy.waiting.notified().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    // The next worker of the same queue, if anything waits there.
    if bus.waiting() > 0 {
        toy.go.notify_waiters();
        toy.go.notify_one();
        worker.run_once(&mut bus.clone(), &CancellationToken::new()).await.unwrap();
    }
    effects(&database, 1).await == (1, 0)
}

/// A worker that has a command in hand, and is sent it again.
async fn with_one_in_hand(planted: Option<PlantedBug>) -> (Bench, JoinHandle<()>) {
    let rules = rules(planted);
    let bench = Bench::with(WorkerOptions { max_messages: 1, rules, ..WorkerOptions::default() }).await;
    let one = command(1, CommandDirection::Action, Mood::Wait);
    bench.bus.deliver(batch_of(vec![encode(&one)]));
    let (worker, stop) = (Arc::clone(&bench.worker), bench.stop.clone());
    let running = tokio::spawn(async move { worker.run(stop).await.unwrap() });
    bench.toy.waiting.notified().await;
    // The message behind it tells when it has been looked at.
    bench.bus.deliver(batch_of(vec![encode(&Command { payload: add(1).payload, ..one })]));
    bench.bus.deliver(batch_of(vec![encode(&add(2))]));
    while !bench.bus.next_replies().await.iter().any(|reply| reply.key == Some(key_to_wire(add(2).key))) {}
    (bench, running)
}

/// A command that is in hand is not begun again.
async fn begun_once(planted: Option<PlantedBug>) -> bool {
    let (bench, running) = with_one_in_hand(planted).await;
    running.abort();
    bench.toy.prepared.load(Ordering::SeqCst) == 2
}

/// A command whose reply is lost is answered when it comes again.
async fn answered_again(planted: Option<PlantedBug>) -> bool {
    let bench = Bench::with(WorkerOptions { rules: rules(planted), ..WorkerOptions::default() }).await;
    let mut answers = 0;
    for _ in 0..2 {
        bench.bus.deliver(batch_of(vec![encode(&add(1))]));
        bench.step().await;
        answers += bench.bus.replies().len();
    }
    answers == 2
}

#[tokio::test(start_paused = true)]
async fn begins_twice_is_caught() {
    assert!(begun_once(None).await);
    assert!(!begun_once(Some(PlantedBug::BeginsTwice)).await);
}

#[tokio::test]
async fn never_lets_go_is_caught() {
    assert!(answered_again(None).await);
    assert!(!answered_again(Some(PlantedBug::NeverLetsGo)).await);
}

#[tokio::test]
async fn no_ledger_check_is_caught() {
    assert!(effect_once(None).await);
    assert!(!effect_once(Some(PlantedBug::NoLedgerCheck)).await);
}

#[tokio::test]
async fn no_tombstone_is_caught() {
    assert!(no_late_action(None).await);
    assert!(!no_late_action(Some(PlantedBug::NoTombstone)).await);
}

#[tokio::test]
async fn ack_before_commit_is_caught() {
    assert!(nothing_lost(None).await);
    assert!(!nothing_lost(Some(PlantedBug::AckBeforeCommit)).await);
}

#[tokio::test]
async fn rejection_not_stored_is_caught() {
    assert!(refusals_last(None).await);
    assert!(!refusals_last(Some(PlantedBug::RejectionNotStored)).await);
}
