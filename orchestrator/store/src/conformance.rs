//! The suites every store passes: one for each trait. They want an empty store and leave their rows behind.

mod attributes;
mod forget;
pub mod query;
pub mod sample;
mod search;

use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::audit::NewAudit;
use baton_engine::store::query::WholeStore;
use baton_engine::store::{Changes, Insert, Loaded, Record, StoreError, Update};
use baton_query::filter::parse;
use baton_query::skips::SkippedHalf;
use baton_query::sort::OrderBy;
use bytes::Bytes;
use saga_core::saga::{DefinitionId, Direction, SagaId, State};
use saga_core::time::Micros;
use sample::{START, advance, always, audit, id, insert, key, record, request_id, running, started};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A store under test. What one trait writes the other one is asked for.
pub type Store = Arc<dyn WholeStore>;

/// Runs every law against an empty store.
///
/// # Panics
/// If the store breaks one.
pub async fn exercise(store: Store) {
    store.ready().await.expect("an open store is ready");
    a_saga_under_way_is_looked_at_and_put_off(&store).await;
    what_is_committed_is_read_back(&store).await;
    every_state_comes_back(&store).await;
    a_last_failure_is_kept_while_it_is_so(&store).await;
    what_is_skipped_is_kept_and_found(&store).await;
    // Before there are many sagas: every filter is held against all of them.
    query::exercise(&store).await;
    a_version_conflict_rolls_everything_back(&store).await;
    a_taken_key_rolls_everything_back(&store).await;
    what_does_not_fit_is_refused(&store).await;
    outputs_outlive_moves_that_do_not_touch_them(&store).await;
    a_taken_request_id_rolls_everything_back(&store).await;
    a_panicking_decision_writes_nothing(&store).await;
    a_thousand_mixed_changes_commit_together(&store).await;
    the_decision_sees_what_is_there(&store).await;
    one_of_many_rivals_wins_each_version(&store).await;
    dropped_callers_leave_whole_batches(&store).await;
    forget::exercise(&store).await;
}

async fn put(store: &Store, records: Vec<baton_engine::store::Record>) {
    let journal = records.iter().map(|record| started(&record.saga)).collect();
    let inserts = records.into_iter().map(insert).collect();
    store.commit(Vec::new(), always(Changes { inserts, journal, ..Changes::default() })).await.expect("insert");
}

async fn version(store: &Store, id: SagaId) -> Option<u64> {
    store.get(id).await.expect("get").map(|record| record.saga.version)
}

async fn a_saga_under_way_is_looked_at_and_put_off(store: &Store) {
    assert!(store.now() > START, "the clock runs");
    let states = sample::every_state();
    let active: BTreeSet<SagaId> = (0..states.len()).filter(|n| *n < 4).map(|n| id(1, n as u32)).collect();
    put(store, states.into_iter().enumerate().map(|(n, (_, state))| record(id(1, n as u32), state)).collect()).await;
    put(store, vec![record(id(1, 100), running(0, store.now().plus(HOUR)))]).await;
    let mut other = record(id(1, 101), running(0, START));
    other.saga.definition.version += 1;
    put(store, vec![other]).await;
    let mut padded = record(id(1, 110), running(0, START));
    padded.saga.definition.name.push(' ');
    put(store, vec![padded]).await;

    assert!(look(store, Vec::new(), 100).await.is_empty(), "unknown definitions are left alone");
    let known = vec![sample::definition()];
    let first = look(store, known.clone(), 3).await;
    let second = look(store, known.clone(), 100).await;
    assert_eq!(first.len(), 3, "no more than asked");
    let seen: BTreeSet<SagaId> = first.iter().chain(&second).map(|record| record.saga.id).collect();
    assert_eq!((seen, first.len() + second.len()), (active.clone(), active.len()), "each once: a look puts off");
    assert!(look(store, known.clone(), 100).await.is_empty(), "all are put off");
    for record in &first {
        assert_eq!(store.get(record.saga.id).await.expect("get").as_ref(), Some(record), "nothing else of it changes");
    }

    // Put off by an hour: a move brings its look forward, never back, and one to rest ends it.
    let mut moved = first[0].clone();
    for (at, state, is_seen) in [
        (Some(store.now().plus(HOUR * 2)), running(1, START), false),
        (Some(START), running(2, START), true),
        (Some(START), running(1, START), true),
        (None, State::Completed, false),
    ] {
        let mut changes = Changes::default();
        advance(&mut changes, &moved, state);
        changes.updates[0].look_at = at;
        moved.saga = changes.updates[0].saga.clone();
        store.commit(vec![moved.saga.id], always(changes)).await.expect("move");
        let seen = look(store, known.clone(), 100).await;
        assert_eq!(seen, if is_seen { vec![moved.clone()] } else { Vec::new() }, "look at {at:?}");
    }
    // Nobody puts one off for so long: the clock was set back.
    put(store, vec![record(id(1, 120), running(0, store.now().plus(FAR * 2)))]).await;
    let ahead: Vec<SagaId> = look(store, known, 100).await.iter().map(|record| record.saga.id).collect();
    assert_eq!(ahead, [id(1, 120)]);
    let under_way = active.len() as u64 + 3;
    assert_eq!(store.under_way(100).await.expect("count"), under_way, "whoever drives them, due or not");
    assert_eq!(store.under_way(3).await.expect("count"), 3, "no further than asked");
}

const HOUR: Duration = Duration::from_secs(3600);

/// Further than anything here is put off.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Looks, and puts off by an hour.
async fn look(store: &Store, known: Vec<DefinitionId>, limit: u32) -> Vec<Record> {
    store.look(known, limit, FAR, Arc::new(|_, now| now.plus(HOUR))).await.expect("look")
}

async fn what_is_committed_is_read_back(store: &Store) {
    let mut wanted = record(id(2, 1), running(3, Micros(START.0 + 99)));
    wanted.saga.deadline = Some(Micros(START.0 + 1_000));
    wanted.saga.outputs = vec![(0, Bytes::from_static(b"\x00")), (2, Bytes::from(vec![0xfe; 70_000]))];
    wanted.saga.input = Bytes::from(vec![0x80; 100_000]);
    put(store, vec![wanted.clone()]).await;
    assert_eq!(store.get(wanted.saga.id).await.expect("get"), Some(wanted.clone()));
    assert_eq!(store.get(id(2, 2)).await.expect("get"), None);
    let journal = store.journal(wanted.saga.id, 0, 10).await.expect("journal");
    assert_eq!(journal, [started(&wanted.saga)], "the input is read back into the journal");

    // Every kind of entry, in several commits as in life.
    let mut current = wanted;
    let mut entries = journal;
    for (_, entry) in sample::every_journal_record().into_iter().skip(1) {
        let before = current.saga.version;
        current.saga.version += 1;
        current.saga.updated_at.0 += 3;
        let (version, at) = (current.saga.version, current.saga.updated_at);
        let entry = saga_core::event::Entry { saga: current.saga.id, version, at, record: entry };
        entries.push(entry.clone());
        let saga = current.saga.clone();
        let look_at = saga.wake_at();
        let update = Update {
            saga,
            last_failure: None,
            skipped: Vec::new(),
            loaded_version: before,
            look_at,
            data_changed: false,
        };
        let changes = Changes { updates: vec![update], journal: vec![entry], ..Changes::default() };
        store.commit(vec![current.saga.id], always(changes)).await.expect("move");
    }
    assert_eq!(store.journal(current.saga.id, 0, 100).await.expect("journal"), entries);
    assert_eq!(store.journal(current.saga.id, 3, 2).await.expect("journal"), entries[3..5], "after a version, bounded");
    assert_eq!(store.get(current.saga.id).await.expect("get"), Some(current));
}

async fn every_state_comes_back(store: &Store) {
    for (n, (name, state)) in sample::every_state().into_iter().enumerate() {
        let fresh = record(id(3, n as u32 * 2), state.clone());
        put(store, vec![fresh.clone()]).await;
        assert_eq!(store.get(fresh.saga.id).await.expect("get"), Some(fresh), "{name}, inserted");
        let moved = record(id(3, n as u32 * 2 + 1), running(0, START));
        put(store, vec![moved.clone()]).await;
        let mut changes = Changes::default();
        advance(&mut changes, &moved, state.clone());
        store.commit(vec![moved.saga.id], always(changes.clone())).await.expect("move");
        let read = store.get(moved.saga.id).await.expect("get").map(|record| record.saga);
        assert_eq!(read.as_ref(), Some(&changes.updates[0].saga), "{name}, moved to");
    }
}

async fn a_last_failure_is_kept_while_it_is_so(store: &Store) {
    let mut wanted = record(id(23, 0), running(0, START));
    wanted.last_failure = Some(sample::cause(0, "AWAY"));
    put(store, vec![wanted.clone()]).await;
    assert_eq!(store.get(wanted.saga.id).await.expect("get").as_ref(), Some(&wanted), "inserted");
    for last_failure in [None, Some(sample::cause(0, "TIMEOUT")), Some(sample::cause(0, "AWAY")), None] {
        let mut changes = Changes::default();
        advance(&mut changes, &wanted, running(0, START));
        changes.updates[0].last_failure.clone_from(&last_failure);
        wanted = Record { saga: changes.updates[0].saga.clone(), last_failure, ..wanted };
        store.commit(vec![wanted.saga.id], always(changes)).await.expect("move");
        assert_eq!(store.get(wanted.saga.id).await.expect("get").as_ref(), Some(&wanted), "moved");
    }
}

/// By the step, and by that there is one, wherever the index of attributes is.
async fn what_is_skipped_is_kept_and_found(store: &Store) {
    let half = |step: &str, direction| SkippedHalf { step: step.to_owned(), direction };
    let mut wanted = record(id(27, 0), running(0, START));
    put(store, vec![wanted.clone(), record(id(27, 1), running(0, START))]).await;
    let mut skipped = Vec::new();
    for (next, state) in [
        (half("room.book", Direction::Action), running(1, START)),
        (half("trip.open", Direction::Undo), State::Completed),
    ] {
        let mut changes = Changes::default();
        advance(&mut changes, &wanted, state);
        skipped.push(next);
        changes.updates[0].skipped.clone_from(&skipped);
        wanted = Record { saga: changes.updates[0].saga.clone(), skipped: skipped.clone(), ..wanted };
        store.commit(vec![wanted.saga.id], always(changes)).await.expect("move");
        assert_eq!(store.get(wanted.saga.id).await.expect("get").as_ref(), Some(&wanted), "moved");
    }
    a_skip_is_found(store).await;
}

/// The saga of [`what_is_skipped_is_kept_and_found`], and no other.
async fn a_skip_is_found(store: &Store) {
    let wanted = store.get(id(27, 0)).await.expect("get").expect("the saga");
    for (filter, is_found) in [
        ("skipped = room.book", true),
        ("skipped = trip.open", true),
        ("skipped:trip", true),
        ("skipped:*", true),
        ("skipped = trip", false),
        ("state = running skipped:*", false),
        ("state = completed skipped:*", true),
    ] {
        let search = Search::new(parse(filter, &[]).expect(filter), Registry::default(), store.now());
        let found = search::all_pages(store, &search, OrderBy::default(), 10, 10_000).await;
        let expected: Vec<Record> = Some(wanted.clone()).filter(|_| is_found).into_iter().collect();
        assert_eq!(found, expected, "{filter}");
        let counted = store.count(search, 100, 10_000).await.expect("count");
        assert_eq!((counted.count, counted.exact), (u64::from(is_found), true), "{filter}");
    }
}

/// Nothing of a batch that failed may be seen.
async fn nothing_of(store: &Store, changes: &Changes) {
    for insert in &changes.inserts {
        let id = insert.record.saga.id;
        assert_eq!(store.get(id).await.expect("get"), None);
        assert!(store.journal(id, 0, 10).await.expect("journal").is_empty());
    }
    let keys: Vec<_> = changes.inserts.iter().flat_map(|insert| insert.keys.clone()).collect();
    let fresh: Vec<SagaId> = changes.inserts.iter().map(|insert| insert.record.saga.id).collect();
    let holders = store.find_keys(keys).await.expect("keys");
    assert!(holders.iter().all(|holder| !fresh.contains(&holder.saga)), "a key without its saga");
}

async fn a_version_conflict_rolls_everything_back(store: &Store) {
    let (left, right) = (record(id(5, 1), running(0, START)), record(id(5, 2), running(0, START)));
    put(store, vec![left.clone(), right.clone()]).await;
    let mut changes = Changes {
        inserts: vec![Insert { keys: vec![key(5, 1)], ..insert(record(id(5, 3), running(0, START))) }],
        ..Changes::default()
    };
    advance(&mut changes, &left, State::Completed);
    advance(&mut changes, &right, State::Completed);
    changes.updates[1].loaded_version = 9;
    let refused = store.commit(vec![left.saga.id, right.saga.id], always(changes.clone())).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    nothing_of(store, &changes).await;
    assert_eq!(version(store, left.saga.id).await, Some(1), "not even the update that fitted");
    assert_eq!(store.journal(left.saga.id, 1, 10).await.expect("journal"), []);

    changes.updates.truncate(1);
    changes.updates[0].saga.id = id(5, 99);
    changes.journal.clear();
    let missing = store.commit(Vec::new(), always(changes.clone())).await;
    assert!(matches!(missing, Err(StoreError::Conflict(_))), "a saga that is not there: {missing:?}");
    let again = Changes { inserts: vec![insert(left.clone())], ..Changes::default() };
    let twice = store.commit(Vec::new(), always(again)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "a saga that is there already: {twice:?}");
    nothing_of(store, &changes).await;
}

async fn a_taken_key_rolls_everything_back(store: &Store) {
    let holder = Insert { keys: vec![key(6, 1), key(6, 2)], ..insert(record(id(6, 1), running(0, START))) };
    let taken = Changes { inserts: vec![holder.clone()], ..Changes::default() };
    store.commit(Vec::new(), always(taken)).await.expect("first");
    let rival = Insert { keys: vec![key(6, 3), key(6, 2)], ..insert(record(id(6, 2), running(0, START))) };
    let mut changes = Changes { inserts: vec![rival], ..Changes::default() };
    changes.journal.push(started(&changes.inserts[0].record.saga));
    let refused = store.commit(Vec::new(), always(changes.clone())).await;
    assert!(matches!(refused, Err(StoreError::DuplicateKey)), "{refused:?}");
    nothing_of(store, &changes).await;
    let found = store.find_keys(vec![key(6, 3), key(6, 2), key(6, 1), key(6, 2)]).await.expect("keys");
    assert_eq!(found.iter().map(|holder| holder.key).collect::<Vec<_>>(), [key(6, 1), key(6, 2)]);
    assert!(found.iter().all(|found| found.saga == id(6, 1) && found.fingerprint == holder.fingerprint));
    assert!(store.find_keys(Vec::new()).await.expect("keys").is_empty());

    let twins = (10..12).map(|n| Insert { keys: vec![key(6, 4)], ..insert(record(id(6, n), running(0, START))) });
    let twins = Changes { inserts: twins.collect(), ..Changes::default() };
    let refused = store.commit(Vec::new(), always(twins.clone())).await;
    assert!(matches!(refused, Err(StoreError::DuplicateKey)), "one key twice in a batch: {refused:?}");
    nothing_of(store, &twins).await;
}

async fn what_does_not_fit_is_refused(store: &Store) {
    let mut long = record(id(7, 1), running(0, START));
    long.business_key = "k".repeat(129);
    let changes = Changes { inserts: vec![insert(long)], ..Changes::default() };
    let refused = store.commit(Vec::new(), always(changes.clone())).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    nothing_of(store, &changes).await;
}

async fn outputs_outlive_moves_that_do_not_touch_them(store: &Store) {
    let mut held = record(id(8, 1), running(1, START));
    held.saga.outputs = vec![(0, Bytes::from_static(b"kept"))];
    put(store, vec![held.clone()]).await;
    let mut changes = Changes::default();
    advance(&mut changes, &held, running(2, START));
    changes.updates[0].data_changed = false;
    store.commit(vec![held.saga.id], always(changes)).await.expect("move");
    let read = store.get(held.saga.id).await.expect("get").expect("there");
    assert_eq!(read.saga.output(0), "kept");
}

/// Acts without a request id never stand in each other's way.
async fn a_taken_request_id_rolls_everything_back(store: &Store) {
    let held = record(id(60, 1), running(0, START));
    put(store, vec![held.clone()]).await;
    let request = Some(request_id(60, 1));
    let acting = |held: &baton_engine::store::Record, audits: Vec<NewAudit>| {
        let mut changes = Changes { audits, ..Changes::default() };
        advance(&mut changes, held, State::Completed);
        changes
    };
    let first = acting(&held, vec![audit(&held.saga, request), audit(&held.saga, None), audit(&held.saga, None)]);
    store.commit(vec![held.saga.id], always(first)).await.expect("acted");
    let other = record(id(60, 2), running(0, START));
    put(store, vec![other.clone()]).await;
    let own = Some(request_id(60, 2));
    for audits in [
        vec![audit(&other.saga, request)],
        vec![audit(&other.saga, own), audit(&other.saga, request)],
        vec![audit(&other.saga, own), audit(&other.saga, own)],
    ] {
        let refused = store.commit(vec![other.saga.id], always(acting(&other, audits))).await;
        assert!(matches!(refused, Err(StoreError::RequestTaken)), "{refused:?}");
        assert_eq!(version(store, other.saga.id).await, Some(1), "nothing of it is written");
    }
    let free = acting(&other, vec![audit(&other.saga, own)]);
    store.commit(vec![other.saga.id], always(free)).await.expect("an id that nothing was written under is free");
}

/// A defect in a decision costs its own batch, not the store.
async fn a_panicking_decision_writes_nothing(store: &Store) {
    let held = record(id(15, 1), running(0, START));
    put(store, vec![held.clone()]).await;
    let refused = store.commit(vec![held.saga.id], Box::new(|_: &Loaded| panic!("planted in a decision"))).await;
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("planted")), "{refused:?}");
    let mut changes = Changes::default();
    advance(&mut changes, &held, State::Completed);
    store.commit(vec![held.saga.id], always(changes)).await.expect("the store goes on");
}

async fn a_thousand_mixed_changes_commit_together(store: &Store) {
    let old: Vec<_> = (0..1_000).map(|n| record(id(10, n), running((n % 5) as u8, START))).collect();
    put(store, old.clone()).await;
    let states = sample::every_state();
    let ids: Vec<SagaId> = old.iter().rev().map(|record| record.saga.id).collect();
    let decide = move |loaded: &Loaded| {
        let mut changes = Changes::default();
        for (n, loaded) in loaded.records.values().enumerate() {
            advance(&mut changes, loaded, states[n % states.len()].1.clone());
            changes.updates[n].data_changed = states[n % states.len()].1 != running((n % 5) as u8, START);
        }
        for n in 1_000..2_000 {
            let start = Insert { keys: vec![key(10, n)], ..insert(record(id(10, n), running(0, START))) };
            changes.journal.push(started(&start.record.saga));
            changes.inserts.push(start);
        }
        changes
    };
    let changes = store.commit(ids, Box::new(decide)).await.expect("batch");
    assert_eq!((changes.updates.len(), changes.inserts.len()), (1_000, 1_000));
    for update in &changes.updates {
        let read = store.get(update.saga.id).await.expect("get").map(|record| record.saga);
        assert_eq!(read.as_ref(), Some(&update.saga));
        assert_eq!(store.journal(update.saga.id, 0, 10).await.expect("journal").len(), 2);
    }
    assert_eq!(store.find_keys((0..2_500).map(|n| key(10, n)).collect()).await.expect("keys").len(), 1_000);
}

async fn the_decision_sees_what_is_there(store: &Store) {
    let there = record(id(11, 1), running(0, START));
    put(store, vec![there.clone()]).await;
    let seen = Arc::new(Mutex::new(Loaded::default()));
    let slot = Arc::clone(&seen);
    let before = store.now();
    let decide = move |loaded: &Loaded| {
        *slot.lock().expect("slot") = loaded.clone();
        Changes::default()
    };
    store.commit(vec![id(11, 2), there.saga.id, there.saga.id], Box::new(decide)).await.expect("look");
    let seen = seen.lock().expect("slot").clone();
    assert_eq!(seen.records.into_iter().collect::<Vec<_>>(), [(there.saga.id, there)]);
    assert!(seen.broken.is_empty());
    let late = before.plus(Duration::from_secs(60));
    assert!(seen.now.0 > before.0 - 5_000_000 && seen.now < late, "the clock is the store's");
}

/// Rivals each add one version; every version is made by exactly one of them.
async fn one_of_many_rivals_wins_each_version(store: &Store) {
    const RIVALS: u64 = 8;
    const MOVES: u64 = 5;
    let shared: Vec<SagaId> = (0..3).map(|n| id(12, n)).collect();
    put(store, shared.iter().map(|id| record(*id, running(0, START))).collect()).await;
    let rivals: Vec<_> = (0..RIVALS)
        .map(|rival| {
            let (store, mut ids) = (store.clone(), shared.clone());
            // Asked for in different orders: locks are taken in one order all the same.
            ids.rotate_left((rival % 3) as usize);
            tokio::spawn(async move {
                for _ in 0..MOVES {
                    let decide = move |loaded: &Loaded| {
                        let mut changes = Changes::default();
                        for record in loaded.records.values() {
                            advance(&mut changes, record, running(rival as u8, START));
                        }
                        changes
                    };
                    while let Err(error) = store.commit(ids.clone(), Box::new(decide)).await {
                        assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
                    }
                }
            })
        })
        .collect();
    for rival in rivals {
        rival.await.expect("rival");
    }
    for id in shared {
        assert_eq!(version(store, id).await, Some(1 + RIVALS * MOVES), "no move is lost, none is made twice");
        let journal = store.journal(id, 0, 1_000).await.expect("journal");
        let versions: Vec<u64> = journal.iter().map(|entry| entry.version).collect();
        assert_eq!(versions, (1..=1 + RIVALS * MOVES).collect::<Vec<_>>());
    }
}

/// A caller that goes away leaves its batch committed as a whole or not at all, and the store usable.
async fn dropped_callers_leave_whole_batches(store: &Store) {
    for n in 0..20 {
        let pair = [id(13, 2 * n), id(13, 2 * n + 1)];
        let records = pair.map(|id| record(id, running(0, START)));
        let changes = Changes { inserts: records.map(insert).to_vec(), ..Changes::default() };
        let doomed = store.commit(Vec::new(), always(changes));
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(n) * 50), doomed).await;
        put(store, vec![record(id(14, n), running(0, START))]).await;
        assert_eq!(version(store, id(14, n)).await, Some(1));
    }
    // A later commit that waits for nothing may overtake the dropped ones: wait until each is all there or not there,
    // which a torn batch never becomes.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    for n in 0..20 {
        while version(store, id(13, 2 * n)).await != version(store, id(13, 2 * n + 1)).await {
            assert!(std::time::Instant::now() < deadline, "half a batch");
        }
    }
}
