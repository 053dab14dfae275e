//! Holds: one stands at a time, marks outlive workers, and a commit marks only what stands.

use super::Suite;
use crate::holds::{Hold, Placed};
use baton_engine::hold_policy::{Held, Mark};
use baton_engine::store::{Changes, StoreError};
use baton_store::conformance::sample::{self, advance, always, record, running};
use saga_core::saga::{Resume, SagaId, State};
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);

pub(super) async fn exercise(suite: &Suite) {
    a_hold_stands_until_it_is_released(suite).await;
    one_worker_has_a_hold_at_a_time(suite).await;
    a_commit_marks_only_what_stands(suite).await;
}

fn hold(suite: &Suite, held: &Held) -> Hold {
    let (reason, actor) = ("they are away".to_owned(), "ada".to_owned());
    Hold { held: held.clone(), reason, actor, created_at: suite.operations.now(), release: None, paused: 0 }
}

async fn place(suite: &Suite, held: &Held, request: u128) -> Placed {
    let act = suite.act("hold", &held.name(), request);
    suite.operations.hold(hold(suite, held), act).await.expect("hold")
}

async fn release(suite: &Suite, held: &Held, request: u128) -> Placed {
    suite.operations.release(held.clone(), suite.act("release", &held.name(), request)).await.expect("release")
}

/// Marks sagas as a commit does that pauses them.
async fn mark(suite: &Suite, held: &Held, sagas: &[(SagaId, u64)]) {
    let marks = sagas.iter().map(|(saga, seen)| Mark { held: held.clone(), saga: *saga, seen: *seen });
    let changes = Changes { marks: marks.collect(), ..Changes::default() };
    suite.store.commit(Vec::new(), always(changes)).await.expect("marked");
}

async fn a_hold_stands_until_it_is_released(suite: &Suite) {
    let held = Held::Participant("agency".to_owned());
    assert_eq!(release(suite, &held, 50).await, Placed::Unknown);
    assert!(matches!(place(suite, &held, 51).await, Placed::Hold(hold) if hold.release.is_none()));
    assert!(matches!(place(suite, &held, 52).await, Placed::Hold(_)), "it stands already");
    assert!(!suite.is_audited(52).await && !suite.is_audited(50).await, "nothing was done");
    assert_eq!(release(suite, &held, 51).await, Placed::RequestTaken);
    assert_eq!(suite.operations.holds().await.expect("holds").len(), 1);
    let released = release(suite, &held, 53).await;
    assert!(matches!(released, Placed::Hold(hold) if hold.release.as_ref().is_some_and(|(actor, _)| actor == "ada")));
    assert!(matches!(place(suite, &held, 54).await, Placed::Hold(hold) if hold.release.is_none()), "held again");
    suite.operations.forget_hold(&held).await.expect("nothing");
    assert_eq!(suite.operations.holds().await.expect("holds").len(), 1, "what stands is not forgotten");
    release(suite, &held, 55).await;
    suite.operations.forget_hold(&held).await.expect("forgotten");
    assert!(suite.operations.holds().await.expect("holds").is_empty());
    let row = suite.operations.audited(Uuid::from_u128(54)).await.expect("audit").expect("an entry").audit;
    assert_eq!((row.before.as_str(), row.after.as_str()), ("releasing", "held"));
}

async fn one_worker_has_a_hold_at_a_time(suite: &Suite) {
    let held = Held::Definition("trip".to_owned());
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let operations = &suite.operations;
    assert!(operations.claim_hold(&held, one, LEASE).await.expect("claim").is_none(), "there is none");
    place(suite, &held, 56).await;
    assert!(operations.claim_hold(&held, one, LEASE).await.expect("claim").is_some());
    assert!(operations.claim_hold(&held, other, LEASE).await.expect("claim").is_none());
    let sagas = [1, 2, 3].map(|n| (sample::id(41, n), u64::from(n)));
    mark(suite, &held, &sagas).await;
    assert_eq!(operations.marked(&held, Some(sagas[0].0), 1).await.expect("marked"), sagas[1..2]);
    mark(suite, &held, &[(sagas[2].0, 1)]).await;
    assert_eq!(operations.marked(&held, None, 10).await.expect("marked"), sagas, "the later mark stays");
    operations.unmark(&held, vec![(sagas[0].0, 1), (sagas[1].0, 1)]).await.expect("unmark");
    assert_eq!(operations.marked(&held, None, 10).await.expect("marked"), sagas[1..], "only at the version seen");
    assert_eq!(operations.holds().await.expect("holds")[0].paused, 2);
    release(suite, &held, 57).await;
    operations.forget_hold(&held).await.expect("nothing");
    assert_eq!(operations.holds().await.expect("holds").len(), 1, "two sagas are still its");
    (suite.pass)(LEASE + Duration::from_secs(1));
    assert!(operations.claim_hold(&held, other, LEASE).await.expect("claim").is_some(), "the claim has lapsed");
    operations.leave_hold(&held, one).await.expect("nothing");
    assert!(operations.claim_hold(&held, one, LEASE).await.expect("claim").is_none(), "only one's own is left");
    operations.leave_hold(&held, other).await.expect("left");
    assert!(operations.claim_hold(&held, one, LEASE).await.expect("claim").is_some());
    operations.unmark(&held, sagas.to_vec()).await.expect("unmark");
    operations.forget_hold(&held).await.expect("forgotten");
}

async fn a_commit_marks_only_what_stands(suite: &Suite) {
    let held = Held::Participant("bank".to_owned());
    let paused = |n| {
        let moved = record(sample::id(42, n), running(0, sample::START));
        let mut changes = Changes::default();
        advance(&mut changes, &moved, State::Paused { resume: Resume::Run { step: 0, attempt: 1 } });
        changes.marks.push(Mark { held: held.clone(), saga: moved.saga.id, seen: 1 });
        (moved, changes)
    };
    let (moved, changes) = paused(1);
    suite.put(moved.clone()).await;
    let lifted = suite.store.commit(vec![moved.saga.id], always(changes.clone())).await;
    assert!(matches!(&lifted, Err(StoreError::HoldLifted(holds)) if *holds == [held.clone()]), "{lifted:?}");
    assert_eq!(suite.store.get(moved.saga.id).await.expect("get").as_ref(), Some(&moved), "nothing was written");
    place(suite, &held, 58).await;
    suite.store.commit(vec![moved.saga.id], always(changes)).await.expect("paused");
    assert_eq!(suite.operations.marked(&held, None, 10).await.expect("marked"), [(moved.saga.id, 1)]);
    release(suite, &held, 59).await;
    let (moved, changes) = paused(2);
    suite.put(moved.clone()).await;
    let lifted = suite.store.commit(vec![moved.saga.id], always(changes)).await;
    assert!(matches!(lifted, Err(StoreError::HoldLifted(_))), "it is being released: {lifted:?}");
}
