//! The header `Retry-After`: seconds, or a moment as HTTP writes it (RFC 9110).

use std::time::Duration;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How long to wait from `now_s`, seconds since the epoch; nothing if that is not what the text says. A moment that has passed
/// is no time at all.
pub(crate) fn wait(text: &str, now_s: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean longer than anybody waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let left = moment(text)?.saturating_sub(now_s);
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since the epoch: the only form that may be sent today.
fn moment(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_once(", ")?.1.split(' ').collect();
    let [day, month, year, clock, "GMT"] = words[..] else { return None };
    let number = |digits: &str, most: i64| {
        let is_number = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|number| is_number && *number <= most)
    };
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let [hours, minutes, seconds] = clock.split(':').collect::<Vec<_>>()[..] else { return None };
    let days = days(number(year, 9_999)?, month, number(day, 31)?);
    Some(days * 86_400 + number(hours, 23)? * 3_600 + number(minutes, 59)? * 60 + number(seconds, 60)?)
}

/// Days since the epoch, by the calendar whose year begins in March, so that a leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (century, of_century) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    century * 146_097 + of_century * 365 + of_century / 4 - of_century / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::time::Duration;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const THEN: i64 = 784_111_777;

    #[test]
    fn seconds_and_moments_are_read() {
        let seconds = |text: &str| wait(text, THEN).map(|wait| wait.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(wait("99999999999999999999999", THEN), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0), "it has passed");
        assert_eq!(wait("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_799), Some(Duration::from_secs(1)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:01 GMT", 0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_neither_says_nothing() {
        for text in ["", "soon", "-1", "1.5", "+7", "Sun, 06 Nov 1994", "Sun, 06 Xyz 1994 08:49:37 GMT", "06 Nov 1994"]
        {
            assert_eq!(wait(text, THEN), None, "{text}");
        }
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 CET", THEN), None);
        assert_eq!(wait("Sun, 06 Nov 1994 99:49:37 GMT", THEN), None);
    }
}
