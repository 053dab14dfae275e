//! Incidents, orchestrators and figures.

use super::Suite;
use crate::incidents::Incident;
use crate::instances::{Own, SAMPLES_KEPT, Sample};
use baton_engine::stats::Beat;
use baton_engine::store::Changes;
use baton_engine::store::StateCode;
use baton_store::conformance::sample::{self, advance, always, cause, record, running};
use saga_core::saga::{Direction, State};
use std::time::Duration;
use uuid::Uuid;

pub(super) async fn exercise(suite: &Suite) {
    a_stuck_saga_is_told_by_one(suite).await;
    an_orchestrator_is_listed_until_it_is_replaced(suite).await;
    groups_are_counted(suite).await;
}

fn stuck() -> State {
    let why = cause(1, "ATTEMPTS_SPENT");
    State::Stuck { step: 1, direction: Direction::Action, attempt: 9, why, unwinding: None }
}

async fn a_stuck_saga_is_told_by_one(suite: &Suite) {
    let operations = &suite.operations;
    assert_eq!(operations.incidents().await.expect("count"), (0, None));
    let parked = record(sample::id(80, 1), stuck());
    suite.put(parked.clone()).await;
    suite.put(record(sample::id(80, 2), running(0, sample::START))).await;
    assert_eq!(operations.incidents().await.expect("count"), (1, Some(sample::START)));
    assert!(operations.untold_incidents().await.expect("untold").is_empty(), "not written down yet");
    operations.open_incidents().await.expect("opened");
    operations.open_incidents().await.expect("opened once");
    let own = Incident { saga: parked.saga.id, version: 1, opened_at: sample::START, attempts: 0 };
    assert_eq!(operations.untold_incidents().await.expect("untold"), [own]);
    let pause = Duration::from_secs(5);
    assert!(operations.claim_incident(own, pause).await.expect("claim"));
    assert!(!operations.claim_incident(own, pause).await.expect("claim"), "another one tells it");
    assert!(operations.untold_incidents().await.expect("untold").is_empty());
    (suite.pass)(pause + Duration::from_secs(1));
    let again = Incident { attempts: 1, ..own };
    assert_eq!(operations.untold_incidents().await.expect("untold"), [again]);
    assert!(operations.claim_incident(again, pause).await.expect("claim"));
    operations.incident_told(again).await.expect("told");
    (suite.pass)(pause + Duration::from_secs(1));
    assert!(operations.untold_incidents().await.expect("untold").is_empty());

    // Stuck anew is an incident anew.
    let mut changes = Changes::default();
    advance(&mut changes, &parked, stuck());
    suite.store.commit(vec![parked.saga.id], always(changes)).await.expect("moved");
    operations.open_incidents().await.expect("opened");
    let anew = operations.untold_incidents().await.expect("untold");
    assert_eq!(anew.iter().map(|incident| (incident.version, incident.attempts)).collect::<Vec<_>>(), [(2, 0)]);
}

async fn an_orchestrator_is_listed_until_it_is_replaced(suite: &Suite) {
    let operations = &suite.operations;
    let own = |n, address: &str| Own { id: Uuid::from_u128(n), address: address.to_owned(), version: "1.2.3" };
    let beat = Beat { started: 3, ended: 2, stuck: 1, p50: Duration::from_millis(4), p99: Duration::from_millis(9) };
    let sample = |under_way| Sample { at: operations.now(), beat, under_way };
    let ids = async || {
        let listed = operations.instances().await.expect("instances");
        listed.into_iter().map(|one| one.id.as_u128()).collect::<Vec<_>>()
    };
    for (n, address) in [(1, "here:1"), (2, "there:1"), (3, "")] {
        operations.beat(&own(n, address), sample(n as u64)).await.expect("a beat");
    }
    assert_eq!(ids().await, [1, 2, 3]);
    let samples = operations.samples().await.expect("samples");
    assert_eq!(samples.iter().map(|sample| sample.beat).collect::<Vec<_>>(), [beat; 3]);
    (suite.pass)(Duration::from_secs(8));
    operations.beat(&own(4, "here:1"), sample(4)).await.expect("a beat");
    operations.beat(&own(5, ""), sample(5)).await.expect("a beat");
    assert_eq!(ids().await, [2, 3, 4, 5], "the place is taken; nowhere is no place");
    operations.leave(Uuid::from_u128(2)).await.expect("left");
    assert_eq!(ids().await, [3, 4, 5]);
    (suite.pass)(SAMPLES_KEPT + Duration::from_secs(1));
    assert!(operations.samples().await.expect("samples").is_empty(), "too old");
    assert_eq!(ids().await, [3, 4, 5], "listed for longer");
    (suite.pass)(SAMPLES_KEPT);
    operations.beat(&own(4, "here:1"), sample(4)).await.expect("a beat");
    assert_eq!(ids().await, [4]);
}

async fn groups_are_counted(suite: &Suite) {
    suite.put(record(sample::id(80, 3), running(0, sample::START))).await;
    suite.put(record(sample::id(80, 4), State::Completed)).await;
    let (groups, exact) = suite.operations.standing().await.expect("groups");
    assert!(exact);
    let own = groups.iter().find(|group| group.state == StateCode::Stuck).expect("the stuck one");
    assert_eq!((own.step, own.direction, own.count, own.example), (1, Direction::Action, 1, sample::id(80, 1)));
    let waiting = groups.iter().find(|group| group.state == StateCode::Running && group.step == 0).expect("two");
    assert!(waiting.count >= 2 && groups.iter().all(|group| group.state != StateCode::Completed), "{groups:?}");
    let late = suite.operations.overdue().await.expect("overdue");
    assert!(late >= Duration::from_secs(8), "they were due at the start: {late:?}");
}
