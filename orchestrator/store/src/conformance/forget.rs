//! Laws of forgetting: only what is finished and old goes, with its journal, and everything else stays as it is.

use super::sample::{START, always, insert, key, record, running, started};
use super::{Store, put, sample};
use baton_engine::store::StateCode;
use baton_engine::store::purge::{Forgotten, Sweep, first_id_at};
use baton_engine::store::{Changes, Insert, StoreError};
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::collections::BTreeSet;
use std::time::Duration;

/// Sagas of these laws are a day younger than those of the others, so that a sweep can begin behind them.
const BIRTH: Micros = Micros(START.0 + 86_400_000_000);

/// An hour later everything here is over.
const LATER: Micros = Micros(BIRTH.0 + 3_600_000_000);

/// Runs every law of forgetting.
pub(super) async fn exercise(store: &Store) {
    only_what_is_finished_and_old_is_forgotten(store).await;
    keys_stay(store).await;
    steps_get_past_what_stays(store).await;
    rivals_forget_each_saga_once(store).await;
}

/// An id of so many seconds after [`BIRTH`].
fn aged(second: u32, number: u32) -> SagaId {
    let mut id = first_id_at(BIRTH.plus(Duration::from_secs(u64::from(second)))).0;
    (id[6], id[8]) = (0x70, 0x80);
    id[12..].copy_from_slice(&number.to_be_bytes());
    SagaId(id)
}

/// A saga in a state, of which it says that it moved last at `at`.
fn resting(id: SagaId, state: State, at: Micros) -> baton_engine::store::Record {
    let mut record = record(id, state);
    (record.saga.created_at, record.saga.updated_at) = (BIRTH, at);
    record
}

/// From the first saga of a second on.
async fn sweep(store: &Store, before: Micros, second: u32, limit: u32) -> Sweep {
    store.forget(before, Some(aged(second, 0)), limit).await.expect("forget")
}

async fn only_what_is_finished_and_old_is_forgotten(store: &Store) {
    let states = sample::every_state();
    let records: Vec<_> =
        states.iter().zip(1..).map(|((_, state), n)| resting(aged(0, n), state.clone(), BIRTH)).collect();
    let young = [resting(aged(0, 90), State::Completed, LATER), resting(aged(7_200, 1), State::Completed, BIRTH)];
    put(store, records.iter().chain(&young).cloned().collect()).await;
    let now = store.now();

    let nothing = sweep(store, BIRTH, 0, 100).await;
    assert_eq!(nothing, Sweep::default(), "a saga that ended at the limit is not older than it");
    let swept = sweep(store, LATER, 0, 100).await;
    assert_eq!(swept, Sweep { forgotten: 2, reached: None }, "one completed, one compensated");
    for (record, (name, state)) in records.iter().zip(&states) {
        let id = record.saga.id;
        let (row, journal) = (store.get(id).await.expect("get"), store.journal(id, 0, 10).await.expect("journal"));
        let left = store.forgotten(id).await.expect("forgotten");
        let code = StateCode::of(state);
        if matches!(code, StateCode::Completed | StateCode::Compensated) {
            assert_eq!((row, journal), (None, Vec::new()), "{name}");
            let Forgotten { state, ended_at, forgotten_at } = left.expect("something is left");
            assert_eq!((state, ended_at), (code, BIRTH), "{name}");
            assert!(forgotten_at >= now && forgotten_at <= store.now(), "{name}");
        } else {
            assert_eq!((row.as_ref(), left), (Some(record), None), "{name}");
            assert_eq!(journal, [started(&record.saga)], "{name}");
        }
    }
    for record in young {
        assert_eq!(
            store.get(record.saga.id).await.expect("get"),
            Some(record.clone()),
            "too young, or of too young an id"
        );
        assert_eq!(store.forgotten(record.saga.id).await.expect("forgotten"), None);
    }
}

/// What makes a request the same request outlives its saga.
async fn keys_stay(store: &Store) {
    let gone = resting(aged(10, 1), State::Completed, BIRTH);
    let start = Insert { keys: vec![key(20, 1), key(20, 2)], ..insert(gone.clone()) };
    let journal = vec![started(&gone.saga)];
    let changes = Changes { inserts: vec![start.clone()], journal, ..Changes::default() };
    store.commit(Vec::new(), always(changes)).await.expect("insert");
    assert_eq!(sweep(store, LATER, 10, 100).await.forgotten, 1);

    let holders = store.find_keys(start.keys.clone()).await.expect("keys");
    assert_eq!(holders.len(), 2);
    assert!(holders.iter().all(|found| found.saga == gone.saga.id && found.fingerprint == start.fingerprint));
    let again = Insert { keys: start.keys, ..insert(resting(aged(10, 2), running(0, START), BIRTH)) };
    let refused = store.commit(Vec::new(), always(Changes { inserts: vec![again], ..Changes::default() })).await;
    assert!(matches!(refused, Err(StoreError::DuplicateKey)), "{refused:?}");
}

/// Every third saga is parked: steps look at no more than they are told, get past what stays, and end.
async fn steps_get_past_what_stays(store: &Store) {
    let parked = sample::every_state().swap_remove(4).1;
    let state = |n: u32| if n.is_multiple_of(3) { parked.clone() } else { State::Completed };
    put(store, (1..=10).map(|n| resting(aged(20, n), state(n), BIRTH)).collect()).await;
    let mut reached = Some(aged(20, 0));
    let mut steps = Vec::new();
    // Whatever else is old lies before these.
    while let Some(after) = reached {
        let swept = store.forget(LATER, Some(after), 4).await.expect("forget");
        reached = swept.reached;
        steps.push((swept.forgotten, swept.reached));
    }
    assert_eq!(steps, [(3, Some(aged(20, 4))), (3, Some(aged(20, 8))), (1, None)]);
    for n in 1..=10 {
        let there = store.get(aged(20, n)).await.expect("get").is_some();
        assert_eq!(there, n % 3 == 0);
    }
    assert_eq!(sweep(store, LATER, 20, 0).await, Sweep::default(), "a limit of 0 looks at nothing");
}

/// Several at once, on the same sagas: each is forgotten by exactly one of them, and none waits for another for good.
async fn rivals_forget_each_saga_once(store: &Store) {
    const SAGAS: u32 = 120;
    put(store, (1..=SAGAS).map(|n| resting(aged(30, n), State::Completed, BIRTH)).collect()).await;
    let rivals: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut reached, mut forgotten) = (Some(aged(30, 0)), 0);
                while let Some(after) = reached {
                    let swept = store.forget(LATER, Some(after), 25).await.expect("forget");
                    forgotten += swept.forgotten;
                    reached = swept.reached;
                }
                forgotten
            })
        })
        .collect();
    let mut forgotten = 0;
    for rival in rivals {
        forgotten += rival.await.expect("rival");
    }
    // Whatever one held while another looked is left for the next round.
    forgotten += sweep(store, LATER, 30, SAGAS).await.forgotten;
    assert_eq!(forgotten, SAGAS as usize);
    let mut left = BTreeSet::new();
    for n in 1..=SAGAS {
        assert_eq!(store.get(aged(30, n)).await.expect("get"), None);
        left.insert(store.forgotten(aged(30, n)).await.expect("forgotten").map(|left| left.ended_at));
    }
    assert_eq!(left, BTreeSet::from([Some(BIRTH)]));
}
