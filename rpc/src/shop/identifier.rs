//! Ids that come from outside: items, orders, payments, customers, requests.

use crate::errors::Flaw;
use crate::reason::Reason;
use std::fmt;
use uuid::Uuid;

/// Longest item, payment or customer id, bytes.
pub const MAX_ID: usize = 64;

/// An item id: 1 to 64 of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(String);

/// A payment id of the provider: 1 to 64 of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(String);

/// A customer: an opaque text of 1 to 64 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(String);

/// An order number: any UUID, written in lower case with hyphens. It is the payment provider's `merchant_uid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(Uuid);

/// A request id: any UUID in any of its usual spellings, so that every caller's UUID library will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl ItemId {
    /// Parses an item id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        word(text)
            .map(Self)
            .ok_or_else(|| Flaw::new(Reason::ItemIdInvalid, "must be 1 to 64 characters of [A-Za-z0-9_-]"))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PaymentId {
    /// Parses a payment id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        word(text)
            .map(Self)
            .ok_or_else(|| Flaw::new(Reason::PaymentIdInvalid, "must be 1 to 64 characters of [A-Za-z0-9_-]"))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CustomerId {
    /// Parses a customer id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let fits = !text.is_empty() && text.len() <= MAX_ID && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned())).ok_or_else(|| {
            Flaw::new(Reason::CustomerIdInvalid, "must be 1 to 64 bytes of UTF-8 without control characters")
        })
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OrderNumber {
    /// Parses an order number. One spelling only: it is compared as text at the payment provider.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        Uuid::try_parse(text).ok().map(Self).filter(|number| number.to_string() == text).ok_or_else(|| {
            Flaw::new(Reason::OrderNumberInvalid, "must be a UUID of 36 characters, lower case with hyphens")
        })
    }

    /// A new number, ordered by time.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// From the 16 bytes of a row.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of a row.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl RequestId {
    /// Parses a request id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        Uuid::try_parse(text).map(Self).map_err(|_| Flaw::new(Reason::RequestIdInvalid, "must be a UUID"))
    }

    /// The 16 bytes of a row.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

fn word(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ((1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CustomerId, ItemId, OrderNumber, PaymentId, RequestId};

    #[test]
    fn words_are_bounded_and_plain() {
        for good in ["a", "A-1_b", &"x".repeat(64)] {
            assert!(ItemId::parse(good).is_ok() && PaymentId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a/b", "ü", "a\n", &"x".repeat(65)] {
            assert!(ItemId::parse(bad).is_err() && PaymentId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn customers_are_any_short_printable_text() {
        for good in ["a", "김 철수", &"x".repeat(64)] {
            assert!(CustomerId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a\u{0}", "a\u{85}b", &"x".repeat(65)] {
            assert!(CustomerId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_order_number_has_one_spelling_a_request_id_many() {
        let number = "0190a3c2-7b1d-7c3e-8f00-0123456789ab";
        assert_eq!(OrderNumber::parse(number).unwrap().to_string(), number);
        let others =
            [number.to_uppercase(), number.replace('-', ""), format!("{{{number}}}"), format!("urn:uuid:{number}")];
        for other in others {
            assert!(OrderNumber::parse(&other).is_err(), "{other}");
            assert!(RequestId::parse(&other).is_ok(), "{other}");
        }
        assert!(OrderNumber::parse("").is_err() && RequestId::parse("x").is_err());
    }
}
