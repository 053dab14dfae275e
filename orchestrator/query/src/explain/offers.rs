//! What may be done, with what it leads to.

use super::phrases;
use crate::acts::{Act, Next};
use saga_core::event::Verb;
use saga_core::time::Micros;

/// An act that is legal now, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The act, what it does at once, and where it may lead.
    pub act: Act,
    /// The same for people.
    pub sentence: String,
}

pub(super) fn offer(act: Act, now: Micros) -> Offer {
    let verb = act.verb.as_str();
    let at_once = phrases::next(&act.next, now);
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
            format!(" After that it may {}.", phrases::ends(&act.prospect.ends))
        }
        Next::Halts { .. } => format!(" Once it is resumed it may {}.", phrases::ends(&act.prospect.ends)),
    };
    let sentence = format!("You may {verb}{}: it {at_once}{fresh}.{after}", condition(act.verb));
    Offer { act, sentence }
}

/// Whether the act would do nothing but send the open command again.
pub(super) fn sends_again(verb: Verb) -> bool {
    match verb {
        Verb::Resume | Verb::Retry => true,
        Verb::Cancel | Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone | Verb::Pause => false,
    }
}

/// What must be true outside the machine, which only the operator can know.
fn condition(verb: Verb) -> &'static str {
    match verb {
        Verb::Skip => ", if it can do without what it is stuck at",
        Verb::ResolveDone => ", if what it is stuck at was done by hand",
        Verb::ResolveUndone => ", if what it is stuck at was undone by hand",
        Verb::Cancel | Verb::Retry | Verb::Pause | Verb::Resume => "",
    }
}
