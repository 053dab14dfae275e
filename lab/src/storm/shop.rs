//! A client's side of the shop: items, orders, payments.

use anyhow::{Context as _, Result, ensure};
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{CreateOrderRequest, OrderLine, OrderProgress, PlaceOrderRequest};
use shop_proto::stock::v1::CreateItemRequest;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Currency of the storm.
pub const CURRENCY: &str = "KRW";

/// Price of one unit of anything.
pub const PRICE: i64 = 1_500;

/// Deadline of one call; PlaceOrder waits for the order's end within it.
pub const CALL: Duration = Duration::from_secs(5);

/// A connection that is not there after this is tried again by the next call.
const CONNECT: Duration = Duration::from_secs(2);

/// How long an idle connection to the provider is kept. Short, so that after a nemesis the provider holds none of ours: it
/// is asked then what it holds.
const IDLE: Duration = Duration::from_secs(5);

/// Who orders.
const CUSTOMER: &str = "storm";

/// Connections to every orchestrator and the provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ShopClient {
    channels: Vec<Channel>,
    provider: String,
    http: reqwest::Client,
}

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct Placing {
    /// Idempotency.
    pub request_id: String,
    /// Order number.
    pub number: String,
    /// Payment id.
    pub payment: String,
    /// Item id.
    pub item: String,
    /// Units.
    pub quantity: i64,
}

impl ShopClient {
    /// Connects when it is needed.
    ///
    /// # Errors
    /// If a port makes no address.
    pub fn new(ports: &[u16], provider: &str) -> Result<Self> {
        let channel = |port: &u16| -> Result<Channel> {
            let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
            let endpoint = endpoint.connect_timeout(CONNECT).tcp_nodelay(true);
            // As any client should: otherwise a connection that is dead without a word is used for a quarter of an hour.
            Ok(endpoint.http2_keep_alive_interval(CALL).keep_alive_timeout(CONNECT).connect_lazy())
        };
        let http = reqwest::Client::builder().timeout(CALL).pool_idle_timeout(IDLE).build()?;
        Ok(Self { channels: ports.iter().map(channel).collect::<Result<_>>()?, provider: provider.to_owned(), http })
    }

    /// The channel to one orchestrator, in turn.
    #[must_use]
    pub fn channel(&self, turn: usize) -> Channel {
        self.channels[turn % self.channels.len()].clone()
    }

    /// For the provider.
    #[must_use]
    pub fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// Puts an item on the shelf.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn create_item(&self, id: &str, stock: i64) -> Result<()> {
        let request = CreateItemRequest {
            item_id: id.to_owned(),
            display_name: "An item of the storm".to_owned(),
            currency_code: CURRENCY.to_owned(),
            unit_price_minor_units: PRICE,
            initial_stock: stock,
        };
        // Idempotent by its id. Right after a restart a channel may still hold a dead connection.
        let mut last = None;
        for turn in 0..20 {
            match ItemServiceClient::new(self.channel(turn)).create_item(limited(request.clone())).await {
                Ok(_) => return Ok(()),
                Err(status) => last = Some(status),
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(last.map_or_else(|| anyhow::anyhow!("never tried"), anyhow::Error::from)).context("create an item")
    }

    /// Creates an order; returns its number.
    ///
    /// # Errors
    /// The server's.
    pub async fn create_order(
        &self,
        turn: usize,
        request_id: &str,
        item: &str,
        quantity: i64,
    ) -> Result<String, Status> {
        let request = CreateOrderRequest {
            request_id: request_id.to_owned(),
            customer_id: CUSTOMER.to_owned(),
            currency_code: CURRENCY.to_owned(),
            lines: lines(item, quantity),
        };
        let answer = OrderServiceClient::new(self.channel(turn)).create_order(limited(request)).await?;
        let name = answer.into_inner().order.unwrap_or_default().name;
        Ok(name.trim_start_matches("orders/").to_owned())
    }

    /// Places an order and waits for its end, at most as long as the call may take.
    ///
    /// # Errors
    /// The server's.
    pub async fn place(&self, turn: usize, placing: &Placing) -> Result<OrderProgress, Status> {
        let request = PlaceOrderRequest {
            request_id: placing.request_id.clone(),
            order: format!("orders/{}", placing.number),
            payment_id: placing.payment.clone(),
            customer_id: CUSTOMER.to_owned(),
            currency_code: CURRENCY.to_owned(),
            lines: lines(&placing.item, placing.quantity),
            wait: true,
        };
        let answer = OrderPlacementServiceClient::new(self.channel(turn)).place_order(limited(request)).await?;
        Ok(answer.into_inner().progress.unwrap_or_default())
    }

    /// The customer pays in the browser, which is not part of the storm. The id is ours, so repeating changes nothing.
    ///
    /// # Errors
    /// If the provider is away or refuses.
    pub async fn pay(&self, payment: &str, number: &str, amount: i64) -> Result<()> {
        let body = serde_json::json!({
            "imp_uid": payment, "merchant_uid": number, "amount": amount, "currency": CURRENCY,
        });
        let answer: serde_json::Value = self.sandbox("pay", Some(&body)).await?;
        ensure!(answer["code"] == 0, "the provider refuses a payment: {}", answer["message"]);
        Ok(())
    }

    /// POST, or DELETE without a body, to the sandbox's own endpoints.
    ///
    /// # Errors
    /// If it is away.
    pub async fn sandbox(&self, path: &str, body: Option<&serde_json::Value>) -> Result<serde_json::Value> {
        let url = format!("{}/_sandbox/{path}", self.provider);
        let request = match body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.delete(url),
        };
        Ok(request.send().await?.json().await?)
    }
}

fn lines(item: &str, quantity: i64) -> Vec<OrderLine> {
    vec![OrderLine { item_id: item.to_owned(), quantity, unit_price_minor_units: PRICE }]
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}
