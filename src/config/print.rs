//! `--print-config`: the whole configuration with the origin of each value, secrets masked.

use super::layers::Layers;
use figment::value::Value;
use std::fmt::Write as _;

/// As TOML that could be read again (masked secrets apart), each line followed by its origin.
#[must_use]
pub fn toml(layers: &Layers) -> String {
    let mut text = String::new();
    let mut section = None;
    let shown = layers.shown();
    let width = shown.iter().map(|(key, value, _)| name(key).len() + literal(value).len()).max().unwrap_or(0);
    for (key, value, origin) in shown {
        let (prefix, _) = key.rsplit_once('.').unwrap_or(("", &key));
        if section.as_deref() != Some(prefix) {
            let gap = if section.is_some() { "\n" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{gap}[{prefix}]");
            section = Some(prefix.to_owned());
        }
        let line = format!("{} = {}", name(&key), literal(&value));
        let _ = writeln!(text, "{line:<width$}  # {origin}", width = width + 3);
    }
    text
}

/// As JSON: one object per key.
#[must_use]
pub fn json(layers: &Layers) -> serde_json::Value {
    let entries = layers.shown().into_iter().map(|(key, value, origin)| {
        serde_json::json!({ "key": key, "value": value.deserialize::<serde_json::Value>().unwrap_or_default(), "origin": origin })
    });
    serde_json::Value::Array(entries.collect())
}

fn name(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// A TOML literal.
fn literal(value: &Value) -> String {
    match value.as_str() {
        Some(text) => toml::Value::from(text).to_string(),
        None => value.deserialize::<toml::Value>().map_or_else(|_| "?".to_owned(), |value| value.to_string()),
    }
}
