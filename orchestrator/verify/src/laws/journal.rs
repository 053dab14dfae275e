//! Laws over a journal: it folds to the row, nothing follows an end, undos go downwards, answers are those of the ledger.

use crate::coverage::{JOURNALS, LEDGERS};
use crate::evidence::Case;
use crate::invariant::{Findings, Law};
use crate::saga_evidence::Read;
use crate::story::Half;
use saga_core::definition::Definition;
use saga_core::event::{Event, JournalRecord, Outcome};
use saga_core::saga::{Direction, Saga, State, StepIndex};
use std::collections::BTreeSet;

/// The reason of a refusal that no ledger keeps: the command itself could not be understood.
const MALFORMED: &str = "MALFORMED_COMMAND";

pub const REVERSE_ORDER: Law =
    Law::of_saga("I9", "undos are answered in strictly descending order of steps", "undos", &[JOURNALS], reverse_order);
pub const NOTHING_PAST_PIVOT: Law = Law::of_saga(
    "I9",
    "no undo is ordered or carried out once the pivot is done",
    "sagas past the pivot",
    &[JOURNALS],
    nothing_past_pivot,
);
pub const FINALITY: Law =
    Law::of_saga("I11", "nothing follows the entry that ends a saga", "ended sagas", &[JOURNALS], finality);
pub const REPLAY: Law = Law::of_saga(
    "I12",
    "the journal has versions 1 to n, its time never goes back, and it folds to the stored row",
    "journals",
    &[JOURNALS],
    folds,
);
pub const ONE_WRITER: Law = Law::of_saga(
    "I13",
    "row and journal have the same newest version: each was written by one writer",
    "sagas",
    &[JOURNALS],
    one_writer,
);
pub const REPLY_MATCHES_LEDGER: Law = Law::of_saga(
    "I15",
    "every answer in a journal is the one in the participant's ledger",
    "answers",
    &[JOURNALS, LEDGERS],
    reply_matches_ledger,
);
pub const DOUBT_IS_NO_ANSWER: Law = Law::of_saga(
    "I22",
    "an attempt without an answer is never taken for a refusal or a success",
    "attempts in doubt",
    &[JOURNALS],
    doubt_is_no_answer,
);

fn reverse_order(case: &Case<'_>, found: &mut Findings) {
    found.looked += case.story.undone.len();
    for pair in case.story.undone.windows(2) {
        if pair[1] >= pair[0] {
            found.broken.push(format!(
                "{}: the undo of step {} follows that of step {}",
                case.name(),
                pair[1],
                pair[0]
            ));
        }
    }
}

fn nothing_past_pivot(case: &Case<'_>, found: &mut Findings) {
    let Some(pivot) = case.definition.and_then(|definition| definition.pivot()) else { return };
    if !case.story.succeeded((pivot, Direction::Action)) {
        return;
    }
    found.looked += 1;
    for (step, direction) in case.story.ordered.keys().filter(|(_, direction)| *direction == Direction::Undo) {
        let what = direction.as_str();
        found.broken.push(format!("{}: the {what} of step {step} was ordered past the pivot", case.name()));
    }
    for (participant, effects) in &case.evidence.effects {
        for effect in effects.iter().filter(|effect| effect.half() == Some(Direction::Undo)) {
            let step = effect.step;
            found.broken.push(format!("{}: {participant} undid step {step} past the pivot", case.name()));
        }
    }
}

fn finality(case: &Case<'_>, found: &mut Findings) {
    let Some(ended_at) = case.story.ended_at else { return };
    found.looked += 1;
    for row in case.evidence.journal.iter().filter(|row| row.version > ended_at) {
        found.broken.push(format!("{}: entry {} follows the end at {ended_at}", case.name(), row.version));
    }
    if let Some(saga) = case.saga().filter(|saga| !saga.has_ended() && version(saga) >= ended_at) {
        let state = saga.state.name();
        found.broken.push(format!("{}: it is {state}, though its journal ended it at {ended_at}", case.name()));
    }
}

fn folds(case: &Case<'_>, found: &mut Findings) {
    let row = match &case.evidence.saga {
        Read::Row(record) => &record.saga,
        Read::Damaged(why) => {
            return found.expect(false, || format!("{}: its row cannot be read: {why}", case.name()));
        }
        // I1 speaks of those.
        Read::Missing => return,
    };
    let Some(definition) = case.definition else { return };
    // Entries beyond the row are another law's.
    let broken = case.story.broken.as_ref().filter(|(at, _)| *at <= version(row) || case.story.folded.is_none());
    let problem = if case.evidence.journal.is_empty() {
        Some("it has no journal".to_owned())
    } else if let Some((_, why)) = broken {
        Some(why.clone())
    } else {
        match &case.story.folded {
            None => Some(format!("the journal ends before version {} of the row", row.version)),
            Some(folded) if folded != row => Some(differs(folded, row)),
            Some(_) => saga_core::machine::check(definition, row).err().map(|broken| broken.to_string()),
        }
    };
    found.unless(|| case.name(), problem);
}

/// Where a fold and its row part.
fn differs(folded: &Saga, row: &Saga) -> String {
    if folded.state != row.state {
        return format!("the row is {:?}, the journal folds to {:?}", row.state, folded.state);
    }
    let parts = [
        ("updated_at", folded.updated_at != row.updated_at),
        ("created_at", folded.created_at != row.created_at),
        ("deadline", folded.deadline != row.deadline),
        ("input", folded.input != row.input),
        ("outputs", folded.outputs != row.outputs),
        ("definition", folded.definition != row.definition),
    ];
    let parts: Vec<&str> = parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    format!("the row's {} are not what the journal folds to", parts.join(", "))
}

fn one_writer(case: &Case<'_>, found: &mut Findings) {
    let (Some(saga), Some(last)) = (case.saga(), case.evidence.journal.last()) else { return };
    let row = version(saga);
    found.expect(last.version == row, || {
        format!("{}: the row is at version {row}, its journal at {}", case.name(), last.version)
    });
}

fn version(saga: &Saga) -> i64 {
    i64::try_from(saga.version).unwrap_or(i64::MAX)
}

fn reply_matches_ledger(case: &Case<'_>, found: &mut Findings) {
    let Some(definition) = case.definition else { return };
    for ((step, direction), said) in &case.story.said {
        let half = format!("{} of step {step}", direction.as_str());
        let participant = definition.step(*step).map(|step| step.participant.as_str()).unwrap_or_default();
        if !case.coverage.has_ledger(participant) {
            continue;
        }
        for answer in said.iter().filter(|answer| answer.reason != MALFORMED) {
            let effects = case.evidence.effects.get(participant).map(Vec::as_slice).unwrap_or_default();
            let stored =
                effects.iter().find(|effect| effect.step == i64::from(*step) && effect.half() == Some(*direction));
            let matches =
                stored.is_some_and(|effect| effect.succeeded() == answer.succeeded && effect.reason == answer.reason);
            found.expect(matches, || {
                let said =
                    if answer.succeeded { "a success".to_owned() } else { format!("refused ({})", answer.reason) };
                let kept = match stored {
                    None => "has no such row".to_owned(),
                    Some(effect) if effect.succeeded() => "has a success".to_owned(),
                    Some(effect) => format!("has a refusal ({})", effect.reason),
                };
                format!(
                    "{}: entry {} took the {half} for {said}, {participant}'s ledger {kept}",
                    case.name(),
                    answer.version
                )
            });
        }
    }
}

/// A half-step that only ever brought doubt is neither done nor refused: a completed saga cannot have one, a compensated one
/// must have undone it.
fn doubt_is_no_answer(case: &Case<'_>, found: &mut Findings) {
    let (Some(definition), Some(saga)) = (case.definition, case.saga()) else { return };
    let in_doubt = |record: &JournalRecord| match record {
        JournalRecord::Moved(Event::Reply(reply)) => {
            matches!(reply.outcome, Outcome::Unavailable { .. }).then_some((reply.step, reply.direction))
        }
        JournalRecord::Moved(Event::Wake | Event::Action(_)) | JournalRecord::Started { .. } => None,
    };
    let doubts: Vec<Half> =
        case.evidence.journal.iter().filter_map(|row| in_doubt(row.record.as_ref().ok()?)).collect();
    found.looked += doubts.len();
    let settled = |half: Half| case.story.said.contains_key(&half) || case.story.by_hand.contains(&half);
    for (step, direction) in doubts.into_iter().collect::<BTreeSet<_>>() {
        if settled((step, direction)) {
            continue;
        }
        let name = case.name();
        match (&saga.state, direction) {
            (State::Completed, _) => {
                found.broken.push(format!("{name}: completed, though nobody knows of step {step}"));
            }
            (State::Compensated { .. }, Direction::Action) if !is_undone(definition, case, step) => {
                found.broken.push(format!("{name}: compensated, though step {step} may be done and is not undone"));
            }
            (State::Compensated { .. }, Direction::Undo) => {
                found.broken.push(format!("{name}: compensated, though nobody knows of the undo of step {step}"));
            }
            _ => {}
        }
    }
}

/// True if the journal holds the undo of `step`, or of the step that covers it.
fn is_undone(definition: &Definition, case: &Case<'_>, step: StepIndex) -> bool {
    let Some(found) = definition.step(step) else { return false };
    let by = if found.undo.is_some() {
        Some(step)
    } else {
        found.covered_by.as_deref().and_then(|name| definition.position(name))
    };
    let undo = by.map(|by| (by, Direction::Undo));
    undo.is_none_or(|undo| case.story.succeeded(undo) || case.story.by_hand.contains(&undo))
}
