//! Times and durations as people read them: how long ago, in how long, and the exact moment for the pointer.

use askama::filters::HtmlSafe;
use prost_types::{Duration, Timestamp};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present, microseconds since 1970. Ages are told by this process's clock; what depends on time is decided elsewhere,
/// on the database's.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds since 1970.
#[must_use]
pub fn micros(at: &Timestamp) -> i64 {
    at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1_000)
}

/// A moment, beside the present.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Option<i64>,
    now: i64,
}

impl Moment {
    /// The moment, or none.
    #[must_use]
    pub fn new(at: Option<&Timestamp>, now: i64) -> Self {
        Self { at: at.map(micros), now }
    }

    /// True if there is such a moment.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.at.is_some()
    }

    /// How long it is ago, without "ago".
    #[must_use]
    pub fn age(&self) -> String {
        self.at.map_or_else(|| "—".to_owned(), |at| span(self.now.saturating_sub(at).max(0)))
    }
}

/// Digits, letters and an element of ours.
impl HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.at else { return f.write_str("<span class=\"none\">—</span>") };
        let exact = exact(at);
        let far = span(self.now.saturating_sub(at).saturating_abs());
        let words = if at > self.now { format!("in {far}") } else { format!("{far} ago") };
        write!(f, "<time datetime=\"{exact}\" title=\"{exact}\">{words}</time>")
    }
}

/// RFC 3339, UTC, to the millisecond.
#[must_use]
pub fn exact(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| "?".to_owned(), |it| format!("{it:.3}"))
}

/// A length of time in microseconds, in its one or two largest units.
#[must_use]
pub fn span(micros: i64) -> String {
    let (ms, s) = (micros / 1_000, micros / 1_000_000);
    let pair = |large: i64, unit: &str, small: i64, under: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {under}") }
    };
    match s {
        ..1 if ms < 1 => "0 ms".to_owned(),
        ..1 => format!("{ms} ms"),
        1..10 => format!("{}.{} s", s, (ms % 1_000) / 100),
        10..60 => format!("{s} s"),
        60..3_600 => pair(s / 60, "min", s % 60, "s"),
        3_600..86_400 => pair(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => pair(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// A length of time.
#[must_use]
pub fn length(duration: &Duration) -> String {
    span(of_duration(duration))
}

/// A length of time in microseconds.
#[must_use]
pub fn of_duration(duration: &Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000).saturating_add(i64::from(duration.nanos) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_their_largest_units() {
        let told = [0, 999, 12_000, 1_540_000, 42_000_000, 90_000_000, 7_200_000_000, 100_000_000_000].map(span);
        assert_eq!(told, ["0 ms", "0 ms", "12 ms", "1.5 s", "42 s", "1 min 30 s", "2 h", "1 d 3 h"]);
    }

    #[test]
    fn moments_are_told_from_the_present() {
        let at = Timestamp { seconds: 100, nanos: 0 };
        let told = |now| Moment::new(Some(&at), now).to_string();
        assert!(told(103_000_000).contains(">3.0 s ago<"), "{}", told(103_000_000));
        assert!(told(40_000_000).contains("title=\"1970-01-01T00:01:40.000Z\">in 1 min<"), "{}", told(40_000_000));
        assert_eq!(Moment::new(None, 0).to_string(), "<span class=\"none\">—</span>");
    }
}
