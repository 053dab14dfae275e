//! The seam to the payment provider, with everything that can go wrong on the way.

use super::adversary::CallFate;
use super::life::Life;
use super::plant::AdapterBug;
use super::provider::{Payment, Provider};
use super::world::World;
use async_trait::async_trait;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway, ProviderPayment, ProviderState};
use baton_payment::money::Money;
use shop_domain::identifier::PaymentId;
use std::sync::Arc;

/// The gateway of one process.
#[derive(Debug)]
pub struct SimGateway {
    world: World,
    life: Arc<Life>,
}

impl SimGateway {
    /// A gateway.
    #[must_use]
    pub fn new(world: World, life: Arc<Life>) -> Self {
        Self { world, life }
    }

    /// Half of the call's time before, half of it after the provider has worked.
    async fn call<T>(&self, work: impl FnOnce(&mut Provider) -> T) -> Result<T, CallFate> {
        self.life.alive().await;
        let call = {
            let mut inner = self.world.lock();
            let now = self.life.now();
            inner.adversary.call(now)
        };
        self.world.sleep(&self.life, call.takes / 2).await;
        let done = match call.fate {
            CallFate::Answered | CallFate::DoneUnanswered => Some(work(&mut self.world.lock().provider)),
            CallFate::Refused | CallFate::NotDoneUnanswered => None,
        };
        self.world.sleep(&self.life, call.takes / 2).await;
        match (done, call.fate) {
            (Some(done), CallFate::Answered) => Ok(done),
            (_, fate) => Err(fate),
        }
    }

    fn planted(&self, bug: AdapterBug) -> bool {
        self.world.lock().plant == Some(bug)
    }
}

fn shown(id: &PaymentId, payment: &Payment) -> ProviderPayment {
    let state = if payment.paid == 0 {
        ProviderState::Ready
    } else if payment.refunded >= payment.paid {
        ProviderState::Cancelled
    } else {
        ProviderState::Paid
    };
    ProviderPayment {
        payment_id: id.clone(),
        merchant_number: payment.merchant.clone(),
        state,
        amount: Money { currency: payment.currency, minor_units: payment.paid },
        cancelled_minor_units: payment.refunded,
    }
}

#[async_trait]
impl PaymentGateway for SimGateway {
    async fn lookup(&self, payment_id: &PaymentId) -> Lookup {
        let forgets_refunds = self.planted(AdapterBug::SecondRefund);
        let found = self.call(|provider| {
            let mut payment = provider.payments.get(payment_id.as_str()).cloned()?;
            if forgets_refunds {
                payment.refunded = 0;
            }
            Some(shown(payment_id, &payment))
        });
        match found.await {
            Ok(Some(payment)) => Lookup::Found(payment),
            Ok(None) => Lookup::Unknown,
            Err(_) => Lookup::Unavailable("no answer".to_owned()),
        }
    }

    async fn cancel(&self, payment_id: &PaymentId, expected_remaining: Money, _reason: &str) -> Cancelled {
        let blindly = self.planted(AdapterBug::SecondRefund);
        let cancelled = self.call(|provider| {
            let Some(payment) = provider.payments.get_mut(payment_id.as_str()) else { return Err("unknown payment") };
            let remaining = if blindly { payment.paid } else { payment.paid - payment.refunded };
            if remaining != expected_remaining.minor_units || remaining <= 0 {
                return Err("the balance is not the expected one");
            }
            payment.refunded += remaining;
            payment.refunds += 1;
            Ok(shown(payment_id, payment))
        });
        match cancelled.await {
            Ok(Ok(payment)) => Cancelled::Done(payment),
            Ok(Err(why)) => Cancelled::Refused { message: why.to_owned() },
            Err(CallFate::Refused) => Cancelled::InDoubt("a server error".to_owned()),
            Err(_) => Cancelled::InDoubt("no answer".to_owned()),
        }
    }
}
