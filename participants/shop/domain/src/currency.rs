//! Currencies: ISO 4217 codes from the installation's list.

use crate::reason;
use baton_rpc::errors::Flaw;
use std::collections::BTreeSet;
use std::fmt;

/// The currencies an installation sells in unless its settings say otherwise.
pub const DEFAULT_CURRENCIES: [&str; 4] = ["KRW", "USD", "EUR", "JPY"];

/// Currencies in use, and two that went out of it of late and old orders have, by the decimal places of their smallest unit (ISO
/// 4217, funds and metals left out). An amount in
/// minor units means nothing without it: what stands in no row cannot be sold in.
const BY_DECIMALS: [(u32, &str); 4] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY \
         COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
         INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR \
         MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
         SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// A currency on the list: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code of three capital letters; for rows, which were checked against the list when they were written.
    pub fn from_code(code: &str) -> Result<Self, Flaw> {
        match code.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(Flaw::new(reason::CURRENCY_NOT_ALLOWED, "must be an ISO 4217 code of three capital letters")),
        }
    }

    /// Decimal places of its smallest unit: 0 for KRW, 2 for USD. `None` if it is no currency in use.
    #[must_use]
    pub fn decimals(self) -> Option<u32> {
        let row = BY_DECIMALS.iter().find(|(_, codes)| codes.split(' ').any(|code| code == self.as_str()));
        row.map(|(decimals, _)| *decimals)
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
    /// The list of these codes; each must be of a currency in use.
    pub fn new<'a>(codes: impl IntoIterator<Item = &'a str>) -> Result<Self, Flaw> {
        let in_use = |code| {
            let currency = Currency::from_code(code)?;
            let unknown =
                || Flaw::new(reason::CURRENCY_NOT_ALLOWED, format!("{currency} is no currency in use (ISO 4217)"));
            currency.decimals().map(|_| currency).ok_or_else(unknown)
        };
        codes.into_iter().map(in_use).collect::<Result<_, _>>().map(Self)
    }

    /// A code that must be on the list.
    pub fn parse(&self, code: &str) -> Result<Currency, Flaw> {
        Currency::from_code(code).ok().filter(|currency| self.0.contains(currency)).ok_or_else(|| {
            let list = self.0.iter().map(Currency::as_str).collect::<Vec<_>>().join(", ");
            Flaw::new(reason::CURRENCY_NOT_ALLOWED, format!("must be one of {list}"))
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
    use super::{BY_DECIMALS, Currencies, Currency, DEFAULT_CURRENCIES};
    use std::collections::BTreeSet;

    #[test]
    fn only_listed_codes_pass() {
        let list = Currencies::default();
        assert_eq!(list.parse("KRW").unwrap().as_str(), "KRW");
        for bad in ["", "krw", "KRWX", "GBP", "K W", "€€€"] {
            assert!(list.parse(bad).is_err(), "{bad}");
        }
        assert!(Currencies::new(["GBP"]).unwrap().parse("GBP").is_ok());
        assert!(Currencies::new(["gbp"]).is_err());
        assert!(Currencies::new(["KRW", "QQQ"]).is_err(), "nobody knows its smallest unit");
    }

    #[test]
    fn every_currency_has_one_smallest_unit() {
        let decimals = |code| Currency::from_code(code).unwrap().decimals();
        for (code, expected) in
            [("KRW", 0), ("XPF", 0), ("USD", 2), ("UYU", 2), ("KWD", 3), ("TND", 3), ("CLF", 4), ("UYW", 4)]
        {
            assert_eq!(decimals(code), Some(expected), "{code}");
        }
        assert_eq!(decimals("QQQ"), None);
        let codes: Vec<&str> = BY_DECIMALS.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "none stands twice");
        assert!(Currencies::new(codes).is_ok());
        assert_eq!(Currencies::new(DEFAULT_CURRENCIES).unwrap(), Currencies::default());
    }
}
