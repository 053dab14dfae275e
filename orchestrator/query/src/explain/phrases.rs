//! Pieces of sentences.

use crate::acts::{End, Next};
use crate::datetime::{rfc3339, spoken};
use crate::step_position::StepPosition;
use saga_core::saga::Direction;
use saga_core::time::Micros;

/// `2026-11-27T10:00:00Z (12 s ago)`, `2026-11-27T10:00:00Z (in 3 s)`.
pub(super) fn moment(at: Micros, now: Micros) -> String {
    let apart =
        if at > now { format!("in {}", spoken(at.since(now))) } else { format!("{} ago", spoken(now.since(at))) };
    format!("{} ({apart})", rfc3339(at))
}

/// `: because of this`, or nothing where no reason was given; a full stop of the operator's own is left out.
pub(super) fn why(reason: &str) -> String {
    match reason.trim_end().trim_end_matches('.') {
        "" => String::new(),
        reason => format!(": {reason}"),
    }
}

/// `1 attempt`, `3 attempts`.
pub(super) fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

/// A sentence that may begin with a half-step. Names stay as they are; only `the undo of …` begins with a capital.
pub(super) fn capital(sentence: &str, half: &StepPosition) -> String {
    match sentence.strip_prefix("the ").filter(|_| half.direction == Direction::Undo) {
        Some(rest) => format!("The {rest}"),
        None => sentence.to_owned(),
    }
}

/// `done` or `undone`.
pub(super) fn done(direction: Direction) -> &'static str {
    match direction {
        Direction::Action => "done",
        Direction::Undo => "undone",
    }
}

/// What comes next, as the rest of a sentence about the saga: `sends attempt 2 of hotel.book to hotel`.
/// `without` is what operators skip of it.
pub(super) fn next(next: &Next, without: &[StepPosition], now: Micros) -> String {
    match next {
        Next::Sends { half, attempt, last: _, until: _ } => {
            format!("sends attempt {attempt} of {half} to {}", half.participant)
        }
        Next::BacksOff { half, attempt, last, until } => {
            let next = attempt.saturating_add(1);
            format!("pauses until {} and then sends attempt {next} of {last} of {half}", moment(*until, now))
        }
        Next::Halts { half } => format!("halts before {half} until it is resumed"),
        Next::Parks { half, reason } => format!("is stuck at {half} ({reason}) until an operator acts"),
        Next::Ends(End::Completed | End::Compensated) if !without.is_empty() => {
            let end = if *next == Next::Ends(End::Completed) { "completed" } else { "compensated" };
            format!("ends {end} without {}", list(without.iter().map(StepPosition::to_string).collect(), "and"))
        }
        Next::Ends(End::Completed) => "ends completed: every step is done".to_owned(),
        Next::Ends(End::Compensated) => "ends compensated: everything that was done is undone".to_owned(),
        Next::Ends(End::Stuck) => "is stuck".to_owned(),
    }
}

/// `end completed or get stuck`.
pub(super) fn ends<'a>(ends: impl IntoIterator<Item = &'a End>) -> String {
    let phrases = ends.into_iter().map(|end| match end {
        End::Completed => "end completed",
        End::Compensated => "end compensated",
        End::Stuck => "get stuck",
    });
    list(phrases.map(str::to_owned).collect(), "or")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn list(mut words: Vec<String>, last: &str) -> String {
    match (words.pop(), words.is_empty()) {
        (None, _) => String::new(),
        (Some(only), true) => only,
        (Some(end), false) => format!("{} {last} {end}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_aloud() {
        let words = |count| (0..count).map(|n: u8| n.to_string()).collect();
        assert_eq!(list(words(0), "or"), "");
        assert_eq!(list(words(1), "or"), "0");
        assert_eq!(list(words(2), "or"), "0 or 1");
        assert_eq!(list(words(3), "and"), "0, 1 and 2");
    }

    #[test]
    fn moments_say_how_far() {
        let second = |n: i64| Micros(n * 1_000_000);
        assert_eq!(moment(second(0), second(12)), "1970-01-01T00:00:00Z (12 s ago)");
        assert_eq!(moment(second(15), second(12)), "1970-01-01T00:00:15Z (in 3 s)");
    }
}
