//! The stock service of the designs with events.

use crate::events::{self, ORDER_STATUS, PAYMENT_CANCEL, STOCK_DECREASE, Status};
use crate::process::{self, Surroundings};
use crate::{shelf, tables};
use anyhow::{Context as _, Result};
use baton_courier::rabbitmq::RabbitBus;
use baton_sql::database::{Database, Verdict};
use baton_sql::error::SqlError;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::{OrderLine, OrderState};
use std::net::SocketAddr;
use std::sync::Arc;

/// Runs the service.
pub async fn run(surroundings: &Surroundings, ready: SocketAddr, compensate: bool) -> Result<()> {
    let stock = Arc::new(Stock {
        database: surroundings.database(tables::STOCK).await?,
        bus: surroundings.bus("stock")?,
        compensate,
    });
    let bus = stock.bus.clone();
    process::say_ready(ready).await?;
    events::consume(&bus, STOCK_DECREASE, move |order| stock.clone().decrease(order)).await
}

struct Stock {
    database: Database,
    bus: RabbitBus,
    compensate: bool,
}

impl Stock {
    /// A repeated event finds its reservation and changes nothing. Without compensation an order that cannot be
    /// delivered ends here: nobody is told.
    async fn decrease(self: Arc<Self>, order: events::Order) -> Result<()> {
        if self.take(&order).await? {
            return self.tell(&order, OrderState::PaymentSuccess, "").await;
        }
        if self.compensate {
            events::publish(&self.bus, PAYMENT_CANCEL, &order).await?;
            self.tell(&order, OrderState::PaymentOutOfStock, "OUT_OF_STOCK").await?;
        }
        Ok(())
    }

    async fn tell(&self, order: &events::Order, state: OrderState, reason: &str) -> Result<()> {
        events::publish(&self.bus, ORDER_STATUS, &Status::new(&order.order, state, reason)).await
    }

    /// No lock in Redis here: one statement that changes nothing if there is too little guards the stock for less.
    async fn take(&self, order: &events::Order) -> Result<bool> {
        let number = OrderNumber::parse(&order.order).ok().context("an order number")?;
        let lines: Vec<OrderLine> = order.lines.iter().map(Into::into).collect();
        let taken = self.database.transaction(move |tx| {
            let lines = lines.clone();
            Box::pin(async move {
                shelf::reserve(tx, number, &lines).await?;
                for line in &lines {
                    if !shelf::take(tx, line).await? {
                        return Ok(Verdict::Rollback(false));
                    }
                }
                Ok(Verdict::Commit(true))
            })
        });
        match taken.await {
            Err(SqlError::Duplicate(_)) => Ok(true),
            other => Ok(other?),
        }
    }
}
