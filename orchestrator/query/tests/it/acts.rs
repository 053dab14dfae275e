//! What is offered is what the machine accepts, and leads where it says.

use crate::support;
use baton_query::acts::{Act, Acts, End, Next, VERBS, acts, prospect};
use proptest::prelude::*;
use saga_core::definition::Definition;
use saga_core::event::{Event, Verb};
use saga_core::machine;
use saga_core::replay::{ReplayError, replay};
use saga_core::saga::{Direction, Resume, Saga, State, Wait};
use saga_core::time::Micros;
use std::collections::BTreeSet;
use support::{Lived, action_of, definitions, events, reachable, reachable_from, rejected, short_order, succeeded};

fn verbs(acts: &Acts) -> BTreeSet<&'static str> {
    acts.legal.iter().map(|act| act.verb.as_str()).collect()
}

/// The table of docs/state-machine.md, written down a second time.
fn expected(definition: &Definition, saga: &Saga) -> BTreeSet<&'static str> {
    match &saga.state {
        State::Running { step, wait } => {
            let cancel = definition.can_unwind_unknown(*step).then_some("cancel");
            let retry = matches!(wait, Wait::Backoff { .. }).then_some("retry");
            cancel.into_iter().chain(retry).chain(["pause"]).collect()
        }
        State::Compensating { step: _, wait, cause: _ } => {
            matches!(wait, Wait::Backoff { .. }).then_some("retry").into_iter().chain(["pause"]).collect()
        }
        State::Stuck { direction: Direction::Action, .. } => ["retry", "skip", "resolve-done"].into(),
        State::Stuck { direction: Direction::Undo, .. } => ["retry", "skip", "resolve-undone"].into(),
        State::Paused { resume: Resume::Run { step, attempt } } => {
            let unsent = *attempt == 0 && !definition.is_past_pivot(*step);
            let cancel = (unsent || *attempt > 0 && definition.can_unwind_unknown(*step)).then_some("cancel");
            cancel.into_iter().chain(["resume"]).collect()
        }
        State::Paused { resume: Resume::Unwind { .. } } => ["resume"].into(),
        State::Completed | State::Compensated { .. } => BTreeSet::new(),
    }
}

#[test]
fn exactly_the_legal_acts_are_offered_everywhere() {
    for definition in definitions() {
        for lived in reachable(&definition, 2) {
            let saga = &lived.saga;
            let offered = acts(&definition, saga, saga.updated_at).unwrap();
            assert_eq!(verbs(&offered), expected(&definition, saga), "{:?}", saga.state);
            assert_eq!(offered.legal.len() + offered.refused.len(), VERBS.len());
            for act in &offered.legal {
                let after = lived.then(&definition, &action_of(act.verb), saga.updated_at);
                assert_eq!(act.next, Next::of(&definition, &after.saga));
                assert_eq!(replay(&definition, &after.journal), Ok(after.saga.clone()));
                assert_eq!(machine::check(&definition, &after.saga), Ok(()));
                assert!(act.prospect.is_whole && !act.prospect.ends.is_empty());
            }
            for refused in &offered.refused {
                assert_eq!(lived.after(&definition, &action_of(refused.verb), saga.updated_at).map(|_| ()), None);
            }
        }
    }
}

/// Where every way ends that the real machine, whole budgets and all, can go without another order.
fn ends_by_hand(definition: &Definition, lived: Lived) -> BTreeSet<End> {
    let mut ends = BTreeSet::new();
    for at in reachable_from(definition, lived, 0) {
        match at.saga.state {
            State::Completed => ends.insert(End::Completed),
            State::Compensated { .. } => ends.insert(End::Compensated),
            State::Stuck { .. } => ends.insert(End::Stuck),
            State::Running { .. } | State::Compensating { .. } | State::Paused { .. } => false,
        };
    }
    ends
}

/// A stuck saga stays so only until a late answer comes, which the walk by hand follows: it may find more.
fn stops_here(saga: &Saga) -> bool {
    matches!(saga.state, State::Stuck { .. } | State::Paused { .. })
}

#[test]
fn a_prospect_is_where_the_machine_can_go() {
    for definition in [short_order(), support::transfer()] {
        for lived in reachable(&definition, 1).into_iter().filter(|lived| !stops_here(&lived.saga)) {
            let saga = &lived.saga;
            let found = prospect(&definition, saga, saga.updated_at).unwrap();
            assert!(found.is_whole);
            assert_eq!(found.ends, ends_by_hand(&definition, lived.clone()), "{:?}", saga.state);
        }
    }
}

#[test]
fn what_each_act_leads_to_is_known() {
    let definition = support::order();
    let mut lived = Lived::start(&definition);
    for _ in 0..3 {
        lived = lived.answered(&definition, succeeded(), 100);
    }
    let stuck = lived.answered(&definition, rejected("ORDER_GONE"), 100);
    assert_eq!(ends(&definition, &stuck, Verb::Retry), [End::Completed, End::Stuck].into());
    assert_eq!(ends(&definition, &stuck, Verb::Skip), [End::Completed].into());
    assert_eq!(act(&definition, &stuck, Verb::ResolveDone).next, Next::Ends(End::Completed));

    let opening = Lived::start(&definition);
    assert_eq!(ends(&definition, &opening, Verb::Cancel), [End::Compensated, End::Stuck].into());
    assert_eq!(ends(&definition, &opening, Verb::Pause), [End::Completed, End::Compensated, End::Stuck].into());
    let Next::Sends { half, attempt: 1, .. } = act(&definition, &opening, Verb::Cancel).next else { panic!() };
    assert_eq!((half.to_string().as_str(), half.participant.as_str()), ("the undo of order.open", "order"));
}

fn act(definition: &Definition, lived: &Lived, verb: Verb) -> Act {
    let offered = acts(definition, &lived.saga, lived.saga.updated_at).unwrap();
    offered.legal.into_iter().find(|act| act.verb == verb).expect("it is legal")
}

fn ends(definition: &Definition, lived: &Lived, verb: Verb) -> BTreeSet<End> {
    act(definition, lived, verb).prospect.ends
}

/// A time long after the saga's deadline: what an act leads to is asked of the machine at that time.
#[test]
fn a_passed_deadline_counts() {
    let definition = support::hurried_order();
    let paused = Lived::start(&definition).then(&definition, &action_of(Verb::Pause), support::START);
    let early = acts(&definition, &paused.saga, support::START).unwrap();
    let resume = |acts: Acts| acts.legal.into_iter().find(|act| act.verb == Verb::Resume).expect("it is legal");
    assert_eq!(resume(early).prospect.ends, [End::Completed, End::Compensated, End::Stuck].into());
    let late = acts(&definition, &paused.saga, Micros(support::START.0 + 3_600_000_000)).unwrap();
    assert_eq!(resume(late).prospect.ends, [End::Compensated, End::Stuck].into());

    // Nobody has woken it yet, but nothing can happen any more before the deadline.
    let opening = Lived::start(&definition);
    let by_itself = |now| prospect(&definition, &opening.saga, now).unwrap().ends;
    assert_eq!(by_itself(support::START), [End::Completed, End::Compensated, End::Stuck].into());
    assert_eq!(by_itself(Micros(support::START.0 + 3_600_000_000)), [End::Compensated, End::Stuck].into());
}

/// The longest definition there can be, with a deadline: the walk stays far below its bound.
#[test]
fn the_longest_definition_is_walked_whole() {
    let mut builder = Definition::builder("long", 1).deadline(std::time::Duration::from_secs(600)).compensatable(
        "step.0",
        "someone",
        "do",
        "undo",
        Default::default(),
    );
    for n in 1..40 {
        builder = builder.compensatable(&format!("step.{n}"), "someone", "do", "undo", Default::default());
    }
    let mut builder = builder.pivot("pivot", "someone", "go", Default::default());
    for n in 41..64 {
        builder = builder.retriable(&format!("step.{n}"), "someone", "do", Default::default());
    }
    let definition = builder.build().unwrap();
    let lived = Lived::start(&definition);
    let found = prospect(&definition, &lived.saga, support::START).unwrap();
    assert!(found.is_whole);
    assert_eq!(found.ends, [End::Completed, End::Compensated, End::Stuck].into());
}

#[test]
fn a_damaged_saga_is_refused_without_a_panic() {
    let definition = short_order();
    let lived = Lived::start(&definition);
    let elsewhere = State::Stuck {
        step: 200,
        direction: Direction::Undo,
        attempt: 0,
        why: saga_core::saga::Cause { step: 3, reason: String::new(), message: String::new() },
        unwinding: None,
    };
    let damaged = Saga { state: elsewhere, ..lived.saga };
    assert!(acts(&definition, &damaged, support::START).is_err());
    assert!(prospect(&definition, &damaged, support::START).is_err());
    assert!(acts(&support::transfer(), &Lived::start(&definition).saga, support::START).is_err());
}

/// A saga that lived through events chosen at random, at times chosen at random.
fn lived(definition: &Definition, choices: &[(u16, i32)]) -> Lived {
    choices.iter().fold(Lived::start(definition), |lived, (choice, skew_us)| {
        let events = events(&lived.saga, true);
        let (event, at) = &events[usize::from(*choice) % events.len()];
        lived.after(definition, event, Micros(at.0 + i64::from(*skew_us))).unwrap_or(lived)
    })
}

/// Lives on by answers and wakes alone until it rests.
fn to_rest(definition: &Definition, mut lived: Lived, choices: &[u16]) -> Option<State> {
    for choice in choices {
        let events: Vec<(Event, Micros)> = events(&lived.saga, false);
        match &lived.saga.state {
            State::Paused { .. } => lived = lived.then(definition, &action_of(Verb::Resume), lived.saga.updated_at),
            State::Stuck { .. } | State::Completed | State::Compensated { .. } => return Some(lived.saga.state),
            State::Running { .. } | State::Compensating { .. } => {
                let (event, at) = &events[usize::from(*choice) % events.len()];
                lived = lived.after(definition, event, *at).unwrap_or(lived);
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// No offered act leads to an illegal history, nor to an end that was not named; and no refused one can be put into a
    /// history.
    #[test]
    fn no_offered_act_leads_to_an_illegal_history(
        which in 0_usize..4,
        choices in proptest::collection::vec((any::<u16>(), -2_000_000..40_000_000), 0..30),
        late_us in 0_i64..100_000_000,
        after in proptest::collection::vec(any::<u16>(), 200),
    ) {
        let definition = definitions().swap_remove(which);
        let lived = lived(&definition, &choices);
        let now = Micros(lived.saga.updated_at.0 + late_us);
        let offered = acts(&definition, &lived.saga, now).unwrap();
        for act in &offered.legal {
            let then = lived.then(&definition, &action_of(act.verb), now);
            prop_assert_eq!(replay(&definition, &then.journal), Ok(then.saga.clone()));
            prop_assert_eq!(machine::check(&definition, &then.saga), Ok(()));
            let end = match to_rest(&definition, then, &after) {
                Some(State::Completed) => End::Completed,
                Some(State::Compensated { .. }) => End::Compensated,
                Some(State::Stuck { .. }) => End::Stuck,
                Some(State::Running { .. } | State::Compensating { .. } | State::Paused { .. }) | None => continue,
            };
            prop_assert!(act.prospect.ends.contains(&end), "{:?} led to {:?}", act, end);
        }
        for refused in &offered.refused {
            let entry = saga_core::event::Entry {
                saga: lived.saga.id,
                version: lived.saga.version + 1,
                at: now,
                record: saga_core::event::JournalRecord::Moved(action_of(refused.verb)),
            };
            let version = entry.version;
            let journal: Vec<_> = lived.journal.iter().cloned().chain([entry]).collect();
            prop_assert_eq!(replay(&definition, &journal), Err(ReplayError::Refused { version, why: refused.rule }));
        }
    }
}
