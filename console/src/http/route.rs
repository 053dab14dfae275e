//! The one table: which method and path stands for which call. Everything else follows from the services' descriptors.
//!
//! A path's variables make up the resource name in the field called `named`: for `/sagas/{saga}/events` and `parent` that is
//! `sagas/{saga}`, all up to the last variable. What is left of the request comes from the query (GET) or the JSON body (POST).

use http::Method;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// GET for what changes nothing, POST for everything else.
    pub method: &'static Method,
    /// Below `/api/v1`: segments, variables in braces, a custom verb behind a colon.
    pub path: &'static str,
    /// Full name of the service.
    pub service: &'static str,
    /// Its method.
    pub call: &'static str,
    /// The request's field that the path names; empty if the path has no variable.
    pub named: &'static str,
    /// How it is answered.
    pub answer: Answer,
    /// The body of an example; empty for GET.
    pub example: &'static str,
}

/// How a route is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With one JSON document.
    Once,
    /// With one JSON document and the version of what is in it as ETag.
    Tagged,
    /// With events, for as long as the call's stream goes on.
    Stream,
    /// With events: a call that answers once, repeated.
    Repeated,
}

const SAGA: &str = "baton.saga.v1.SagaService";
const ADMIN: &str = "baton.saga.v1.SagaAdminService";
const ORDER: &str = "shop.order.v1.OrderService";
const PLACEMENT: &str = "shop.order.v1.OrderPlacementService";
const PAYMENT: &str = "shop.payment.v1.PaymentService";
const ITEM: &str = "shop.stock.v1.ItemService";
/// Not served but in development: elsewhere its routes answer 501.
const CHAOS: &str = "baton.dev.v1.ChaosService";

/// The services that HTTP stands for, whole: every call of theirs is in [`ROUTES`].
pub const SERVICES: [&str; 7] = [ADMIN, SAGA, PLACEMENT, ORDER, PAYMENT, ITEM, CHAOS];

const REASONED: &str = r#"{"reason": "the provider is back", "actor": "ada"}"#;

const fn get(path: &'static str, service: &'static str, call: &'static str, named: &'static str) -> Route {
    Route { method: &Method::GET, path, service, call, named, answer: Answer::Once, example: "" }
}

const fn post(
    path: &'static str,
    service: &'static str,
    call: &'static str,
    named: &'static str,
    example: &'static str,
) -> Route {
    Route { method: &Method::POST, path, service, call, named, answer: Answer::Once, example }
}

impl Route {
    const fn answered(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}

/// The table.
pub const ROUTES: [Route; 43] = [
    get("/sagas", ADMIN, "SearchSagas", ""),
    get("/sagas:count", ADMIN, "CountSagas", ""),
    get("/sagas:list", SAGA, "ListSagas", ""),
    post(
        "/sagas",
        SAGA,
        "StartSaga",
        "",
        r#"{"requestId": "0197f0c8-4d2a-7c11-9a51-3f2b8f4d6a01", "definition": "order", "input": ""}"#,
    ),
    get("/sagas/{saga}", SAGA, "GetSaga", "name").answered(Answer::Tagged),
    get("/sagas/{saga}:explain", ADMIN, "ExplainSaga", "name"),
    get("/sagas/{saga}:timeline", ADMIN, "GetSagaTimeline", "name"),
    get("/sagas/{saga}:watch", SAGA, "WatchSaga", "name").answered(Answer::Stream),
    get("/sagas/{saga}/events", SAGA, "ListSagaEvents", "parent"),
    post(
        "/sagas/{saga}:act",
        ADMIN,
        "ActOnSaga",
        "name",
        r#"{"verb": "SAGA_VERB_RETRY", "reason": "the provider is back", "actor": "ada"}"#,
    )
    .answered(Answer::Tagged),
    get("/jobs", ADMIN, "ListJobs", ""),
    post(
        "/jobs",
        ADMIN,
        "CreateJob",
        "",
        r#"{"filter": "state = stuck AND reason = REFUND_REFUSED", "verb": "SAGA_VERB_RETRY", "reason": "the provider is back", "actor": "ada"}"#,
    ),
    get("/jobs/{job}", ADMIN, "GetJob", "name"),
    post(
        "/jobs/{job}:control",
        ADMIN,
        "ControlJob",
        "name",
        r#"{"control": "JOB_CONTROL_PAUSE", "reason": "too fast for the provider", "actor": "ada"}"#,
    ),
    get("/jobs/{job}/failures", ADMIN, "ListJobFailures", "parent"),
    get("/holds", ADMIN, "ListHolds", ""),
    post(
        "/holds",
        ADMIN,
        "CreateHold",
        "",
        r#"{"name": "holds/participants/payment", "reason": "the provider is down", "actor": "ada"}"#,
    ),
    post("/holds/{kind}/{held}:release", ADMIN, "ReleaseHold", "name", REASONED),
    get("/deadLetters", ADMIN, "ListDeadLetters", ""),
    get("/deadLetters/{deadLetter}", ADMIN, "GetDeadLetter", "name"),
    post("/deadLetters/{deadLetter}:replay", ADMIN, "ReplayDeadLetter", "name", REASONED),
    post("/deadLetters/{deadLetter}:drop", ADMIN, "DropDeadLetter", "name", REASONED),
    get("/auditEntries", ADMIN, "ListAuditEntries", ""),
    get("/overview", ADMIN, "GetOverview", ""),
    get("/overview:watch", ADMIN, "GetOverview", "").answered(Answer::Repeated),
    get("/definitions", ADMIN, "ListDefinitions", ""),
    get("/definitions/{definition}/versions/{version}", ADMIN, "GetDefinition", "name"),
    post(
        "/definitions:check",
        ADMIN,
        "CheckDefinition",
        "",
        r#"{"definition": {"name": "definitions/order/versions/2", "steps": [{"step": "stock.reserved", "participant": "stock", "kind": "STEP_KIND_COMPENSATABLE", "action": "stock.reserve", "undo": "stock.release"}]}}"#,
    ),
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
    get("/payments", PAYMENT, "ListPayments", ""),
    get("/payments/{payment}", PAYMENT, "GetPayment", "name"),
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
    get("/chaosTargets", CHAOS, "ListChaosTargets", ""),
    post("/chaosTargets:kill", CHAOS, "KillTarget", "", r#"{"target": "stock"}"#),
    post("/chaosTargets:revive", CHAOS, "ReviveTarget", "", r#"{"target": "stock"}"#),
];

#[cfg(test)]
mod tests {
    use super::{Answer, ROUTES, SERVICES};
    use crate::http::served::{POOL, SERVED};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_call_has_one_route_and_every_route_a_call() {
        let mut routes: BTreeMap<(String, String), usize> = BTreeMap::new();
        for route in ROUTES.iter().filter(|route| route.answer != Answer::Repeated) {
            *routes.entry((route.service.to_owned(), route.call.to_owned())).or_default() += 1;
        }
        let services = SERVICES.map(|name| POOL.get_service_by_name(name).expect(name));
        let calls = services.iter().flat_map(|service| {
            service
                .methods()
                .map(|method| (service.full_name().to_owned(), method.name().to_owned()))
                .collect::<Vec<_>>()
        });
        assert_eq!(routes, calls.map(|call| (call, 1)).collect());
        assert_eq!(SERVED.len(), ROUTES.len());
    }

    #[test]
    fn paths_differ_and_fit_their_calls() {
        let distinct: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
        assert_eq!(distinct.len(), ROUTES.len());
        for served in SERVED.iter() {
            let route = served.route;
            assert_eq!(route.named.is_empty(), served.template.variables().next().is_none(), "{}", route.path);
            assert_eq!(served.method.is_server_streaming(), route.answer == Answer::Stream, "{}", route.path);
            assert_eq!(route.example.is_empty(), route.method == http::Method::GET, "{}", route.path);
            if !route.named.is_empty() {
                assert!(served.method.input().get_field_by_name(route.named).is_some(), "{}", route.path);
            }
        }
    }

    #[test]
    fn what_every_example_says_is_a_request() {
        for served in SERVED.iter().filter(|served| !served.route.example.is_empty()) {
            let value = serde_json::from_str(served.route.example).expect(served.route.path);
            assert_eq!(crate::http::shape::flaws(&value, &served.method.input()), [], "{}", served.route.path);
        }
    }
}
