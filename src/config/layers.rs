//! Layers of the configuration: default, file, environment, flags; each value remembers where it came from.

use super::{Config, key};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeMap;
use std::path::Path;

/// The defaults, the same bytes as the sample file.
pub const DEFAULTS: &str = include_str!("../../deploy/baton.example.toml");

/// Variables that begin with `BATON_` and are no configuration keys.
const NOT_KEYS: [&str; 6] =
    ["BATON_CONFIG", "BATON_SERVER", "BATON_OUTPUT", "BATON_ACTOR", "BATON_DATA_DIR", baton_crash_point::VARIABLE];

/// Why there is no configuration. Its text never holds a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key nobody knows.
    #[error("{origin}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// Where it stands.
        origin: String,
        /// What it says.
        key: String,
        /// The nearest key, as a question.
        hint: String,
    },
    /// A file that cannot be read or is no TOML.
    #[error("{origin}: {why}")]
    Unreadable {
        /// Which file.
        origin: String,
        /// Why not.
        why: String,
    },
    /// A value of the wrong type or outside its range.
    #[error("{origin}: {key}: {why}")]
    Invalid {
        /// Where it stands.
        origin: String,
        /// Which key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A rule that spans keys.
    #[error("{0}")]
    Rule(String),
}

/// The layers, not yet read as types.
#[derive(Debug)]
pub struct Layers {
    figment: Figment,
    defaults: Vec<(String, Value)>,
    warnings: Vec<String>,
}

impl Layers {
    /// Stacks default, `file`, `environment` and `flags` (dotted keys). Only variables that begin with `BATON_` count.
    ///
    /// # Errors
    /// Unknown keys and unreadable files; types are looked at by [`Self::config`].
    pub fn stack(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String, String)],
    ) -> Result<Self, ConfigError> {
        let Some(path) = file else { return Self::of_texts(None, environment, flags) };
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { origin: origin.clone(), why: error.to_string() })?;
        Self::of_texts(Some((&origin, &text)), environment, flags)
    }

    /// The same with the file's origin and text at hand.
    ///
    /// # Errors
    /// As [`Self::stack`].
    pub fn of_texts(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String, String)],
    ) -> Result<Self, ConfigError> {
        let tree = tree_of(DEFAULTS, "default")?;
        let mut layers = Self {
            figment: Figment::from(One { name: "default".to_owned(), tree: tree.clone() }),
            defaults: key::leaves(&tree),
            warnings: Vec::new(),
        };
        if let Some((origin, text)) = file {
            layers.add_file(origin, text)?;
        }
        layers.add_environment(environment.into_iter().filter(|(name, _)| name.starts_with("BATON_")).collect())?;
        for (key, value, flag) in flags {
            layers.add_value(key, value, format!("flag {flag}"))?;
        }
        Ok(layers)
    }

    /// What looked odd but harmed nothing.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Reads the layers as types and checks their rules.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let config: Config = self.figment.extract().map_err(|error| invalid(&error))?;
        config.validate().map_err(|why| {
            let key = why.split(':').next().unwrap_or_default();
            match self.origin(key) {
                Some(origin) => ConfigError::Rule(format!("{origin}: {why}")),
                None => ConfigError::Rule(why),
            }
        })?;
        Ok(config)
    }

    /// Every key with its value as it may be shown, and its origin.
    #[must_use]
    pub fn shown(&self) -> Vec<(String, Value, String)> {
        let entry = |(key, default): &(String, Value)| {
            let value = self.figment.find_value(key).unwrap_or_else(|_| default.clone());
            let shown = match value.as_str() {
                Some(text) => Value::from(key::masked(key, text)),
                None => value,
            };
            (key.clone(), shown, self.origin(key).unwrap_or_default())
        };
        self.defaults.iter().map(entry).collect()
    }

    fn origin(&self, key: &str) -> Option<String> {
        self.figment.find_metadata(key).map(|metadata| metadata.name.to_string())
    }

    fn add_file(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let tree = tree_of(text, origin)?;
        for (key, _) in key::leaves(&tree) {
            self.known(&key, origin)?;
        }
        self.merge(origin.to_owned(), tree);
        Ok(())
    }

    fn add_environment(&mut self, variables: BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (name, value) in &variables {
            let Some(key) = name.strip_prefix("BATON_").filter(|_| !NOT_KEYS.contains(&name.as_str())) else {
                continue;
            };
            let key = key.to_ascii_lowercase().replace("__", ".");
            if !key.contains('.') {
                self.warnings.push(format!("environment: {name} is ignored; keys are written BATON_SECTION__KEY"));
                continue;
            }
            let base = key.strip_suffix("_file").filter(|base| key::may_hold_secret(base));
            match base.filter(|base| self.default_of(base).is_some()) {
                None => self.add_value(&key, value, format!("environment {name}"))?,
                Some(base) => {
                    let origin = format!("file named by {name}");
                    let secret = std::fs::read_to_string(value)
                        .map_err(|error| ConfigError::Unreadable { origin: origin.clone(), why: error.to_string() })?;
                    self.add_value(base, secret.trim_end_matches(['\r', '\n']), origin)?;
                }
            }
        }
        Ok(())
    }

    /// Adds one text value; it takes the type that the key's default has.
    fn add_value(&mut self, key: &str, text: &str, origin: String) -> Result<(), ConfigError> {
        self.known(key, &origin)?;
        let invalid =
            |why: &str| ConfigError::Invalid { origin: origin.clone(), key: key.to_owned(), why: why.to_owned() };
        let value = match self.default_of(key) {
            Some(Value::Num(..)) => {
                Value::from(text.trim().parse::<u64>().map_err(|_| invalid("expected a whole number"))?)
            }
            Some(Value::Bool(..)) => {
                Value::from(text.trim().parse::<bool>().map_err(|_| invalid("expected true or false"))?)
            }
            _ => Value::from(text),
        };
        let tree = key
            .rsplit('.')
            .fold(value, |inner, part| Value::Dict(Tag::Default, Dict::from([(part.to_owned(), inner)])));
        if let Value::Dict(_, tree) = tree {
            self.merge(origin, tree);
        }
        Ok(())
    }

    fn merge(&mut self, name: String, tree: Dict) {
        let below = std::mem::take(&mut self.figment);
        self.figment = below.merge(One { name, tree });
    }

    fn default_of(&self, key: &str) -> Option<&Value> {
        self.defaults.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn known(&self, key: &str, origin: &str) -> Result<(), ConfigError> {
        if self.default_of(key).is_some() {
            return Ok(());
        }
        let hint = key::nearest(key, self.defaults.iter().map(|(known, _)| known.as_str()))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(ConfigError::UnknownKey { origin: origin.to_owned(), key: key.to_owned(), hint })
    }
}

/// One layer under one name.
struct One {
    name: String,
    tree: Dict,
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.tree.clone())]))
    }
}

/// TOML as a tree. The parser's own text quotes the line at fault, which may hold a secret: only its place is told.
fn tree_of(text: &str, origin: &str) -> Result<Dict, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let why = format!("line {line}: {}", error.message().trim_end().replace('\n', ", "));
        ConfigError::Unreadable { origin: origin.to_owned(), why }
    })
}

/// Figment's message quotes the wrong value; for keys that may hold a secret it is left out.
fn invalid(error: &figment::Error) -> ConfigError {
    let key = error.path.join(".");
    let why = if key::may_hold_secret(&key) { "has the wrong type".to_owned() } else { error.kind.to_string() };
    let origin = error.metadata.as_ref().map_or("configuration".to_owned(), |metadata| metadata.name.to_string());
    ConfigError::Invalid { origin, key, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn stack(environment: &[(&str, &str)]) -> Result<Layers, ConfigError> {
        Layers::stack(None, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), &[])
    }

    #[test]
    fn the_sample_file_is_whole() {
        let config = stack(&[]).unwrap().config().unwrap();
        assert_eq!(config.server.listen.port(), 7400);
        assert_eq!(config.participants.stock.admin_listen.port(), 7431);
        assert!(config.engine.max_batch >= 1024, "a cap below 1024 costs throughput");
    }

    #[test]
    fn flags_beat_the_environment_and_that_beats_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b.toml");
        std::fs::write(&file, "[engine]\nmax_batch = 5\nqueue = 6\n[limits]\nwaiting_starts = 7\n").unwrap();
        let environment = [("BATON_ENGINE__QUEUE", "60"), ("BATON_LIMITS__WAITING_STARTS", "70")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let flags = [("limits.waiting_starts".to_owned(), "200".to_owned(), "--set".to_owned())];
        let layers = Layers::stack(Some(&file), environment, &flags).unwrap();
        let config = layers.config().unwrap();
        let read = (config.engine.max_batch, config.engine.queue, config.limits.waiting_starts);
        assert_eq!(read, (5, 60, 200));
        let origin = |key: &str| layers.origin(key).unwrap();
        assert_eq!(origin("engine.max_batch"), file.display().to_string());
        assert_eq!(origin("engine.queue"), "environment BATON_ENGINE__QUEUE");
        assert_eq!(origin("limits.waiting_starts"), "flag --set");
        assert_eq!(origin("engine.relay_age"), "default");
    }

    #[test]
    fn a_secret_of_digits_stays_text_and_may_come_from_a_file() {
        let config = stack(&[("BATON_PROVIDER__SECRET", "12345")]).unwrap().config().unwrap();
        assert_eq!(config.provider.secret.expose_secret(), "12345");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, "mysql://u:pw@h:1/s\n").unwrap();
        let layers = stack(&[("BATON_STORE__URL_FILE", file.to_str().unwrap())]).unwrap();
        assert_eq!(layers.config().unwrap().store.url.expose_secret(), "mysql://u:pw@h:1/s");
        assert!(!format!("{:?}", layers.config().unwrap()).contains("pw"));
    }

    #[test]
    fn finished_sagas_are_kept_for_ever_unless_told_otherwise() {
        assert_eq!(stack(&[]).unwrap().config().unwrap().retention.policy(), None);
        let policy = stack(&[("BATON_RETENTION__KEEP", "30d")]).unwrap().config().unwrap().retention.policy().unwrap();
        assert_eq!((policy.keep.as_secs(), policy.step), (30 * 86_400, 200));
        let both = [("BATON_RETENTION__KEEP", "1h"), ("BATON_ENGINE__RELAY_AGE", "2h")];
        let error = stack(&both).unwrap().config().unwrap_err().to_string();
        assert!(error.starts_with("environment BATON_RETENTION__KEEP: retention.keep: 3600 s"), "{error}");
    }

    #[test]
    fn nobody_is_killed_on_purpose_unless_told_otherwise() {
        assert_eq!(stack(&[]).unwrap().config().unwrap().dev.chaos_endpoint, None);
        let both = [("BATON_DEV__CHAOS_ENDPOINT", "127.0.0.1:7490"), ("BATON_SERVER__LISTEN", "0.0.0.0:7400")];
        let endpoint = stack(&both[..1]).unwrap().config().unwrap().dev.chaos_endpoint.unwrap();
        assert_eq!(endpoint.port(), 7490);
        let error = stack(&both).unwrap().config().unwrap_err().to_string();
        assert!(
            error.starts_with("environment BATON_DEV__CHAOS_ENDPOINT: dev.chaos_endpoint: server.listen"),
            "{error}"
        );
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let text = stack(&[("BATON_SERVER__LISEN", "x")]).unwrap_err().to_string();
        assert!(text.contains("BATON_SERVER__LISEN") && text.contains("`server.listen`"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_named_by_line_without_its_secrets() {
        let text = "[store]\nconnections = 4\nurl = \"mysql://u:hunter2@h\nacquire_timeout = \"1s\"\n";
        let error = Layers::of_texts(Some(("b.toml", text)), [], &[]).unwrap_err().to_string();
        assert!(error.starts_with("b.toml: line 3: ") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn wrong_values_name_their_key_and_origin() {
        for (name, value) in [
            ("BATON_ENGINE__MAX_BATCH", "many"),
            ("BATON_ENGINE__MAX_BATCH", "0"),
            ("BATON_ENGINE__RELAY_AGE", "soon"),
            ("BATON_ENGINE__RELAY_AGE", "0s"),
            ("BATON_ENGINE__RELAY_PAUSE", "9ms"),
            ("BATON_ENGINE__WAKER_PAUSE", "0ms"),
            ("BATON_BUS__CONFIRM_TIMEOUT", "1ms"),
            ("BATON_RETENTION__KEEP", "off"),
            ("BATON_RETENTION__KEEP", "59s"),
            ("BATON_RETENTION__STEP", "0"),
            ("BATON_SERVER__LISTEN", "nowhere"),
            ("BATON_DEV__CHAOS_ENDPOINT", "localhost:7490"),
            ("BATON_DEV__CHAOS_ENDPOINT", "0.0.0.0:7490"),
            ("BATON_BUS__KIND", "pigeon"),
            ("BATON_STORE__URL", "oracle://hunter2@x"),
        ] {
            let error = stack(&[(name, value)]).and_then(|layers| layers.config()).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
