//! A sound history passes every law over histories; each lie is found by its own.

use crate::evidence::{ORDERS, OrderStates};
use crate::laws::invariants;
use baton_query::filter::StateKind;
use baton_verify::coverage::{Coverage, HISTORY, Mode};
use baton_verify::evidence::Evidence;
use baton_verify::history::{Call, Kind, Outcome};
use baton_verify::invariant::Invariant;
use baton_verify::memory::{Kept, Memory};
use baton_verify::own::Own;
use baton_verify::tally::with_engine;
use shop_proto::order::v1::OrderState;
use std::collections::BTreeSet;
use std::sync::Arc;

const SAGA: &str = "s1";

fn call(kind: Kind, key: &str, at: u64, outcome: Outcome) -> Call {
    let (client, request) = ("c".to_owned(), format!("r-{key}"));
    Call { kind, client, request, key: key.to_owned(), begun: at, ended: Some(at + 1), outcome }
}

fn ok(saga: &str, state: &str, version: u64) -> Outcome {
    Outcome::Ok { saga: Some(saga.to_owned()), state: Some(state.to_owned()), version: Some(version) }
}

fn fail(code: &str) -> Outcome {
    Outcome::Fail { code: code.to_owned() }
}

/// Placed twice by one request, read, once refused for overload, once in doubt.
fn sound() -> (Vec<Call>, Memory, OrderStates) {
    let calls = vec![
        call(Kind::Place, "o1", 1, ok(SAGA, "PAYMENT_CONFIRM", 1)),
        call(Kind::Place, "o1", 3, ok(SAGA, "ORDER_STATE_PAYMENT_SUCCESS", 5)),
        call(Kind::Read, "o1", 5, ok(SAGA, "PAYMENT_SUCCESS", 5)),
        call(Kind::Place, "o2", 7, fail("RESOURCE_EXHAUSTED")),
        call(Kind::Place, "o3", 9, Outcome::Unknown),
    ];
    let kept = |id: &str| vec![kept(id, StateKind::Completed)];
    let sagas = [("o1", kept(SAGA)), ("o3", kept("s3"))];
    let sagas = sagas.into_iter().map(|(order, kept)| (order.to_owned(), kept)).collect();
    let orders = OrderStates([("o1".to_owned(), OrderState::PaymentSuccess)].into());
    (calls, Memory { sagas, ..Memory::default() }, orders)
}

fn kept(id: &str, state: StateKind) -> Kept {
    Kept { id: id.to_owned(), state: Some(state) }
}

/// Every law over histories, with what it looked at and what is broken.
fn judge(
    (history, memory, orders): (Vec<Call>, Memory, OrderStates),
    mode: Mode,
) -> Vec<(&'static str, usize, Vec<String>)> {
    let coverage = Arc::new(Coverage::of(&[HISTORY, ORDERS], []));
    let own = Own::default().with(orders);
    let evidence = Evidence { history, memory, own, ..Evidence::new(mode, &coverage) };
    let further = invariants();
    let all = with_engine(&further).into_iter();
    let of_history = all.filter(|law: &&dyn Invariant| law.promise().needs.contains(&HISTORY));
    let found = of_history.map(|law| (law.promise().what, law.judge(&evidence)));
    found.map(|(what, found)| (what, found.looked, found.broken)).collect()
}

/// Plants a lie; exactly these laws find it.
#[track_caller]
fn expect(plant: impl FnOnce(&mut Vec<Call>, &mut Memory), names: &[&str]) {
    expect_of(|calls, memory, _| plant(calls, memory), Mode::AtRest, names);
}

#[track_caller]
fn expect_of(plant: impl FnOnce(&mut Vec<Call>, &mut Memory, &mut OrderStates), mode: Mode, names: &[&str]) {
    let (mut calls, mut memory, mut orders) = sound();
    plant(&mut calls, &mut memory, &mut orders);
    let found = judge((calls, memory, orders), mode).into_iter();
    let found: BTreeSet<&str> = found.filter(|(.., broken)| !broken.is_empty()).map(|(what, ..)| what).collect();
    assert_eq!(found, names.iter().copied().collect());
}

const PROMISE: &str = baton_verify::laws::history::KEPT_PROMISES.promise.what;
const REQUEST: &str = baton_verify::laws::history::ONE_SAGA_A_REQUEST.promise.what;
const FORWARD: &str = baton_verify::laws::history::READS_GO_FORWARD.promise.what;
const OVERLOADED: &str = baton_verify::laws::history::REFUSALS_LEFT_NOTHING.promise.what;
const DOUBT: &str = baton_verify::laws::history::DOUBT_WAS_TOLD.promise.what;
const ONE: &str = crate::laws::orders::ONE_SAGA.promise.what;
const THERE: &str = crate::laws::orders::PROMISED_ORDER_EXISTS.promise.what;
const TRUTH: &str = crate::laws::orders::TOLD_THE_TRUTH.promise.what;

#[test]
fn a_sound_history_passes_and_every_law_looks_at_something() {
    expect(|_, _| {}, &[]);
    for (what, looked, _) in judge(sound(), Mode::AtRest) {
        assert!(looked > 0, "{what} looked at nothing");
    }
}

#[test]
fn lies_are_found() {
    expect(|_, memory| drop(memory.sagas.remove("o1")), &[PROMISE]);
    expect(|_, memory| memory.sagas.get_mut("o1").unwrap()[0].state = Some(StateKind::Running), &[PROMISE]);
    expect(|calls, _| calls[1].outcome = ok("s9", "PAYMENT_SUCCESS", 5), &[PROMISE, REQUEST]);
    let twice = |_: &mut Vec<Call>, memory: &mut Memory| {
        memory.sagas.get_mut("o1").unwrap().push(kept("s2", StateKind::Compensated));
    };
    expect(twice, &[ONE]);
    expect(|calls, _| calls[2].outcome = ok(SAGA, "PAYMENT_SUCCESS", 4), &[FORWARD]);
    expect(|calls, _| calls[2].outcome = ok(SAGA, "CANCELLED", 5), &[TRUTH]);
    expect_of(|_, _, orders| orders.0.values_mut().for_each(|it| *it = OrderState::Cancelled), Mode::AtRest, &[TRUTH]);
    expect_of(|_, _, orders| orders.0.clear(), Mode::AtRest, &[THERE, TRUTH]);
    let nobody = |calls: &mut Vec<Call>, _: &mut Memory| {
        calls[1].outcome = Outcome::Ok { saga: None, state: None, version: None };
        calls[0].outcome = calls[1].outcome.clone();
    };
    expect(nobody, &[REQUEST]);
    let left = |_: &mut Vec<Call>, memory: &mut Memory| {
        memory.sagas.insert("o2".to_owned(), vec![kept("s2", StateKind::Completed)]);
    };
    expect(left, &[OVERLOADED, DOUBT]);
    expect(|calls, _| calls[4].outcome = fail("UNAVAILABLE"), &[DOUBT]);
}

#[test]
fn a_forgotten_saga_counts_as_one_that_was_there() {
    let forget = |order: &'static str, id: &'static str| {
        move |_: &mut Vec<Call>, memory: &mut Memory| {
            memory.sagas.remove(order);
            memory.forgotten.insert(order.to_owned(), id.to_owned());
        }
    };
    expect(forget("o1", SAGA), &[]);
    expect(forget("o1", "s2"), &[PROMISE]);
    expect(forget("o2", "s2"), &[OVERLOADED, DOUBT]);
    expect(|_, memory| drop(memory.forgotten.insert("o1".to_owned(), "s2".to_owned())), &[ONE]);
}

#[test]
fn overlapping_reads_may_see_either_order() {
    let lie = |calls: &mut Vec<Call>, _: &mut Memory| {
        calls[2].outcome = ok(SAGA, "PAYMENT_SUCCESS", 4);
        calls[2].begun = 3;
    };
    expect(lie, &[]);
}

#[test]
fn what_is_parked_has_ended_only_where_an_operator_is_there() {
    let parked = |_: &mut Vec<Call>, memory: &mut Memory, _: &mut OrderStates| {
        memory.sagas.get_mut("o1").unwrap()[0].state = Some(StateKind::Stuck);
    };
    expect_of(parked, Mode::AtRest, &[]);
    expect_of(parked, Mode::Finished, &[PROMISE]);
}
