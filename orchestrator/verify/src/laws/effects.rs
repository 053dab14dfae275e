//! Laws over ledgers: at most one answer for each half-step, where it belongs, and no undo of nothing.

use crate::coverage::LEDGERS;
use crate::evidence::Case;
use crate::invariant::{Findings, Law};
use crate::saga_evidence::Effect;
use saga_core::saga::{Direction, StepIndex};
use std::collections::BTreeMap;

pub const ONE_PARTICIPANT: Law = Law::of_saga(
    "I6",
    "every (saga, step, direction) is answered at most once, by the participant of the step",
    "ledger rows",
    &[LEDGERS],
    one_participant,
);
pub const UNDO_HAS_ACTION: Law = Law::of_saga(
    "I7",
    "every undo in a ledger has its action there, done, refused or buried",
    "undos",
    &[LEDGERS],
    undo_has_action,
);

fn one_participant(case: &Case<'_>, found: &mut Findings) {
    let mut seen: BTreeMap<(i64, i64), &str> = BTreeMap::new();
    for (participant, effects) in &case.evidence.effects {
        for effect in effects {
            let (step, half) = (effect.step, effect.half().map_or("?", Direction::as_str));
            let owner = u8::try_from(effect.step).ok().and_then(|step| case.definition?.step(step));
            let owner = owner.map(|step| step.participant.as_str());
            let strange = case.definition.is_some() && owner != Some(participant.as_str());
            let other = seen.insert((effect.step, effect.direction), participant);
            found.expect(!strange && other.is_none(), || match other {
                Some(other) => {
                    format!("{}: the {half} of step {step} is answered by {other} and {participant}", case.name())
                }
                None => {
                    format!("{}: {participant} answered the {half} of step {step}, which is not its own", case.name())
                }
            });
        }
    }
}

/// Every undo row with its step, if the step has an action.
pub fn undos<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a str, StepIndex, &'a Effect)> {
    let definition = case.definition;
    case.evidence.effects.iter().flat_map(move |(participant, effects)| {
        effects.iter().filter_map(move |effect| {
            let step = u8::try_from(effect.step).ok()?;
            let has_action = definition?.step(step)?.action.is_some();
            (has_action && effect.half() == Some(Direction::Undo)).then_some((participant.as_str(), step, effect))
        })
    })
}

fn undo_has_action(case: &Case<'_>, found: &mut Findings) {
    for (participant, step, _) in undos(case) {
        let effects = &case.evidence.effects[participant];
        let action =
            effects.iter().any(|effect| effect.step == i64::from(step) && effect.half() == Some(Direction::Action));
        found.expect(action, || {
            format!("{}: {participant} undid step {step}, of whose action its ledger knows nothing", case.name())
        });
    }
}
