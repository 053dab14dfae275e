//! Explanations name the place, the reason, the next thing and the legal acts, wherever a saga may be.

use crate::support;
use baton_query::acts::{Next, VERBS};
use baton_query::explain::{Answer, Case, Explanation, Knowledge, Trouble, WaitsFor, explain, unreadable};
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Verb};
use saga_core::machine;
use saga_core::saga::{DefinitionId, Direction, Saga, State};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::collections::BTreeSet;
use support::{
    CONTENT, Lived, action_of, definitions, explained, later, reachable, rejected, short_order, succeeded, transfer,
    unavailable,
};

/// What the machine accepts, asked here and not through the library.
fn accepted(definition: &Definition, saga: &Saga, now: Micros) -> BTreeSet<&'static str> {
    let moves = |verb: &Verb| matches!(machine::apply(definition, saga, &action_of(*verb), now), Applied::Moved(_));
    VERBS.iter().filter(|verb| moves(verb)).map(|verb| verb.as_str()).collect()
}

fn offered(explanation: &Explanation) -> BTreeSet<&'static str> {
    explanation.offers.iter().map(|offer| offer.act.verb.as_str()).collect()
}

/// Every place at which a saga of each definition can be stuck.
#[test]
fn a_saga_stuck_anywhere_is_explained() {
    let order: &[(&str, Direction)] = &[
        ("payment.taken", Direction::Undo),
        ("order.open", Direction::Undo),
        ("stock.reserve", Direction::Undo),
        ("order.confirm", Direction::Action),
    ];
    let transfer_places: &[(&str, Direction)] =
        &[("account.hold", Direction::Undo), ("bank.send", Direction::Action), ("account.settle", Direction::Action)];
    for (definition, places) in [
        (short_order(), order),
        (support::hurried_order(), order),
        (transfer(), transfer_places),
        (support::hurried_transfer(), transfer_places),
    ] {
        let mut seen = BTreeSet::new();
        for lived in reachable(&definition, 2) {
            let State::Stuck { step, direction, why, unwinding, .. } = &lived.saga.state else { continue };
            let name = definition.steps()[usize::from(*step)].name.clone();
            let now = later(&lived, 90_000);
            let explanation = explained(&definition, &lived, now);
            let place = explanation.place.clone().unwrap();
            let half = place.half.unwrap();
            assert_eq!((place.state, half.step.as_str(), half.direction), ("stuck", name.as_str(), *direction));
            assert!(place.sentence.contains(&name) && place.sentence.contains(&why.reason), "{}", place.sentence);
            if let Some(cause) = unwinding {
                assert!(place.sentence.contains(&cause.reason), "{}", place.sentence);
            }
            let waiting = explanation.waiting.clone().unwrap();
            assert_eq!(waiting.waits_for, WaitsFor::Operator);
            assert_eq!((waiting.since, waiting.until), (lived.saga.updated_at, None));
            assert!(waiting.sentence.contains("1 min 30 s ago") && waiting.sentence.contains(&half.participant));
            assert_eq!(explanation.upcoming, None);
            assert_eq!(offered(&explanation), accepted(&definition, &lived.saga, now));
            assert_eq!(explanation.offers.len() + explanation.refused.len(), VERBS.len());
            for offer in &explanation.offers {
                assert!(offer.sentence.starts_with(&format!("You may {}", offer.act.verb.as_str())));
            }
            seen.insert((name, *direction));
        }
        let places: BTreeSet<_> = places.iter().map(|(name, direction)| ((*name).to_owned(), *direction)).collect();
        assert_eq!(seen, places);
    }
}

#[test]
fn wherever_a_saga_is_the_explanation_agrees_with_the_machine() {
    for definition in definitions() {
        for lived in reachable(&definition, 1) {
            let overdue = lived.saga.wake_at().into_iter().flat_map(|at| [at, Micros(at.0 + 200_000_000)]);
            for now in overdue.chain([later(&lived, 1)]) {
                agrees(&definition, &lived, now);
            }
        }
    }
}

fn agrees(definition: &Definition, lived: &Lived, now: Micros) {
    let saga = &lived.saga;
    let explanation = explained(definition, lived, now);
    assert_eq!((&explanation.trouble, &explanation.gap), (&None, &None));
    assert_eq!(offered(&explanation), accepted(definition, saga, now));
    assert_eq!(explanation.upcoming.as_ref().map(|upcoming| upcoming.at), saga.wake_at());
    if let Some(upcoming) = &explanation.upcoming {
        let woken = lived.then(definition, &Event::Wake, upcoming.at.max(now));
        assert_eq!(upcoming.next, Next::of(definition, &woken.saga));
        assert_eq!(upcoming.is_overdue, upcoming.at <= now);
        let until = Micros(upcoming.at.0 - 1);
        if until >= saga.updated_at {
            assert!(lived.after(definition, &Event::Wake, until).is_none());
        }
    }
    well_written(&explanation);
}

/// Sentences end, hold no contents and nothing that acts on a terminal.
fn well_written(explanation: &Explanation) {
    for sentence in explanation.sentences() {
        assert!(sentence.ends_with(['.', '?']) && !sentence.contains("  "), "{sentence:?}");
        assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        let first = sentence.chars().next().unwrap();
        assert!(!first.is_whitespace(), "{sentence:?}");
    }
    assert!(!format!("{explanation:?}").contains(CONTENT));
}

/// Answers move a paused saga on; it is paused all the same, and since the pause was ordered.
#[test]
fn a_pause_lasts_from_its_order() {
    let definition = short_order();
    let lived = Lived::start(&definition);
    let paused = lived.then(&definition, &action_of(Verb::Pause), later(&lived, 500));
    let moved = paused.answered(&definition, rejected("NO_STOCK"), 3_000);
    let explanation = explained(&definition, &moved, later(&moved, 2_000));
    let waiting = explanation.waiting.clone().unwrap();
    assert_eq!((waiting.waits_for, waiting.since), (WaitsFor::Resume, paused.saga.updated_at));
    assert!(waiting.sentence.contains("(5 s ago)"), "{}", waiting.sentence);
    let place = explanation.place.unwrap();
    assert_eq!(place.sentence, "It unwinds because of NO_STOCK and is paused at the undo of payment.taken.");
    assert_eq!(place.attempt, 0);
}

/// A clock that lags behind the last move makes no time before it.
#[test]
fn a_clock_that_lags_is_no_matter() {
    let definition = short_order();
    let lived = Lived::start(&definition).answered(&definition, succeeded(), 60_000);
    let now = Micros(lived.saga.updated_at.0 - 30_000_000);
    assert_eq!(explained(&definition, &lived, now), explained(&definition, &lived, lived.saga.updated_at));
}

#[test]
fn the_ledger_is_read_out() {
    let definition = short_order();
    let lived = Lived::start(&definition);
    let says = |lived: &Lived, ledger| {
        let case = Case {
            definition: Some(&definition),
            saga: &lived.saga,
            journal: &lived.journal,
            ledger: Some(ledger),
            hold: None,
            now: lived.saga.updated_at,
        };
        explain(&case).ledger
    };
    let known = says(&lived, Knowledge::Known(Answer::Succeeded)).unwrap();
    assert_eq!(
        known.sentence,
        "The ledger of order says of order.open: done; when that answer is heard here, it sends attempt 1 of \
         payment.verify to payment."
    );
    let refused = says(&lived, Knowledge::Known(Answer::Rejected("BAD\u{202e}".to_owned()))).unwrap();
    assert!(refused.sentence.contains("refused, BAD_; when"), "{}", refused.sentence);
    assert_eq!(refused.knowledge, Knowledge::Known(Answer::Rejected("BAD_".to_owned())));
    assert!(says(&lived, Knowledge::Unknown).unwrap().sentence.contains("no answer to order.open"));
    assert_eq!(
        says(&lived, Knowledge::Unreachable).unwrap().sentence,
        "order could not be asked what it knows of order.open."
    );
    let ended = ["", "", "", ""].iter().fold(lived, |lived, _| lived.answered(&definition, succeeded(), 1));
    assert_eq!(ended.saga.state, State::Completed);
    assert_eq!(says(&ended, Knowledge::Unknown), None);
    // Bad news tells a stuck saga nothing new.
    let opened = Lived::start(&definition).answered(&definition, rejected("NO"), 1);
    let stuck = opened.answered(&definition, rejected("NO_REFUND"), 1);
    let news = says(&stuck, Knowledge::Known(Answer::Rejected("NO_REFUND".to_owned()))).unwrap();
    assert_eq!(news.next, None);
    assert!(news.sentence.ends_with("that changes nothing here."), "{}", news.sentence);
}

#[test]
fn what_this_build_cannot_read_is_explained_all_the_same() {
    let definition = short_order();
    let lived = Lived::start(&definition).answered(&definition, unavailable("AWAY"), 10);
    let now = later(&lived, 5);
    let case = Case { definition: None, saga: &lived.saga, journal: &lived.journal, ledger: None, hold: None, now };
    let unknown = explain(&case);
    assert_eq!(unknown.trouble, Some(Trouble::UnknownDefinition("order/1".to_owned())));
    assert_eq!(unknown.place.as_ref().unwrap().sentence, "It is running and does step 1.");
    assert_eq!(unknown.past.len(), 2);
    assert!(unknown.past[1].sentence.ends_with("attempt 1 of step 1 brought no answer: AWAY."));
    assert_eq!((unknown.offers.len(), unknown.upcoming.is_some()), (0, false));
    well_written(&unknown);

    let damaged = Saga { version: 0, ..lived.saga.clone() };
    let broken = explain(&Case { definition: Some(&definition), saga: &damaged, ..case.clone() });
    assert!(matches!(broken.trouble, Some(Trouble::Broken(_))), "{:?}", broken.trouble);
    assert!(broken.offers.is_empty() && !broken.past.is_empty());
    well_written(&broken);

    let elsewhere =
        Saga { definition: DefinitionId { name: "\u{202e}x".to_owned(), version: 9 }, ..lived.saga.clone() };
    let hostile = explain(&Case { saga: &elsewhere, ..case.clone() });
    assert!(!hostile.sentences().concat().contains('\u{202e}'));

    let row = unreadable("unknown state 9\n\u{1b}[31m");
    assert_eq!(row.place, None);
    well_written(&row);
}

#[test]
fn a_journal_that_is_cut_or_torn_is_told_as_far_as_it_goes() {
    let definition = short_order();
    let lived = Lived::start(&definition).answered(&definition, succeeded(), 5).answered(&definition, succeeded(), 5);
    let now = later(&lived, 5);
    let told = |journal: &[saga_core::event::Entry]| {
        explain(&Case { definition: Some(&definition), saga: &lived.saga, journal, ledger: None, hold: None, now })
    };
    let cut = told(&lived.journal[..2]);
    assert_eq!(cut.gap.as_deref(), Some("What is told here ends with entry 2 of 3 of its journal."));
    assert_eq!(cut.offers.len(), 2);
    let torn = told(&[lived.journal[0].clone(), lived.journal[2].clone()]);
    assert!(torn.gap.as_ref().unwrap().starts_with("1 of its journal's entries cannot be followed"), "{:?}", torn.gap);
    well_written(&torn);
    let newest = told(&lived.journal[1..]);
    assert_eq!(newest.gap.as_deref(), Some("The oldest entry of its journal is left out here."));
    assert_eq!(
        (newest.offers.len(), newest.waiting.as_ref().map(|waiting| waiting.since)),
        (2, Some(lived.saga.updated_at))
    );
    well_written(&newest);
    let none = told(&[]);
    assert_eq!(none.gap.as_deref(), Some("What is told here ends with entry 0 of 3 of its journal."));
    well_written(&none);
}

/// A reason is the only word of a participant that is shown, and even that is made harmless.
#[test]
fn hostile_words_are_inert() {
    let definition = short_order();
    let hostile = "<img src=x onerror=alert(1)>\u{202e}\u{1b}[2J";
    let outcome = Outcome::Rejected { reason: hostile.to_owned(), message: hostile.to_owned() };
    let lived = Lived::start(&definition).answered(&definition, outcome, 5);
    let text = format!("{:?}", explained(&definition, &lived, later(&lived, 5)));
    assert!(!text.contains("<img") && !text.contains("202e") && !text.contains("1b"), "{text}");
}
