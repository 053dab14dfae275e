//! One order placed and followed to its end.

use crate::shop::{Fate, Order, PRICE};
use clap::ValueEnum;
use serde::Serialize;
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::{OrderLine, OrderProgress, OrderState, PlaceOrderRequest, WatchOrderRequest};
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// A call that takes longer counts as failed. The server's own limit for waiting calls is below it.
const DEADLINE: Duration = Duration::from_secs(40);

/// How a caller learns of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// The call itself waits.
    Wait,
    /// The call returns once the order is accepted; a stream tells the rest.
    Watch,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The order ended as it must.
    Right(OrderState),
    /// Refused for now, with the time after which to try again.
    Refused,
    /// Anything else, with the words of it.
    Wrong(String),
}

/// A client of one door.
#[derive(Clone, Debug)]
pub struct Caller {
    client: OrderPlacementServiceClient<Channel>,
    follow: Follow,
}

impl Caller {
    /// Over a channel.
    #[must_use]
    pub fn new(channel: Channel, follow: Follow) -> Self {
        Self { client: OrderPlacementServiceClient::new(channel), follow }
    }

    /// Places an order and follows it to its end.
    pub async fn place(&mut self, order: &Order) -> Ending {
        match self.follow(order).await {
            Ok(progress) => judge(order, &progress),
            Err(status) if status.code() == Code::ResourceExhausted => match status.get_details_retry_info() {
                Some(_) => Ending::Refused,
                None => Ending::Wrong(format!("{}: refused without a time to try again", order.number)),
            },
            Err(status) => Ending::Wrong(format!("{}: {status}", order.number)),
        }
    }

    /// Asks again, with the same ids, as long as the door is away; at most until `give_up`.
    pub async fn place_patiently(&mut self, order: &Order, pause: Duration, give_up: tokio::time::Instant) -> Ending {
        loop {
            match self.follow(order).await {
                Ok(progress) => return judge(order, &progress),
                Err(status) if tokio::time::Instant::now() >= give_up => {
                    return Ending::Wrong(format!("{}: {status}", order.number));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
        }
    }

    async fn follow(&mut self, order: &Order) -> Result<OrderProgress, Status> {
        let answer = self.client.place_order(limited(request(order, self.follow == Follow::Wait))).await?;
        let mut progress = answer.into_inner().progress.unwrap_or_default();
        if self.follow == Follow::Watch && !progress.done {
            let watch =
                WatchOrderRequest { order: format!("orders/{}", order.number), after_version: progress.version };
            let mut stream = self.client.watch_order(limited(watch)).await?.into_inner();
            while let Some(message) = stream.message().await? {
                progress = message.progress.unwrap_or_default();
                if progress.done {
                    break;
                }
            }
        }
        Ok(progress)
    }
}

fn judge(order: &Order, progress: &OrderProgress) -> Ending {
    let state = OrderState::try_from(progress.state).unwrap_or_default();
    let right = match order.fate {
        Fate::Completes => state == OrderState::PaymentSuccess,
        Fate::OutOfStock => state == OrderState::PaymentOutOfStock,
        Fate::WrongAmount => state == OrderState::PaymentNoPaymentInfo,
        Fate::Either => matches!(state, OrderState::PaymentSuccess | OrderState::PaymentOutOfStock),
    };
    if right {
        return Ending::Right(state);
    }
    let (name, why, message) = (state.as_str_name(), &progress.reason, &progress.message);
    Ending::Wrong(format!("{}: {:?} ended as {name} {why} {message}", order.number, order.fate))
}

/// The request id is the order's number: whoever asks again asks for the same.
fn request(order: &Order, wait: bool) -> PlaceOrderRequest {
    let line = |item: &std::sync::Arc<str>| OrderLine {
        item_id: item.to_string(),
        quantity: 1,
        unit_price_minor_units: PRICE,
    };
    PlaceOrderRequest {
        request_id: order.number.clone(),
        order: format!("orders/{}", order.number),
        payment_id: order.payment.clone(),
        customer_id: "bench".to_owned(),
        currency_code: "KRW".to_owned(),
        lines: order.items.iter().map(line).collect(),
        wait,
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}
