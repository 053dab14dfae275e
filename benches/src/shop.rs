//! What a run needs before it starts: items with stock, and orders paid for in advance.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use shop_proto::stock::v1::CreateItemRequest;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// Price of every unit, in won.
pub const PRICE: i64 = 1000;

/// Stock of an item that no run sells out.
pub const PLENTY: i64 = 1_000_000_000;

/// Payments in one call to the sandbox, its own bound.
const PAYMENTS: usize = 10_000;

/// Calls that create items at once.
const CREATING: usize = 64;

/// What must become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It completes.
    Completes,
    /// There is nothing of its item.
    OutOfStock,
    /// A wrong amount was paid.
    WrongAmount,
    /// It completes or finds the shelf empty: who comes first is nobody's to say.
    Either,
}

/// An order that is paid and not yet placed.
#[derive(Clone, Debug)]
pub struct Order {
    /// The order number.
    pub number: String,
    /// The provider's payment id.
    pub payment: String,
    /// One unit of each.
    pub items: Vec<Arc<str>>,
    /// What must become of it.
    pub fate: Fate,
}

impl Order {
    /// What the customer has paid, which is what it costs unless that is what is wrong with it.
    #[must_use]
    pub fn paid(&self) -> i64 {
        let worth = PRICE * i64::try_from(self.items.len()).unwrap_or(i64::MAX / PRICE);
        if self.fate == Fate::WrongAmount { worth - 1 } else { worth }
    }
}

/// What the orders of a run are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Lines of each order, on different items.
    pub lines: usize,
    /// Of a hundred orders, so many are for an item of which there is nothing.
    pub out_of_stock: usize,
    /// Of a hundred orders, so many are paid with a wrong amount.
    pub wrong_amount: usize,
    /// True if the shelf does not hold enough for all.
    pub scarce: bool,
}

impl Mix {
    /// One line each, and all complete.
    pub const GOOD: Self = Self { lines: 1, out_of_stock: 0, wrong_amount: 0, scarce: false };

    /// The document's two failures, 5 % each.
    pub const FAILURES: Self = Self { out_of_stock: 5, wrong_amount: 5, ..Self::GOOD };

    fn fate(self, index: usize) -> Fate {
        // Evenly spread: where a multiple wraps around.
        let falls = |percent: usize, shift: usize| (index + shift) * percent % 100 < percent;
        if falls(self.out_of_stock, 0) {
            Fate::OutOfStock
        } else if falls(self.wrong_amount, 7) {
            Fate::WrongAmount
        } else if self.scarce {
            Fate::Either
        } else {
            Fate::Completes
        }
    }
}

/// The items of a run.
#[derive(Clone, Debug)]
pub struct Items {
    /// With stock.
    pub stocked: Vec<Arc<str>>,
    /// With none.
    pub empty: Arc<str>,
}

impl Items {
    /// New ids; nothing is created yet.
    #[must_use]
    pub fn named(count: u32) -> Self {
        let run = Uuid::now_v7().simple();
        let stocked = (0..count).map(|index| format!("bench-{run}-{index}").into()).collect();
        Self { stocked, empty: format!("bench-{run}-none").into() }
    }

    /// With the stock each is to have.
    pub fn with_stock(&self, stock: i64) -> impl Iterator<Item = (Arc<str>, i64)> {
        self.stocked.iter().map(move |item| (item.clone(), stock)).chain([(self.empty.clone(), 0)])
    }

    /// `count` new orders, spread over the items in turn.
    #[must_use]
    pub fn orders(&self, count: usize, mix: Mix) -> Vec<Order> {
        let order = |index: usize| {
            let fate = mix.fate(index);
            let line = |line: usize| match fate {
                Fate::OutOfStock if line == 0 => self.empty.clone(),
                _ => self.stocked[(index * mix.lines + line) % self.stocked.len()].clone(),
            };
            Order {
                number: Uuid::now_v7().to_string(),
                payment: format!("imp_{}", Uuid::now_v7().simple()),
                items: (0..mix.lines).map(line).collect(),
                fate,
            }
        };
        (0..count).map(order).collect()
    }
}

/// Connections of the run, over which calls are spread as those of many clients would be.
pub fn channels(address: &str, count: usize) -> Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok((0..count).map(|_| endpoint.connect_lazy()).collect())
}

/// Creates the items through Baton's own service.
pub async fn create(channel: &Channel, items: &Items, stock: i64) -> Result<()> {
    let calls = items.with_stock(stock).map(|(item, stock)| {
        let mut client = ItemServiceClient::new(channel.clone());
        let request = CreateItemRequest {
            item_id: item.to_string(),
            display_name: "bench".to_owned(),
            currency_code: "KRW".to_owned(),
            unit_price_minor_units: PRICE,
            initial_stock: stock,
        };
        async move { client.create_item(request).await.map(|_| ()) }
    });
    stream::iter(calls).buffer_unordered(CREATING).try_collect::<()>().await.context("create an item")
}

/// Pays orders at the sandbox provider.
pub async fn pay(provider: &str, orders: &[Order]) -> Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    for batch in orders.chunks(PAYMENTS) {
        let payments: Vec<_> = batch
            .iter()
            .map(|order| {
                let (id, number, amount) = (&order.payment, &order.number, order.paid());
                json!({"imp_uid": id, "merchant_uid": number, "amount": amount, "currency": "KRW"})
            })
            .collect();
        let answer = http.post(format!("{provider}/_sandbox/pay")).json(&payments).send().await.context("pay")?;
        let status = answer.status();
        ensure!(status.is_success(), "the sandbox answered {status}: {}", answer.text().await.unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_the_share_it_says_and_lines_on_different_items() {
        let items = Items::named(100);
        let orders = items.orders(2_000, Mix { lines: 3, ..Mix::FAILURES });
        let count = |fate| orders.iter().filter(|order| order.fate == fate).count();
        assert_eq!((count(Fate::OutOfStock), count(Fate::WrongAmount), count(Fate::Completes)), (100, 100, 1_800));
        for order in &orders {
            let distinct: std::collections::BTreeSet<_> = order.items.iter().collect();
            assert_eq!(distinct.len(), 3);
            assert_eq!(order.fate == Fate::OutOfStock, order.items.contains(&items.empty));
            assert_eq!(order.paid() == 3 * PRICE, order.fate != Fate::WrongAmount);
        }
    }
}
