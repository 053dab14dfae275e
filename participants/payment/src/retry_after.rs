//! The header `Retry-After`: seconds, or a moment as HTTP writes it (RFC 9110).

use std::time::{Duration, SystemTime};

/// How long to wait from `now`; nothing if that is not what the text says. A moment that has passed is no time at all.
pub(crate) fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean longer than anybody waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn seconds_and_moments_are_read() {
        let seconds = |text: &str| wait(text, then()).map(|wait| wait.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(wait("99999999999999999999999", then()), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0), "it has passed");
    }

    #[test]
    fn what_is_neither_says_nothing() {
        for text in ["", "soon", "-1", "1.5", "+7", "Sun, 06 Nov 1994", "Sun, 06 Xyz 1994 08:49:37 GMT", "06 Nov 1994"]
        {
            assert_eq!(wait(text, then()), None, "{text}");
        }
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 CET", then()), None);
        assert_eq!(wait("Sun, 06 Nov 1994 99:49:37 GMT", then()), None);
    }
}
