//! The seam to a payment provider: what a payment is there, and how its money goes back.

use crate::money::Money;
use async_trait::async_trait;
use shop_domain::identifier::PaymentId;
use std::fmt;

/// Where a payment stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Begun, not paid.
    Ready,
    /// The customer's money was taken; perhaps a part went back.
    Paid,
    /// The customer's money was not taken.
    Failed,
    /// All of it went back.
    Cancelled,
}

/// A payment as the provider tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPayment {
    /// The provider's id.
    pub payment_id: PaymentId,
    /// The number the customer paid under, as the provider has it: not necessarily one of our order numbers.
    pub merchant_number: String,
    /// Where it stands.
    pub state: ProviderState,
    /// What was to be paid.
    pub amount: Money,
    /// What went back, in minor units of the same currency.
    pub cancelled_minor_units: i64,
}

impl ProviderPayment {
    /// What the provider still holds of the customer's money.
    #[must_use]
    pub fn remaining(&self) -> Money {
        let minor_units = match self.state {
            ProviderState::Paid => (self.amount.minor_units - self.cancelled_minor_units).max(0),
            ProviderState::Ready | ProviderState::Failed | ProviderState::Cancelled => 0,
        };
        Money { currency: self.amount.currency, minor_units }
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The payment.
    Found(ProviderPayment),
    /// The provider is sure that there is no such payment.
    Unknown,
    /// The provider did not say, or not so that it can be understood. Ask again later.
    Unavailable(String),
}

/// How a cancellation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The money went back; the payment as it is now.
    Done(ProviderPayment),
    /// The provider is sure that this call moved no money, for example because the balance was not the expected one.
    Refused {
        /// The provider's words, cut to a bound.
        message: String,
    },
    /// Nobody knows whether the money went back. Look the payment up before you cancel again.
    InDoubt(String),
}

/// Payments in one [`PaymentGateway::lookup_many`]: with ids of 20 letters a URL of about 4 KiB.
pub const LIST_MAX: usize = 100;

/// A payment provider. Every call is bounded in time by the implementation; no text it returns holds a secret.
#[async_trait]
pub trait PaymentGateway: Send + Sync + fmt::Debug + 'static {
    /// What has become of a payment.
    async fn lookup(&self, payment_id: &PaymentId) -> Lookup;

    /// What has become of many, in one exchange if the provider can; at most [`LIST_MAX`], one entry each, in order.
    /// `None` where that exchange did not tell: ask [`Self::lookup`] for that payment alone, so that one odd payment never
    /// hides its neighbours.
    async fn lookup_many(&self, payment_ids: &[PaymentId]) -> Vec<Option<Lookup>> {
        vec![None; payment_ids.len()]
    }

    /// Sends back all that is left of a payment, if and only if that is `expected_remaining` at the provider at this
    /// moment: so a repeated call cannot send money back twice. One attempt, never repeated in here once its outcome
    /// could be in doubt.
    async fn cancel(&self, payment_id: &PaymentId, expected_remaining: Money, reason: &str) -> Cancelled;
}
