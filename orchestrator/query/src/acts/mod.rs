//! Which operator acts are legal now, and where each may lead. Nobody decides that here: the machine is asked.

mod next;
mod walk;

pub use next::Next;
pub use walk::{End, MAX_STATES, Prospect};

use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Verb};
use saga_core::machine::{self, BrokenInvariant};
use saga_core::saga::Saga;
use saga_core::time::Micros;
use saga_core::transition::{Applied, Refused, Transition};

/// Every act there is, in the order in which they are offered.
pub const VERBS: [Verb; 7] =
    [Verb::Retry, Verb::Skip, Verb::ResolveDone, Verb::ResolveUndone, Verb::Cancel, Verb::Pause, Verb::Resume];

/// An act that the machine would accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What it does.
    pub verb: Verb,
    /// What it brings about at once.
    pub next: Next,
    /// Where the saga may come to rest after that.
    pub prospect: Prospect,
}

/// An act that the machine would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedAct {
    /// What it does.
    pub verb: Verb,
    /// The rule it would break.
    pub rule: Refused,
}

/// Every act, sorted into what may be done and what may not. Each of [`VERBS`] stands in exactly one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts {
    /// What the machine would accept.
    pub legal: Vec<Act>,
    /// What it would refuse, and why.
    pub refused: Vec<RefusedAct>,
}

/// What doing `verb` now would do, without doing it.
///
/// # Errors
/// [`Refused`] is the rule it would break.
///
/// # Panics
/// If the saga breaks an invariant, as [`machine::apply`] does: [`machine::check`] comes first.
pub fn ask(definition: &Definition, saga: &Saga, verb: Verb, now: Micros) -> Result<Transition, Refused> {
    let event = Event::Action(OperatorAction { verb, actor: String::new(), reason: String::new() });
    match machine::apply(definition, saga, &event, now) {
        Applied::Moved(transition) => Ok(transition),
        Applied::Refused(rule) => Err(rule),
        // Actions are never ignored: one of the laws that `saga_testing::exhaust` checks. If one were, the saga would have
        // to be where nothing can be done any more.
        Applied::Ignored(_) => Err(Refused::Ended),
    }
}

/// All acts for `saga` as it stands at `now`.
///
/// # Errors
/// [`BrokenInvariant`] if the saga is none of this definition or its row is damaged: then nothing can be said.
pub fn acts(definition: &Definition, saga: &Saga, now: Micros) -> Result<Acts, BrokenInvariant> {
    machine::check(definition, saga)?;
    let mut acts = Acts::default();
    for verb in VERBS {
        match ask(definition, saga, verb, now) {
            Ok(transition) => acts.legal.push(Act {
                verb,
                next: Next::of(definition, &transition.saga),
                prospect: walk::walk(definition, &transition.saga, now),
            }),
            Err(rule) => acts.refused.push(RefusedAct { verb, rule }),
        }
    }
    Ok(acts)
}

/// Where `saga` may come to rest if no operator acts.
///
/// # Errors
/// As [`acts`].
pub fn prospect(definition: &Definition, saga: &Saga, now: Micros) -> Result<Prospect, BrokenInvariant> {
    machine::check(definition, saga)?;
    Ok(walk::walk(definition, saga, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new verb makes the match below incomplete, and this list with it.
    #[test]
    fn every_verb_is_listed() {
        let position = |verb| match verb {
            Verb::Retry => 0,
            Verb::Skip => 1,
            Verb::ResolveDone => 2,
            Verb::ResolveUndone => 3,
            Verb::Cancel => 4,
            Verb::Pause => 5,
            Verb::Resume => 6,
        };
        assert_eq!(VERBS.map(position), [0, 1, 2, 3, 4, 5, 6]);
    }
}
