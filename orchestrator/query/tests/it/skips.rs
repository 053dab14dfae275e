//! What operators skip is known for as long as there is the saga, and said wherever its end is.

use crate::support;
use baton_query::explain::Case;
use baton_query::explain::explain;
use baton_query::skips::{SkippedHalf, of_journal};
use saga_core::event::Verb;
use saga_core::saga::{Direction, State};
use support::{Lived, action_of, explained, later, rejected, short_order, succeeded, transfer};

fn stuck_at_its_end() -> Lived {
    let definition = short_order();
    let done =
        ["", "", ""].iter().fold(Lived::start(&definition), |lived, _| lived.answered(&definition, succeeded(), 1));
    done.answered(&definition, rejected("ORDER_STATE"), 1)
}

#[test]
fn a_skip_is_kept_to_the_end() {
    let definition = short_order();
    let stuck = stuck_at_its_end();
    assert_eq!(of_journal(&definition, &stuck.journal), Ok(Vec::new()));
    let skipped = stuck.then(&definition, &action_of(Verb::Skip), later(&stuck, 5));
    assert_eq!(skipped.saga.state, State::Completed);
    let own = SkippedHalf { step: "order.confirm".to_owned(), direction: Direction::Action };
    assert_eq!(of_journal(&definition, &skipped.journal), Ok(vec![own]));
    let resolved = stuck.then(&definition, &action_of(Verb::ResolveDone), later(&stuck, 5));
    assert_eq!(of_journal(&definition, &resolved.journal), Ok(Vec::new()), "that was done, by hand");
    let unwinding = Lived::start(&definition).answered(&definition, rejected("NO"), 1);
    let stuck = unwinding.answered(&definition, rejected("NO_REFUND"), 1);
    let skipped = stuck.then(&definition, &action_of(Verb::Skip), later(&stuck, 5));
    let own = SkippedHalf { step: "payment.taken".to_owned(), direction: Direction::Undo };
    assert_eq!(of_journal(&definition, &skipped.journal), Ok(vec![own]));
}

/// Neither its end, nor what leads there, claims what nobody did; the operator and the reason are named.
#[test]
fn an_end_says_what_it_is_without() {
    let definition = short_order();
    let stuck = stuck_at_its_end();
    let offers = explained(&definition, &stuck, later(&stuck, 5)).offers;
    let sentence = |verb| offers.iter().find(|offer| offer.act.verb == verb).unwrap().sentence.clone();
    assert_eq!(
        sentence(Verb::Skip),
        "You may skip order.confirm, if the saga can do without it: it ends completed without order.confirm."
    );
    assert_eq!(
        sentence(Verb::ResolveDone),
        "You may resolve-done, if order.confirm was done by hand: it ends completed: every step is done."
    );
    let skipped = stuck.then(&definition, &action_of(Verb::Skip), later(&stuck, 5));
    let told = explained(&definition, &skipped, later(&skipped, 5));
    assert_eq!(
        told.place.unwrap().sentence,
        "It has completed with order.confirm skipped by ops-kim: the customer called."
    );
    assert!(
        told.past.iter().any(|past| past.sentence == "ops-kim skipped order.confirm: the customer called."),
        "{:?}",
        told.past
    );
    let resolved = stuck.then(&definition, &action_of(Verb::ResolveDone), later(&stuck, 5));
    let told = explained(&definition, &resolved, later(&resolved, 5));
    assert_eq!(
        told.place.unwrap().sentence,
        "It has completed: every step is done, order.confirm by hand (ops-kim: the customer called)."
    );
    assert!(
        told.past.iter().any(|past| past.sentence == "ops-kim resolved order.confirm as done: the customer called.")
    );
}

#[test]
fn an_undo_that_was_skipped_is_not_told_as_done() {
    let definition = short_order();
    let stuck = Lived::start(&definition).answered(&definition, rejected("NO"), 1);
    let stuck = stuck.answered(&definition, rejected("NO_REFUND"), 1);
    let offers = explained(&definition, &stuck, later(&stuck, 5)).offers;
    let skip = offers.iter().find(|offer| offer.act.verb == Verb::Skip).unwrap();
    assert_eq!(
        skip.sentence,
        "You may skip the undo of payment.taken, if what payment.taken did may stay: it ends compensated without the undo of \
         payment.taken."
    );
    let skipped = stuck.then(&definition, &action_of(Verb::Skip), later(&stuck, 5));
    let told = explained(&definition, &skipped, later(&skipped, 5));
    assert_eq!(
        told.place.unwrap().sentence,
        "It is compensated because of NO with the undo of payment.taken skipped by ops-kim: the customer called. Everything else that was \
         done is undone."
    );
}

/// Where the journal does not tell everything, nothing is claimed that only it could tell.
#[test]
fn an_end_whose_journal_is_not_there_claims_nothing() {
    let definition = transfer();
    let lived =
        ["", "", ""].iter().fold(Lived::start(&definition), |lived, _| lived.answered(&definition, succeeded(), 1));
    let whole = explained(&definition, &lived, later(&lived, 1));
    assert_eq!(whole.place.unwrap().sentence, "It has completed: every step is done.");
    let case = Case {
        definition: Some(&definition),
        saga: &lived.saga,
        journal: &[],
        ledger: None,
        hold: None,
        now: later(&lived, 1),
    };
    assert_eq!(explain(&case).place.unwrap().sentence, "It has completed.");
}
