//! The seam to a payment provider: what a payment is there, and how its money goes back.

use crate::money::Money;
use async_trait::async_trait;
use shop_domain::identifier::PaymentId;
use std::fmt;
use std::time::Duration;

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
    /// What the provider still holds of the customer's money: what was paid less what went back, whether the word for it is
    /// "paid" or "cancelled". Nothing of a payment that never took any.
    #[must_use]
    pub fn remaining(&self) -> Money {
        let minor_units = match self.state {
            ProviderState::Paid | ProviderState::Cancelled => {
                (self.amount.minor_units - self.cancelled_minor_units).max(0)
            }
            ProviderState::Ready | ProviderState::Failed => 0,
        };
        Money { currency: self.amount.currency, minor_units }
    }

    /// False if the word for it and its amounts contradict each other, so that nobody can tell whose the money is: money that
    /// went back although none was taken, more than was taken, all of it from a payment that is still called paid, or a part
    /// only of one that is called cancelled.
    #[must_use]
    pub fn is_coherent(&self) -> bool {
        let (paid, back) = (self.amount.minor_units, self.cancelled_minor_units);
        match self.state {
            ProviderState::Ready | ProviderState::Failed => back == 0,
            // Of a payment of nothing there is nothing that could be left.
            ProviderState::Paid => (0..paid.max(1)).contains(&back),
            ProviderState::Cancelled => back == paid,
        }
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

    /// How long from now the provider wants to be left alone, if it has said so to any call of this process. Until then the
    /// calls above ask nobody: they say at once that the provider did not answer.
    fn pause(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shop_domain::currency::Currency;

    fn payment(state: ProviderState, paid: i64, back: i64) -> ProviderPayment {
        ProviderPayment {
            payment_id: PaymentId::parse("imp_1").expect("an id"),
            merchant_number: "order".to_owned(),
            state,
            amount: Money { currency: Currency::from_code("KRW").expect("a code"), minor_units: paid },
            cancelled_minor_units: back,
        }
    }

    #[test]
    fn what_is_left_is_counted_whatever_the_word_is() {
        for state in [ProviderState::Paid, ProviderState::Cancelled] {
            for (paid, back, left) in [(1_000, 0, 1_000), (1_000, 400, 600), (1_000, 1_000, 0), (1_000, 1_001, 0)] {
                assert_eq!(payment(state, paid, back).remaining().minor_units, left, "{state:?} {back} of {paid}");
            }
        }
        for state in [ProviderState::Ready, ProviderState::Failed] {
            assert_eq!(payment(state, 1_000, 0).remaining().minor_units, 0);
        }
    }

    #[test]
    fn a_word_and_amounts_that_contradict_each_other_are_seen() {
        use ProviderState::{Cancelled, Failed, Paid, Ready};
        for (state, back) in [(Ready, 0), (Failed, 0), (Paid, 0), (Paid, 999), (Cancelled, 1_000)] {
            assert!(payment(state, 1_000, back).is_coherent(), "{state:?} {back}");
        }
        for (state, back) in
            [(Ready, 1), (Failed, 1_000), (Paid, 1_000), (Paid, 1_001), (Cancelled, 0), (Cancelled, 400)]
        {
            assert!(!payment(state, 1_000, back).is_coherent(), "{state:?} {back}");
        }
        assert!(payment(Paid, 0, 0).is_coherent() && payment(Cancelled, 0, 0).is_coherent());
    }
}
