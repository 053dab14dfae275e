//! The seam to the payment provider, with everything that can go wrong on the way.

use super::adversary::CallFate;
use super::life::{Life, Us};
use super::plant::AdapterBug;
use super::provider::{Before, Payment, Provider};
use super::world::World;
use async_trait::async_trait;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway, ProviderPayment, ProviderState};
use baton_payment::money::Money;
use shop_domain::identifier::PaymentId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The gateway of one process.
#[derive(Debug)]
pub struct SimGateway {
    world: World,
    life: Arc<Life>,
    /// Until when the provider has asked this process to leave it alone.
    left_alone_until: AtomicU64,
}

impl SimGateway {
    /// A gateway.
    #[must_use]
    pub fn new(world: World, life: Arc<Life>) -> Self {
        Self { world, life, left_alone_until: AtomicU64::new(0) }
    }

    /// Half of the call's time before, half of it after the provider has worked.
    async fn call<T>(&self, work: impl FnOnce(&mut Provider, Us) -> T) -> Result<T, CallFate> {
        self.life.alive().await;
        if self.pause().is_some() {
            return Err(CallFate::Refused);
        }
        let throttled_until = self.world.lock().throttled_until;
        if self.life.now() < throttled_until {
            self.world.sleep(&self.life, 1_000).await;
            self.left_alone_until.store(throttled_until, Ordering::Relaxed);
            return Err(CallFate::Refused);
        }
        let call = {
            let mut inner = self.world.lock();
            let now = self.life.now();
            inner.adversary.call(now)
        };
        self.world.sleep(&self.life, call.takes / 2).await;
        let done = match call.fate {
            CallFate::Answered | CallFate::DoneUnanswered => {
                let mut inner = self.world.lock();
                let now = inner.now;
                Some(work(&mut inner.provider, now))
            }
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

/// The payment as it shows at a time; `None` if it does not.
fn shown(id: &PaymentId, payment: &Payment, now: Us) -> Option<ProviderPayment> {
    let (from, before) = payment.shows;
    let state = if now < from {
        match before {
            Before::Hidden => return None,
            Before::Ready => ProviderState::Ready,
            Before::Failed => ProviderState::Failed,
        }
    } else if payment.paid == 0 {
        ProviderState::Ready
    } else if payment.refunded >= payment.paid {
        ProviderState::Cancelled
    } else {
        ProviderState::Paid
    };
    Some(ProviderPayment {
        payment_id: id.clone(),
        merchant_number: payment.merchant.clone(),
        state,
        amount: Money { currency: payment.currency, minor_units: payment.paid },
        cancelled_minor_units: payment.refunded,
    })
}

#[async_trait]
impl PaymentGateway for SimGateway {
    async fn lookup(&self, payment_id: &PaymentId) -> Lookup {
        let forgets_refunds = self.planted(AdapterBug::SecondRefund);
        let found = self.call(|provider, now| {
            let mut payment = provider.payments.get(payment_id.as_str()).cloned()?;
            if forgets_refunds {
                payment.refunded = 0;
            }
            shown(payment_id, &payment, now)
        });
        match found.await {
            Ok(Some(payment)) => Lookup::Found(payment),
            Ok(None) => Lookup::Unknown,
            Err(_) => Lookup::Unavailable("no answer".to_owned()),
        }
    }

    async fn cancel(&self, payment_id: &PaymentId, expected_remaining: Money, _reason: &str) -> Cancelled {
        let blindly = self.planted(AdapterBug::SecondRefund);
        let cancelled = self.call(|provider, now| {
            let payment = provider.payments.get_mut(payment_id.as_str());
            let Some(payment) = payment.filter(|payment| payment.shows.0 <= now) else { return Err("unknown payment") };
            let remaining = if blindly { payment.paid } else { payment.paid - payment.refunded };
            if remaining != expected_remaining.minor_units || remaining <= 0 {
                return Err("the balance is not the expected one");
            }
            payment.refunded += remaining;
            payment.refunds += 1;
            shown(payment_id, payment, now).ok_or("unknown payment")
        });
        match cancelled.await {
            Ok(Ok(payment)) => Cancelled::Done(payment),
            Ok(Err(why)) => Cancelled::Refused { message: why.to_owned() },
            Err(CallFate::Refused) => Cancelled::InDoubt("a server error".to_owned()),
            Err(_) => Cancelled::InDoubt("no answer".to_owned()),
        }
    }

    fn pause(&self) -> Option<Duration> {
        let left = self.left_alone_until.load(Ordering::Relaxed).saturating_sub(self.life.now());
        (left > 0).then(|| Duration::from_micros(left))
    }
}
