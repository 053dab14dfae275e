//! Durations as people write them: "200ms", "5s", "2m".

use serde::de::{Deserialize, Deserializer, Error};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest duration a setting may have: a day. Longer ones are typing mistakes.
const LONGEST: Duration = DAY;

/// Longest time anything may be kept, in days: a hundred years.
const LONGEST_KEPT: u32 = 36_500;

/// Parses "200ms", "5s", "2m", "1h".
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = unbounded(text, "\"200ms\", \"5s\" or \"2m\"")?;
    if duration > LONGEST {
        return Err(format!("`{text}` is longer than a day"));
    }
    Ok(duration)
}

/// Parses how long something is kept: "30d", "12h", "90m", or "" for ever.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_kept(text: &str) -> Result<Option<Duration>, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    // Days of 24 hours: whoever keeps something for 30 days does not count the hours a clock is put back.
    let days = trimmed.strip_suffix('d').and_then(|days| days.trim_end().parse::<u32>().ok());
    let kept = match days {
        Some(days) => DAY.saturating_mul(days),
        None => unbounded(text, "\"30d\", \"12h\" or \"90m\", or \"\" to keep for ever")?,
    };
    if kept > DAY * LONGEST_KEPT {
        return Err(format!("`{text}` is longer than a hundred years; \"\" keeps for ever"));
    }
    Ok(Some(kept))
}

fn unbounded(text: &str, like: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration =
        text.trim().parse().map_err(|_| format!("`{text}` is no duration; write it like {like}"))?;
    Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))
}

/// For `#[serde(deserialize_with)]`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parse_kept(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "soon", "-5s", "48h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_long_something_is_kept() {
        assert_eq!(parse_kept(""), Ok(None));
        assert_eq!(parse_kept("30d"), Ok(Some(DAY * 30)));
        assert_eq!(parse_kept("48h"), Ok(Some(DAY * 2)));
        assert_eq!(parse_kept("90m"), Ok(Some(Duration::from_secs(5_400))));
        for wrong in ["30", "off", "-1d", "1.5d", "36501d", "9999999999d"] {
            assert!(parse_kept(wrong).is_err(), "{wrong}");
        }
    }
}
