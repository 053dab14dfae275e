//! Bad input on the whole path: the right gRPC code, a stable reason, the field at fault, and nothing written.

use crate::support;
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::saga_service_client::SagaServiceClient;
use baton_proto::baton::saga::v1::{GetSagaRequest, SearchSagasRequest, StartSagaRequest};
use serde_json::{Value, json};
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{
    CreateOrderRequest, GetOrderRequest, ListOrdersRequest, OrderLine, OrderState, PlaceOrderRequest,
};
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{CreateItemRequest, GetItemRequest};
use support::Dev;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

const OK_ORDER: &str = "orders/0190a3c2-7b1d-7c3e-8f00-0123456789ab";

struct Shop {
    dev: Dev,
    channel: Channel,
    _dir: tempfile::TempDir,
}

async fn shop() -> Shop {
    baton::tls::install();
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", dev.address())).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let item = CreateItemRequest {
        item_id: "apple".into(),
        display_name: "Apple".into(),
        currency_code: "KRW".into(),
        unit_price_minor_units: 500,
        initial_stock: 10,
    };
    ItemServiceClient::new(channel.clone()).create_item(item).await.expect("an item");
    Shop { dev, channel, _dir: dir }
}

fn line(item: &str, quantity: i64, price: i64) -> OrderLine {
    OrderLine { item_id: item.into(), quantity, unit_price_minor_units: price }
}

fn good() -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        order: OK_ORDER.into(),
        payment_id: "imp_1".into(),
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![line("apple", 2, 500)],
        wait: false,
    }
}

fn expect(what: &str, status: &Status, code: Code, reason: &str, field: Option<&str>) {
    assert_eq!(status.code(), code, "{what}: {status:?}");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("{what}: no ErrorInfo in {status:?}"));
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("baton.dev", reason), "{what}");
    if let Some(field) = field {
        let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("{what}: no BadRequest"));
        assert!(bad.field_violations.iter().any(|v| v.field == field), "{what}: {bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_order_is_refused_with_its_field_and_writes_nothing() {
    let shop = shop().await;
    let many: Vec<_> = (0..101).map(|n| line(&format!("i{n}"), 1, 1)).collect();
    let huge: Vec<_> = (0..10).map(|n| line(&format!("i{n}"), 1_000_000, 1_000_000_000_000)).collect();
    let cases = [
        ("request id", PlaceOrderRequest { request_id: "x".into(), ..good() }, "REQUEST_ID_INVALID", "request_id"),
        ("order name", PlaceOrderRequest { order: "orders/7".into(), ..good() }, "ORDER_NUMBER_INVALID", "order"),
        ("no order", PlaceOrderRequest { order: String::new(), ..good() }, "FIELD_REQUIRED", "order"),
        ("payment id", PlaceOrderRequest { payment_id: "a/b".into(), ..good() }, "PAYMENT_ID_INVALID", "payment_id"),
        ("customer", PlaceOrderRequest { customer_id: "\n".into(), ..good() }, "CUSTOMER_ID_INVALID", "customer_id"),
        (
            "currency",
            PlaceOrderRequest { currency_code: "XAU".into(), ..good() },
            "CURRENCY_NOT_ALLOWED",
            "currency_code",
        ),
        ("no lines", PlaceOrderRequest { lines: vec![], ..good() }, "LINES_MISSING", "lines"),
        ("101 lines", PlaceOrderRequest { lines: many, ..good() }, "TOO_MANY_LINES", "lines"),
        (
            "zero",
            PlaceOrderRequest { lines: vec![line("apple", 0, 1)], ..good() },
            "QUANTITY_OUT_OF_RANGE",
            "lines[0].quantity",
        ),
        (
            "negative",
            PlaceOrderRequest { lines: vec![line("apple", -1, 1)], ..good() },
            "QUANTITY_OUT_OF_RANGE",
            "lines[0].quantity",
        ),
        (
            "huge",
            PlaceOrderRequest { lines: vec![line("apple", i64::MAX, 1)], ..good() },
            "QUANTITY_OUT_OF_RANGE",
            "lines[0].quantity",
        ),
        ("overflow", PlaceOrderRequest { lines: huge, ..good() }, "AMOUNT_OVERFLOW", "lines"),
        (
            "twice",
            PlaceOrderRequest { lines: vec![line("a", 1, 1), line("a", 1, 1)], ..good() },
            "ITEM_REPEATED",
            "lines[1].item_id",
        ),
    ];
    let mut placement = OrderPlacementServiceClient::new(shop.channel.clone());
    for (what, request, reason, field) in cases {
        let status = placement.place_order(request).await.expect_err(what);
        expect(what, &status, Code::InvalidArgument, reason, Some(field));
    }
    let mut orders = OrderServiceClient::new(shop.channel.clone());
    let status = orders.list_orders(ListOrdersRequest { state: 99, ..Default::default() }).await.expect_err("enum");
    expect("enum", &status, Code::InvalidArgument, "ENUM_UNKNOWN", Some("state"));
    let mut sagas = SagaAdminServiceClient::new(shop.channel.clone());
    let list = SearchSagasRequest { page_token: "zz".into(), ..SearchSagasRequest::default() };
    let status = sagas.search_sagas(list).await.expect_err("token");
    expect("page token", &status, Code::InvalidArgument, "PAGE_TOKEN_INVALID", Some("page_token"));
    let list = SearchSagasRequest { page_size: -1, ..SearchSagasRequest::default() };
    let status = sagas.search_sagas(list).await.expect_err("size");
    expect("page size", &status, Code::InvalidArgument, "PAGE_SIZE_NEGATIVE", Some("page_size"));

    let written = sagas.search_sagas(SearchSagasRequest::default()).await.expect("a list").into_inner();
    assert_eq!(written.sagas, []);
    assert_eq!(orders.list_orders(ListOrdersRequest::default()).await.expect("a list").into_inner().orders, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let shop = shop().await;
    let mut sagas = SagaServiceClient::new(shop.channel.clone());
    let name = format!("sagas/{}", Uuid::now_v7());
    let status = sagas.get_saga(GetSagaRequest { name }).await.expect_err("unknown saga");
    expect("saga", &status, Code::NotFound, "SAGA_NOT_FOUND", None);
    let start =
        StartSagaRequest { request_id: Uuid::now_v7().to_string(), definition: "nope".into(), ..Default::default() };
    let status = sagas.start_saga(start).await.expect_err("unknown definition");
    expect("definition", &status, Code::NotFound, "DEFINITION_UNKNOWN", None);
    let start = StartSagaRequest {
        request_id: Uuid::now_v7().to_string(),
        definition: "order".into(),
        input: vec![0; 65 * 1024].into(),
    };
    let status = sagas.start_saga(start).await.expect_err("too large");
    expect("input", &status, Code::InvalidArgument, "INPUT_TOO_LARGE", None);
    let mut orders = OrderServiceClient::new(shop.channel.clone());
    let status = orders.get_order(GetOrderRequest { name: OK_ORDER.into() }).await.expect_err("unknown order");
    expect("order", &status, Code::NotFound, "ORDER_NOT_FOUND", None);
    // Far beyond what one call may carry.
    let lines = vec![line(&"x".repeat(1024), 1, 1); 8 * 1024];
    let create = CreateOrderRequest { request_id: Uuid::now_v7().to_string(), lines, ..Default::default() };
    let status = orders.create_order(create).await.expect_err("too large a message");
    expect("message", &status, Code::InvalidArgument, "MESSAGE_TOO_LARGE", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_one_order_and_an_order_is_one_saga() {
    let shop = shop().await;
    let mut placement = OrderPlacementServiceClient::new(shop.channel.clone());
    let request = good();
    let first = placement.place_order(request.clone()).await.expect("placed").into_inner().progress.expect("progress");
    let again =
        placement.place_order(request.clone()).await.expect("repeated").into_inner().progress.expect("progress");
    assert_eq!(first.saga, again.saga);
    let other = PlaceOrderRequest { payment_id: "imp_2".into(), ..request };
    let status = placement.place_order(other).await.expect_err("other content");
    expect("other content", &status, Code::AlreadyExists, "REQUEST_ID_REUSED", None);
    let status = placement.place_order(good()).await.expect_err("the order again");
    expect("same order", &status, Code::AlreadyExists, "ORDER_ALREADY_PLACED", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_or_hostile_order_never_refunds_somebody_elses_money() {
    let shop = shop().await;
    // Alice pays for her order and completes it.
    let alice = Uuid::now_v7();
    let payment = pay(&shop.dev, alice, 1000).await;
    // Mallory names Alice's payment for an order of his own, twice over: before and after she has used it.
    let mallory = end(&shop, Uuid::now_v7(), &payment).await;
    assert_eq!(mallory, (OrderState::PaymentNoPaymentInfo, "PAYMENT_OF_OTHER_ORDER".to_owned()));
    assert_eq!(end(&shop, alice, &payment).await.0, OrderState::PaymentSuccess);
    assert_eq!(end(&shop, Uuid::now_v7(), &payment).await.1, "PAYMENT_OF_OTHER_ORDER");
    let ledger = ledger(&shop.dev, &payment).await;
    assert_eq!((ledger["paid_minor_units"].as_i64(), ledger["cancelled_minor_units"].as_i64()), (Some(1000), Some(0)));
    // And only her units are gone.
    let item = GetItemRequest { name: "items/apple".into() };
    let item = ItemServiceClient::new(shop.channel.clone()).get_item(item).await.expect("the item").into_inner().item;
    assert_eq!(item.map(|item| (item.available, item.reserved)), Some((8, 2)));
}

/// Places an order of two apples and returns how it ended.
async fn end(shop: &Shop, number: Uuid, payment: &str) -> (OrderState, String) {
    let request =
        PlaceOrderRequest { order: format!("orders/{number}"), payment_id: payment.into(), wait: true, ..good() };
    let placed = OrderPlacementServiceClient::new(shop.channel.clone()).place_order(request).await.expect("placed");
    let progress = placed.into_inner().progress.expect("progress");
    assert!(progress.done, "{progress:?}");
    (progress.state(), progress.reason)
}

async fn pay(dev: &Dev, number: Uuid, amount: i64) -> String {
    let body = json!({"merchant_uid": number.to_string(), "amount": amount, "currency": "KRW"});
    let url = format!("{}/_sandbox/pay", dev.provider_url());
    let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("the sandbox");
    let answer: Value = answer.json().await.expect("JSON");
    answer["response"]["imp_uid"].as_str().expect("a payment id").to_owned()
}

async fn ledger(dev: &Dev, payment: &str) -> Value {
    let answer = reqwest::get(format!("{}/_sandbox/ledger", dev.provider_url())).await.expect("the ledger");
    let answer: Value = answer.json().await.expect("JSON");
    let page = answer.get("response").filter(|response| response.is_object()).unwrap_or(&answer);
    let payments = page["payments"].as_array().expect("payments");
    payments.iter().find(|found| found["imp_uid"] == payment).expect("the payment").clone()
}
