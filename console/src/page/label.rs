//! Enums of the services as words, and as classes that the style sheet colours.

use crate::verb_names;
use baton_proto::baton::saga::v1 as wire;
use wire::{SagaState, SagaVerb};

/// A word with the class of its badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The word.
    pub word: &'static str,
    /// The class.
    pub class: &'static str,
}

const fn label(word: &'static str, class: &'static str) -> Label {
    Label { word, class }
}

/// Sagas of which something was skipped.
pub const SKIPPED: Label = label("skipped", "skipped");

/// A saga's state. One that this build does not know is told as such.
#[must_use]
pub fn state(code: i32) -> Label {
    match SagaState::try_from(code) {
        Ok(SagaState::Running) => label("running", "running"),
        Ok(SagaState::Compensating) => label("compensating", "compensating"),
        Ok(SagaState::Stuck) => label("stuck", "stuck"),
        Ok(SagaState::Paused) => label("paused", "paused"),
        Ok(SagaState::Completed) => label("completed", "completed"),
        Ok(SagaState::Compensated) => label("compensated", "compensated"),
        Ok(SagaState::Unspecified) | Err(_) => label("unknown", "unknown"),
    }
}

/// Verbs, in the order in which forms offer them, with what their button says.
pub const BUTTONS: [(SagaVerb, &str); 7] = [
    (SagaVerb::Retry, "Retry now"),
    (SagaVerb::Cancel, "Cancel and unwind"),
    (SagaVerb::Skip, "Skip the step"),
    (SagaVerb::ResolveDone, "Resolve as done"),
    (SagaVerb::ResolveUndone, "Resolve as undone"),
    (SagaVerb::Pause, "Pause"),
    (SagaVerb::Resume, "Resume"),
];

/// A verb's word.
#[must_use]
pub fn verb(code: i32) -> &'static str {
    SagaVerb::try_from(code).ok().and_then(verb_names::verb).unwrap_or("unknown")
}

/// What its button says.
#[must_use]
pub fn button(code: i32) -> &'static str {
    BUTTONS.iter().find(|(verb, _)| i32::from(*verb) == code).map_or("Act", |(_, button)| button)
}

/// Where a saga may come to rest.
#[must_use]
pub fn end(code: i32) -> Label {
    match wire::SagaEnd::try_from(code) {
        Ok(wire::SagaEnd::Completed) => label("completed", "completed"),
        Ok(wire::SagaEnd::Compensated) => label("compensated", "compensated"),
        Ok(wire::SagaEnd::Stuck) => label("stuck", "stuck"),
        Ok(wire::SagaEnd::Unspecified) | Err(_) => label("unknown", "unknown"),
    }
}

/// Where a job stands.
#[must_use]
pub fn job(code: i32) -> Label {
    match wire::JobState::try_from(code) {
        Ok(wire::JobState::Running) => label("running", "running"),
        Ok(wire::JobState::Paused) => label("paused", "paused"),
        Ok(wire::JobState::Done) => label("done", "completed"),
        Ok(wire::JobState::Cancelled) => label("cancelled", "compensated"),
        Ok(wire::JobState::Unspecified) | Err(_) => label("unknown", "unknown"),
    }
}

/// A job that is through, of whose sagas some are stuck.
pub const DONE_STUCK: Label = label("done, some stuck", "stuck");

/// What became of a dead letter.
#[must_use]
pub fn letter(code: i32) -> Label {
    match wire::DeadLetterState::try_from(code) {
        Ok(wire::DeadLetterState::Waiting) => label("waiting", "stuck"),
        Ok(wire::DeadLetterState::Replayed) => label("replayed", "completed"),
        Ok(wire::DeadLetterState::Dropped) => label("dropped", "compensated"),
        Ok(wire::DeadLetterState::Unspecified) | Err(_) => label("unknown", "unknown"),
    }
}

/// A dead letter that was replayed and failed again.
pub const CAME_BACK: Label = label("came back", "stuck");

/// A kind of step.
#[must_use]
pub fn kind(code: i32) -> &'static str {
    match wire::StepKind::try_from(code) {
        Ok(wire::StepKind::Compensatable) => "compensatable",
        Ok(wire::StepKind::Pivot) => "pivot",
        Ok(wire::StepKind::Retriable) => "retriable",
        Ok(wire::StepKind::Unspecified) | Err(_) => "unknown",
    }
}

/// A number with thin groups of three.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count, marked if there may be more.
#[must_use]
pub fn count(number: u64, exact: bool) -> String {
    format!("{}{}", if exact { "" } else { "≥ " }, grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(grouped), ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!(count(100_000, false), "≥ 100,000");
    }

    #[test]
    fn every_verb_has_a_word_and_a_button() {
        for (verb, word) in verb_names::VERBS {
            assert_eq!(self::verb(verb.into()), word);
            assert_ne!(button(verb.into()), "Act", "{word}");
        }
        assert_eq!((state(99).word, verb(99), button(99)), ("unknown", "unknown", "Act"));
    }
}
