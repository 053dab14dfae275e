//! The provider over real HTTP: the API's calls, bad input, faults, and a ledger that outlives its process.

use baton_sandbox::server::{Sandbox, SandboxConfig};
use baton_sql::database::DatabaseConfig;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const KEY: &str = "key-of-the-tests";
const SECRET: &str = "secret-of-the-tests";

struct Provider {
    sandbox: Sandbox,
    client: Client,
    token: String,
}

impl Provider {
    async fn start(database: DatabaseConfig) -> Self {
        // A second installation in the same process is refused, which is what we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let config = SandboxConfig { database, imp_key: KEY.to_owned(), imp_secret: SECRET.to_owned().into(), seed: 7 };
        let sandbox = Sandbox::start(listener, config).await.expect("a provider");
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let mut provider = Self { sandbox, client, token: String::new() };
        provider.login().await;
        provider
    }

    async fn memory() -> Self {
        Self::start(DatabaseConfig::SqliteMemory).await
    }

    async fn login(&mut self) {
        let (status, answer) =
            self.call(Method::POST, "/users/getToken", json!({ "imp_key": KEY, "imp_secret": SECRET })).await;
        assert_eq!((status, &answer["code"]), (200, &json!(0)));
        assert!(answer["response"]["expired_at"].as_i64() > answer["response"]["now"].as_i64());
        answer["response"]["access_token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> reqwest::Result<Response> {
        let url = format!("{}{path}", self.sandbox.url());
        let request = self.client.request(method, url).bearer_auth(&self.token);
        if body.is_null() { request.send().await } else { request.json(&body).send().await }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, path, body).await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("an envelope"))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    async fn pay(&self, imp_uid: &str, merchant_uid: &str, amount: i64) {
        let body = json!({ "imp_uid": imp_uid, "merchant_uid": merchant_uid, "amount": amount, "currency": "KRW" });
        let (status, answer) = self.post("/_sandbox/pay", body).await;
        assert_eq!((status, answer), (200, json!({ "code": 0, "message": null, "response": { "imp_uid": imp_uid } })));
    }

    async fn fault(&self, rule: Value) {
        let (status, _) = self.post("/_sandbox/faults", rule).await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn a_payment_is_paid_looked_up_and_refunded_once() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;

    let (status, answer) = provider.get("/payments/imp_1").await;
    let payment = &answer["response"];
    assert_eq!(status, 200);
    assert_eq!(payment["merchant_uid"], "order-1");
    assert_eq!((&payment["amount"], &payment["cancel_amount"]), (&json!(1000), &json!(0)));
    assert_eq!((&payment["status"], &payment["currency"]), (&json!("paid"), &json!("KRW")));
    assert!(payment["paid_at"].as_i64() > Some(0) && payment["cancelled_at"] == 0);
    for field in ["vbank_num", "card_number", "customer_uid", "receipt_url", "cancel_history", "promotion"] {
        assert!(payment.get(field).is_some(), "{field}");
    }
    for path in ["/payments/find/order-1", "/payments/find/order-1/", "/payments/find/order-1/paid"] {
        assert_eq!(provider.get(path).await.1["response"]["imp_uid"], "imp_1", "{path}");
    }
    assert_eq!(provider.get("/payments/find/order-1/failed").await.0, 404);

    let cancel = json!({ "imp_uid": "imp_1", "merchant_uid": "another", "checksum": 1000, "reason": "OUT_OF_STOCK" });
    let (status, answer) = provider.post("/payments/cancel", cancel.clone()).await;
    let payment = &answer["response"];
    assert_eq!((status, &answer["code"]), (200, &json!(0)));
    assert_eq!((&payment["status"], &payment["cancel_amount"]), (&json!("cancelled"), &json!(1000)));
    assert_eq!(payment["cancel_history"][0]["reason"], "OUT_OF_STOCK");

    let (status, answer) = provider.post("/payments/cancel", cancel).await;
    assert_eq!((status, &answer["response"]), (200, &Value::Null));
    assert_ne!(answer["code"], 0);
    let (_, answer) = provider.get("/_sandbox/ledger").await;
    let line = &answer["response"]["payments"][0];
    assert_eq!((&line["cancellations"], &line["cancelled_minor_units"]), (&json!(1), &json!(1000)));
    let (_, answer) = provider.get("/_sandbox/ledger/totals").await;
    assert_eq!(answer["response"]["consistent"], true);
    assert_eq!(answer["response"]["currencies"][0]["entries_minor_units"], 0);
}

#[tokio::test]
async fn partial_refunds_compare_the_balance_and_never_exceed_it() {
    let provider = Provider::memory().await;
    let body = json!({ "imp_uid": "imp_1", "merchant_uid": "m", "amount": 12.34, "currency": "USD" });
    provider.post("/_sandbox/pay", body).await;
    let cancel =
        |amount: Value, checksum: Value| json!({ "merchant_uid": "m", "amount": amount, "checksum": checksum });

    let (_, answer) = provider.post("/payments/cancel", cancel(json!(2.34), json!(12.34))).await;
    assert_eq!((&answer["response"]["status"], &answer["response"]["cancel_amount"]), (&json!("paid"), &json!(2.34)));
    for refused in [cancel(json!(1), json!(12.34)), cancel(json!(11), json!(10)), cancel(json!(0.001), json!(10))] {
        let (_, answer) = provider.post("/payments/cancel", refused).await;
        assert_ne!(answer["code"], 0, "{answer}");
    }
    let (_, answer) = provider.post("/payments/cancel", cancel(json!(0), json!("10.00"))).await;
    assert_eq!(answer["response"]["status"], "cancelled");
    let (_, answer) = provider.get("/_sandbox/ledger").await;
    assert_eq!(answer["response"]["payments"][0]["cancellations"], 2);
    assert_eq!(answer["response"]["payments"][0]["cancelled_minor_units"], 1234);
}

#[tokio::test]
async fn forms_and_bare_tokens_are_accepted() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 500).await;
    let url = |path: &str| format!("{}{path}", provider.sandbox.url());
    let form = |body: String| ("application/x-www-form-urlencoded", body);

    let (kind, body) = form(format!("imp_key={KEY}&imp_secret={SECRET}"));
    let request = provider.client.post(url("/users/getToken")).header("content-type", kind).body(body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("an envelope");
    let token = answer["response"]["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(token, provider.token, "the same token while it is valid");

    let (kind, body) = form("imp_uid=imp_1&amount=500&checksum=500&reason=a+reason".to_owned());
    let request = provider.client.post(url("/payments/cancel")).header("content-type", kind).body(body);
    let response = request.header("authorization", token).send().await.expect("an answer");
    let answer: Value = response.json().await.expect("an envelope");
    assert_eq!(answer["response"]["cancel_reason"], "a reason");
}

#[tokio::test]
async fn bad_input_is_refused_with_an_envelope_and_changes_nothing() {
    let mut provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    let pay = |field: &str, value: Value| {
        let mut body = json!({ "imp_uid": "imp_2", "merchant_uid": "order-2", "amount": 1, "currency": "KRW" });
        body[field] = value;
        body
    };
    let cases = [
        ("/_sandbox/pay", pay("amount", json!(0)), 400),
        ("/_sandbox/pay", pay("amount", json!(-5)), 400),
        ("/_sandbox/pay", pay("amount", json!(1.5)), 400),
        ("/_sandbox/pay", pay("amount", json!(1e18)), 400),
        ("/_sandbox/pay", pay("currency", json!("XXX")), 400),
        ("/_sandbox/pay", pay("status", json!("cancelled")), 400),
        ("/_sandbox/pay", pay("merchant_uid", json!("")), 400),
        ("/_sandbox/pay", pay("merchant_uid", json!("order-1")), 409),
        ("/_sandbox/pay", pay("imp_uid", json!("imp_1")), 409),
        ("/_sandbox/pay", pay("imp_uid", json!("x".repeat(65))), 400),
        ("/_sandbox/pay", json!([pay("name", json!("fine")), { "amount": 1 }]), 400),
        ("/_sandbox/pay", json!("text"), 400),
        ("/payments/cancel", json!({}), 400),
        ("/payments/cancel", json!({ "imp_uid": "imp_1", "amount": "ten" }), 400),
        ("/payments/cancel", json!({ "imp_uid": "imp_none" }), 404),
        ("/_sandbox/faults", json!({ "fault": "none_such" }), 400),
        ("/_sandbox/faults", json!({ "fault": "status", "value": 200 }), 400),
        ("/users/getToken", json!({ "imp_key": KEY, "imp_secret": "wrong" }), 401),
        ("/no/such/call", json!({}), 404),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = provider.post(path, body.clone()).await;
        assert_eq!(status, expected, "{path} {body}: {answer}");
        assert_ne!(answer["code"], 0, "{path} {body}");
        assert!(answer["response"].is_null() && answer["message"].is_string());
    }
    let (status, _) = provider.post("/payments/cancel", json!({ "imp_uid": "x".repeat(70_000) })).await;
    assert_eq!(status, 400, "the body is bounded");
    assert_eq!(provider.get("/payments/imp_none").await.0, 404);
    provider.token = "not-a-token".to_owned();
    assert_eq!(provider.get("/payments/imp_1").await.0, 401);
    let (_, answer) = provider.get("/_sandbox/ledger").await;
    assert_eq!(answer["response"]["payments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_turns_up_late_is_hidden_or_not_paid_at_first() {
    let provider = Provider::memory().await;
    // An hour is longer than the test runs; without the fault the payment is shown as it is.
    for (fault, status, word) in
        [("late_ms", 404, None), ("ready_ms", 200, Some("ready")), ("failed_ms", 200, Some("failed"))]
    {
        let imp_uid = format!("imp_{fault}");
        provider.pay(&imp_uid, &format!("order-{fault}"), 1000).await;
        provider.fault(json!({ "fault": fault, "value": 3_600_000, "imp_uid": imp_uid })).await;
        let (told, answer) = provider.get(&format!("/payments/{imp_uid}")).await;
        assert_eq!((told, answer["response"]["status"].as_str()), (status, word), "{fault}");
        let (_, list) = provider.get(&format!("/payments?imp_uid[]={imp_uid}")).await;
        assert_eq!(list["response"][0]["status"].as_str(), word, "{fault}");
        provider.call(Method::DELETE, "/_sandbox/faults", Value::Null).await;
        assert_eq!(provider.get(&format!("/payments/{imp_uid}")).await.1["response"]["status"], "paid");
    }
    provider.fault(json!({ "fault": "late_ms", "value": 3_600_000 })).await;
    assert_eq!(provider.post("/payments/cancel", json!({ "imp_uid": "imp_late_ms" })).await.0, 404);
}

#[tokio::test]
async fn a_throttled_call_is_told_when_to_come_again() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    provider.fault(json!({ "fault": "throttle", "value": 7, "count": 1 })).await;
    let response = provider.send(Method::GET, "/payments/imp_1", Value::Null).await.expect("an answer");
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    assert_eq!((response.status().as_u16(), after), (429, Some("7")));
    assert_eq!(provider.get("/payments/imp_1").await.0, 200);
    assert_eq!(provider.post("/_sandbox/faults", json!({ "fault": "throttle", "value": 4000 })).await.0, 400);
}

#[tokio::test]
async fn a_merchant_refunds_a_part_and_the_word_may_contradict_it() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    let (_, answer) = provider.post("/_sandbox/cancel", json!({ "imp_uid": "imp_1", "amount": 400 })).await;
    let shown = |answer: &Value| (answer["response"]["status"].clone(), answer["response"]["cancel_amount"].clone());
    assert_eq!(shown(&answer), (json!("paid"), json!(400)));
    provider.fault(json!({ "fault": "word", "value": "cancelled", "count": 1 })).await;
    assert_eq!(shown(&provider.get("/payments/imp_1").await.1), (json!("cancelled"), json!(400)));
    assert_eq!(shown(&provider.get("/payments/imp_1").await.1), (json!("paid"), json!(400)));
    assert_eq!(provider.post("/_sandbox/cancel", json!({})).await.0, 400);
}

#[tokio::test]
async fn a_prepared_amount_cannot_be_tampered_with() {
    let provider = Provider::memory().await;
    let prepare = |amount: i64| json!({ "merchant_uid": "order-1", "amount": amount });
    assert_eq!(provider.post("/payments/prepare", prepare(1000)).await.1["code"], 0);
    assert_eq!(provider.post("/payments/prepare", prepare(1000)).await.1["code"], 0);
    assert_ne!(provider.post("/payments/prepare", prepare(900)).await.1["code"], 0);
    let pay = |amount: i64| json!({ "merchant_uid": "order-1", "amount": amount, "currency": "KRW" });
    assert_eq!(provider.post("/_sandbox/pay", pay(900)).await.0, 409);
    assert_eq!(provider.call(Method::PUT, "/payments/prepare", prepare(900)).await.1["code"], 0);
    let (_, answer) = provider.get("/payments/prepare/order-1").await;
    assert_eq!(answer["response"], json!({ "merchant_uid": "order-1", "amount": 900, "currency": "KRW" }));
    assert_eq!(provider.post("/_sandbox/pay", pay(900)).await.0, 200);
    assert_eq!(provider.get("/payments/prepare/none").await.0, 404);
}

#[tokio::test]
async fn a_failed_payment_may_be_paid_later_and_a_repeat_changes_nothing() {
    let provider = Provider::memory().await;
    let pay = |status: &str| json!({ "imp_uid": "imp_1", "merchant_uid": "order-1", "amount": 10, "currency": "KRW", "status": status });
    for (sent, shown) in [("failed", "failed"), ("paid", "paid"), ("paid", "paid"), ("failed", "paid")] {
        assert_eq!(provider.post("/_sandbox/pay", pay(sent)).await.0, 200);
        assert_eq!(provider.get("/payments/imp_1").await.1["response"]["status"], shown);
    }
    let totals = provider.sandbox.ledger().totals().await.expect("totals");
    assert_eq!((totals[0].payments, totals[0].entries_minor_units), (1, 10));
}

#[tokio::test]
async fn ten_thousand_payments_in_one_call_are_listed_by_pages() {
    let provider = Provider::memory().await;
    let payment = |index: usize| {
        json!({ "imp_uid": format!("imp_{index:05}"), "merchant_uid": format!("order-{index}"), "amount": 7,
                "currency": "KRW" })
    };
    let batch: Vec<Value> = (0..10_000).map(payment).collect();
    let (status, answer) = provider.post("/_sandbox/pay", json!(batch)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["response"][9_999]["imp_uid"], "imp_09999");
    let too_many: Vec<Value> = (0..10_001).map(payment).collect();
    assert_eq!(provider.post("/_sandbox/pay", json!(too_many)).await.0, 400);

    let (mut after, mut seen) = (String::new(), 0);
    loop {
        let (_, answer) = provider.get(&format!("/_sandbox/ledger?limit=3000&after={after}")).await;
        seen += answer["response"]["payments"].as_array().map_or(0, Vec::len);
        match answer["response"]["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(seen, 10_000);
}

#[tokio::test]
async fn every_fault_does_what_it_says() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    let once = |fault: &str, value: Value, operation: &str| json!({ "fault": fault, "value": value, "operation": operation, "count": 1 });
    let cancel = json!({ "imp_uid": "imp_1", "checksum": 1000 });

    for status in [429, 500, 503] {
        provider.fault(once("status", json!(status), "cancel")).await;
        assert_eq!(provider.post("/payments/cancel", cancel.clone()).await.0, status);
    }
    provider.fault(once("cut_before_effect", Value::Null, "cancel")).await;
    assert!(provider.send(Method::POST, "/payments/cancel", cancel.clone()).await.is_err());
    provider.fault(once("cancel_refused", Value::Null, "cancel")).await;
    assert_ne!(provider.post("/payments/cancel", cancel.clone()).await.1["code"], 0);
    provider.fault(once("unknown_id", Value::Null, "lookup")).await;
    assert_eq!(provider.get("/payments/imp_1").await.0, 404);
    provider.fault(once("wrong_amount", Value::Null, "lookup")).await;
    assert_eq!(provider.get("/payments/imp_1").await.1["response"]["amount"], 1001);
    provider.fault(once("wrong_currency", Value::Null, "lookup")).await;
    assert_eq!(provider.get("/payments/imp_1").await.1["response"]["currency"], "JPY");
    provider.fault(once("latency_ms", json!(60), "lookup")).await;
    let begun = Instant::now();
    assert_eq!(provider.get("/payments/imp_1").await.1["response"]["status"], "paid");
    assert!(begun.elapsed() >= Duration::from_millis(60));

    assert_eq!(provider.sandbox.ledger().find("imp_1").await.expect("the ledger").expect("a payment").cancelled, 0);
    provider.fault(once("cut_after_effect", Value::Null, "cancel")).await;
    assert!(provider.send(Method::POST, "/payments/cancel", cancel).await.is_err());
    assert_eq!(provider.sandbox.ledger().find("imp_1").await.expect("the ledger").expect("a payment").cancelled, 1000);

    provider.fault(json!({ "fault": "expired_token", "count": 1 })).await;
    assert_eq!(provider.get("/payments/imp_1").await.0, 401);
    assert_eq!(provider.get("/payments/imp_1").await.0, 401, "until the client logs in again");
    provider.fault(json!({ "fault": "unknown_id", "imp_uid": "imp_1" })).await;
    assert_eq!(provider.get("/_sandbox/faults").await.1["response"].as_array().map(Vec::len), Some(1));
    provider.call(Method::DELETE, "/_sandbox/faults", Value::Null).await;
    assert_eq!(provider.get("/_sandbox/faults").await.1["response"], json!([]));
}

#[tokio::test]
async fn concurrent_refunds_of_one_payment_happen_once() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    let cancel = json!({ "imp_uid": "imp_1", "amount": 1000, "checksum": 1000 });
    let calls = (0..20).map(|_| provider.post("/payments/cancel", cancel.clone()));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|(_, answer)| answer["code"] == 0).count(), 1);
    let payment = provider.sandbox.ledger().find("imp_1").await.expect("the ledger").expect("a payment");
    assert_eq!((payment.cancelled, payment.cancellations), (1000, 1));
}

async fn on_file(dir: &Path) -> Provider {
    Provider::start(DatabaseConfig::sqlite(dir.join("provider.db"))).await
}

#[tokio::test]
async fn the_ledger_outlives_a_provider_that_was_not_shut_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let provider = on_file(dir.path()).await;
    provider.pay("imp_1", "order-1", 1000).await;
    provider.pay("imp_2", "order-2", 10).await;
    provider.post("/payments/cancel", json!({ "imp_uid": "imp_1", "checksum": 1000 })).await;
    drop(provider);

    let provider = on_file(dir.path()).await;
    assert_eq!(provider.get("/payments/imp_1").await.1["response"]["status"], "cancelled");
    assert_eq!(provider.get("/payments/imp_2").await.1["response"]["status"], "paid");
    provider.pay("imp_2", "order-2", 10).await;
    let totals = provider.sandbox.ledger().totals().await.expect("totals");
    assert_eq!((totals[0].payments, totals[0].cancellations, totals[0].entries_minor_units), (2, 1, 10));
    provider.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let provider = Provider::memory().await;
    let own = provider.sandbox.url();
    let fault = json!({ "fault": "status", "value": 503, "operation": "lookup" }).to_string();
    let asked = async |method: Method, path: &str, name: &str, value: &str| {
        let request = provider.client.request(method, format!("{own}{path}")).header(name, value);
        // What a form of any page can send without asking first.
        let request = request.header("content-type", "text/plain").body(fault.clone());
        request.send().await.expect("an answer").status().as_u16()
    };
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for path in ["/_sandbox/faults", "/_sandbox/pay"] {
            assert_eq!(asked(Method::POST, path, name, value).await, 403, "{path} {name}: {value}");
        }
        assert_eq!(asked(Method::DELETE, "/_sandbox/faults", name, value).await, 403, "{name}: {value}");
        assert_eq!(asked(Method::GET, "/_sandbox/faults", name, value).await, 200, "{name}: {value}");
    }
    assert_eq!(provider.get("/_sandbox/faults").await.1["response"], json!([]), "no fault was set");
    for (name, value) in [("origin", own.as_str()), ("sec-fetch-site", "none")] {
        assert_eq!(asked(Method::POST, "/_sandbox/faults", name, value).await, 200, "{name}: {value}");
    }
}

/// The ids on a page, in its order.
fn ids(answer: &Value) -> Vec<&str> {
    let list = answer["response"]["list"].as_array().expect("a list");
    list.iter().map(|payment| payment["imp_uid"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn the_balance_says_what_is_left_and_how_it_came_to_be() {
    let provider = Provider::memory().await;
    provider.pay("imp_1", "order-1", 1000).await;
    for amount in [300, 200] {
        provider.post("/payments/cancel", json!({ "imp_uid": "imp_1", "amount": amount })).await;
    }
    let (status, answer) = provider.get("/payments/imp_1/balance").await;
    let balance = &answer["response"];
    assert_eq!((status, &balance["amount"], &balance["primary"]["supply"]), (200, &json!(500), &json!(500)));
    assert_eq!((&balance["secondary"]["supply"], &balance["primary"]["vat"]), (&json!(0), &json!(0)));
    let histories = balance["histories"].as_array().expect("a list");
    let left: Vec<&Value> = histories.iter().map(|entry| &entry["primary"]["supply"]).collect();
    assert_eq!(left, [&json!(1000), &json!(700), &json!(500)]);
    assert!(histories.iter().all(|entry| entry["created"].as_i64() > Some(0)));

    let unpaid =
        json!({ "imp_uid": "imp_2", "merchant_uid": "order-2", "amount": 7, "currency": "KRW", "status": "ready" });
    provider.post("/_sandbox/pay", unpaid).await;
    let balance = &provider.get("/payments/imp_2/balance").await.1["response"];
    assert_eq!((&balance["amount"], &balance["histories"]), (&json!(0), &json!([])));
    assert_eq!(provider.get("/payments/imp_none/balance").await.0, 404);
}

#[tokio::test]
async fn payments_of_a_status_are_listed_by_pages_in_an_order() {
    let provider = Provider::memory().await;
    assert_eq!(
        provider.get("/payments/status/all").await.1["response"],
        json!({ "total": 0, "previous": 0, "next": 0, "list": [] })
    );
    for index in 0..45 {
        provider.pay(&format!("imp_{index:02}"), &format!("order-{index}"), 10).await;
    }
    provider.post("/payments/cancel", json!({ "imp_uid": "imp_07" })).await;
    let (_, first) = provider.get("/payments/status/paid").await;
    let page = &first["response"];
    assert_eq!((&page["total"], &page["previous"], &page["next"]), (&json!(44), &json!(0), &json!(2)));
    assert_eq!((ids(&first).len(), ids(&first)[0]), (20, "imp_44"), "twenty, the newest first");
    let (_, last) = provider.get("/payments/status/paid?page=3").await;
    assert_eq!((&last["response"]["previous"], &last["response"]["next"]), (&json!(2), &json!(0)));
    assert_eq!(ids(&last), ["imp_03", "imp_02", "imp_01", "imp_00"]);
    let (_, all) = provider.get("/payments/status/all?limit=1000&sorting=started").await;
    assert_eq!((ids(&all).len(), ids(&all)[0]), (45, "imp_00"));
    let (_, updated) = provider.get("/payments/status/all?limit=1&sorting=-updated").await;
    assert_eq!(ids(&updated), ["imp_07"], "refunded last of all");
    let (_, cancelled) = provider.get("/payments/status/cancelled").await;
    assert_eq!(cancelled["response"]["list"][0]["cancel_history"][0]["amount"], 10);
    let started = all["response"]["list"][0]["started_at"].as_i64().expect("a time");
    for (query, total) in [
        (format!("from={started}&to={}", started + 3_600), 45),
        (format!("from={}&to={}", started - 200, started - 100), 0),
        (format!("to={}", started - 100), 0),
    ] {
        let (_, answer) = provider.get(&format!("/payments/status/all?{query}")).await;
        assert_eq!(answer["response"]["total"], total, "{query}");
    }
    let too_long = format!("/payments/status/all?from={}&to={started}", started - 91 * 24 * 3_600);
    for bad in [
        "/payments/status/none_such",
        "/payments/status/all?page=4",
        "/payments/status/all?page=0",
        "/payments/status/all?limit=1001",
        "/payments/status/all?sorting=amount",
        "/payments/status/all?from=2&to=1",
        &too_long,
    ] {
        let (status, answer) = provider.get(bad).await;
        assert_eq!((status, &answer["response"]), (400, &Value::Null), "{bad}");
    }
}

#[tokio::test]
async fn every_payment_of_a_number_is_listed() {
    let mut provider = Provider::memory().await;
    let pay = |imp_uid: &str, status: &str| json!({ "imp_uid": imp_uid, "merchant_uid": "order-1", "amount": 10, "currency": "KRW", "status": status });
    for (imp_uid, status) in [("imp_1", "failed"), ("imp_2", "paid"), ("imp_3", "ready")] {
        assert_eq!(provider.post("/_sandbox/pay", pay(imp_uid, status)).await.0, 200);
    }
    for path in ["/payments/findAll/order-1", "/payments/findAll/order-1/", "/payments/findAll/order-1/all"] {
        assert_eq!(ids(&provider.get(path).await.1), ["imp_3", "imp_2", "imp_1"], "{path}");
    }
    assert_eq!(ids(&provider.get("/payments/findAll/order-1?sorting=started").await.1), ["imp_1", "imp_2", "imp_3"]);
    assert_eq!(ids(&provider.get("/payments/findAll/order-1/failed").await.1), ["imp_1"]);
    assert_eq!(provider.get("/payments/find/order-1").await.1["response"]["imp_uid"], "imp_2", "the captured one");
    let newest = provider.get("/payments/find/order-1/all?sorting=-started").await.1;
    assert_eq!(newest["response"]["imp_uid"], "imp_3");
    for (path, expected) in [
        ("/payments/findAll/order-2", 404),
        ("/payments/findAll/order-1/cancelled", 404),
        ("/payments/findAll/order-1/none_such", 400),
        ("/payments/findAll/order-1?page=2", 400),
        ("/payments/find/order-1?sorting=amount", 400),
    ] {
        assert_eq!(provider.get(path).await.0, expected, "{path}");
    }
    provider.fault(json!({ "fault": "unknown_id", "imp_uid": "imp_2", "count": 1 })).await;
    assert_eq!(ids(&provider.get("/payments/findAll/order-1").await.1), ["imp_3", "imp_1"]);
    provider.token = "not-a-token".to_owned();
    assert_eq!(provider.get("/payments/findAll/order-1").await.0, 401);
}
