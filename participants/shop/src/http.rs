//! The routes of the shop's services, over HTTP beside the engine's.

use baton_console::http::route::{Answer, Group, get, post};

const ORDER: &str = "shop.order.v1.OrderService";
const PLACEMENT: &str = "shop.order.v1.OrderPlacementService";
const PAYMENT: &str = "shop.payment.v1.PaymentService";
const ITEM: &str = "shop.stock.v1.ItemService";

/// All of them.
pub const ROUTES: [Group; 3] = [
    Group {
        name: "orders",
        about: "What customers buy.",
        routes: &[
            get("/orders", ORDER, "ListOrders", ""),
            post(
                "/orders",
                ORDER,
                "CreateOrder",
                "",
                r#"{"requestId": "0197f0c8-4d2a-7c11-9a51-3f2b8f4d6a02", "customerId": "customer-1", "currencyCode": "KRW", "lines": [{"itemId": "apple", "quantity": "1", "unitPriceMinorUnits": "500"}]}"#,
            ),
            get("/orders/{order}", ORDER, "GetOrder", "name"),
            post(
                "/orders/{order}:place",
                PLACEMENT,
                "PlaceOrder",
                "order",
                r#"{"requestId": "0197f0c8-4d2a-7c11-9a51-3f2b8f4d6a03", "paymentId": "imp_1", "customerId": "customer-1", "currencyCode": "KRW", "lines": [{"itemId": "apple", "quantity": "1", "unitPriceMinorUnits": "500"}], "wait": true}"#,
            ),
            get("/orders/{order}:watch", PLACEMENT, "WatchOrder", "order").answered(Answer::Stream),
        ],
    },
    Group {
        name: "payments",
        about: "What was paid.",
        routes: &[
            get("/payments", PAYMENT, "ListPayments", ""),
            get("/payments/{payment}", PAYMENT, "GetPayment", "name"),
        ],
    },
    Group {
        name: "items",
        about: "The catalogue and its stock.",
        routes: &[
            get("/items", ITEM, "ListItems", ""),
            post(
                "/items",
                ITEM,
                "CreateItem",
                "",
                r#"{"itemId": "apple", "displayName": "Apple", "currencyCode": "KRW", "unitPriceMinorUnits": "500", "initialStock": "100"}"#,
            ),
            get("/items/{item}", ITEM, "GetItem", "name"),
            post(
                "/items/{item}:restock",
                ITEM,
                "RestockItem",
                "name",
                r#"{"requestId": "0197f0c8-4d2a-7c11-9a51-3f2b8f4d6a04", "quantity": "10"}"#,
            ),
            get("/items/{item}/reservations", ITEM, "ListReservations", "parent"),
        ],
    },
];
