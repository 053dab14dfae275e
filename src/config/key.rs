//! Keys of the configuration: what their values are, which are secret, and the nearest to a mistyped one.

use figment::value::{Dict, Value};

/// Keys of the engine whose whole value is secret.
pub const SECRETS: [&str; 2] = ["incidents.secret", "incidents.webhook"];

/// How far a guess may be from what was typed.
const NEAR: f64 = 0.7;

/// What a value is; texts from the environment and from flags are read as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything that is written as a text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Bool,
}

impl Kind {
    /// That of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Num(..) => Self::Number,
            Value::Bool(..) => Self::Bool,
            _ => Self::Text,
        }
    }

    /// A text read as this; a secret that is made of digits stays a text.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::Number => text.trim().parse::<u64>().map(Value::from).map_err(|_| "expected a whole number"),
            Self::Bool => text.trim().parse::<bool>().map(Value::from).map_err(|_| "expected true or false"),
        }
    }
}

/// Every leaf of a tree as `a.b.c` with its value, in order; a section without any is one itself.
#[must_use]
pub fn leaves(tree: &Dict) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(tree, "", &mut found);
    found
}

fn collect(tree: &Dict, prefix: &str, found: &mut Vec<(String, Value)>) {
    for (name, value) in tree {
        // A name with a dot would be taken for two.
        let name = if name.contains('.') { format!("{name:?}") } else { name.clone() };
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect(inner, &key, found),
            leaf => found.push((key, leaf.clone())),
        }
    }
}

/// True if the key may be read from a file named by `…_FILE`: it is one of the secrets, or may hold one.
#[must_use]
pub fn may_hold_secret(secrets: &[&str], key: &str) -> bool {
    secrets.contains(&key) || key.ends_with("url") || key.ends_with("_endpoint")
}

/// The value as it may be shown: secrets become `***`, in URLs only the password does.
#[must_use]
pub fn masked(secrets: &[&str], key: &str, shown: &str) -> String {
    if secrets.contains(&key) {
        return "***".to_owned();
    }
    if may_hold_secret(secrets, key) { mask_password(shown) } else { shown.to_owned() }
}

/// Replaces the password of `scheme://user:password@host/…` and the whole query, which may hold one too. A password is
/// taken for one whatever it is made of, and also where the scheme is missing.
#[must_use]
pub fn mask_password(url: &str) -> String {
    // A path may hold an @, and SQLite knows no passwords.
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    // The last @ ends the credentials: a password may hold one itself, and a ? that has not been escaped.
    let (credentials, host) = rest.rsplit_once('@').map_or((None, rest), |(before, host)| (Some(before), host));
    let (host, query) = host.split_once('?').map_or((host, ""), |(before, _)| (before, "?***"));
    match credentials.map(|credentials| (credentials, credentials.split([':', '?']).next().unwrap_or_default())) {
        None => format!("{scheme}{host}{query}"),
        Some((credentials, user)) if user == credentials => format!("{scheme}{user}@{host}{query}"),
        Some((_, user)) => format!("{scheme}{user}:***@{host}{query}"),
    }
}

/// The key nearest to what was typed, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    keys.map(|key| (strsim::jaro_winkler(typed, key).max(last_part_likeness(typed, key)), key))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

/// A key put under the wrong section, or under none, is still recognised by its last part.
fn last_part_likeness(typed: &str, key: &str) -> f64 {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    0.95 * strsim::normalized_levenshtein(&last(typed), &last(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_the_rest_is_shown() {
        assert_eq!(masked(&["provider.secret"], "store.url", "mysql://u:p@ss@h:1/s"), "mysql://u:***@h:1/s");
        assert_eq!(masked(&["provider.secret"], "store.url", "mysql://u@h:1/s"), "mysql://u@h:1/s");
        assert_eq!(masked(&["provider.secret"], "store.url", "mysql://h/s?password=x"), "mysql://h/s?***");
        assert_eq!(masked(&["provider.secret"], "coord.url", "redis://:pw@h"), "redis://:***@h");
        assert_eq!(masked(&["provider.secret"], "store.url", "sqlite:a.db"), "sqlite:a.db");
        assert_eq!(masked(&["provider.secret"], "store.url", "mysql://u:p?s@h/s"), "mysql://u:***@h/s");
        assert_eq!(masked(&["provider.secret"], "store.url", "mysql://h/s?password=p@x"), "mysql://h/s:***@x");
        assert_eq!(masked(&["provider.secret"], "bus.url", "amqp:u:pw@h"), "amqp:***@h");
        assert_eq!(masked(&["provider.secret"], "store.url", "sqlite:/a@b.db"), "sqlite:/a@b.db");
        assert_eq!(masked(&["provider.secret"], "provider.base_url", "https://u:pw@h/p"), "https://u:***@h/p");
        assert_eq!(
            masked(&["provider.secret"], "telemetry.otlp_endpoint", "http://u:pw@h:4317"),
            "http://u:***@h:4317"
        );
        assert_eq!(masked(&["provider.secret"], "provider.secret", "abc"), "***");
        assert_eq!(masked(&["provider.secret"], "server.listen", "a:b@c"), "a:b@c");
    }

    #[test]
    fn the_nearest_key_is_named() {
        let keys = ["server.listen", "server.admin_listen", "engine.max_batch", "store.url"];
        assert_eq!(nearest("server.lisen", keys.into_iter()), Some("server.listen"));
        assert_eq!(nearest("engine.maxbatch", keys.into_iter()), Some("engine.max_batch"));
        assert_eq!(nearest("max_batch", keys.into_iter()), Some("engine.max_batch"));
        assert_eq!(nearest("zzz.qqq", keys.into_iter()), None);
    }
}
