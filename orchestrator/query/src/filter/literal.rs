//! Values in filters: durations, and the texts that need no quotation marks.

use saga_core::time::Micros;
use std::fmt;

/// Units, largest first, in microseconds.
const UNITS: [(&str, i64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// A signed length of time in microseconds; at most a hundred years either way. Displayed in the largest unit that is
/// exact: `5m`, `90s`, `-1500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedDuration(i64);

impl SignedDuration {
    /// The longest.
    pub const MAX: Self = Self(36_525 * 86_400_000_000);

    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A span of this many microseconds; `None` if it is longer than [`SignedDuration::MAX`].
    #[must_use]
    pub const fn micros(us: i64) -> Option<Self> {
        if us.unsigned_abs() <= Self::MAX.0.unsigned_abs() { Some(Self(us)) } else { None }
    }

    /// Its length in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment so much after `at`; saturates at the ends of time.
    #[must_use]
    pub fn after(self, at: Micros) -> Micros {
        Micros(at.0.saturating_add(self.0))
    }

    /// The moment so much before `at`; saturates at the ends of time.
    #[must_use]
    pub fn before(self, at: Micros) -> Micros {
        Micros(at.0.saturating_sub(self.0))
    }

    /// Reads `5m`, `1h30m`, `1.5s`, `-10s`: numbers with units, added up. `None` if it is anything else, finer than a
    /// microsecond or longer than [`SignedDuration::MAX`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        if rest.is_empty() {
            return None;
        }
        let mut total_us: i64 = 0;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let unit = rest[number..].find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len() - number);
            let part_us = amount(&rest[..number], &rest[number..number + unit])?;
            total_us = total_us.checked_add(part_us)?;
            rest = &rest[number + unit..];
        }
        Self::micros(sign * total_us)
    }
}

impl fmt::Display for SignedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, us): &&(&str, i64)| self.0 != 0 && self.0 % us == 0;
        match UNITS.iter().find(exact) {
            Some((unit, us)) => write!(f, "{}{unit}", self.0 / us),
            None => f.write_str("0s"),
        }
    }
}

fn amount(number: &str, unit: &str) -> Option<i64> {
    let (_, unit_us) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let mut us = whole.parse::<i64>().ok()?.checked_mul(*unit_us)?;
    let mut place_us = *unit_us;
    for digit in fraction.chars() {
        let digit = i64::from(digit.to_digit(10)?);
        if place_us % 10 != 0 && digit != 0 {
            return None;
        }
        place_us /= 10;
        us = us.checked_add(digit * place_us)?;
    }
    Some(us)
}

/// True if a value can stand in a filter without quotation marks.
pub(super) fn is_bare(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, us) in [
            ("5m", 300_000_000),
            ("90s", 90_000_000),
            ("2h", 7_200_000_000),
            ("7d", 604_800_000_000),
            ("1h30m", 5_400_000_000),
            ("1.5s", 1_500_000),
            ("250ms", 250_000),
            ("-10s", -10_000_000),
            ("0s", 0),
        ] {
            assert_eq!(SignedDuration::parse(text).map(SignedDuration::as_micros), Some(us), "{text}");
        }
        for wrong in
            ["", "-", "5", "m", "5 m", "5x", "5M", ".5s", "5.s", "--5s", "1.5us", "9999999d", "5m-1s", "1.2.3s"]
        {
            assert_eq!(SignedDuration::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_written_short() {
        for text in ["5m", "90s", "2h", "7d", "1500ms", "-10s", "1us", "0s"] {
            assert_eq!(SignedDuration::parse(text).unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn durations_read_back(us in -SignedDuration::MAX.0..=SignedDuration::MAX.0) {
            let span = SignedDuration::micros(us).unwrap();
            prop_assert_eq!(SignedDuration::parse(&span.to_string()), Some(span));
        }

        #[test]
        fn no_text_panics(text in "[-0-9.dhmsu ]{0,40}") {
            let _ = SignedDuration::parse(&text);
        }
    }
}
