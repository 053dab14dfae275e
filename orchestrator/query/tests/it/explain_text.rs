//! Explanations as they are read, whole.

use crate::support;
use baton_query::explain::{Answer, Case, Hold, Knowledge, explain};
use saga_core::event::Verb;
use support::{Lived, START, action_of, explained, later, rejected, short_order, succeeded, unavailable};

/// One whole explanation, as an operator reads it.
#[test]
fn a_stuck_order_reads_like_this() {
    let definition = short_order();
    let mut lived = Lived::start(&definition).answered(&definition, succeeded(), 120);
    lived = lived.answered(&definition, unavailable("DATABASE_AWAY"), 30);
    lived = lived.woken(&definition).answered(&definition, succeeded(), 250);
    lived = lived.answered(&definition, succeeded(), 80);
    lived = lived.woken(&definition).woken(&definition).woken(&definition);
    let text = explained(&definition, &lived, later(&lived, 190_000)).sentences().join("\n");
    assert_eq!(text, STUCK_ORDER);
}
const STUCK_ORDER: &str = "\
It is stuck at order.confirm because of TIMEOUT.
It was started at 2026-11-27T10:00:00Z as order/1.
order.open was done by order in 0.1 s.
payment.verify was done by payment in 0.4 s, after 1 attempt in vain (1 DATABASE_AWAY).
stock.reserve was done by stock in under 0.1 s.
order.confirm has seen 2 attempts in vain (2 TIMEOUT) so far.
It has waited for an operator, or for a late answer of order, since 2026-11-27T10:00:10.720878Z (3 min 10 s ago).
You may retry: it sends attempt 3 of order.confirm to order, with 1 more to follow if need be. After that it may end completed or get stuck.
You may skip order.confirm, if the saga can do without it: it ends completed without order.confirm.
You may resolve-done, if order.confirm was done by hand: it ends completed: every step is done.";

#[test]
fn an_order_that_unwinds_reads_like_this() {
    let definition = support::order();
    let mut lived = Lived::start(&definition).answered(&definition, succeeded(), 120);
    lived = lived.answered(&definition, succeeded(), 120);
    lived = lived.answered(&definition, rejected("OUT_OF_STOCK"), 40);
    lived = lived.woken(&definition);
    let now = later(&lived, 60);
    let case = Case {
        definition: Some(&definition),
        saga: &lived.saga,
        journal: &lived.journal,
        ledger: Some(Knowledge::Known(Answer::Succeeded)),
        hold: None,
        now,
    };
    assert_eq!(explain(&case).sentences().join("\n"), UNWINDING_ORDER);
}
const UNWINDING_ORDER: &str = "\
It unwinds because of OUT_OF_STOCK and is at the undo of order.open.
It was started at 2026-11-27T10:00:00Z as order/1.
order.open was done by order in 0.1 s.
payment.verify was done by payment in 0.1 s.
stock refused stock.reserve: OUT_OF_STOCK.
The undo of order.open has seen 1 attempt in vain (1 TIMEOUT) so far.
It has paused after attempt 1 of 190 of the undo of order.open since 2026-11-27T10:00:05.28Z (under 0.1 s ago).
At 2026-11-27T10:00:05.459022Z (in 0.1 s) it sends attempt 2 of the undo of order.open to order.
The ledger of order says of the undo of order.open: undone; when that answer is heard here, it sends attempt 1 of the undo of payment.taken to payment.
If nobody acts it may end compensated or get stuck.
You may retry: it sends attempt 2 of the undo of order.open to order, with 189 more to follow if need be. After that it may end compensated or get stuck.
You may pause: it halts before the undo of order.open until it is resumed. Once it is resumed it may end compensated or get stuck.";

#[test]
fn orders_are_told_with_who_gave_them() {
    let definition = short_order();
    let lived = Lived::start(&definition);
    let paused = lived.then(&definition, &action_of(Verb::Pause), later(&lived, 500));
    let resumed = paused.then(&definition, &action_of(Verb::Resume), later(&paused, 2_000));
    let cancelled = resumed.then(&definition, &action_of(Verb::Cancel), later(&resumed, 100));
    let told: Vec<String> =
        explained(&definition, &cancelled, later(&cancelled, 0)).past.into_iter().map(|past| past.sentence).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[1].starts_with("ops-kim paused the saga at order.open at 2026-11-27T"), "{}", told[1]);
    assert!(told[2].starts_with("ops-kim resumed the saga at order.open at 2026-11-27T"), "{}", told[2]);
    assert_eq!(told[3], "The saga was cancelled by ops-kim while order.open was at work: the customer called.");
}

/// What would only send what is held is not offered, and says what to do first.
#[test]
fn a_held_saga_says_who_holds_it_and_why() {
    let definition = short_order();
    let lived = Lived::start(&definition).then(&definition, &action_of(Verb::Pause), START).answered(
        &definition,
        succeeded(),
        0,
    );
    let hold = Hold {
        name: "holds/participants/payment".to_owned(),
        actor: "ada".to_owned(),
        reason: "the bank is closed".to_owned(),
    };
    let case = Case {
        definition: Some(&definition),
        saga: &lived.saga,
        journal: &lived.journal,
        ledger: None,
        hold: Some(hold.clone()),
        now: later(&lived, 2_000),
    };
    let told = explain(&case);
    assert_eq!(
        told.waiting.unwrap().sentence,
        "It has waited since 2026-11-27T10:00:00Z (2 s ago) and goes on once holds/participants/payment is released, which \
         ada holds: the bank is closed."
    );
    assert_eq!(told.hold, Some(hold));
    let verbs: Vec<Verb> = told.offers.iter().map(|offer| offer.act.verb).collect();
    assert_eq!(verbs, [Verb::Cancel]);
    let (_, barrier) = told.refused.iter().find(|(verb, _)| *verb == Verb::Resume).unwrap();
    assert_eq!(
        barrier.to_string(),
        "holds/participants/payment must be released first, which ada holds: the bank is closed"
    );
}

/// Where the refusal is stored, a retry is no way out: it is offered last, and says so.
#[test]
fn a_retry_that_meets_a_stored_refusal_says_so() {
    let definition = short_order();
    let mut lived = Lived::start(&definition);
    for _ in 0..3 {
        lived = lived.answered(&definition, succeeded(), 1);
    }
    let stuck = lived.answered(&definition, rejected("ORDER_STATE"), 1);
    let told = |ledger| {
        let case = Case {
            definition: Some(&definition),
            saga: &stuck.saga,
            journal: &stuck.journal,
            ledger: Some(ledger),
            hold: None,
            now: later(&stuck, 5),
        };
        explain(&case).offers
    };
    let offers = told(Knowledge::Known(Answer::Rejected("ORDER_STATE".to_owned())));
    let verbs: Vec<Verb> = offers.iter().map(|offer| offer.act.verb).collect();
    assert_eq!(verbs, [Verb::Skip, Verb::ResolveDone, Verb::Retry]);
    assert!(
        offers[2].sentence.starts_with(
            "You may retry, but the ledger of order keeps its refusal (ORDER_STATE) and will answer with it again: it sends \
             attempt 2 of order.confirm to order"
        ),
        "{}",
        offers[2].sentence
    );
    let offers = told(Knowledge::Unknown);
    assert_eq!(offers[0].act.verb, Verb::Retry);
    assert!(offers[0].sentence.starts_with("You may retry: it sends"), "{}", offers[0].sentence);
}

/// The commonest reason comes first.
#[test]
fn reasons_are_counted() {
    let definition = support::order();
    let mut lived = Lived::start(&definition).answered(&definition, unavailable("AWAY"), 10).woken(&definition);
    lived = lived.woken(&definition).woken(&definition).woken(&definition);
    let told = explained(&definition, &lived, lived.saga.updated_at).past.pop().unwrap();
    assert_eq!(told.sentence, "order.open has seen 3 attempts in vain (2 TIMEOUT, 1 AWAY) so far.");
    assert_eq!(told.attempts, 3);
}
