//! A sound history passes every law over histories; each lie is found by its own.

use super::*;
use std::collections::BTreeSet;

const SAGA: &str = "s1";

fn call(kind: Kind, order: &str, at: u64, outcome: Outcome) -> Call {
    let (client, request) = ("c".to_owned(), format!("r-{order}"));
    Call { kind, client, request, order: order.to_owned(), begun: at, ended: Some(at + 1), outcome }
}

fn ok(saga: &str, state: &str, version: u64) -> Outcome {
    Outcome::Ok { saga: Some(saga.to_owned()), state: Some(state.to_owned()), version: Some(version) }
}

fn fail(code: &str) -> Outcome {
    Outcome::Fail { code: code.to_owned() }
}

/// Placed twice by one request, read, once refused for overload, once in doubt.
fn sound() -> (Vec<Call>, Memory) {
    let calls = vec![
        call(Kind::Place, "o1", 1, ok(SAGA, "PAYMENT_CONFIRM", 1)),
        call(Kind::Place, "o1", 3, ok(SAGA, "ORDER_STATE_PAYMENT_SUCCESS", 5)),
        call(Kind::Read, "o1", 5, ok(SAGA, "PAYMENT_SUCCESS", 5)),
        call(Kind::Place, "o2", 7, fail("RESOURCE_EXHAUSTED")),
        call(Kind::Place, "o3", 9, Outcome::Unknown),
    ];
    let kept = |id: &str| vec![Kept { id: id.to_owned(), state: 5, version: 5 }];
    let sagas = [("o1", kept(SAGA)), ("o3", kept("s3"))];
    let sagas = sagas.into_iter().map(|(order, kept)| (order.to_owned(), kept)).collect();
    (calls, Memory { sagas, orders: Some([("o1".to_owned(), 3)].into()), ..Memory::default() })
}

/// Plants a lie; exactly these laws find it.
#[track_caller]
fn expect(plant: impl FnOnce(&mut Vec<Call>, &mut Memory), names: &[&str]) {
    let (mut calls, mut memory) = sound();
    plant(&mut calls, &mut memory);
    let found: BTreeSet<&str> = HISTORY_LAWS
        .iter()
        .filter(|law| {
            let mut found = Found::default();
            (law.check)(&calls, &memory, Mode::AtRest, &mut found);
            !found.broken.is_empty()
        })
        .map(|law| law.name)
        .collect();
    assert_eq!(found, names.iter().copied().collect());
}

const PROMISE: &str = "every order a client was promised has its saga, or had it until it was forgotten";
const ONE: &str = "all answers to one request name one saga, and an order has one";
const FORWARD: &str = "what one client reads of a saga never goes back";
const TRUTH: &str = "the end a client was told is the one that is stored";
const OVERLOADED: &str = "an order refused for overload, and never otherwise answered, left nothing";
const DOUBT: &str = "an order that was only ever refused has no saga: doubt is told as doubt";

#[test]
fn a_sound_history_passes_and_every_law_looks_at_something() {
    expect(|_, _| {}, &[]);
    let (calls, memory) = sound();
    for law in HISTORY_LAWS {
        let mut found = Found::default();
        (law.check)(&calls, &memory, Mode::AtRest, &mut found);
        assert!(found.looked > 0, "{} looked at nothing", law.name);
    }
}

#[test]
fn lies_are_found() {
    expect(|_, memory| drop(memory.sagas.remove("o1")), &[PROMISE]);
    expect(|_, memory| memory.sagas.get_mut("o1").unwrap()[0].state = 1, &[PROMISE]);
    expect(|calls, _| calls[1].outcome = ok("s9", "PAYMENT_SUCCESS", 5), &[PROMISE, ONE]);
    let twice = |_: &mut Vec<Call>, memory: &mut Memory| {
        let again = Kept { id: "s2".to_owned(), state: 6, version: 3 };
        memory.sagas.get_mut("o1").unwrap().push(again);
    };
    expect(twice, &[ONE]);
    expect(|calls, _| calls[2].outcome = ok(SAGA, "PAYMENT_SUCCESS", 4), &[FORWARD]);
    expect(|calls, _| calls[2].outcome = ok(SAGA, "CANCELLED", 5), &[TRUTH]);
    expect(|_, memory| memory.orders = Some([("o1".to_owned(), 6)].into()), &[TRUTH]);
    let left = |_: &mut Vec<Call>, memory: &mut Memory| {
        memory.sagas.insert("o2".to_owned(), vec![Kept { id: "s2".to_owned(), state: 5, version: 5 }]);
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
