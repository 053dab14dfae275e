//! Why an action is refused: the name programs branch on, and a sentence for people.

use baton_engine::hold_policy;
use baton_query::explain::{Hold, Obstacle};
use saga_core::event::Verb;
use saga_core::transition::Refused;

/// Why an action may not be given, in a sentence.
#[must_use]
pub fn sentence(verb: Verb, rule: Refused) -> String {
    format!("{} is refused: {rule}.", verb.as_str())
}

/// The name of what is no rule of the machine: an action that would send what a hold keeps back.
pub const HELD: &str = "HELD";

/// Why an action may not be given while something is held, in a sentence.
#[must_use]
pub fn kept_back(verb: Verb, hold: &hold_policy::Barrier) -> String {
    format!("{} is refused: {}.", verb.as_str(), Obstacle::Held(as_told(hold)))
}

/// A hold as explanations tell of it.
#[must_use]
pub fn as_told(hold: &hold_policy::Barrier) -> Hold {
    Hold { name: hold.held.name(), actor: hold.actor.clone(), reason: hold.reason.clone() }
}

/// Every rule that an action can break.
pub const RULES: [Refused; 9] = [
    Refused::Ended,
    Refused::PastPivot,
    Refused::Unwinding,
    Refused::NotStuck,
    Refused::OtherDirection,
    Refused::NotPaused,
    Refused::Paused,
    Refused::InFlight,
    Refused::Stuck,
];

/// A rule under the name programs branch on: UPPER_SNAKE, stable for ever.
#[must_use]
pub fn rule(rule: Refused) -> &'static str {
    match rule {
        Refused::Ended => "ENDED",
        Refused::PastPivot => "PAST_PIVOT",
        Refused::Unwinding => "UNWINDING",
        Refused::NotStuck => "NOT_STUCK",
        Refused::OtherDirection => "OTHER_DIRECTION",
        Refused::NotPaused => "NOT_PAUSED",
        Refused::Paused => "PAUSED",
        Refused::InFlight => "IN_FLIGHT",
        Refused::Stuck => "STUCK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new rule makes the match incomplete, and the list with it.
    #[test]
    fn every_rule_is_listed() {
        let position = |rule| match rule {
            Refused::Ended => 0,
            Refused::PastPivot => 1,
            Refused::Unwinding => 2,
            Refused::NotStuck => 3,
            Refused::OtherDirection => 4,
            Refused::NotPaused => 5,
            Refused::Paused => 6,
            Refused::InFlight => 7,
            Refused::Stuck => 8,
        };
        assert_eq!(RULES.map(position), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
