//! Laws of the end: completed means all done and nothing undone, compensated that everything done is undone.

use crate::coverage::JOURNALS;
use crate::evidence::Case;
use crate::invariant::{Findings, Law};
use baton_query::filter::StateKind;
use saga_core::saga::Direction;

pub const COMPLETED: Law =
    Law::of_saga("I10", "completed: every step is done, none undone", "completed sagas", &[JOURNALS], completed);
pub const COMPENSATED: Law = Law::of_saga(
    "I10",
    "compensated: every step that was done is undone",
    "compensated sagas",
    &[JOURNALS],
    compensated,
);

fn completed(case: &Case<'_>, found: &mut Findings) {
    let (Some(StateKind::Completed), Some(definition)) = (case.state(), case.definition) else { return };
    let mut problems = Vec::new();
    for (index, step) in (0u8..).zip(definition.steps()) {
        let action = (index, Direction::Action);
        if step.action.is_some() && !case.story.by_hand.contains(&action) {
            // A journal that cannot be followed is I12's.
            if case.story.broken.is_none() && !case.story.succeeded(action) {
                problems.push(format!("its journal has no success of step {index}"));
            }
            if case.coverage.has_ledger(&step.participant) && !in_ledger(case, index, Direction::Action) {
                problems.push(format!("{} has not done step {index}", step.participant));
            }
        }
        if case.evidence.effects_of(index, Direction::Undo).next().is_some() {
            problems.push(format!("{} has undone step {index}", step.participant));
        }
    }
    found.expect(problems.is_empty(), || format!("{}: completed, but {}", case.name(), problems.join("; ")));
}

fn compensated(case: &Case<'_>, found: &mut Findings) {
    let (Some(StateKind::Compensated), Some(definition)) = (case.state(), case.definition) else { return };
    let mut problems = Vec::new();
    for (index, step) in (0u8..).zip(definition.steps()) {
        if !case.coverage.has_ledger(&step.participant) {
            continue;
        }
        let acted = in_ledger(case, index, Direction::Action);
        let by = match &step.covered_by {
            Some(covering) if step.undo.is_none() => definition.position(covering),
            _ => Some(index),
        };
        let undo = by.map(|by| (by, Direction::Undo));
        let must = acted || (step.action.is_none() && step.undo.is_some());
        let undone = undo.is_some_and(|(by, direction)| {
            case.story.by_hand.contains(&(by, direction)) || in_ledger(case, by, direction)
        });
        if must && !undone {
            problems.push(format!("{} has not undone step {index}", step.participant));
        }
    }
    found.expect(problems.is_empty(), || format!("{}: compensated, but {}", case.name(), problems.join("; ")));
}

fn in_ledger(case: &Case<'_>, step: u8, direction: Direction) -> bool {
    case.evidence.effects_of(step, direction).any(|(_, effect)| effect.succeeded())
}
