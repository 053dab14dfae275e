//! The payment provider's ledger.

use super::life::Us;
use shop_domain::currency::Currency;
use std::collections::BTreeMap;

/// How a payment shows as long as its money is not known to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Not at all.
    Hidden,
    /// Begun.
    Ready,
    /// Failed.
    Failed,
}

/// One payment in the provider's ledger, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The number it was paid under.
    pub merchant: String,
    /// ISO 4217.
    pub currency: Currency,
    /// Captured; 0 if the customer has not paid.
    pub paid: i64,
    /// Sent back.
    pub refunded: i64,
    /// How many refunds that took.
    pub refunds: i64,
    /// From when on it shows as it is, and how it shows before.
    pub shows: (Us, Before),
}

/// The provider's ledger.
#[derive(Debug, Default)]
pub struct Provider {
    /// By payment id.
    pub payments: BTreeMap<String, Payment>,
}
