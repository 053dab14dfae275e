//! Times and durations as text: RFC 3339 in UTC, and durations as people say them.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use saga_core::time::Micros;
use std::time::Duration;

/// The moments that RFC 3339 can write: years 0 to 9999.
const FIRST: DateTime = date(0, 1, 1).at(0, 0, 0, 0);
const LAST: DateTime = date(9999, 12, 31).at(23, 59, 59, 999_999_000);
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// A moment as RFC 3339 in UTC, as short as it is exact: `2026-11-27T10:00:00Z`, `2026-11-27T10:00:00.25Z`.
///
/// Years outside 0 to 9999, which no clock gives, are written as the nearest moment inside.
#[must_use]
pub fn rfc3339(at: Micros) -> String {
    let nearest = if at.0 < 0 { FIRST } else { LAST };
    let moment = EPOCH.checked_add(SignedDuration::from_micros(at.0)).unwrap_or(nearest);
    format!("{}Z", moment.clamp(FIRST, LAST))
}

/// Reads RFC 3339: a date, `T`, a time with at most nine digits of a second, and `Z` or an offset. What is finer than a
/// microsecond is cut off. `None` if it is anything else; so is a leap second, which the database's clock does not have.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Micros> {
    let (text, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(text) => (text, SignedDuration::ZERO),
        None => {
            let (text, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            (text, offset_of(offset.as_bytes())?)
        }
    };
    // jiff reads more forms than this one.
    let bytes = text.as_bytes();
    let mark = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let marks = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt") && mark(13, b":") && mark(16, b":");
    let is_plain = match bytes.get(19..)?.split_first() {
        None => true,
        Some((dot, digits)) => *dot == b'.' && digits.iter().all(u8::is_ascii_digit),
    };
    if !marks || !is_plain || &bytes[17..19] == b"60" {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    // An offset can lead out of the years that can be written again.
    let moment = local.checked_sub(offset).ok().filter(|moment| *moment >= FIRST)?;
    i64::try_from(moment.duration_since(EPOCH).as_nanos().div_euclid(1_000)).ok().map(Micros)
}

/// A duration as people say it, in the two largest units that say something: `0.2 s`, `12 s`, `3 min 5 s`, `2 d 4 h`.
#[must_use]
pub fn spoken(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    if duration.as_millis() < 10_000 && !tenths.is_multiple_of(10) {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    if duration.as_millis() < 100 && !duration.is_zero() {
        return "under 0.1 s".to_owned();
    }
    let seconds = duration.as_secs();
    let (large, large_name, small, small_name) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds / 60 % 60, "min"),
        86_400.. => (seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    };
    if small == 0 { format!("{large} {large_name}") } else { format!("{large} {large_name} {small} {small_name}") }
}

/// `+09:00`, `-03:30`.
fn offset_of(bytes: &[u8]) -> Option<SignedDuration> {
    let &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = bytes else { return None };
    let number = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = (number(h1, h2)?, number(m1, m2)?);
    let offset = SignedDuration::from_mins(hours * 60 + minutes);
    (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -offset } else { offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_spoken() {
        for (ms, text) in [
            (0, "0 s"),
            (40, "under 0.1 s"),
            (200, "0.2 s"),
            (1_250, "1.2 s"),
            (2_000, "2 s"),
            (12_345, "12 s"),
            (185_000, "3 min 5 s"),
            (7_200_000, "2 h"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(spoken(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [
            "",
            "2026",
            "2026-11-27",
            "2026-11-27T10:00Z",
            "2026-11-27 10:00:00Z",
            "2026-11-27T10:00:00",
            "2026-13-27T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T10:00:60Z",
            "2026-11-27T10:00:00.Z",
            "2026-11-27T10:00:00,5Z",
            "2026-11-27T10:00:00.5[UTC]Z",
            "2026-11-27T10:00:00[UTC]Z",
            "2026-11-27T10:00:00.1234567890Z",
            "2026-11-27T10:00:00+9:00",
            "2026-11-27T10:00:00Zx",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２026-11-27T10:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    /// The first and the last microsecond that can be written.
    const FIRST_US: i64 = -62_167_219_200_000_000;
    const LAST_US: i64 = 253_402_300_799_999_999;

    #[test]
    fn a_moment_is_as_short_as_it_is_exact() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_773_600_250_000, "2026-11-27T10:00:00.25Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (FIRST_US, "0000-01-01T00:00:00Z"),
            (LAST_US, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(rfc3339(Micros(us)), text);
            assert_eq!(parse_rfc3339(text), Some(Micros(us)));
        }
        assert_eq!(rfc3339(Micros(i64::MIN)), "0000-01-01T00:00:00Z");
        assert_eq!(rfc3339(Micros(i64::MAX)), "9999-12-31T23:59:59.999999Z");
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.999999999Z"), Some(Micros(-1)), "cut off");
        assert_eq!(parse_rfc3339("9999-12-31T23:59:59.999999999Z"), Some(Micros(LAST_US)), "cut off");
    }

    proptest! {
        #[test]
        fn moments_read_back(us in FIRST_US..=LAST_US) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(Micros(us))), Some(Micros(us)));
        }

        #[test]
        fn offsets_are_taken_off(us in -1_000_000_000_000_000_i64..4_000_000_000_000_000, minutes in -1_439_i64..1_440) {
            let local = rfc3339(Micros(us + minutes * 60_000_000));
            let (sign, of) = if minutes < 0 { ('-', -minutes) } else { ('+', minutes) };
            let text = format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), of / 60, of % 60);
            prop_assert_eq!(parse_rfc3339(&text), Some(Micros(us)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", us: i64) {
            let _ = parse_rfc3339(&text);
            let _ = rfc3339(Micros(us));
        }
    }
}
