//! Participants by name: where the orchestrator reaches each, and what those need that this binary runs.

use super::key::Kind;
use super::{Config, StoreConfig, within};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The section that holds one section for each.
pub(super) const SECTION: &str = "participants";

/// Longest name: it names a queue and fills a column, as in `saga_core::definition`.
const LONGEST_NAME: usize = 32;

/// Services that are the engine's own, by the beginning of their names.
const RESERVED: [&str; 2] = ["baton.", "grpc."];

/// What carries a participant's commands and replies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum CourierKind {
    /// The broker of the section `bus`.
    #[default]
    Rabbitmq,
    /// A stream from each orchestrator to the participant's endpoint.
    Grpc,
}

/// One participant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantConfig {
    /// Where the orchestrator reaches it, `host:port` or a URL.
    pub endpoint: String,
    /// Its gRPC service, which the orchestrator passes on and whose health it asks; empty if it has none.
    #[serde(default)]
    pub service: String,
    /// What carries its commands and replies.
    #[serde(default)]
    pub courier: CourierKind,
    /// Its own gRPC listener. Only for participants that this binary runs, as everything below.
    pub listen: Option<SocketAddr>,
    /// Its own HTTP listener.
    pub admin_listen: Option<SocketAddr>,
    /// Its own database.
    pub store: Option<StoreConfig>,
}

/// What a process needs to know that runs a participant.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Its gRPC listener.
    pub listen: SocketAddr,
    /// Its HTTP listener.
    pub admin_listen: SocketAddr,
    /// What carries its commands and replies.
    pub courier: CourierKind,
    /// Its database.
    pub store: &'a StoreConfig,
}

impl Config {
    /// What a process needs to know that runs a participant.
    ///
    /// # Errors
    /// The key that is missing.
    pub fn own(&self, name: &str) -> Result<Own<'_>, String> {
        let participant = self.participant(name)?;
        let listen = participant.listen.ok_or_else(|| missing(name, "listen"))?;
        let admin_listen = participant.admin_listen.ok_or_else(|| missing(name, "admin_listen"))?;
        Ok(Own { listen, admin_listen, courier: participant.courier, store: self.store_of(name)? })
    }

    /// The database of a participant.
    ///
    /// # Errors
    /// The key that is missing.
    pub fn store_of(&self, name: &str) -> Result<&StoreConfig, String> {
        self.participant(name)?.store.as_ref().ok_or_else(|| missing(name, "store"))
    }

    fn participant(&self, name: &str) -> Result<&ParticipantConfig, String> {
        self.participants.get(name).ok_or_else(|| {
            let known: Vec<_> = self.participants.keys().map(String::as_str).collect();
            format!("there is no section {SECTION}.{name} in the configuration; it has {}", known.join(", "))
        })
    }
}

fn missing(name: &str, leaf: &str) -> String {
    format!("{SECTION}.{name}.{leaf} is missing: whoever runs a participant must know it")
}

/// What a participant's section may hold, each key with a value of its type.
pub(super) const KEYS: [(&str, Kind); 8] = [
    ("endpoint", Kind::Text),
    ("service", Kind::Text),
    ("courier", Kind::Text),
    ("listen", Kind::Text),
    ("admin_listen", Kind::Text),
    ("store.url", Kind::Text),
    ("store.connections", Kind::Number),
    ("store.acquire_timeout", Kind::Text),
];

/// A participant's name and the rest of its key, for keys below `participants`.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    let (section, rest) = key.split_once('.')?;
    (section == SECTION).then(|| rest.split_once('.').unwrap_or((rest, "")))
}

/// The key that a variable names, without `BATON_`: `__` parts sections. No participant's name holds a `_`, and no variable's a
/// `-`: one stands for the other.
pub(super) fn key_of_variable(name: &str) -> String {
    let key = name.to_ascii_lowercase().replace("__", ".");
    match split(&key) {
        Some((name, rest)) if !rest.is_empty() => format!("{}.{}.{rest}", SECTION, name.replace('_', "-")),
        _ => key,
    }
}

/// Whether a definition can name it: 1 to 32 of `a-z`, `0-9` and `-`.
pub(super) fn is_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_fine)
}

/// Whether the rest of a key is a participant's section, or one inside it.
pub(super) fn is_section(name: &str, rest: &str) -> bool {
    let below = format!("{rest}.");
    is_name(name) && (rest.is_empty() || KEYS.iter().any(|(known, _)| known.starts_with(&below)))
}

/// Rules of all of them.
pub(super) fn validate(participants: &BTreeMap<String, ParticipantConfig>) -> Result<(), String> {
    let mut services = BTreeSet::new();
    for (name, participant) in participants {
        let key = |leaf: &str| format!("{SECTION}.{name}.{leaf}");
        let service = participant.service.as_str();
        if !service.is_empty() {
            is_service(service).map_err(|why| format!("{}: {why}", key("service")))?;
            if !services.insert(service) {
                return Err(format!("{}: another participant has the same", key("service")));
            }
        }
        if let Some(store) = &participant.store {
            store.parsed().map_err(|why| format!("{}: {why}", key("store.url")))?;
            within(&key("store.connections"), store.connections as usize, 2, 1_000)?;
        }
    }
    Ok(())
}

/// What is passed on is routed by its name, beside the engine's own.
fn is_service(name: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !name.contains('.') || !name.split('.').all(is_part) {
        return Err(format!("`{name}` is no full name of a gRPC service; write it like \"travel.v1.AgencyService\""));
    }
    match RESERVED.iter().find(|reserved| name.starts_with(*reserved)) {
        Some(reserved) => Err(format!("`{name}`: names that begin with {reserved} are the engine's")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_definitions_can_name() {
        for good in ["order", "travel-agency", "a1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Order", "travel_agency", "a b", &"a".repeat(33)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_variable_names_a_key() {
        assert_eq!(key_of_variable("SERVER__ADMIN_LISTEN"), "server.admin_listen");
        assert_eq!(
            key_of_variable("PARTICIPANTS__TRAVEL_AGENCY__ADMIN_LISTEN"),
            "participants.travel-agency.admin_listen"
        );
    }

    #[test]
    fn a_service_is_a_full_name_that_is_not_the_engines() {
        assert!(is_service("travel.v1.AgencyService").is_ok());
        for bad in [
            "AgencyService",
            "travel.",
            "travel/v1",
            "travel.{v}",
            "baton.saga.v1.SagaService",
            "grpc.health.v1.Health",
        ] {
            assert!(is_service(bad).is_err(), "{bad}");
        }
    }
}
