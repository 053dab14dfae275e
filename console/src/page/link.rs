//! Addresses: every part percent-encoded, so that no value can end one.

use crate::page::text::cut;
use std::fmt::Write as _;

/// A path with a query; empty values are left out.
#[must_use]
pub fn with(path: &str, query: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    let mut separator = '?';
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(separator);
        address.push_str(name);
        address.push('=');
        address.push_str(&encoded(value));
        separator = '&';
    }
    address
}

/// The next page of a list by the token that came with this one; empty if there is none.
#[must_use]
pub fn older(path: &str, query: &[(&str, &str)], token: &str) -> String {
    if token.is_empty() { String::new() } else { with(path, &[query, &[("page_token", token)]].concat()) }
}

/// The page that shows what came of an act.
#[must_use]
pub fn done(path: &str, did: &str) -> String {
    with(path, &[("did", did)])
}

/// One part of a path or of a query.
#[must_use]
pub fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

/// The id in a resource name: what stands behind the last slash.
#[must_use]
pub fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// An id cut in its middle, for tables: its beginning tells when, its end tells which.
#[must_use]
pub fn short(id: &str) -> String {
    if id.len() <= 20 || !id.is_ascii() {
        return cut(id, 20);
    }
    format!("{}…{}", id.get(..8).unwrap_or_default(), id.get(id.len() - 8..).unwrap_or_default())
}

/// The page of a resource, as far as it has one: `sagas/{id}`, `jobs/{id}`, `deadLetters/{id}`; else empty.
#[must_use]
pub fn page(name: &str) -> String {
    match name.split_once('/') {
        Some(("sagas", id)) => format!("/sagas/{}", encoded(id)),
        Some(("jobs", id)) => format!("/jobs/{}", encoded(id)),
        Some(("deadLetters", id)) => format!("/dead-letters/{}", encoded(id)),
        Some(("holds", _)) => "/holds".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_an_address() {
        assert_eq!(
            with("/sagas", &[("filter", "a = \"b\"&c"), ("preset", ""), ("x", "1")]),
            "/sagas?filter=a%20%3D%20%22b%22%26c&x=1"
        );
        assert_eq!(page("sagas/a/../b\r\n"), "/sagas/a%2F..%2Fb%0D%0A");
        assert_eq!(page("javascript:alert(1)"), "");
    }
}
