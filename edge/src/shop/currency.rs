//! Currencies: ISO 4217 codes from the installation's list.

use crate::errors::Flaw;
use crate::reason::Reason;
use std::collections::BTreeSet;
use std::fmt;

/// The currencies an installation sells in unless its settings say otherwise.
pub const DEFAULT_CURRENCIES: [&str; 4] = ["KRW", "USD", "EUR", "JPY"];

/// A currency on the list: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code of three capital letters; for rows, which were checked against the list when they were written.
    pub fn from_code(code: &str) -> Result<Self, Flaw> {
        match code.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(Flaw::new(Reason::CurrencyNotAllowed, "must be an ISO 4217 code of three capital letters")),
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only capital ASCII letters get in, which are UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The installation's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currencies(BTreeSet<Currency>);

impl Currencies {
    /// The list of these codes.
    pub fn new<'a>(codes: impl IntoIterator<Item = &'a str>) -> Result<Self, Flaw> {
        codes.into_iter().map(Currency::from_code).collect::<Result<_, _>>().map(Self)
    }

    /// A code that must be on the list.
    pub fn parse(&self, code: &str) -> Result<Currency, Flaw> {
        Currency::from_code(code).ok().filter(|currency| self.0.contains(currency)).ok_or_else(|| {
            let list = self.0.iter().map(Currency::as_str).collect::<Vec<_>>().join(", ");
            Flaw::new(Reason::CurrencyNotAllowed, format!("must be one of {list}"))
        })
    }
}

impl Default for Currencies {
    fn default() -> Self {
        Self(DEFAULT_CURRENCIES.iter().filter_map(|code| Currency::from_code(code).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Currencies;

    #[test]
    fn only_listed_codes_pass() {
        let list = Currencies::default();
        assert_eq!(list.parse("KRW").unwrap().as_str(), "KRW");
        for bad in ["", "krw", "KRWX", "GBP", "K W", "€€€"] {
            assert!(list.parse(bad).is_err(), "{bad}");
        }
        assert!(Currencies::new(["GBP"]).unwrap().parse("GBP").is_ok());
        assert!(Currencies::new(["gbp"]).is_err());
    }
}
