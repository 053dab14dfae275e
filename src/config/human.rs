//! Durations as people write them: "200ms", "5s", "2m".

use serde::de::{Deserialize, Deserializer, Error};
use std::time::Duration;

/// Longest duration a setting may have: a day. Longer ones are typing mistakes.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Parses "200ms", "5s", "2m", "1h".
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is no duration; write it like \"200ms\", \"5s\" or \"2m\""))?;
    let duration = Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))?;
    if duration > LONGEST {
        return Err(format!("`{text}` is longer than a day"));
    }
    Ok(duration)
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
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
}
