//! What the engine takes for known is checked by the write: a row that moved on behind its back is read again.

use crate::support;
use baton_orchestrator::engine::committer::Committer;
use baton_orchestrator::engine::input::{EventOutcome, Input, InputOutcome, StartOutcome, Verdict};
use baton_orchestrator::engine::saga_cache::SagaCache;
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::store::SagaStore as _;
use baton_shop::saga::registry;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{Direction, SagaId, State};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::faulty::{Fault, FaultyStore};
use support::{Bench, order_start};
use uuid::Uuid;

const SAGA: SagaId = SagaId([1; 16]);

fn reply(step: u8) -> Input {
    let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
    Input::Reply(SAGA, Reply { step, direction: Direction::Action, attempt: 1, outcome })
}

/// An orchestrator's committer over a store that several share.
fn committer(store: &Arc<FaultyStore>) -> Committer {
    Committer {
        pace: Arc::default(),
        store: store.clone(),
        registry: registry(),
        new_id: Arc::new(Uuid::now_v7),
        known: SagaCache::default(),
        holds: Arc::default(),
        under_way: UnderWay::new(1024),
        planted: None,
    }
}

async fn settle(committer: &Committer, input: Input) -> Verdict {
    committer.settle(vec![input]).await.verdicts.remove(0)
}

async fn step_and_entries(store: &FaultyStore) -> (Option<u8>, usize) {
    let saga = store.get(SAGA).await.expect("read").expect("there").saga;
    let step = if let State::Running { step, .. } = saga.state { Some(step) } else { None };
    (step, store.journal(SAGA, 0, 100).await.expect("read").len())
}

#[tokio::test]
async fn a_saga_that_was_moved_here_is_not_read_again() {
    let store = Bench::new().store;
    let one = committer(&store);
    assert!(matches!(
        settle(&one, Input::Start(Arc::new(order_start(1)))).await,
        Ok(InputOutcome::Start(StartOutcome::Started(_)))
    ));
    assert!(matches!(settle(&one, reply(1)).await, Ok(InputOutcome::Event(EventOutcome::Moved(_)))));
    assert_eq!(store.read.load(Ordering::SeqCst), 0);
    assert_eq!(step_and_entries(&store).await, (Some(2), 2));
    assert!(matches!(settle(&committer(&store), reply(2)).await, Ok(InputOutcome::Event(EventOutcome::Moved(_)))));
    assert_eq!(store.read.load(Ordering::SeqCst), 1, "another orchestrator reads it");
}

#[tokio::test]
async fn a_value_that_is_old_is_never_written_nor_believed() {
    let store = Bench::new().store;
    let (one, two) = (committer(&store), committer(&store));
    settle(&one, Input::Start(Arc::new(order_start(1)))).await.expect("settled");
    assert!(matches!(settle(&two, reply(1)).await, Ok(InputOutcome::Event(EventOutcome::Moved(_)))));
    // The same reply again, to whom the saga still waits for it.
    assert!(matches!(settle(&one, reply(1)).await, Ok(InputOutcome::Event(EventOutcome::Ignored(_)))));
    assert_eq!(step_and_entries(&store).await, (Some(2), 2));
    assert!(matches!(settle(&two, reply(2)).await, Ok(InputOutcome::Event(EventOutcome::Moved(_)))));
    // The next reply, to whom the saga has not come that far.
    assert!(matches!(settle(&one, reply(3)).await, Ok(InputOutcome::Event(EventOutcome::Moved(_)))));
    assert_eq!(step_and_entries(&store).await, (Some(4), 4));
}

#[tokio::test]
async fn a_lost_commit_answer_makes_it_read() {
    for (fault, ignored) in [(Fault::DoneButUnanswered, true), (Fault::NotDoneAndUnanswered, false)] {
        let store = Bench::new().store;
        let one = committer(&store);
        settle(&one, Input::Start(Arc::new(order_start(1)))).await.expect("settled");
        store.fail_next([fault]);
        let verdict = settle(&one, reply(1)).await;
        assert_eq!(
            matches!(verdict, Ok(InputOutcome::Event(EventOutcome::Ignored(_)))),
            ignored,
            "{fault:?}: {verdict:?}"
        );
        assert_eq!(step_and_entries(&store).await, (Some(2), 2), "{fault:?}");
    }
}
