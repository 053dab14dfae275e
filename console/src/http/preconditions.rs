//! Headers that mean fields: If-Match and If-None-Match (versions), Idempotency-Key (request ids), Last-Event-ID.

use crate::http::problem::Problem;
use crate::http::reason::HttpReason;
use http::{HeaderMap, HeaderValue, header};

/// The header of a request id.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header with which an interrupted stream is taken up again.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// A version as ETag.
#[must_use]
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The version in If-Match: none if there is no such header; 0, which any version passes, for `*`.
///
/// # Errors
/// If it is not one tag of a version.
pub fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = one(headers, header::IF_MATCH.as_str())? else { return Ok(None) };
    if text == "*" {
        return Ok(Some(0));
    }
    // A proxy that compresses answers weakens their tags. A version is the same whatever it is written as.
    let text = text.strip_prefix("W/").unwrap_or(text);
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(number);
    match version.filter(|version| *version > 0) {
        Some(version) => Ok(Some(version)),
        None => Err(malformed("if-match", "takes one version in quotation marks, \"7\" for example, or *")),
    }
}

/// True if If-None-Match says that this version is known to the caller.
#[must_use]
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // The comparison of If-None-Match is the weak one.
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// The request id in Idempotency-Key, with or without the quotation marks of a structured header.
///
/// # Errors
/// If it comes twice, or is no text.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let key = one(headers, IDEMPOTENCY_KEY)?;
    Ok(key.map(|key| key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key).to_owned()))
}

/// The version after which a stream goes on.
///
/// # Errors
/// If it is no number.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = one(headers, LAST_EVENT_ID)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    number(text).map(Some).ok_or_else(|| malformed(LAST_EVENT_ID, "takes the id of an event, a version"))
}

fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text.trim())),
        (Some(Ok(_)), Some(_)) => Err(malformed(name, "is given twice")),
        (Some(Err(_)), _) => Err(malformed(name, "is no text")),
    }
}

fn malformed(name: &str, what: &str) -> Problem {
    Problem::new(HttpReason::HeaderMalformed, format!("{name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn if_match_takes_one_version() {
        assert_eq!(if_match(&HeaderMap::new()), Ok(None));
        assert_eq!(if_match(&headers("if-match", &["\"7\""])), Ok(Some(7)));
        assert_eq!(if_match(&headers("if-match", &["*"])), Ok(Some(0)));
        assert_eq!(if_match(&headers("if-match", &["W/\"7\""])), Ok(Some(7)), "weakened on its way");
        for wrong in ["7", "\"\"", "\"0\"", "w/\"7\"", "\"7\", \"8\"", "\"x\"", "\"+7\"", ""] {
            assert!(if_match(&headers("if-match", &[wrong])).is_err(), "{wrong}");
        }
        assert!(if_match(&headers("if-match", &["\"7\"", "\"7\""])).is_err());
    }

    #[test]
    fn a_known_version_is_recognised_in_any_form() {
        for value in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(is_known(&headers("if-none-match", &[value]), "\"7\""), "{value}");
        }
        assert!(!is_known(&headers("if-none-match", &["\"77\""]), "\"7\""));
        assert!(!is_known(&HeaderMap::new(), "\"7\""));
    }

    #[test]
    fn keys_and_event_ids() {
        for value in ["k", "\"k\"", " k "] {
            assert_eq!(idempotency_key(&headers("idempotency-key", &[value])), Ok(Some("k".to_owned())), "{value}");
        }
        assert!(idempotency_key(&headers("idempotency-key", &["a", "b"])).is_err());
        assert_eq!(last_event_id(&headers("last-event-id", &["12"])), Ok(Some(12)));
        assert_eq!(last_event_id(&headers("last-event-id", &[""])), Ok(None));
        assert!(last_event_id(&headers("last-event-id", &["-1"])).is_err());
    }
}
