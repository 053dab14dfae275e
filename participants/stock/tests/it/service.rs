//! The item service as a caller sees it: idempotent creation and restocks, pages, bad input refused precisely.

use crate::support;
use shop_proto::stock::v1::{
    CreateItemRequest, GetItemRequest, ListItemsRequest, ListReservationsRequest, RestockItemRequest,
};
use support::{client, conserved, count, databases, release, reserve, stock, stocked};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const REQUEST: &str = "7b6c1d2e-0000-4000-8000-000000000001";

fn creation(id: &str) -> CreateItemRequest {
    CreateItemRequest {
        item_id: id.to_owned(),
        display_name: "A book".to_owned(),
        currency_code: "KRW".to_owned(),
        unit_price_minor_units: 1_000,
        initial_stock: 7,
    }
}

fn restock(name: &str, request_id: &str, quantity: i64) -> RestockItemRequest {
    RestockItemRequest { name: name.to_owned(), request_id: request_id.to_owned(), quantity }
}

/// Code, reason and first field of an error.
fn refusal(status: &Status) -> (Code, String, String) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let field = status.get_details_bad_request().and_then(|bad| bad.field_violations.first().cloned());
    (status.code(), reason, field.map(|field| field.field).unwrap_or_default())
}

fn is(code: Code, reason: &str, field: &str) -> (Code, String, String) {
    (code, reason.to_owned(), field.to_owned())
}

#[tokio::test]
async fn items_are_created_once_and_restocked_once_per_request() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        let item = client.create_item(creation("book")).await.unwrap().into_inner().item.unwrap();
        assert_eq!(
            (item.name.as_str(), item.available, item.reserved, item.stocked),
            ("items/book", 7, 0, 7),
            "{kind}"
        );
        let again = client.create_item(creation("book")).await.unwrap().into_inner().item.unwrap();
        assert_eq!(again, item, "{kind}");
        let other = CreateItemRequest { initial_stock: 8, ..creation("book") };
        let status = client.create_item(other).await.unwrap_err();
        assert_eq!(refusal(&status), is(Code::AlreadyExists, "ITEM_EXISTS", ""), "{kind}");
        for _ in 0..2 {
            let item = client.restock_item(restock("items/book", REQUEST, 5)).await.unwrap().into_inner().item.unwrap();
            assert_eq!((item.available, item.stocked), (12, 12), "{kind}");
        }
        let status = client.restock_item(restock("items/book", REQUEST, 6)).await.unwrap_err();
        assert_eq!(refusal(&status), is(Code::AlreadyExists, "REQUEST_ID_REUSED", ""), "{kind}");
        // Creating it again after the restock still means the same item.
        assert_eq!(
            client.create_item(creation("book")).await.unwrap().into_inner().item.unwrap().stocked,
            12,
            "{kind}"
        );
        let name = "items/book".to_owned();
        assert_eq!(client.get_item(GetItemRequest { name }).await.unwrap().into_inner().item.unwrap().stocked, 12);
        conserved(&database).await;
    }
}

#[tokio::test]
async fn bad_input_is_refused_precisely_and_writes_nothing() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        let bad = Code::InvalidArgument;
        let table = [
            (CreateItemRequest { item_id: String::new(), ..creation("x") }, "ITEM_ID_INVALID", "item_id"),
            (creation("a b"), "ITEM_ID_INVALID", "item_id"),
            (creation(&"x".repeat(65)), "ITEM_ID_INVALID", "item_id"),
            (
                CreateItemRequest { display_name: "x".repeat(201), ..creation("x") },
                "DISPLAY_NAME_INVALID",
                "display_name",
            ),
            (
                CreateItemRequest { display_name: "a\u{7}".to_owned(), ..creation("x") },
                "DISPLAY_NAME_INVALID",
                "display_name",
            ),
            (
                CreateItemRequest { currency_code: "krw".to_owned(), ..creation("x") },
                "CURRENCY_NOT_ALLOWED",
                "currency_code",
            ),
            (
                CreateItemRequest { unit_price_minor_units: -1, ..creation("x") },
                "PRICE_OUT_OF_RANGE",
                "unit_price_minor_units",
            ),
            (
                CreateItemRequest { unit_price_minor_units: i64::MAX, ..creation("x") },
                "PRICE_OUT_OF_RANGE",
                "unit_price_minor_units",
            ),
            (CreateItemRequest { initial_stock: -1, ..creation("x") }, "QUANTITY_OUT_OF_RANGE", "initial_stock"),
        ];
        for (request, reason, field) in table {
            let status = client.create_item(request).await.unwrap_err();
            assert_eq!(refusal(&status), is(bad, reason, field), "{kind}");
        }
        let all = CreateItemRequest {
            item_id: "?".to_owned(),
            currency_code: String::new(),
            initial_stock: -1,
            ..creation("x")
        };
        let fields = client.create_item(all).await.unwrap_err().get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields.len(), 3, "{kind}: every flaw is told");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM item").await, 0, "{kind}");
        stocked(&database, "a", 1).await;
        let table = [
            (restock("items/", REQUEST, 1), is(bad, "NAME_INVALID", "name")),
            (restock("", REQUEST, 1), is(bad, "FIELD_REQUIRED", "name")),
            (restock("items/a", "7", 1), is(bad, "REQUEST_ID_INVALID", "request_id")),
            (restock("items/a", REQUEST, 0), is(bad, "QUANTITY_OUT_OF_RANGE", "quantity")),
            (restock("items/a", REQUEST, i64::MIN), is(bad, "QUANTITY_OUT_OF_RANGE", "quantity")),
            (restock("items/none", REQUEST, 1), is(Code::NotFound, "ITEM_NOT_FOUND", "")),
        ];
        for (request, expected) in table {
            assert_eq!(refusal(&client.restock_item(request).await.unwrap_err()), expected, "{kind}");
        }
        let status = client.get_item(GetItemRequest { name: "items/none".to_owned() }).await.unwrap_err();
        assert_eq!(refusal(&status), is(Code::NotFound, "ITEM_NOT_FOUND", ""), "{kind}");
        let lists = [(-1, "", "PAGE_SIZE_NEGATIVE", "page_size"), (0, "0100", "PAGE_TOKEN_INVALID", "page_token")];
        for (page_size, token, reason, field) in lists {
            let page_token = token.to_owned();
            let status =
                client.list_items(ListItemsRequest { page_size, page_token: page_token.clone() }).await.unwrap_err();
            assert_eq!(refusal(&status), is(bad, reason, field), "{kind}");
            let request = ListReservationsRequest { parent: "items/-".to_owned(), page_size, page_token };
            assert_eq!(
                refusal(&client.list_reservations(request).await.unwrap_err()),
                is(bad, reason, field),
                "{kind}"
            );
        }
        let request = ListReservationsRequest { parent: "shelf".to_owned(), ..ListReservationsRequest::default() };
        assert_eq!(refusal(&client.list_reservations(request).await.unwrap_err()), is(bad, "NAME_INVALID", "parent"));
        assert_eq!(count(&database, "SELECT COUNT(*) FROM restock").await, 0, "{kind}");
    }
}

#[tokio::test]
async fn stock_has_an_upper_bound() {
    for (kind, database, _dir) in databases().await {
        stocked(&database, "a", baton_stock::catalogue::MAX_STOCK - 1).await;
        let status = client(&database).await.restock_item(restock("items/a", REQUEST, 2)).await.unwrap_err();
        assert_eq!(refusal(&status), is(Code::FailedPrecondition, "STOCK_OVERFLOW", ""), "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM restock").await, 0, "{kind}");
    }
}

#[tokio::test]
async fn pages_hold_everything_once_and_end_with_an_empty_token() {
    for (kind, database, _dir) in databases().await {
        let mut client = client(&database).await;
        for number in 0..7 {
            stocked(&database, &format!("i{number}"), 100).await;
        }
        let worker = stock(&database);
        for saga in 0..5 {
            worker.answer(&[reserve(saga, &[("i0", 1, 100), ("i1", 2, 100)])]).await;
        }
        worker.answer(&[release(4)]).await;
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = client.list_items(ListItemsRequest { page_size: 3, page_token }).await.unwrap().into_inner();
            names.extend(page.items.into_iter().map(|item| item.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, (0..7).map(|number| format!("items/i{number}")).collect::<Vec<_>>(), "{kind}");
        for (parent, expected) in [("items/-", 10), ("items/i0", 5), ("items/i5", 0)] {
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = ListReservationsRequest { parent: parent.to_owned(), page_size: 3, page_token };
                let page = client.list_reservations(request).await.unwrap().into_inner();
                found.extend(page.reservations);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(found.len(), expected, "{kind} {parent}");
            let newest_first = found.windows(2).all(|pair| pair[0].saga >= pair[1].saga);
            assert!(newest_first, "{kind} {parent}");
            let released = found.iter().filter(|one| one.state == 2).count();
            assert_eq!(released, expected / 5, "{kind} {parent}");
        }
    }
}
