//! Laws of the outbox: nothing is sent that the journal did not order, and everything goes where its step says.

use crate::coverage::{JOURNALS, OUTBOX};
use crate::evidence::Case;
use crate::invariant::{Findings, Law};

pub const ORDERED_BEFORE_SENT: Law = Law::of_saga(
    "I14",
    "every command in the outbox and every ledger row was ordered by its saga's journal",
    "commands",
    &[JOURNALS],
    ordered_before_sent,
);
pub const OUTBOX_ADDRESSED: Law = Law::of_saga(
    "I14",
    "every waiting command is addressed to the participant of its step",
    "waiting commands",
    &[JOURNALS, OUTBOX],
    addressed,
);

fn ordered_before_sent(case: &Case<'_>, found: &mut Findings) {
    // A journal that cannot be followed orders nothing that could be known: I12 speaks of it.
    if case.saga().is_none() || case.definition.is_none() || case.story.broken.is_some() {
        return;
    }
    for pending in &case.evidence.pending {
        let half = (pending.command.step, pending.command.direction);
        found.expect(case.story.has_ordered(half, pending.attempt), || {
            let (step, direction, attempt) = (half.0, half.1.as_str(), pending.attempt);
            format!("{}: attempt {attempt} of the {direction} of step {step} waits to be sent, unordered", case.name())
        });
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

fn addressed(case: &Case<'_>, found: &mut Findings) {
    let Some(definition) = case.definition else { return };
    for pending in &case.evidence.pending {
        let step = pending.command.step;
        let participant = definition.step(step).map(|step| step.participant.as_str());
        found.expect(participant == Some(pending.participant.as_str()), || {
            let to = &pending.participant;
            format!("{}: message {} sends a command of step {step} to {to}", case.name(), pending.message)
        });
    }
}
