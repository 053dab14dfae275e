//! What may be done, with what it leads to.

use super::phrases;
use crate::acts::{Act, Next};
use crate::escape;
use crate::step_position::StepPosition;
use saga_core::event::Verb;
use saga_core::saga::Direction;
use saga_core::time::Micros;

/// An act that is legal now, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The act, what it does at once, and where it may lead.
    pub act: Act,
    /// The same for people.
    pub sentence: String,
}

/// `half` is what the saga is at, and `without` what was skipped of it so far.
pub(super) fn offer(act: Act, half: Option<&StepPosition>, without: &[StepPosition], now: Micros) -> Offer {
    let verb = act.verb.as_str();
    let skips = half.filter(|_| act.verb == Verb::Skip);
    let without: Vec<StepPosition> = without.iter().chain(skips).cloned().collect();
    let at_once = phrases::next(&act.next, &without, now);
    let fresh = match &act.next {
        // What is sent on an operator's word always has a whole budget before it.
        Next::Sends { attempt, last, .. } => {
            let more = last.saturating_sub(*attempt);
            if more == 0 { String::new() } else { format!(", with {more} more to follow if need be") }
        }
        Next::BacksOff { .. } | Next::Halts { .. } | Next::Parks { .. } | Next::Ends(_) => String::new(),
    };
    let after = match &act.next {
        Next::Ends(_) => String::new(),
        Next::Sends { .. } | Next::BacksOff { .. } | Next::Parks { .. } => {
            format!(" After that it may {}{}.", phrases::ends(&act.prospect.ends), lacking(&act, skips))
        }
        Next::Halts { .. } => format!(" Once it is resumed it may {}.", phrases::ends(&act.prospect.ends)),
    };
    let sentence = format!("You may {verb}{}: it {at_once}{fresh}.{after}", condition(act.verb, half));
    Offer { act, sentence }
}

/// Says of a retry that the participant keeps the very refusal that the saga is stuck for, and offers it last: sending the command
/// once more brings the same answer.
pub(super) fn retry_is_in_vain(offers: &mut Vec<Offer>, half: &StepPosition, reason: &str) {
    let Some(at) = offers.iter().position(|offer| offer.act.verb == Verb::Retry) else { return };
    let mut retry = offers.remove(at);
    let but = format!(
        "You may retry, but the ledger of {} keeps its refusal ({}) and will answer with it again:",
        half.participant,
        escape::reason(reason)
    );
    if let Some(does) = retry.sentence.strip_prefix("You may retry:") {
        retry.sentence = format!("{but}{does}");
    }
    offers.push(retry);
}

/// That what is skipped now is missing from wherever the saga ends.
fn lacking(act: &Act, skips: Option<&StepPosition>) -> String {
    match skips {
        Some(half) if act.verb == Verb::Skip => format!(", without {half}"),
        Some(_) | None => String::new(),
    }
}

/// Whether the act would do nothing but send the open command again.
pub(super) fn sends_again(verb: Verb) -> bool {
    match verb {
        Verb::Resume | Verb::Retry => true,
        Verb::Cancel | Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone | Verb::Pause => false,
    }
}

/// What must be true outside the machine, which only the operator can know.
fn condition(verb: Verb, half: Option<&StepPosition>) -> String {
    let Some(half) = half else { return String::new() };
    match (verb, half.direction) {
        (Verb::Skip, Direction::Action) => format!(" {half}, if the saga can do without it"),
        (Verb::Skip, Direction::Undo) => format!(" {half}, if what {} did may stay", half.step),
        (Verb::ResolveDone, _) => format!(", if {half} was done by hand"),
        (Verb::ResolveUndone, _) => format!(", if {} was undone by hand", half.step),
        (Verb::Cancel | Verb::Retry | Verb::Pause | Verb::Resume, _) => String::new(),
    }
}
