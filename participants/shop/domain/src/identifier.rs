//! Ids that come from outside: items, orders, payments, customers.

use crate::reason;
use baton_rpc::errors::Flaw;
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

impl ItemId {
    /// Parses an item id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        word(text)
            .map(Self)
            .ok_or_else(|| Flaw::new(reason::ITEM_ID_INVALID, "must be 1 to 64 characters of [A-Za-z0-9_-]"))
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
            .ok_or_else(|| Flaw::new(reason::PAYMENT_ID_INVALID, "must be 1 to 64 characters of [A-Za-z0-9_-]"))
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
            Flaw::new(reason::CUSTOMER_ID_INVALID, "must be 1 to 64 bytes of UTF-8 without control characters")
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
            Flaw::new(reason::ORDER_NUMBER_INVALID, "must be a UUID of 36 characters, lower case with hyphens")
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

fn word(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ((1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CustomerId, ItemId, OrderNumber, PaymentId};

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
    fn an_order_number_has_one_spelling() {
        let number = "0190a3c2-7b1d-7c3e-8f00-0123456789ab";
        assert_eq!(OrderNumber::parse(number).unwrap().to_string(), number);
        let others =
            [number.to_uppercase(), number.replace('-', ""), format!("{{{number}}}"), format!("urn:uuid:{number}")];
        for other in others {
            assert!(OrderNumber::parse(&other).is_err(), "{other}");
        }
        assert!(OrderNumber::parse("").is_err());
    }
}
