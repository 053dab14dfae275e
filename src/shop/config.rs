//! The shop's own configuration: what it sells in, its payment provider, and defaults for its participants.

use crate::config::human;
use crate::config::layers::{ConfigError, Layers, Sections};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use shop_domain::currency::Currencies;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the shop adds to the engine's configuration. The defaults are the same bytes as its sample file.
pub const SECTIONS: Sections =
    Sections { defaults: include_str!("../../deploy/shop.example.toml"), secrets: &["provider.secret"] };

/// Everything of the shop that can be set, participants apart.
#[derive(Clone, Debug, Deserialize)]
pub struct ShopConfig {
    /// What the shop sells in.
    pub shop: Shop,
    /// The payment provider.
    pub provider: Provider,
}

impl ShopConfig {
    /// Reads and checks it.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn of(layers: &Layers) -> Result<Self, ConfigError> {
        layers.read(Self::validate)
    }

    fn validate(&self) -> Result<(), String> {
        if !self.provider.base_url.starts_with("http://") && !self.provider.base_url.starts_with("https://") {
            return Err("provider.base_url: an address of HTTP begins with http:// or https://".to_owned());
        }
        Ok(())
    }
}

/// What the shop sells in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// Currencies that items may have and orders may be in.
    #[serde(deserialize_with = "currencies")]
    pub currencies: Currencies,
}

/// The payment provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Base URL of its REST API.
    pub base_url: String,
    /// The public half of the credentials.
    pub key: String,
    /// The secret half.
    pub secret: SecretString,
    /// Time limit of one exchange over HTTP; a call is at most twice as long.
    #[serde(deserialize_with = "human::between::<100, 60_000, _>")]
    pub timeout: Duration,
    /// How long an order waits for a payment that is not there or not paid, from the first look; at most a minute, zero for not
    /// at all.
    #[serde(deserialize_with = "human::between::<0, 60_000, _>")]
    pub patience: Duration,
    /// What the sandbox listens on.
    pub listen: SocketAddr,
    /// The sandbox's ledger file; empty means memory.
    pub ledger: PathBuf,
}

/// "KRW, USD": one text, so that it is written the same in a file and in the environment.
fn currencies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currencies, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn parse(text: &str) -> Result<Currencies, String> {
    let codes: Vec<&str> = text.split(',').map(str::trim).collect();
    Currencies::new(codes)
        .map_err(|_| format!("`{text}` is no list of ISO 4217 codes of currencies in use; write it like \"KRW, USD\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn layers(variables: &[(&str, &str)]) -> Layers {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::stack(&[SECTIONS], None, variables, &[]).expect("its keys exist")
    }

    #[test]
    fn the_sample_file_is_whole() {
        let layers = layers(&[("BATON_PROVIDER__SECRET", "12345")]);
        let config = layers.config().expect("sound");
        assert_eq!(config.participants.keys().collect::<Vec<_>>(), ["order", "payment", "stock"]);
        assert_eq!(config.participants["stock"].admin_listen.map(|listen| listen.port()), Some(7431));
        assert!(config.participants.values().all(|it| it.store.is_some() && !it.service.is_empty()));
        let shop = ShopConfig::of(&layers).expect("sound");
        assert_eq!(shop.provider.secret.expose_secret(), "12345", "a secret of digits stays text");
        assert!(layers.shown().iter().any(|(key, value, _)| key == "provider.secret" && value.as_str() == Some("***")));
    }

    #[test]
    fn wrong_values_name_their_key_and_origin() {
        for (name, value) in [
            ("BATON_PROVIDER__BASE_URL", "ftp://h"),
            ("BATON_PROVIDER__TIMEOUT", "soon"),
            ("BATON_PROVIDER__PATIENCE", "2m"),
            ("BATON_SHOP__CURRENCIES", "won"),
        ] {
            let told = ShopConfig::of(&layers(&[(name, value)])).expect_err(value).to_string();
            assert!(told.starts_with(&format!("environment {name}: ")), "{told}");
        }
    }

    #[test]
    fn a_list_of_codes() {
        let list = parse("GBP,  KRW").expect("a list");
        assert!(list.parse("GBP").is_ok() && list.parse("KRW").is_ok() && list.parse("USD").is_err());
        for wrong in ["", "krw", "KRW USD", "KRW,", "won", "KRW, QQQ"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
