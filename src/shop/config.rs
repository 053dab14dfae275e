//! What the shop sells in.

use baton_rpc::shop::currency::Currencies;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// What the shop sells in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// Currencies that items may have and orders may be in.
    #[serde(deserialize_with = "currencies")]
    pub currencies: Currencies,
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
    use super::parse;

    #[test]
    fn a_list_of_codes() {
        let list = parse("GBP,  KRW").expect("a list");
        assert!(list.parse("GBP").is_ok() && list.parse("KRW").is_ok() && list.parse("USD").is_err());
        for wrong in ["", "krw", "KRW USD", "KRW,", "won", "KRW, QQQ"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
