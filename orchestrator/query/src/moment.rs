//! Times and durations as text: RFC 3339 in UTC, and durations as people say them.

use saga_core::time::Micros;
use std::time::Duration;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// The moments that RFC 3339 can write: years 0 to 9999.
const FIRST_DAY: i64 = -719_528;
const LAST_DAY: i64 = 2_932_896;

/// A moment as RFC 3339 in UTC, as short as it is exact: `2026-11-27T10:00:00Z`, `2026-11-27T10:00:00.25Z`.
///
/// Years outside 0 to 9999, which no clock gives, are written as the nearest moment inside.
#[must_use]
pub fn rfc3339(at: Micros) -> String {
    let day = at.0.div_euclid(DAY_US).clamp(FIRST_DAY, LAST_DAY);
    let within = at.0.clamp(FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US - 1) - day * DAY_US;
    let (year, month, date) = civil(day);
    let seconds = within / SECOND_US;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = format!("{:06}", within % SECOND_US);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}Z")
}

/// Reads RFC 3339: a date, `T`, a time with at most nine digits of a second, and `Z` or an offset. What is finer than a
/// microsecond is cut off. `None` if it is anything else; so is a leap second, which the database's clock does not have.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let mark = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let marks = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt") && mark(13, b":") && mark(16, b":");
    if !marks {
        return None;
    }
    let (year, month, date) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
    let (hour, minute, second) = (number(bytes, 11, 2)?, number(bytes, 14, 2)?, number(bytes, 17, 2)?);
    let real = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&date);
    if !real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_us, rest) = fraction(bytes.get(19..)?)?;
    let offset = offset_seconds(rest)?;
    let seconds = days(year, month, date) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    let at = Micros(seconds * SECOND_US + fraction_us);
    // An offset can lead out of the years that can be written again.
    (FIRST_DAY..=LAST_DAY).contains(&at.0.div_euclid(DAY_US)).then_some(at)
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

fn number(bytes: &[u8], at: usize, digits: usize) -> Option<i64> {
    let bytes = bytes.get(at..at + digits)?;
    bytes.iter().try_fold(0, |n, byte| byte.is_ascii_digit().then(|| n * 10 + i64::from(byte - b'0')))
}

/// Microseconds of a fraction, and what follows it.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = bytes.split_first() else { return Some((0, bytes)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let nanos = number(digits, 0, length)? * 10_i64.pow(u32::try_from(9 - length).ok()?);
    Some((nanos / 1_000, &digits[length..]))
}

fn offset_seconds(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(bytes, 1, 2)?, number(bytes, 4, 2)?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that a leap day is the last
/// day of its year and every month before it has its usual place.
fn days(year: i64, month: i64, date: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + FIRST_DAY + 60
}

/// The date of a day: the reverse of [`days`].
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day - FIRST_DAY - 60;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, date)
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

    proptest! {
        /// The calendar of another author agrees, day by day.
        #[test]
        fn moments_read_back_and_agree_with_jiff(us in FIRST_DAY * DAY_US..(LAST_DAY + 1) * DAY_US) {
            let text = rfc3339(Micros(us));
            prop_assert_eq!(parse_rfc3339(&text), Some(Micros(us)));
            // jiff ends a day earlier than the year does.
            if us < (LAST_DAY - 1) * DAY_US {
                let theirs: jiff::Timestamp = text.parse().unwrap();
                prop_assert_eq!(theirs.as_microsecond(), us);
            }
        }

        #[test]
        fn offsets_are_taken_off(us in -1_000_000_000_000_000_i64..4_000_000_000_000_000, minutes in -1_439_i64..1_440) {
            let local = rfc3339(Micros(us + minutes * 60 * SECOND_US));
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
