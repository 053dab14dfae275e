//! The order service as a caller sees it: idempotent creation, pages, bad input refused precisely.

use crate::support;
use shop_proto::order::v1::{CreateOrderRequest, GetOrderRequest, ListOrdersRequest, OrderState};
use std::collections::BTreeSet;
use support::{client, confirm, count, databases, lines, open_of, orders, outcomes};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

fn creation(request: u32) -> CreateOrderRequest {
    CreateOrderRequest {
        request_id: format!("7b6c1d2e-0000-4000-8000-{request:012x}"),
        customer_id: "kim".to_owned(),
        currency_code: "KRW".to_owned(),
        lines: lines(&[("book", 2, 1_000), ("pen", 1, 300)]),
    }
}

fn of(given: &[(&str, i64, i64)]) -> CreateOrderRequest {
    CreateOrderRequest { lines: lines(given), ..creation(1) }
}

/// Code, reason and first field of an error.
fn refusal(status: &Status) -> (Code, String, String) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let field = status.get_details_bad_request().and_then(|bad| bad.field_violations.first().cloned());
    (status.code(), reason, field.map(|field| field.field).unwrap_or_default())
}

#[tokio::test]
async fn the_same_request_is_the_same_order() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        let order = client.create_order(creation(1)).await.unwrap().into_inner().order.unwrap();
        assert_eq!(order.total.as_ref().map(|total| total.minor_units), Some(2_300), "{kind}");
        assert_eq!((order.state(), order.saga.as_str()), (OrderState::PaymentPending, ""), "{kind}");
        let again = client.create_order(creation(1)).await.unwrap().into_inner().order.unwrap();
        assert_eq!(again, order, "{kind}");
        let other = CreateOrderRequest { customer_id: "lee".to_owned(), ..creation(1) };
        let status = client.create_order(other).await.unwrap_err();
        let expected = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned(), String::new());
        assert_eq!(refusal(&status), expected, "{kind}");
        let name = order.name.clone();
        let found = client.get_order(GetOrderRequest { name }).await.unwrap().into_inner().order.unwrap();
        assert_eq!(found, order, "{kind}");

        // The saga opens the order that was created, and only with the same content.
        let number = order.name.trim_start_matches("orders/");
        let worker = orders(&database);
        let right = open_of(2, number, "kim", &[("pen", 1, 300), ("book", 2, 1_000)]);
        assert_eq!(outcomes(&worker.answer(&[right, confirm(2, number)]).await), "succeeded , succeeded ", "{kind}");
        let name = order.name.clone();
        let placed = client.get_order(GetOrderRequest { name }).await.unwrap().into_inner().order.unwrap();
        assert_eq!(placed.state(), OrderState::PaymentSuccess, "{kind}");
        assert_eq!(placed.saga, "sagas/00000000-0000-0000-0000-000000000002", "{kind}");
    }
}

#[tokio::test]
async fn an_order_placed_with_other_content_is_closed() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        let order = client.create_order(creation(1)).await.unwrap().into_inner().order.unwrap();
        let number = order.name.trim_start_matches("orders/");
        let worker = orders(&database);
        let wrong = open_of(1, number, "kim", &[("book", 2, 999), ("pen", 1, 300)]);
        for _ in 0..2 {
            assert_eq!(
                outcomes(&worker.answer(std::slice::from_ref(&wrong)).await),
                "rejected ORDER_MISMATCH",
                "{kind}"
            );
            let name = order.name.clone();
            let found = client.get_order(GetOrderRequest { name }).await.unwrap().into_inner().order.unwrap();
            assert_eq!((found.state(), found.reason.as_str()), (OrderState::Cancelled, "ORDER_MISMATCH"), "{kind}");
            assert_eq!(found.saga, "sagas/00000000-0000-0000-0000-000000000001", "{kind}");
            assert_eq!((found.lines, found.total), (order.lines.clone(), order.total.clone()), "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once_get_an_order_each() {
    for (kind, database, _dir) in databases().await {
        let client = client(&database).await;
        // Each request twice, at the same time.
        let calls = (0..400_u32).map(|call| {
            let mut client = client.clone();
            tokio::spawn(
                async move { client.create_order(creation(call / 2)).await.unwrap().into_inner().order.unwrap() },
            )
        });
        let mut names = BTreeSet::new();
        for call in calls.collect::<Vec<_>>() {
            names.insert(call.await.unwrap().name);
        }
        assert_eq!(names.len(), 200, "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM orders").await, 200, "{kind}");
    }
}

#[tokio::test]
async fn bad_input_is_refused_precisely_and_writes_nothing() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        let ids = (0..101).map(|n| format!("i{n}")).collect::<Vec<_>>();
        let many = ids.iter().map(|id| (id.as_str(), 1, 1)).collect::<Vec<_>>();
        let huge = ids.iter().take(10).map(|id| (id.as_str(), 1_000_000, 1_000_000_000_000)).collect::<Vec<_>>();
        let table = [
            (CreateOrderRequest { request_id: String::new(), ..creation(1) }, "REQUEST_ID_INVALID", "request_id"),
            (CreateOrderRequest { request_id: "42".to_owned(), ..creation(1) }, "REQUEST_ID_INVALID", "request_id"),
            (CreateOrderRequest { customer_id: String::new(), ..creation(1) }, "CUSTOMER_ID_INVALID", "customer_id"),
            (CreateOrderRequest { customer_id: "x".repeat(65), ..creation(1) }, "CUSTOMER_ID_INVALID", "customer_id"),
            (
                CreateOrderRequest { customer_id: "a\nb".to_owned(), ..creation(1) },
                "CUSTOMER_ID_INVALID",
                "customer_id",
            ),
            (
                CreateOrderRequest { currency_code: "GBP".to_owned(), ..creation(1) },
                "CURRENCY_NOT_ALLOWED",
                "currency_code",
            ),
            (of(&[]), "LINES_MISSING", "lines"),
            (of(&many), "TOO_MANY_LINES", "lines"),
            (of(&huge), "AMOUNT_OVERFLOW", "lines"),
            (of(&[("book", 0, 1)]), "QUANTITY_OUT_OF_RANGE", "lines[0].quantity"),
            (of(&[("book", -1, 1)]), "QUANTITY_OUT_OF_RANGE", "lines[0].quantity"),
            (of(&[("book", 1_000_001, 1)]), "QUANTITY_OUT_OF_RANGE", "lines[0].quantity"),
            (of(&[("pen", 1, 1), ("book", 1, -1)]), "PRICE_OUT_OF_RANGE", "lines[1].unit_price_minor_units"),
            (of(&[("b k", 1, 1)]), "ITEM_ID_INVALID", "lines[0].item_id"),
            (of(&[("book", 1, 1), ("book", 2, 1)]), "ITEM_REPEATED", "lines[1].item_id"),
        ];
        for (request, reason, field) in table {
            let status = client.create_order(request).await.unwrap_err();
            let expected = (Code::InvalidArgument, reason.to_owned(), field.to_owned());
            assert_eq!(refusal(&status), expected, "{kind}");
        }
        let gets = [
            ("", Code::InvalidArgument, "FIELD_REQUIRED", "name"),
            ("sagas/1", Code::InvalidArgument, "NAME_INVALID", "name"),
            ("orders/1", Code::InvalidArgument, "ORDER_NUMBER_INVALID", "name"),
            ("orders/00000000-0000-7000-8000-000000000000", Code::NotFound, "ORDER_NOT_FOUND", ""),
        ];
        for (name, code, reason, field) in gets {
            let status = client.get_order(GetOrderRequest { name: name.to_owned() }).await.unwrap_err();
            assert_eq!(refusal(&status), (code, reason.to_owned(), field.to_owned()), "{kind} {name}");
        }
        let list = |page_size, token: &str, state| ListOrdersRequest { page_size, page_token: token.to_owned(), state };
        let lists = [
            (list(-1, "", 0), "PAGE_SIZE_NEGATIVE", "page_size"),
            (list(0, "zz", 0), "PAGE_TOKEN_INVALID", "page_token"),
            (list(0, "", 99), "ENUM_UNKNOWN", "state"),
        ];
        for (request, reason, field) in lists {
            let status = client.list_orders(request).await.unwrap_err();
            assert_eq!(refusal(&status), (Code::InvalidArgument, reason.to_owned(), field.to_owned()), "{kind}");
        }
        assert_eq!(count(&database, "SELECT COUNT(*) FROM orders").await, 0, "{kind}");
    }
}

#[tokio::test]
async fn too_large_a_message_is_refused() {
    let (_, database, _dir) = databases().await.remove(0);
    let huge = CreateOrderRequest { customer_id: "x".repeat(5 * 1024 * 1024), ..creation(1) };
    let status = client(&database).await.create_order(huge).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(count(&database, "SELECT COUNT(*) FROM orders").await, 0);
}

#[tokio::test]
async fn pages_hold_every_order_once_newest_first() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        for request in 0..11 {
            let order = client.create_order(creation(request)).await.unwrap().into_inner().order.unwrap();
            if request % 2 == 0 {
                let number = order.name.trim_start_matches("orders/");
                let open = open_of(request, number, "kim", &[("book", 2, 1_000), ("pen", 1, 300)]);
                assert_eq!(outcomes(&orders(&database).answer(&[open]).await), "succeeded ", "{kind}");
            }
        }
        for (state, expected) in [(0, 11), (1, 5), (2, 6), (3, 0)] {
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = ListOrdersRequest { page_size: 2, page_token, state };
                let page = client.list_orders(request).await.unwrap().into_inner();
                assert!(page.orders.len() <= 2);
                found.extend(page.orders);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(
                found.iter().map(|order| &order.name).collect::<BTreeSet<_>>().len(),
                expected,
                "{kind} {state}"
            );
            let time = |order: &shop_proto::order::v1::Order| {
                order.create_time.as_ref().map(|time| (time.seconds, time.nanos))
            };
            assert!(found.windows(2).all(|pair| time(&pair[0]) >= time(&pair[1])), "{kind} {state}");
        }
        let page = client.list_orders(ListOrdersRequest { page_size: 2, ..ListOrdersRequest::default() }).await;
        let page_token = page.unwrap().into_inner().next_page_token;
        let other = ListOrdersRequest { page_size: 2, page_token, state: 1 };
        let status = client.list_orders(other).await.unwrap_err();
        assert_eq!(refusal(&status).1, "PAGE_TOKEN_INVALID", "{kind}: a token belongs to its query");
    }
}
