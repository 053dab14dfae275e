//! Both shapes give the same journal for the same script: placing, refusing, unwinding.

use crate::support;
use baton_proto::baton::saga::v1::ListSagaEventsRequest;
use baton_proto::baton::saga::v1::saga_service_client::SagaServiceClient;
use baton_supervisor::stack::{Stack, StackOptions};
use serde_json::json;
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{CreateOrderRequest, OrderLine, PlaceOrderRequest};
use shop_proto::stock::v1::CreateItemRequest;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use support::{BATON, Dev};
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// One order of the script: what is ordered, at which price, and what was paid.
struct Case {
    name: &'static str,
    item: &'static str,
    price: i64,
    paid: Option<i64>,
}

const SCRIPT: [Case; 5] = [
    Case { name: "completes", item: "apple", price: 500, paid: Some(1000) },
    Case { name: "wrong amount", item: "apple", price: 500, paid: Some(999) },
    Case { name: "unknown payment", item: "apple", price: 500, paid: None },
    Case { name: "price changed", item: "apple", price: 400, paid: Some(800) },
    Case { name: "out of stock", item: "pear", price: 100, paid: Some(200) },
];

#[tokio::test(flavor = "multi_thread")]
async fn the_same_script_gives_the_same_journal() {
    let dir = tempfile::tempdir().expect("a directory");
    baton::tls::install();
    let dev = Dev::start(dir.path()).await;
    let embedded = play(&dev.address(), &dev.provider_url()).await;
    let stack_dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::start(stack_dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    let real = play(&stack.address(1), &stack.provider_url()).await;
    for ((case, embedded), real) in SCRIPT.iter().zip(&embedded).zip(&real) {
        assert!(embedded.len() > 3, "{}: {embedded:#?}", case.name);
        assert_eq!(embedded, real, "{}", case.name);
    }
    stack.stop().expect("everything stops");
}

async fn play(address: &str, provider: &str) -> Vec<Vec<String>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let mut items = ItemServiceClient::new(channel.clone());
    for (item_id, price, stock) in [("apple", 500, 10), ("pear", 100, 1)] {
        let request = CreateItemRequest {
            item_id: item_id.into(),
            display_name: item_id.into(),
            currency_code: "KRW".into(),
            unit_price_minor_units: price,
            initial_stock: stock,
        };
        items.create_item(request).await.expect("an item");
    }
    let mut journals = Vec::new();
    for case in &SCRIPT {
        let saga = place(&channel, provider, case).await;
        journals.push(journal(&channel, saga).await);
    }
    journals
}

async fn place(channel: &Channel, provider: &str, case: &Case) -> String {
    let line = OrderLine { item_id: case.item.into(), quantity: 2, unit_price_minor_units: case.price };
    let request = CreateOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![line.clone()],
    };
    let created = OrderServiceClient::new(channel.clone()).create_order(request).await.expect("an order");
    let order = created.into_inner().order.expect("an order");
    let payment = format!("imp_{}", Uuid::now_v7().simple());
    if let Some(amount) = case.paid {
        let number = order.name.trim_start_matches("orders/");
        let body = json!({"imp_uid": payment, "merchant_uid": number, "amount": amount, "currency": "KRW"});
        let client = reqwest::Client::new();
        let answer = client.post(format!("{provider}/_sandbox/pay")).json(&body).send().await.expect("the sandbox");
        assert!(answer.status().is_success());
    }
    let request = PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        order: order.name,
        payment_id: payment,
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![line],
        wait: true,
    };
    let placed = OrderPlacementServiceClient::new(channel.clone()).place_order(request).await.expect("placed");
    let progress = placed.into_inner().progress.expect("progress");
    assert!(progress.done, "{}: {progress:?}", case.name);
    progress.saga
}

/// The journal without what rightly differs: ids and times, and how often a payment was looked for, whose pauses are drawn by the id.
async fn journal(channel: &Channel, saga: String) -> Vec<String> {
    let request = ListSagaEventsRequest { parent: saga, page_size: 1000, page_token: String::new() };
    let events = SagaServiceClient::new(channel.clone()).list_saga_events(request).await.expect("a journal");
    let moves = events.into_inner().events.into_iter().filter(|event| event.from != event.to);
    let lines = moves.map(|event| {
        format!("{} {} {} {}: {} -> {}", event.event, event.step, event.direction, event.reason, event.from, event.to)
    });
    lines.collect()
}
