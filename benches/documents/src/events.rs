//! Events between the services: JSON over durable queues, published with confirms, acknowledged after they were handled.
//!
//! So each event is handled at least once, and every handler bears repetition. What no handler can make good for is an
//! event that was never published because its service died between its commit and its publish: there is no outbox.

use anyhow::{Result, ensure};
use baton_courier::bus::{CommandBus, Destination, Message};
use baton_courier::rabbitmq::RabbitBus;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shop_proto::order::v1::{OrderLine, OrderState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Events of one queue that are handled at once: twice the connections to the database, so that none idles.
const AT_ONCE: usize = 64;

/// How long an event is published again before its handler gives up; what led to it then comes again. Longer than a busy
/// broker takes to declare the first queues, for which the bus takes no messages.
const PUBLISH_WITHIN: Duration = Duration::from_secs(20);

/// Between two of these tries.
const PUBLISH_PAUSE: Duration = Duration::from_millis(100);

/// An order asks for its payment to be looked up.
pub const PAYMENT_REQUEST: &str = "document-payment-request";
/// A payment was found right, and the stock is asked for.
pub const STOCK_DECREASE: &str = "document-stock-decrease";
/// An order has ended.
pub const ORDER_STATUS: &str = "document-order-status";
/// A payment is to go back.
pub const PAYMENT_CANCEL: &str = "document-payment-cancel";

/// What travels from service to service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The order number.
    pub order: String,
    /// The provider's payment id.
    pub payment: String,
    /// ISO 4217.
    pub currency: String,
    /// What it costs, in minor units.
    pub total: i64,
    /// What is ordered.
    pub lines: Vec<Line>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub item: String,
    /// Units.
    pub quantity: i64,
    /// In minor units.
    pub unit_price: i64,
}

/// The end of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The order number.
    pub order: String,
    /// The state's number, as in the wire protocol.
    pub state: i32,
    /// Why, if it failed.
    pub reason: String,
}

impl Status {
    /// An order's end.
    #[must_use]
    pub fn new(order: &str, state: OrderState, reason: &str) -> Self {
        Self { order: order.to_owned(), state: state.into(), reason: reason.to_owned() }
    }
}

impl From<&OrderLine> for Line {
    fn from(line: &OrderLine) -> Self {
        Self { item: line.item_id.clone(), quantity: line.quantity, unit_price: line.unit_price_minor_units }
    }
}

impl From<&Line> for OrderLine {
    fn from(line: &Line) -> Self {
        Self { item_id: line.item.clone(), quantity: line.quantity, unit_price_minor_units: line.unit_price }
    }
}

/// Publishes one event and waits until the broker has it on disk.
pub async fn publish(bus: &RabbitBus, queue: &str, event: &impl Serialize) -> Result<()> {
    let body = Bytes::from(serde_json::to_vec(event)?);
    let message = Message { id: Uuid::now_v7(), destination: Destination::Commands(queue.to_owned()), body };
    let begun = Instant::now();
    while !bus.publish(vec![message.clone()]).await.contains(&message.id) {
        ensure!(begun.elapsed() < PUBLISH_WITHIN, "the broker does not take an event for {queue}");
        tokio::time::sleep(PUBLISH_PAUSE).await;
    }
    Ok(())
}

/// Handles the events of one queue, each in a task of its own, until the bus is closed. An event whose handler fails
/// goes back to the queue.
pub async fn consume<E, F>(bus: &RabbitBus, queue: &str, handler: impl Fn(E) -> F + Send + Sync + 'static) -> Result<()>
where
    E: DeserializeOwned + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut consumer = bus.consume(Destination::Commands(queue.to_owned())).await?;
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let handler = Arc::new(handler);
    loop {
        for delivery in consumer.take(AT_ONCE).await? {
            let slot = slots.clone().acquire_owned().await?;
            let handler = handler.clone();
            tokio::spawn(async move {
                match serde_json::from_slice(&delivery.body) {
                    Err(_) => delivery.dead_letter("NOT_AN_EVENT").await,
                    Ok(event) => match handler(event).await {
                        Ok(()) => delivery.ack().await,
                        Err(error) => {
                            tracing::warn!(%error, "an event goes back to its queue");
                            delivery.release().await;
                        }
                    },
                }
                drop(slot);
            });
        }
    }
}
