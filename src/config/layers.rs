//! Layers of the configuration: default, file, environment, flags; each value remembers where it came from.

use super::key::{self, Kind};
use super::{Config, participants};
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// The engine's defaults, the same bytes as its sample file.
const DEFAULTS: &str = include_str!("../../deploy/baton.example.toml");

/// Variables that begin with `BATON_` and are no configuration keys.
const NOT_KEYS: [&str; 6] =
    ["BATON_CONFIG", "BATON_SERVER", "BATON_OUTPUT", "BATON_ACTOR", "BATON_DATA_DIR", baton_crash_point::VARIABLE];

/// What somebody who builds on the engine adds to its configuration: sections of their own, participants among them.
#[derive(Clone, Copy, Debug)]
pub struct Sections {
    /// Every key with its default, in TOML.
    pub defaults: &'static str,
    /// Keys whose whole value is secret.
    pub secrets: &'static [&'static str],
}

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
    keys: BTreeMap<String, Kind>,
    secrets: Vec<&'static str>,
    warnings: Vec<String>,
}

impl Layers {
    /// Stacks default, `file`, `environment` and `flags` (dotted keys). Only variables that begin with `BATON_` count. `added`
    /// are the sections beside the engine's.
    ///
    /// # Errors
    /// Unknown keys and unreadable files; types are looked at by [`Self::config`].
    pub fn stack(
        added: &[Sections],
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String, String)],
    ) -> Result<Self, ConfigError> {
        let Some(path) = file else { return Self::of_texts(added, None, environment, flags) };
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { origin: origin.clone(), why: error.to_string() })?;
        Self::of_texts(added, Some((&origin, &text)), environment, flags)
    }

    /// The same with the file's origin and text at hand.
    ///
    /// # Errors
    /// As [`Self::stack`].
    pub fn of_texts(
        added: &[Sections],
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String, String)],
    ) -> Result<Self, ConfigError> {
        let secrets = added.iter().flat_map(|sections| sections.secrets).copied().chain(key::SECRETS).collect();
        let mut layers = Self { figment: Figment::new(), keys: BTreeMap::new(), secrets, warnings: Vec::new() };
        for defaults in [DEFAULTS].into_iter().chain(added.iter().map(|sections| sections.defaults)) {
            let tree = tree_of(defaults, "default")?;
            layers.keys.extend(key::leaves(&tree).into_iter().map(|(key, value)| (key, Kind::of(&value))));
            layers.merge("default".to_owned(), tree);
        }
        if let Some((origin, text)) = file {
            layers.add_file(origin, text)?;
        }
        layers.add_environment(environment.into_iter().filter(|(name, _)| name.starts_with("BATON_")).collect())?;
        for (key, value, flag) in flags {
            layers.add_value(key, value, format!("flag {flag}"))?;
        }
        layers.reached()?;
        Ok(layers)
    }

    /// What looked odd but harmed nothing.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The engine's part.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.read(Config::validate)
    }

    /// Reads the layers as types, with rules that name the key they are about first. Keys that the type does not know are
    /// somebody else's.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn read<T: DeserializeOwned>(&self, rules: impl FnOnce(&T) -> Result<(), String>) -> Result<T, ConfigError> {
        let read: T = self.figment.extract().map_err(|error| self.invalid(&error))?;
        rules(&read).map_err(|why| {
            let key = why.split(':').next().unwrap_or_default();
            match self.figment.find_metadata(key) {
                Some(origin) => ConfigError::Rule(format!("{}: {why}", origin.name)),
                None => ConfigError::Rule(why),
            }
        })?;
        Ok(read)
    }

    /// Every key with its value as it may be shown, and its origin.
    #[must_use]
    pub fn shown(&self) -> Vec<(String, Value, String)> {
        let entry = |(key, value): (String, Value)| {
            let origin = self.figment.get_metadata(value.tag()).map(|origin| origin.name.to_string());
            let shown = match value.as_str() {
                Some(text) => Value::from(key::masked(&self.secrets, &key, text)),
                None => value,
            };
            (key, shown, origin.unwrap_or_default())
        };
        key::leaves(&self.tree()).into_iter().map(entry).collect()
    }

    /// All layers as one tree, each value with its origin.
    fn tree(&self) -> Dict {
        // Every layer was merged as a tree.
        self.figment.data().ok().and_then(|mut profiles| profiles.remove(&Profile::Default)).unwrap_or_default()
    }

    /// Whoever is named is reached somewhere: a mistyped name of another participant is not.
    fn reached(&self) -> Result<(), ConfigError> {
        let tree = self.tree();
        let participants = tree.get(participants::SECTION).and_then(Value::as_dict);
        for (name, participant) in participants.into_iter().flatten() {
            let (key, inner) = (format!("{}.{name}", participants::SECTION), participant.as_dict());
            if inner.is_some_and(|inner| inner.contains_key("endpoint")) {
                continue;
            }
            let first = inner.and_then(|inner| key::leaves(inner).into_iter().next()).map(|(_, value)| value.tag());
            let origin = self.figment.get_metadata(first.unwrap_or_else(|| participant.tag()));
            let others = self.keys.keys().filter_map(|known| participants::split(known)).map(|(other, _)| other);
            let hint = key::nearest(name, others).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let origin = origin.map_or("configuration".to_owned(), |origin| origin.name.to_string());
            let why = format!("a participant needs an endpoint, where the orchestrator reaches it{hint}");
            return Err(ConfigError::Invalid { origin, key, why });
        }
        Ok(())
    }

    fn add_file(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let tree = tree_of(text, origin)?;
        for (key, value) in key::leaves(&tree) {
            // An empty section says nothing.
            if value.as_dict().is_none() || !self.is_section(&key) {
                self.kind_of(&key, origin)?;
            }
        }
        self.merge(origin.to_owned(), tree);
        Ok(())
    }

    fn add_environment(&mut self, variables: BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (name, value) in &variables {
            let Some(key) = name.strip_prefix("BATON_").filter(|_| !NOT_KEYS.contains(&name.as_str())) else {
                continue;
            };
            let key = participants::key_of_variable(key);
            if !key.contains('.') {
                self.warnings.push(format!("environment: {name} is ignored; keys are written BATON_SECTION__KEY"));
                continue;
            }
            let base = key.strip_suffix("_file").filter(|base| key::may_hold_secret(&self.secrets, base));
            match base.filter(|base| self.known(base).is_some()) {
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

    /// Adds one text value; it takes the type that its key has.
    fn add_value(&mut self, key: &str, text: &str, origin: String) -> Result<(), ConfigError> {
        let kind = self.kind_of(key, &origin)?;
        let value = kind.parse(text).map_err(|why| ConfigError::Invalid {
            origin: origin.clone(),
            key: key.to_owned(),
            why: why.to_owned(),
        })?;
        if let Value::Dict(_, tree) = nest(key, value) {
            self.merge(origin, tree);
        }
        Ok(())
    }

    fn merge(&mut self, name: String, tree: Dict) {
        let below = std::mem::take(&mut self.figment);
        self.figment = below.merge(One { name, tree });
    }

    /// What the value of a key is, if there is such a key. Whatever a participant is called, its keys are known.
    fn known(&self, key: &str) -> Option<Kind> {
        let of_participant = || {
            let (_, rest) = participants::split(key).filter(|(name, _)| participants::is_name(name))?;
            participants::KEYS.into_iter().find(|(known, _)| *known == rest).map(|(_, kind)| kind)
        };
        self.keys.get(key).copied().or_else(of_participant)
    }

    fn is_section(&self, key: &str) -> bool {
        let of_participant =
            || participants::split(key).is_some_and(|(name, rest)| participants::is_section(name, rest));
        let below = format!("{key}.");
        key == participants::SECTION || self.keys.keys().any(|known| known.starts_with(&below)) || of_participant()
    }

    fn kind_of(&self, key: &str, origin: &str) -> Result<Kind, ConfigError> {
        if let Some(kind) = self.known(key) {
            return Ok(kind);
        }
        let (origin, key) = (origin.to_owned(), key.to_owned());
        if let Some((name, _)) = participants::split(&key).filter(|(name, _)| !participants::is_name(name)) {
            let why = format!("`{name}` names no participant: 1 to 32 of a-z, 0-9 and -");
            return Err(ConfigError::Invalid { origin, key, why });
        }
        let own = participants::split(&key).map(|(name, _)| format!("{}.{name}.", participants::SECTION));
        let own = own.iter().flat_map(|own| participants::KEYS.map(|(known, _)| format!("{own}{known}")));
        let known: Vec<String> = own.chain(self.keys.keys().cloned()).collect();
        let hint = key::nearest(&key, known.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(ConfigError::UnknownKey { origin, key, hint })
    }

    /// Figment's message quotes the wrong value; for keys that may hold a secret it is left out.
    fn invalid(&self, error: &figment::Error) -> ConfigError {
        let key = error.path.join(".");
        let is_secret = key::may_hold_secret(&self.secrets, &key);
        let why = if is_secret { "has the wrong type".to_owned() } else { error.kind.to_string() };
        let origin = error.metadata.as_ref().map_or("configuration".to_owned(), |metadata| metadata.name.to_string());
        ConfigError::Invalid { origin, key, why }
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    /// Somebody's own sections beside the engine's.
    const AGENCY: Sections = Sections {
        defaults: "[agency]\ncountry = \"NZ\"\ntoken = \"none\"\n\
            [participants.hotel]\nendpoint = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:1\"\n",
        secrets: &["agency.token"],
    };

    fn stack(environment: &[(&str, &str)]) -> Result<Layers, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::stack(&[AGENCY], None, environment, &[])
    }

    fn of_file(text: &str) -> Result<Layers, ConfigError> {
        Layers::of_texts(&[AGENCY], Some(("b.toml", text)), [], &[])
    }

    fn said(layers: Result<Layers, ConfigError>) -> String {
        layers.and_then(|layers| layers.config()).expect_err("it is refused").to_string()
    }

    #[test]
    fn the_sample_file_is_whole() {
        let config = stack(&[]).unwrap().config().unwrap();
        assert_eq!(config.server.listen.port(), 7400);
        assert_eq!(config.participants.keys().collect::<Vec<_>>(), ["hotel"], "the engine has none of its own");
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
        let layers = Layers::stack(&[], Some(&file), environment, &flags).unwrap();
        let config = layers.config().unwrap();
        let read = (config.engine.max_batch, config.engine.queue, config.limits.waiting_starts);
        assert_eq!(read, (5, 60, 200));
        let origin = |key: &str| layers.figment.find_metadata(key).unwrap().name.to_string();
        assert_eq!(origin("engine.max_batch"), file.display().to_string());
        assert_eq!(origin("engine.queue"), "environment BATON_ENGINE__QUEUE");
        assert_eq!(origin("limits.waiting_starts"), "flag --set");
        assert_eq!(origin("engine.waker_pause"), "default");
    }

    #[test]
    fn a_secret_of_digits_stays_text_and_may_come_from_a_file() {
        let config = stack(&[("BATON_INCIDENTS__SECRET", "12345")]).unwrap().config().unwrap();
        assert_eq!(config.incidents.secret.expose_secret(), "12345");
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
        let both = [("BATON_RETENTION__KEEP", "1m"), ("BATON_BUS__CONFIRM_TIMEOUT", "1m")];
        let error = stack(&both).unwrap().config().unwrap_err().to_string();
        assert!(error.starts_with("environment BATON_RETENTION__KEEP: retention.keep: 60 s"), "{error}");
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
        let error = of_file(text).unwrap_err().to_string();
        assert!(error.starts_with("b.toml: line 3: ") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_participant_nobody_has_defaults_for_is_fine() {
        let text = "[participants.agency]\nendpoint = \"h:1\"\nservice = \"travel.v1.AgencyService\"\n";
        let config = of_file(text).unwrap().config().unwrap();
        let agency = &config.participants["agency"];
        assert_eq!((agency.endpoint.as_str(), agency.service.as_str()), ("h:1", "travel.v1.AgencyService"));
        assert!(agency.listen.is_none() && agency.store.is_none());
        let store = "BATON_PARTICIPANTS__RAIL_WAY__STORE__";
        let variables = [("URL", "mysql://u:pw@h/s"), ("CONNECTIONS", "3"), ("ACQUIRE_TIMEOUT", "1s")];
        let variables = variables.map(|(leaf, value)| (format!("{store}{leaf}"), value.to_owned()));
        let endpoint = ("BATON_PARTICIPANTS__RAIL_WAY__ENDPOINT".to_owned(), "h:2".to_owned());
        let layers = Layers::stack(&[], None, variables.into_iter().chain([endpoint]), &[]).unwrap();
        let rail_way = &layers.config().unwrap().participants["rail-way"];
        assert_eq!(rail_way.store.as_ref().map(|store| store.connections), Some(3));
        let shown = layers.shown();
        let url = shown.iter().find(|(key, ..)| key == "participants.rail-way.store.url").expect("it is shown");
        assert_eq!(
            (url.1.as_str(), url.2.as_str()),
            (Some("mysql://u:***@h/s"), "environment BATON_PARTICIPANTS__RAIL_WAY__STORE__URL")
        );
    }

    #[test]
    fn what_is_wrong_with_a_participant_names_it() {
        let told = said(of_file("[participants.agency]\nendpoint = \"h:1\"\nservce = \"x\"\n"));
        assert!(told.starts_with("b.toml: unknown key `participants.agency.servce`"), "{told}");
        assert!(told.ends_with("did you mean `participants.agency.service`?"), "{told}");
        let told = said(stack(&[("BATON_PARTICIPANTS__HOTL__LISTEN", "127.0.0.1:2")]));
        assert!(told.starts_with("environment BATON_PARTICIPANTS__HOTL__LISTEN: participants.hotl: "), "{told}");
        assert!(told.ends_with("did you mean `hotel`?"), "{told}");
        let told = said(of_file("[participants.Agency]\nendpoint = \"h:1\"\n"));
        assert!(told.contains("`Agency` names no participant"), "{told}");
        let told = said(of_file("[participants.agency]\n"));
        assert!(told.contains("participants.agency: a participant needs an endpoint"), "{told}");
        let told = said(stack(&[("BATON_PARTICIPANTS__HOTEL__STORE__URL", "oracle://hunter2@x")]));
        assert!(told.contains("participants.hotel.store") && !told.contains("hunter2"), "{told}");
        let twice = "[participants]\na = { endpoint = \"h:1\", service = \"t.S\" }\nb = { endpoint = \"h:1\", service = \"t.S\" }\n";
        let told = said(of_file(twice));
        assert!(told.starts_with("b.toml: participants.b.service: another participant has the same"), "{told}");
        let told =
            said(of_file("[participants.agency]\nendpoint = \"h:1\"\nservice = \"baton.saga.v1.SagaService\"\n"));
        assert!(told.starts_with("b.toml: participants.agency.service: "), "{told}");
    }

    #[test]
    fn sections_of_others_have_their_own_defaults_and_secrets() {
        #[derive(serde::Deserialize)]
        struct Mine {
            agency: BTreeMap<String, String>,
        }
        let layers = stack(&[("BATON_AGENCY__TOKEN", "hunter2")]).unwrap();
        let mine: Mine = layers.read(|_| Ok(())).unwrap();
        assert_eq!((mine.agency["country"].as_str(), mine.agency["token"].as_str()), ("NZ", "hunter2"));
        assert!(layers.shown().iter().any(|(key, value, _)| key == "agency.token" && value.as_str() == Some("***")));
        let refused = layers.read::<Mine>(|_| Err("agency.token: is too short".to_owned()));
        let told = refused.err().expect("it is refused").to_string();
        assert_eq!(told, "environment BATON_AGENCY__TOKEN: agency.token: is too short");
        assert!(
            said(Layers::of_texts(&[], Some(("b.toml", "[agency]\ncountry = \"NZ\"\n")), [], &[]))
                .contains("unknown key")
        );
    }

    #[test]
    fn sections_that_say_nothing_and_keys_with_dots_are_told_apart() {
        assert!(of_file("[server]\n[agency]\n").unwrap().config().is_ok());
        assert!(said(of_file("[sever]\n")).contains("unknown key `sever`"));
        assert!(said(of_file("\"server.listen\" = \"127.0.0.1:1\"\n")).contains("unknown key"));
    }

    #[test]
    fn wrong_values_name_their_key_and_origin() {
        for (name, value) in [
            ("BATON_ENGINE__MAX_BATCH", "many"),
            ("BATON_ENGINE__MAX_BATCH", "0"),
            ("BATON_ENGINE__WAKER_PAUSE", "soon"),
            ("BATON_ENGINE__WAKER_PAUSE", "9ms"),
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
