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

/// For `#[serde(deserialize_with)]`: a duration with its bounds in milliseconds. One that is much too short or too long fails far away
/// from here: calls that time out before they are made look like a server that is away.
pub(crate) fn between<'de, const LEAST_MS: u64, const MOST_MS: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let (least, most) = (Duration::from_millis(LEAST_MS), Duration::from_millis(MOST_MS));
    let text = String::deserialize(deserializer)?;
    let duration = parse_duration(&text).map_err(D::Error::custom)?;
    if (least..=most).contains(&duration) {
        Ok(duration)
    } else {
        Err(D::Error::custom(format!(
            "`{text}` is out of bounds: at least {}, at most {}",
            written(least),
            written(most)
        )))
    }
}

/// For `#[serde(deserialize_with)]`: words between commas.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// In the largest unit that leaves nothing over.
fn written(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 60_000 == 0 && ms > 0 => format!("{}m", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parse_kept(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::value::{Error as ValueError, StrDeserializer};

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
    fn a_duration_has_bounds_and_a_list_has_words() {
        let text = StrDeserializer::<ValueError>::new;
        let bounded = |it| between::<100, 60_000, _>(text(it)).map_err(|error| error.to_string());
        assert_eq!(bounded("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(bounded("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["0s", "1us", "99ms", "61s", "1h"] {
            assert_eq!(bounded(wrong), Err(format!("`{wrong}` is out of bounds: at least 100ms, at most 1m")));
        }
        assert_eq!(list(text(" a.example, ,b:1")).unwrap(), ["a.example", "b:1"]);
        assert!(list(text("")).unwrap().is_empty());
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
