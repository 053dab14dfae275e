//! Laws of sending: nothing is sent that the journal did not order, and what waits can be sent again from its row alone.

use crate::coverage::JOURNALS;
use crate::evidence::Case;
use crate::invariant::{Findings, Law};
use saga_core::transition::Command;

pub const ORDERED_BEFORE_SENT: Law = Law::of_saga(
    "I14",
    "every ledger row was ordered by its saga's journal",
    "ledger rows",
    &[JOURNALS],
    ordered_before_sent,
);
pub const LOOKED_AT: Law =
    Law::of_saga("I14", "every saga under way is to be looked at, and no other is", "sagas", &[JOURNALS], looked_at);
pub const SENT_AGAIN: Law = Law::of_saga(
    "I14",
    "the command that follows from a saga's row is the one its journal asked for last",
    "waiting sagas",
    &[JOURNALS],
    sent_again,
);

fn ordered_before_sent(case: &Case<'_>, found: &mut Findings) {
    // A journal that cannot be followed orders nothing that could be known: I12 speaks of it.
    if case.saga().is_none() || case.definition.is_none() || case.story.broken.is_some() {
        return;
    }
    for (participant, effects) in &case.evidence.effects {
        // A tombstone answers an action that need not have been sent; its undo's row stands beside it.
        for effect in effects.iter().filter(|effect| effect.attempt != 0) {
            let attempt = u32::try_from(effect.attempt).unwrap_or(0);
            let step = u8::try_from(effect.step).ok();
            let ordered = match (step, effect.half()) {
                (Some(step), Some(direction)) => case.story.has_ordered((step, direction), attempt),
                _ => false,
            };
            found.expect(ordered, || {
                let (step, direction) = (effect.step, effect.half().map_or("?", |half| half.as_str()));
                format!(
                    "{}: {participant} answered attempt {attempt} of the {direction} of step {step}, which was never ordered",
                    case.name()
                )
            });
        }
    }
}

fn looked_at(case: &Case<'_>, found: &mut Findings) {
    let Some(saga) = case.saga() else { return };
    let problem = match (saga.wake_at(), case.evidence.look_at) {
        (Some(_), None) => Some("is under way, and nobody is to look at it"),
        (None, Some(_)) => Some("is at rest, and to be looked at"),
        (Some(_), Some(_)) | (None, None) => None,
    };
    found.unless(|| case.name(), problem.map(str::to_owned));
}

fn sent_again(case: &Case<'_>, found: &mut Findings) {
    let Some(saga) = case.saga() else { return };
    // A row that its journal does not fold to is another law's.
    if case.story.folded.as_ref() != Some(saga) {
        return;
    }
    let awaited = Command::awaited_by(saga);
    if awaited.is_none() && case.story.asked.is_none() {
        return;
    }
    found.expect(awaited == case.story.asked, || {
        format!("{}: its row asks for {awaited:?}, its journal asked for {:?}", case.name(), case.story.asked)
    });
}
