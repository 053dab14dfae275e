//! HTTP/JSON beyond what it has in common with the other ways: an order by curl's means, versions as ETags, repetitions, streams,
//! other sites, and the same through an orchestrator of the real shape.

use crate::support;
use baton_supervisor::stack::{Stack, StackOptions};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use support::{BATON, Dev, baton, wait_for};
use uuid::Uuid;

/// A client of one server.
struct Http {
    client: Client,
    base: String,
}

impl Http {
    fn new(admin: u16) -> Self {
        baton::tls::install();
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { client, base: format!("http://127.0.0.1:{admin}") }
    }

    fn asking(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.asking(Method::GET, path).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.expect("JSON")
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let response = self.asking(Method::POST, path).json(&body).send().await.expect("an answer");
        let status = response.status();
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

/// Status and reason of what was refused.
async fn refused(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["status"], status);
    (status, text(&problem["reason"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

/// Creates, pays and places an order; returns the answer to the last.
async fn order(http: &Http, provider: &str, wait: bool) -> Value {
    let item = json!({ "itemId": "apple", "currencyCode": "KRW", "unitPriceMinorUnits": "500", "initialStock": "100" });
    http.post("/api/v1/items", item).await;
    let lines = json!([{ "itemId": "apple", "quantity": "1", "unitPriceMinorUnits": "500" }]);
    let mut body = json!({ "requestId": Uuid::now_v7(), "customerId": "ada", "currencyCode": "KRW", "lines": lines });
    let created = http.post("/api/v1/orders", body.clone()).await;
    let name = text(&created["order"]["name"]);
    let pay = json!({ "merchant_uid": name.trim_start_matches("orders/"), "amount": 500, "currency": "KRW" });
    let paid = http.client.post(format!("{provider}/_sandbox/pay")).json(&pay).send().await.expect("paid");
    let paid: Value = paid.json().await.expect("JSON");
    body["requestId"] = json!(Uuid::now_v7());
    body["paymentId"] = paid["response"]["imp_uid"].clone();
    body["wait"] = json!(wait);
    http.post(&format!("/api/v1/{name}:place"), body).await
}

async fn broken_provider(http: &Http, provider: &str, broken: bool) {
    let url = format!("{provider}/_sandbox/faults");
    http.client.delete(&url).send().await.expect("no faults");
    if broken {
        let fault = json!({ "fault": "status", "value": 503, "operation": "lookup" });
        http.client.post(&url).json(&fault).send().await.expect("a fault");
    }
}

/// A shop in one process, with a saga that waits for a provider that is down.
async fn waiting() -> (tempfile::TempDir, Dev, Http, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let http = Http::new(dev.admin);
    broken_provider(&http, &dev.provider_url(), true).await;
    let placed = order(&http, &dev.provider_url(), false).await;
    let saga = text(&placed["progress"]["saga"]);
    wait_for("the provider to be asked in vain", async || {
        let got = http.get(&format!("/api/v1/{saga}")).await;
        got["saga"]["step"] == "payment.verify" && got["saga"]["attempt"].as_u64() >= Some(1)
    })
    .await;
    (dir, dev, http, saga)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_an_etag_and_a_stale_one_changes_nothing() {
    let (_dir, _dev, http, saga) = waiting().await;
    let (path, act) = (format!("/api/v1/{saga}"), format!("/api/v1/{saga}:act"));
    let pause = json!({ "verb": "SAGA_VERB_PAUSE", "reason": "the provider is down", "actor": "ada" });
    let paused = http.asking(Method::POST, &act).json(&pause).send().await.expect("an answer");
    let tag = header(&paused, "etag").to_owned();
    let version = text(&paused.json::<Value>().await.expect("JSON")["saga"]["version"]);
    assert_eq!(tag, format!("\"{version}\""));

    let known = http.asking(Method::GET, &path).header("if-none-match", &tag).send().await.expect("an answer");
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, tag.as_str()));
    let other = http.asking(Method::GET, &path).header("if-none-match", "\"1\"").send().await.expect("an answer");
    assert_eq!((other.status().as_u16(), header(&other, "etag")), (200, tag.as_str()));
    let head = http.asking(Method::HEAD, &path).send().await.expect("an answer");
    assert_eq!((head.status().as_u16(), header(&head, "etag")), (200, tag.as_str()));

    let resume = json!({ "verb": "SAGA_VERB_RESUME", "reason": "it is back", "actor": "ada" });
    let stale = http.asking(Method::POST, &act).header("if-match", "\"1\"").json(&resume);
    assert_eq!(refused(stale).await, (412, "VERSION_MISMATCH".to_owned()));
    let mut in_body = resume.clone();
    in_body["version"] = json!("1");
    let stale = http.asking(Method::POST, &act).json(&in_body);
    assert_eq!(refused(stale).await, (409, "VERSION_MISMATCH".to_owned()), "no precondition of HTTP's");
    let both = http.asking(Method::POST, &act).header("if-match", &tag).json(&in_body);
    assert_eq!(refused(both).await, (400, "FIELD_CONFLICT".to_owned()));
    assert_eq!(http.get(&path).await["saga"]["state"], "SAGA_STATE_PAUSED", "nothing has changed");
    let resumed =
        http.asking(Method::POST, &act).header("if-match", &tag).json(&resume).send().await.expect("an answer");
    assert_eq!(resumed.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_a_repetition_harmless() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let http = Http::new(dev.admin);
    order(&http, &dev.provider_url(), true).await;
    let key = Uuid::now_v7().to_string();
    let restock = async |quantity: &str| {
        let body = json!({ "quantity": quantity });
        let request = http.asking(Method::POST, "/api/v1/items/apple:restock");
        let response = request.header("idempotency-key", &key).json(&body).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(restock("10").await.1["item"]["stocked"], "110");
    assert_eq!(restock("10").await.1["item"]["stocked"], "110");
    let (status, problem) = restock("11").await;
    assert_eq!((status, text(&problem["reason"])), (409, "REQUEST_ID_REUSED".to_owned()));
    let without = http.asking(Method::POST, "/api/v1/items/apple:restock").json(&json!({ "quantity": "10" }));
    assert_eq!(refused(without).await.0, 400);
}

/// The events of a stream until it ends: event name, id, data.
async fn events(mut response: Response) -> Vec<(String, String, Value)> {
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("it goes on") {
        bytes.extend_from_slice(&chunk);
    }
    let whole = String::from_utf8(bytes).expect("UTF-8");
    let blocks = whole.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    let field = |block: &str, name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.collect::<String>()
    };
    let each = blocks.map(|block| {
        let data = serde_json::from_str(&field(block, "data")).expect("JSON");
        (field(block, "event"), field(block, "id"), data)
    });
    each.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_is_watched_to_its_end_and_taken_up_where_it_was_left() {
    let (_dir, dev, http, saga) = waiting().await;
    let watch = format!("/api/v1/{saga}:watch");
    let response = http.asking(Method::GET, &watch).send().await.expect("an answer");
    broken_provider(&http, &dev.provider_url(), false).await;
    let seen = events(response).await;
    let versions: Vec<u64> = seen.iter().filter_map(|(_, id, _)| id.parse().ok()).collect();
    assert!(versions.len() >= 2 && versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let (before, end) = (&seen[seen.len() - 2], &seen[seen.len() - 1]);
    assert_eq!(before.2["saga"]["state"], "SAGA_STATE_COMPLETED", "{seen:?}");
    assert_eq!((end.0.as_str(), end.1.as_str()), ("end", ""), "{seen:?}");

    let middle = versions[versions.len() - 2];
    let again = http.asking(Method::GET, &watch).header("last-event-id", middle.to_string());
    let seen = events(again.send().await.expect("an answer")).await;
    let ids: Vec<&str> = seen.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(ids, [versions[versions.len() - 1].to_string().as_str(), ""], "only what is newer: {seen:?}");
    let unknown = http.asking(Method::GET, &format!("/api/v1/sagas/{}:watch", Uuid::nil()));
    assert_eq!(refused(unknown).await, (404, "SAGA_NOT_FOUND".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_do_not_hold_a_process_that_stops() {
    let (_dir, dev, http, saga) = waiting().await;
    let response = http.asking(Method::GET, &format!("/api/v1/{saga}:watch")).send().await.expect("an answer");
    let status = dev.process.stop().expect("it stops");
    assert!(status.is_some_and(|status| status.success()), "in good time and order: {status:?}");
    let seen = events(response).await;
    assert!(seen.iter().all(|(event, ..)| event != "end"), "the saga has not ended: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_and_other_names_are_refused_and_answers_tell_nothing_on() {
    let (_dir, _dev, http, saga) = waiting().await;
    let act = format!("/api/v1/{saga}:act");
    let cancel = json!({ "verb": "SAGA_VERB_CANCEL", "reason": "x", "actor": "x" });
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let request = http.asking(Method::POST, &act).header(name, value).json(&cancel);
        assert_eq!(refused(request).await, (403, "ORIGIN_REFUSED".to_owned()), "{name}: {value}");
    }
    let form = http.asking(Method::POST, &act).header("content-type", "application/x-www-form-urlencoded").body("a=b");
    assert_eq!(refused(form).await, (415, "CONTENT_TYPE_UNSUPPORTED".to_owned()));
    let rebound = http.asking(Method::GET, "/api/v1/sagas").header("host", "evil.example");
    assert_eq!(refused(rebound).await, (403, "HOST_REFUSED".to_owned()));
    assert_eq!(http.get(&format!("/api/v1/{saga}")).await["saga"]["direction"], "action", "nothing has changed");

    for path in ["/api/v1/sagas", "/api/v1/nothing", "/api/docs", "/api/openapi.json"] {
        let answer =
            http.asking(Method::GET, path).header("origin", "https://evil.example").send().await.expect("an answer");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_told_precisely() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let http = Http::new(dev.admin);
    let nobody = format!("/api/v1/sagas/{}:act", Uuid::nil());
    let large = http.asking(Method::POST, &nobody).header("content-type", "application/json");
    assert_eq!(refused(large.body(" ".repeat(256 * 1024 + 1))).await, (413, "BODY_TOO_LARGE".to_owned()));
    assert_eq!(refused(http.asking(Method::GET, "/api/v1/nothing")).await, (404, "PATH_UNKNOWN".to_owned()));
    assert_eq!(refused(http.asking(Method::GET, "/api/v2")).await, (404, "PATH_UNKNOWN".to_owned()));
    let put = http.asking(Method::PUT, "/api/v1/sagas").send().await.expect("an answer");
    assert_eq!((put.status().as_u16(), header(&put, "allow")), (405, "GET, POST, HEAD, OPTIONS"));
    let options = http.asking(Method::OPTIONS, "/api/v1/sagas").send().await.expect("an answer");
    assert_eq!((options.status().as_u16(), header(&options, "allow")), (204, "GET, POST, HEAD, OPTIONS"));
    let filter = http.asking(Method::GET, "/api/v1/sagas?filter=stat%20%3D%20stuck").send().await.expect("an answer");
    let problem: Value = filter.json().await.expect("JSON");
    assert_eq!(problem["metadata"]["nearest_field"], "state", "{problem}");
    assert_eq!(problem["violations"][0]["field"], "filter", "{problem}");
    let order =
        json!({ "requestId": Uuid::now_v7(), "customerId": "", "currencyCode": "KRW", "lines": [{ "itemId": "?" }] });
    let order = http.asking(Method::POST, "/api/v1/orders").json(&order).send().await.expect("an answer");
    let problem: Value = order.json().await.expect("JSON");
    let fields: Vec<String> =
        problem["violations"].as_array().expect("violations").iter().map(|one| text(&one["field"])).collect();
    assert!(fields.contains(&"lines[0].itemId".to_owned()) && fields.contains(&"customerId".to_owned()), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_for_a_while_says_when_to_ask_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let http = Http::new(dev.admin);
    baton(&["--server", &dev.address(), "chaos", "kill", "stock"]);
    let away = http.asking(Method::GET, "/api/v1/items/apple").send().await.expect("an answer");
    let again: u64 = header(&away, "retry-after").parse().expect("Retry-After in seconds");
    assert!((1..=60).contains(&again), "{again} s");
    let again = http.asking(Method::GET, "/api/v1/items/apple");
    assert_eq!(refused(again).await, (503, "PARTICIPANT_UNAVAILABLE".to_owned()));
}

/// In the real shape the orchestrator passes on what participants serve.
#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_of_the_real_shape_speaks_it_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::start(dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    let http = Http::new(stack.endpoints.orchestrators[0].1);
    let placed = order(&http, &stack.provider_url(), true).await;
    assert_eq!(placed["progress"]["state"], "ORDER_STATE_PAYMENT_SUCCESS", "{placed}");
    let saga = text(&placed["progress"]["saga"]);
    let explained = http.get(&format!("/api/v1/{saga}:explain")).await;
    assert_eq!(explained["saga"]["state"], "SAGA_STATE_COMPLETED", "{explained}");
    let reservations = http.get("/api/v1/items/apple/reservations").await;
    assert_eq!(reservations["reservations"].as_array().map(Vec::len), Some(1), "{reservations}");
    let payments = http.get("/api/v1/payments").await;
    assert_eq!(payments["payments"].as_array().map(Vec::len), Some(1), "{payments}");
    stack.stop().expect("everything stops");
}
