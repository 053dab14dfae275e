//! What a run needs before it starts: items with stock, and payments made under order numbers.

use anyhow::{Context as _, Result, ensure};
use baton_proto::shop::stock::v1::CreateItemRequest;
use baton_proto::shop::stock::v1::item_service_client::ItemServiceClient;
use serde_json::json;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// Price of every unit, in won.
pub const PRICE: i64 = 1000;

/// Payments in one call to the sandbox, its own bound.
const PAYMENTS: usize = 10_000;

/// An order that is paid and not yet placed.
#[derive(Clone, Debug)]
pub struct Paid {
    /// The order number.
    pub number: String,
    /// The provider's payment id.
    pub payment: String,
    /// The one item it is for.
    pub item: String,
}

/// Connections of the run, over which calls are spread as those of many clients would be.
pub fn channels(address: &str, count: usize) -> Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok((0..count).map(|_| endpoint.connect_lazy()).collect())
}

/// Creates items with more stock than any run can sell.
pub async fn items(channel: &Channel, count: u32) -> Result<Vec<String>> {
    let mut client = ItemServiceClient::new(channel.clone());
    let mut items = Vec::new();
    for index in 0..count {
        let item_id = format!("bench-{}-{index}", Uuid::now_v7().simple());
        let request = CreateItemRequest {
            item_id: item_id.clone(),
            display_name: "bench".to_owned(),
            currency_code: "KRW".to_owned(),
            unit_price_minor_units: PRICE,
            initial_stock: 1_000_000_000,
        };
        client.create_item(request).await.context("create an item")?;
        items.push(item_id);
    }
    Ok(items)
}

/// Pays `count` orders of one unit, spread over the items in turn.
pub async fn pay(provider: &str, items: &[String], count: usize) -> Result<Vec<Paid>> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let orders: Vec<Paid> = (0..count)
        .map(|index| Paid {
            number: Uuid::now_v7().to_string(),
            payment: format!("imp_{}", Uuid::now_v7().simple()),
            item: items[index % items.len()].clone(),
        })
        .collect();
    for batch in orders.chunks(PAYMENTS) {
        let payments: Vec<_> = batch
            .iter()
            .map(|order| {
                json!({"imp_uid": order.payment, "merchant_uid": order.number, "amount": PRICE, "currency": "KRW"})
            })
            .collect();
        let answer = http.post(format!("{provider}/_sandbox/pay")).json(&payments).send().await.context("pay")?;
        let status = answer.status();
        ensure!(status.is_success(), "the sandbox answered {status}: {}", answer.text().await.unwrap_or_default());
    }
    Ok(orders)
}
