//! A saga that is said to go on under another definition is one that the machine takes there, from wherever it stands; and
//! what it goes on to is what the new definition says.

use crate::support;
use baton_query::compat::{Rule, Standing, changes, fit};
use baton_query::step_position::position;
use saga_core::definition::{Definition, Kind, Step};
use saga_core::machine;
use saga_core::saga::{DefinitionId, Direction, Saga};
use std::time::Duration;
use support::{definitions, order, reachable, transfer};

/// Every definition that differs from `old` in one thing, as far as it is one.
fn variants(old: &Definition) -> Vec<Definition> {
    let id = DefinitionId { name: old.id().name.clone(), version: old.id().version + 1 };
    let make = |steps: Vec<Step>, deadline| Definition::from_steps(id.clone(), steps, deadline).ok();
    let steps = old.steps().to_vec();
    let mut variants = vec![make(steps.clone(), old.deadline()), make(steps.clone(), Some(Duration::from_secs(7)))];
    for position in 0..steps.len() {
        let mut gone = steps.clone();
        let removed = gone.remove(position);
        variants.push(make(gone.clone(), old.deadline()));
        gone.push(removed);
        variants.push(make(gone, old.deadline()));
        let mut added = steps.clone();
        added.insert(position, Step { name: "added".to_owned(), ..steps[position].clone() });
        variants.push(make(added, old.deadline()));
        let changes: [fn(&mut Step); 8] = [
            |step| step.name.push('x'),
            |step| step.participant = "other".to_owned(),
            |step| step.kind = Kind::Retriable,
            |step| step.kind = Kind::Pivot,
            |step| step.action = step.action.as_ref().map(|action| format!("{action}.v2")),
            |step| step.undo = step.undo.as_ref().map(|undo| format!("{undo}.v2")),
            |step| step.undo = None,
            |step| step.timeout *= 2,
        ];
        for change in changes {
            let mut changed = steps.clone();
            change(&mut changed[position]);
            variants.push(make(changed, old.deadline()));
        }
    }
    variants.into_iter().flatten().collect()
}

/// The same saga, pinned to another definition.
fn moved(saga: &Saga, new: &Definition) -> Saga {
    let deadline = new.deadline().map(|deadline| saga.created_at.plus(deadline));
    Saga { definition: new.id().clone(), deadline, ..saga.clone() }
}

#[test]
fn what_goes_on_is_sound_and_goes_on_alike() {
    let (mut continues, mut breaks) = (0, 0);
    for old in definitions() {
        let lived = reachable(&old, 2);
        for new in variants(&old) {
            for saga in lived.iter().map(|lived| &lived.saga) {
                let Some((step, direction, _)) = position(&saga.state) else { continue };
                match fit(&old, &new, Standing { step, direction }) {
                    Ok(()) => {
                        continues += 1;
                        let there = moved(saga, &new);
                        assert_eq!(machine::check(&new, &there), Ok(()), "{:?} under {new:?}", saga.state);
                        let half = |definition: &Definition| {
                            let step = definition.step(step).expect("a step");
                            (step.name.clone(), step.participant.clone(), step.action.clone(), step.undo.clone())
                        };
                        assert_eq!(half(&old), half(&new), "the open command is the same");
                        // Whatever was done is undone by the same commands.
                        for below in 0..step {
                            let undo = |definition: &Definition| definition.step(below).expect("a step").undo.clone();
                            assert_eq!(undo(&old), undo(&new));
                        }
                    }
                    Err(broken) => {
                        breaks += 1;
                        assert!(broken.sentence().ends_with('.'), "{broken:?}");
                    }
                }
            }
        }
    }
    assert!(continues > 1_000 && breaks > 1_000, "{continues} {breaks}");
}

#[test]
fn what_a_saga_has_not_reached_may_change() {
    let old = order();
    let mut steps = old.steps().to_vec();
    steps[4].name = "order.seal".to_owned();
    steps.push(Step { name: "mail.send".to_owned(), ..steps[4].clone() });
    let new = Definition::from_steps(DefinitionId { name: "order".to_owned(), version: 2 }, steps, None).unwrap();
    for step in 1..=3 {
        assert_eq!(fit(&old, &new, Standing { step, direction: Direction::Action }), Ok(()), "{step}");
        assert_eq!(fit(&old, &new, Standing { step, direction: Direction::Undo }), Ok(()), "{step}");
    }
    let broken = fit(&old, &new, Standing { step: 4, direction: Direction::Action }).unwrap_err();
    assert_eq!((broken.rule, broken.step.as_str()), (Rule::StepGone, "order.confirm"));
}

#[test]
fn an_unwinding_saga_needs_every_undo() {
    let old = transfer();
    let mut steps = old.steps().to_vec();
    steps[0].undo = Some("free.v2".to_owned());
    let new = Definition::from_steps(old.id().clone(), steps, None).unwrap();
    for (step, direction) in [(0, Direction::Undo), (1, Direction::Action), (2, Direction::Action)] {
        let broken = fit(&old, &new, Standing { step, direction }).unwrap_err();
        assert_eq!(broken.rule, Rule::UndoChanged);
    }
}

#[test]
fn changes_are_told_line_by_line() {
    let old = order();
    assert!(changes(&old, &old).is_empty());
    let mut steps = old.steps().to_vec();
    steps[3].timeout = Duration::from_secs(60);
    steps[4].participant = "orders".to_owned();
    steps.push(Step { name: "mail.send".to_owned(), ..steps[4].clone() });
    let new = Definition::from_steps(old.id().clone(), steps, Some(Duration::from_secs(90))).unwrap();
    assert_eq!(
        changes(&old, &new),
        [
            "stock.reserve: timeout 5 s -> 1 min",
            "order.confirm: participant order -> orders",
            "mail.send is new, at place 6",
            "the saga's deadline: none -> 1 min 30 s",
        ]
    );
}
