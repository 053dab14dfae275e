//! The payment service of the designs with events.

use crate::events::{self, ORDER_STATUS, PAYMENT_CANCEL, PAYMENT_REQUEST, STOCK_DECREASE, Status};
use crate::payments::{self, Misfit, Provider};
use crate::process::{self, Surroundings};
use crate::tables;
use anyhow::{Context as _, Result};
use baton_courier::rabbitmq::RabbitBus;
use baton_payment::money::Money;
use baton_sql::database::Database;
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use shop_proto::order::v1::OrderState;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why a payment goes back when the stock service asks for it.
const OUT_OF_STOCK: &str = "OUT_OF_STOCK";

/// Runs the service.
pub async fn run(surroundings: &Surroundings, ready: SocketAddr, compensate: bool) -> Result<()> {
    let payments = Arc::new(Payments {
        database: surroundings.database(tables::PAYMENT).await?,
        bus: surroundings.bus("payment")?,
        provider: Provider::new(&surroundings.provider)?,
        compensate,
    });
    let bus = payments.bus.clone();
    let cancelling = payments.clone();
    let requests = events::consume(&bus, PAYMENT_REQUEST, move |order| payments.clone().validate(order));
    let cancels = events::consume(&bus, PAYMENT_CANCEL, move |order| cancelling.clone().cancel(order));
    process::say_ready(ready).await?;
    tokio::try_join!(requests, cancels).map(|_| ())
}

struct Payments {
    database: Database,
    bus: RabbitBus,
    provider: Provider,
    compensate: bool,
}

impl Payments {
    /// Looks the payment up. A wrong one goes back at once in both designs; only choreography tells the order.
    async fn validate(self: Arc<Self>, order: events::Order) -> Result<()> {
        let (payment, number, total) = parse(&order)?;
        let misfit = match self.provider.verify(&payment, number, total).await? {
            Ok(()) if payments::claim(&self.database, &payment, number, total).await? => {
                return events::publish(&self.bus, STOCK_DECREASE, &order).await;
            }
            Ok(()) => Misfit { reason: "PAYMENT_OF_OTHER_ORDER", held: None },
            Err(misfit) => misfit,
        };
        if let Some(held) = misfit.held {
            self.provider.refund(&payment, held, misfit.reason).await?;
        }
        if self.compensate {
            let status = Status::new(&order.order, OrderState::PaymentNoPaymentInfo, misfit.reason);
            events::publish(&self.bus, ORDER_STATUS, &status).await?;
        }
        Ok(())
    }

    /// The stock service could not deliver.
    async fn cancel(self: Arc<Self>, order: events::Order) -> Result<()> {
        let (payment, _, total) = parse(&order)?;
        self.provider.refund(&payment, total, OUT_OF_STOCK).await?;
        Ok(payments::note_refund(&self.database, &payment).await?)
    }
}

fn parse(order: &events::Order) -> Result<(PaymentId, OrderNumber, Money)> {
    let payment = PaymentId::parse(&order.payment).ok().context("a payment id")?;
    let number = OrderNumber::parse(&order.order).ok().context("an order number")?;
    let currency = Currency::from_code(&order.currency).ok().context("a currency")?;
    Ok((payment, number, Money { currency, minor_units: order.total }))
}
