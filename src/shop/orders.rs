//! `baton orders`: create, pay elsewhere, place, follow, over gRPC.

use crate::cli::page::Page;
use crate::client::{Client, name, present};
use crate::config::key;
use crate::failure::Failure;
use crate::output;
use crate::paging::paged;
use crate::shop::cli::{Line, OrderStateArg, Orders};
use crate::show::Printer;
use baton_payment::money::Money;
use serde_json::Number;
use shop_domain::currency::Currency;
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{
    CreateOrderRequest, CreateOrderResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest, Order, OrderLine,
    OrderProgress, OrderState, PlaceOrderRequest, PlaceOrderResponse, WatchOrderRequest,
};
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{GetItemRequest, Item};
use std::time::Duration;
use tonic::Request;
use uuid::Uuid;

/// How long the sandbox may take to say that it is there.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out one `baton orders` command. `provider` is the base URL that the printed curl line pays at.
///
/// # Errors
/// What the server refused; for `place` also an order that was undone.
pub async fn run(command: Orders, client: &Client, provider: &str, printer: Printer) -> Result<(), Failure> {
    match command {
        Orders::Create { lines, customer, currency, request_id } => {
            let order = create(client, lines, customer, currency, request_id).await?;
            created(order, provider, printer).await
        }
        Orders::Place { order, payment, no_wait, request_id } => {
            let progress = place(client, &order, payment, !no_wait, request_id).await?;
            printer.one(&PlaceOrderResponse { progress: Some(progress.clone()) }, "progress", &[])?;
            verdict(&progress)
        }
        Orders::Get { order } => {
            let order = Some(fetch(client, &order).await?);
            printer.one(&GetOrderResponse { order }, "order", &[])
        }
        Orders::List { state, page } => list(client, state, &page, printer).await,
        Orders::Watch { order } => watch(client, &order, printer).await,
    }
}

async fn create(
    client: &Client,
    lines: Vec<Line>,
    customer_id: String,
    currency: Option<String>,
    request_id: Option<Uuid>,
) -> Result<Order, Failure> {
    let mut priced = Vec::with_capacity(lines.len());
    let mut currency_code = currency;
    for line in lines {
        let unit_price_minor_units = match (line.price, &currency_code) {
            (Some(price), Some(_)) => price,
            (price, _) => {
                let item = item(client, &line.item).await?;
                let currency = currency_code.get_or_insert_with(|| item.currency_code.clone());
                if price.is_none() && *currency != item.currency_code {
                    let sold = item.currency_code;
                    return Err(Failure::Usage(format!("{} is sold in {sold}, not in {currency}", line.item)));
                }
                price.unwrap_or(item.unit_price_minor_units)
            }
        };
        priced.push(OrderLine { item_id: line.item, quantity: line.quantity, unit_price_minor_units });
    }
    let request = CreateOrderRequest {
        request_id: client.request_id(request_id),
        customer_id,
        currency_code: currency_code.unwrap_or_default(),
        lines: priced,
    };
    let answer = OrderServiceClient::new(client.channel()).create_order(client.request(request)).await?.into_inner();
    present(answer.order, "an order")
}

async fn item(client: &Client, id: &str) -> Result<Item, Failure> {
    let request = GetItemRequest { name: name("items", id) };
    let answer = ItemServiceClient::new(client.channel()).get_item(client.request(request)).await?.into_inner();
    present(answer.item, "an item")
}

/// The number is the data; how to go on is talk.
async fn created(order: Order, provider: &str, printer: Printer) -> Result<(), Failure> {
    printer.one(&CreateOrderResponse { order: Some(order.clone()) }, "order", &[])?;
    let number = number(&order);
    let (Some(total), false) = (&order.total, printer.quiet()) else { return Ok(()) };
    let amount = in_units(total.minor_units, &total.currency_code);
    let pay = format!("\nPay {amount} {} under that number at the sandbox", total.currency_code);
    // The configuration need not be the one that the server runs with.
    let url = if is_sandbox(provider).await {
        printer.say(&format!("{pay}:"));
        provider
    } else {
        printer.say(&format!(
            "{pay}. None answers at {} (provider.base_url): put the URL that `baton dev` prints for URL:",
            key::mask_password(provider)
        ));
        "URL"
    };
    printer.say(&format!("  {}", pay_with_curl(url, number, total.minor_units, &total.currency_code)));
    printer.say("then place the order with the imp_uid it answers:");
    printer.say(&format!("  baton orders place --order {number} --payment IMP_UID"));
    Ok(())
}

async fn is_sandbox(provider: &str) -> bool {
    let Ok(client) = reqwest::Client::builder().timeout(LOOK).build() else { return false };
    let asked = client.get(format!("{provider}/_sandbox/healthz")).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}

/// The bare number of an order.
fn number(order: &Order) -> &str {
    order.name.trim_start_matches("orders/")
}

/// The amount as the provider writes it, in the currency's units: 12.34 for 1234 cents, 1234 for 1234 won.
fn in_units(minor_units: i64, code: &str) -> Number {
    let money = Currency::from_code(code).ok().map(|currency| Money { currency, minor_units });
    money.and_then(|money| money.to_number()).unwrap_or_else(|| Number::from(minor_units))
}

/// A line for a shell that pays an order at the sandbox.
fn pay_with_curl(provider: &str, number: &str, amount: i64, currency: &str) -> String {
    let amount = in_units(amount, currency);
    let body = serde_json::json!({ "merchant_uid": number, "amount": amount, "currency": currency });
    format!("curl -s -H 'content-type: application/json' -d '{body}' {provider}/_sandbox/pay")
}

/// What a newcomer types into a shell, line by line, from an item to an order that is paid and placed.
#[must_use]
pub fn first_steps(baton: &str, provider: &str) -> [String; 5] {
    [
        format!("{baton} items create sku-1 --price 12000 --stock 10"),
        format!("{baton} orders create --line sku-1=2"),
        pay_with_curl(provider, "NUMBER", 24_000, "KRW"),
        format!("{baton} orders place --order NUMBER --payment IMP_UID"),
        format!("{baton} orders watch NUMBER"),
    ]
}

async fn fetch(client: &Client, order: &str) -> Result<Order, Failure> {
    let request = GetOrderRequest { name: name("orders", order) };
    let answer = OrderServiceClient::new(client.channel()).get_order(client.request(request)).await?.into_inner();
    present(answer.order, "an order")
}

/// Placing repeats the order's content, so it is fetched first.
async fn place(
    client: &Client,
    order: &str,
    payment_id: String,
    wait: bool,
    request_id: Option<Uuid>,
) -> Result<OrderProgress, Failure> {
    let order = fetch(client, order).await?;
    let request = PlaceOrderRequest {
        request_id: client.request_id(request_id),
        order: order.name,
        payment_id,
        customer_id: order.customer_id,
        currency_code: order.total.map(|total| total.currency_code).unwrap_or_default(),
        lines: order.lines,
        wait,
    };
    let answer =
        OrderPlacementServiceClient::new(client.channel()).place_order(client.request(request)).await?.into_inner();
    present(answer.progress, "progress")
}

/// An order that ended undone is a failed command: scripts see it by the exit code.
fn verdict(progress: &OrderProgress) -> Result<(), Failure> {
    match progress.state() {
        OrderState::PaymentSuccess => Ok(()),
        OrderState::PaymentConfirm if progress.done => {
            Err(Failure::Verdict("the order waits for an operator: `baton sagas explain SAGA` says why"))
        }
        _ if progress.done => Err(Failure::Verdict("the order was not completed")),
        _ => Ok(()),
    }
}

async fn list(client: &Client, state: Option<OrderStateArg>, page: &Page, printer: Printer) -> Result<(), Failure> {
    let state = state.map_or(OrderState::Unspecified, |state| match state {
        OrderStateArg::PaymentPending => OrderState::PaymentPending,
        OrderStateArg::PaymentConfirm => OrderState::PaymentConfirm,
        OrderStateArg::PaymentSuccess => OrderState::PaymentSuccess,
        OrderStateArg::PaymentOutOfStock => OrderState::PaymentOutOfStock,
        OrderStateArg::PaymentNoPaymentInfo => OrderState::PaymentNoPaymentInfo,
        OrderStateArg::Cancelled => OrderState::Cancelled,
    });
    let found = paged(page.limit, async |page_size, page_token| {
        let request = ListOrdersRequest { page_size, page_token, state: state.into() };
        Ok(OrderServiceClient::new(client.channel()).list_orders(client.request(request)).await?.into_inner())
    });
    printer.list(&found.await?, "orders", &["name", "state", "total", "customerId", "saga", "reason", "createTime"])
}

/// A stream has no deadline: it ends with the order, or with Ctrl-C.
async fn watch(client: &Client, order: &str, printer: Printer) -> Result<(), Failure> {
    let request = WatchOrderRequest { order: name("orders", order), after_version: 0 };
    let mut stream =
        OrderPlacementServiceClient::new(client.channel()).watch_order(Request::new(request)).await?.into_inner();
    let mut last = None;
    while let Some(answer) = stream.message().await? {
        printer.line(&answer, "progress", &["state", "step", "reason", "message"])?;
        last = answer.progress;
        if !output::is_open() {
            break;
        }
    }
    last.as_ref().map_or(Ok(()), verdict)
}

#[cfg(test)]
mod tests {
    use super::pay_with_curl;

    #[test]
    fn an_amount_is_written_in_the_units_of_its_currency() {
        for (minor_units, code, expected) in [(1_234, "CHF", "12.34"), (1_234, "KRW", "1234"), (1_234, "KWD", "1.234")]
        {
            let line = pay_with_curl("http://h:1", "N", minor_units, code);
            assert!(line.contains(&format!("\"amount\":{expected},")), "{line}");
        }
    }
}
