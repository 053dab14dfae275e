//! Who hears of stuck sagas.

use super::{at_least, human};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::time::Duration;

/// Shorter secrets can be guessed.
const SHORTEST_SECRET: usize = 24;

/// Who hears of stuck sagas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentsConfig {
    /// Where they are told; empty for nowhere. May hold a secret.
    pub webhook: SecretString,
    /// What requests are signed with.
    pub secret: SecretString,
    /// Time limit of one request.
    #[serde(deserialize_with = "human::between::<100, 60_000, _>")]
    pub timeout: Duration,
}

impl IncidentsConfig {
    /// Its rules; never tells a value.
    pub(super) fn validate(&self) -> Result<(), String> {
        let url = self.webhook.expose_secret();
        if url.is_empty() {
            return Ok(());
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("incidents.webhook: a webhook begins with http:// or https://".to_owned());
        }
        if self.secret.expose_secret().len() < SHORTEST_SECRET {
            return Err(format!("incidents.secret: must have {SHORTEST_SECRET} bytes or more if a webhook is set"));
        }
        at_least("incidents.timeout", self.timeout, super::SHORTEST)
    }
}
