//! The order service of the designs with events: takes an order, publishes, and ends it when an event says so.

use crate::door::{self, Shop};
use crate::events::{self, ORDER_STATUS, PAYMENT_REQUEST};
use crate::orders::{self, Placing, Standing};
use crate::process::{self, Surroundings};
use crate::tables;
use crate::waiting::Waiting;
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use baton_courier::rabbitmq::RabbitBus;
use baton_sql::database::Database;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderState;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Runs the service. A caller waits for an end for as long as `patience`, and is then told that there is none yet.
pub async fn run(surroundings: &Surroundings, listen: SocketAddr, ready: SocketAddr, patience: Duration) -> Result<()> {
    let orders = Arc::new(Orders {
        database: surroundings.database(tables::ORDER).await?,
        bus: surroundings.bus("order")?,
        waiting: Waiting::default(),
        patience,
    });
    let bus = orders.bus.clone();
    let shop = orders.clone();
    let consuming = events::consume(&bus, ORDER_STATUS, move |status| orders.clone().ended(status));
    let listener = process::listen(listen).await?;
    process::say_ready(ready).await?;
    tokio::try_join!(consuming, door::serve(listener, shop)).map(|_| ())
}

struct Orders {
    database: Database,
    bus: RabbitBus,
    waiting: Waiting,
    patience: Duration,
}

#[async_trait]
impl Shop for Orders {
    /// Only the first call of an order publishes; others find it, and wait for the same end.
    async fn place(&self, placing: Placing) -> Result<Standing> {
        let order = placing.order;
        let end = self.waiting.listen(order);
        let confirming = Standing::because(OrderState::PaymentConfirm, "");
        if orders::open(&self.database, &placing, &confirming).await? {
            let request = events::Order {
                order: order.to_string(),
                payment: placing.payment.as_str().to_owned(),
                currency: placing.total.currency.as_str().to_owned(),
                total: placing.total.minor_units,
                lines: placing.lines.iter().map(Into::into).collect(),
            };
            events::publish(&self.bus, PAYMENT_REQUEST, &request).await?;
        } else if let Some(found) = orders::standing(&self.database, order).await?
            && found.is_end()
        {
            self.waiting.tell(order, &found);
        }
        let told = tokio::time::timeout(self.patience, end).await;
        self.waiting.tidy(order);
        Ok(told.ok().and_then(Result::ok).unwrap_or(confirming))
    }
}

impl Orders {
    async fn ended(self: Arc<Self>, status: events::Status) -> Result<()> {
        let order = OrderNumber::parse(&status.order).ok().context("an order number")?;
        let state = OrderState::try_from(status.state)?;
        let standing = Standing::because(state, &status.reason);
        orders::end(&self.database, order, &standing).await?;
        self.waiting.tell(order, &standing);
        Ok(())
    }
}
