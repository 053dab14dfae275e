//! The worker between the queue and the ledger: replies, acknowledgements, quarantine, stopping.

use crate::support;
use baton_participant_kit::codec::batch_of;
use baton_participant_kit::participant::{Command, CommandDirection};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::bench::{Bench, encode};
use support::bus::Settled;
use support::toy::{Mood, add, command, effects, remove};

#[tokio::test]
async fn all_waiting_messages_are_one_batch_and_each_is_answered_and_acknowledged() {
    let bench = Bench::new().await;
    for message in 0..10 {
        bench.bus.deliver(batch_of((0..20).map(|n| encode(&add(message * 20 + n))).collect()));
    }
    bench.step().await;
    assert_eq!(bench.toy.batches.load(Ordering::SeqCst), 1);
    let replies = bench.bus.replies();
    assert_eq!(replies.len(), 200);
    assert!(replies.iter().all(|reply| reply.attempt == 1 && reply.traceparent == "00-trace"));
    assert_eq!(bench.bus.settled(), vec![Settled::Acked; 10]);
}

/// One that is done and one that is refused.
fn both() -> Bytes {
    batch_of(vec![encode(&add(1)), encode(&command(2, CommandDirection::Action, Mood::Reject))])
}

#[tokio::test]
async fn a_lost_reply_costs_a_repetition_of_its_command_and_nothing_else() {
    let bench = Bench::new().await;
    bench.bus.deliver(both());
    bench.bus.set_deaf(true);
    bench.step().await;
    assert_eq!((bench.bus.settled(), bench.bus.waiting()), (vec![Settled::Acked], 0), "nothing waits for a reply");
    bench.bus.set_deaf(false);
    bench.toy.changed_its_mind.store(true, Ordering::SeqCst);
    bench.bus.deliver(both());
    bench.step().await;
    assert_eq!(told(&bench), [(1, "succeeded".to_owned()), (1, "rejected OUT_OF_STOCK".to_owned())]);
    assert_eq!(bench.bus.settled(), [Settled::Acked]);
    assert_eq!((effects(&bench.database, 1).await, effects(&bench.database, 2).await), ((1, 0), (0, 0)));
}

#[tokio::test]
async fn a_command_that_was_answered_gets_the_stored_answer_again() {
    let bench = Bench::new().await;
    bench.bus.deliver(both());
    bench.step().await;
    let first = bench.bus.replies();
    assert_eq!(first.len(), 2);
    bench.toy.changed_its_mind.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        bench.bus.deliver(both());
        bench.step().await;
        assert_eq!(bench.bus.replies(), first);
    }
    assert_eq!(bench.bus.settled(), vec![Settled::Acked; 4]);
    assert_eq!(bench.toy.batches.load(Ordering::SeqCst), 1, "the ledger has answered");
    assert_eq!(effects(&bench.database, 1).await, (1, 0));
}

#[tokio::test]
async fn a_bad_item_spoils_nothing_beside_it() {
    let bench = Bench::new().await;
    let garbage = Bytes::from_static(b"\xff\xff\xff");
    let mut long = add(2);
    long.name = "x".repeat(65);
    bench.bus.deliver(batch_of(vec![encode(&add(1)), garbage.clone(), encode(&long), encode(&add(3))]));
    bench.step().await;
    let reasons = bench.bus.replies().into_iter().map(|reply| match reply.outcome {
        Some(wire::reply::Outcome::Rejected(rejected)) => rejected.reason,
        other => format!("{}", matches!(other, Some(wire::reply::Outcome::Succeeded(_)))),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), ["true", "true", "MALFORMED_COMMAND"]);
    assert_eq!(bench.bus.settled(), [Settled::DeadLettered(batch_of(vec![garbage]), "COMMAND_UNREADABLE".to_owned())]);
    assert_eq!((effects(&bench.database, 1).await, effects(&bench.database, 2).await), ((1, 0), (0, 0)));
    // The refusal of a malformed command is not stored: a well-formed one of the same key is done.
    bench.bus.deliver(batch_of(vec![encode(&add(2))]));
    bench.step().await;
    assert_eq!(effects(&bench.database, 2).await, (1, 0));
}

/// The outcome of each reply, and its reason.
fn told(bench: &Bench) -> Vec<(u32, String)> {
    let replies = bench.bus.replies().into_iter().map(|reply| {
        let outcome = match reply.outcome.expect("an outcome") {
            wire::reply::Outcome::Succeeded(_) => "succeeded".to_owned(),
            wire::reply::Outcome::Rejected(no) => format!("rejected {}", no.reason),
            wire::reply::Outcome::Unavailable(no) => format!("unavailable {}", no.reason),
        };
        (reply.attempt, outcome)
    });
    replies.collect()
}

#[tokio::test]
async fn a_malformed_command_is_refused_only_if_it_cannot_have_happened() {
    let bench = Bench::new().await;
    let malformed = |command: Command, attempt| encode(&Command { attempt, name: "x".repeat(65), ..command });
    let one = |attempt, outcome: &str| vec![(attempt, outcome.to_owned())];
    // Done, but its reply is lost; then it comes again in pieces.
    bench.bus.deliver(batch_of(vec![encode(&add(1))]));
    bench.bus.set_deaf(true);
    bench.step().await;
    bench.bus.set_deaf(false);
    for attempt in [1, 2] {
        bench.bus.deliver(batch_of(vec![malformed(add(1), attempt)]));
        bench.step().await;
        assert_eq!(told(&bench), one(attempt, "succeeded"));
    }
    // Both in one message: what is done in this batch counts.
    bench.bus.deliver(batch_of(vec![malformed(add(2), 2), encode(&add(2))]));
    bench.step().await;
    assert_eq!(told(&bench), [(1, "succeeded".to_owned()), (2, "succeeded".to_owned())]);
    // What the ledger has not heard of may still have happened, unless it is a first attempt; an undo must happen.
    bench.bus.deliver(batch_of(vec![malformed(add(3), 1)]));
    bench.step().await;
    assert_eq!(told(&bench), one(1, "rejected MALFORMED_COMMAND"));
    let mut cut = encode(&add(3));
    cut.truncate(cut.len() - 1);
    for (item, attempt) in
        [(malformed(add(3), 2), 2), (cut, 0), (malformed(remove(3), 1), 1), (malformed(remove(1), 2), 2)]
    {
        bench.bus.deliver(batch_of(vec![item]));
        bench.step().await;
        assert_eq!(told(&bench), one(attempt, "unavailable MALFORMED_COMMAND"));
    }
    assert_eq!((effects(&bench.database, 1).await, effects(&bench.database, 3).await), ((1, 0), (0, 0)));
}

#[tokio::test]
async fn what_nobody_can_read_is_quarantined_whole() {
    let bench = Bench::new().await;
    let bodies = [Bytes::from_static(b"{\"json\": true}"), batch_of(vec![Bytes::from_static(b"\xff"); 2])];
    for body in bodies.clone() {
        bench.bus.deliver(body);
    }
    bench.bus.deliver(Bytes::new());
    bench.step().await;
    let mut expected = bodies.map(|body| Settled::DeadLettered(body, "BATCH_UNREADABLE".to_owned())).to_vec();
    expected.push(Settled::Acked);
    assert_eq!(bench.bus.settled(), expected);
    assert!(bench.bus.replies().is_empty());
}

#[tokio::test]
async fn a_quarantine_that_is_away_holds_up_nobody() {
    let bench = Bench::new().await;
    bench.bus.set_quarantine_full(true);
    let garbage = Bytes::from_static(b"\xff\xff\xff");
    let mut consumer = bench.bus.clone();
    // More than may settle at once, of both kinds of poison, one after the other.
    for saga in 0..20 {
        bench.bus.deliver(garbage.clone());
        bench.bus.deliver(batch_of(vec![encode(&add(saga)), garbage.clone()]));
        let step = bench.worker.run_once(&mut consumer, &bench.stop);
        assert!(tokio::time::timeout(Duration::from_secs(10), step).await.expect("held up").unwrap());
    }
    for saga in 0..20 {
        assert_eq!(effects(&bench.database, saga).await, (1, 0), "{saga}");
    }
    assert_eq!(bench.bus.settled(), []);
    bench.bus.set_quarantine_full(false);
    bench.worker.settled().await;
    assert_eq!((bench.bus.settled().len(), bench.bus.replies().len()), (40, 20));
}

#[tokio::test]
async fn a_stopping_worker_finishes_what_it_took() {
    let bench = Bench::new().await;
    bench.bus.deliver(batch_of(vec![encode(&command(1, CommandDirection::Action, Mood::Wait))]));
    let (worker, stop) = (Arc::clone(&bench.worker), bench.stop.clone());
    let running = tokio::spawn(async move { worker.run(stop).await });
    bench.toy.waiting.notified().await;
    bench.stop.cancel();
    bench.bus.deliver(batch_of(vec![encode(&add(2))]));
    bench.toy.go.notify_one();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    assert_eq!(bench.bus.settled(), [Settled::Acked]);
    assert_eq!((bench.bus.replies().len(), bench.bus.waiting()), (1, 1), "what it did not take stays in the queue");
}

#[tokio::test]
async fn a_worker_that_dies_before_its_commit_leaves_its_commands_in_the_queue() {
    let bench = Bench::new().await;
    bench.bus.deliver(batch_of(vec![encode(&command(1, CommandDirection::Action, Mood::Wait))]));
    let (worker, stop) = (Arc::clone(&bench.worker), bench.stop.clone());
    let running = tokio::spawn(async move { worker.run(stop).await });
    bench.toy.waiting.notified().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!((bench.bus.settled(), bench.bus.waiting()), (vec![], 1));
}
