//! Payments that are late, on the whole path: one that shows a moment after its order was placed completes it, one that comes after
//! the order's end goes back, and money that cannot go back is named to whoever asks.

use crate::support;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::{BATON, Dev, counter, wait_for};
use uuid::Uuid;

struct Shop {
    dev: Dev,
    client: reqwest::Client,
}

impl Shop {
    async fn start(dir: &Path, patience: &str) -> Self {
        baton::tls::install();
        let dev = Dev::start_with(dir, &[("BATON_PROVIDER__PATIENCE", patience)]).await;
        let shop = Self { dev, client: reqwest::Client::builder().no_proxy().build().expect("a client") };
        shop.ok(&["items", "create", "apple", "--price", "500", "--stock", "10"]);
        shop
    }

    fn run(&self, args: &[&str]) -> Output {
        let server = self.dev.address();
        let mut command = Command::new(BATON);
        command.args(["--server", &server, "-o", "json"]).args(args).env_clear().stdin(Stdio::null());
        command.output().expect("baton runs")
    }

    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// A new order of two apples.
    fn order(&self) -> String {
        let order = self.ok(&["orders", "create", "--line", "apple=2"]);
        order["order"]["name"].as_str().expect("a name").trim_start_matches("orders/").to_owned()
    }

    /// Places an order to its end; the state it has then, and why.
    fn place(&self, order: &str, payment: &str) -> (String, String) {
        let output = self.run(&["orders", "place", "--order", order, "--payment", payment]);
        let progress: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |field: &str| progress["progress"][field].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }

    async fn provider(&self, path: &str, body: Value) {
        let request = self.client.post(format!("{}/_sandbox/{path}", self.dev.provider_url())).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    async fn pay(&self, order: &str, payment: &str) {
        let body = json!({ "imp_uid": payment, "merchant_uid": order, "amount": 1000, "currency": "KRW" });
        self.provider("pay", body).await;
    }

    /// What went back of the provider's one payment.
    async fn refunded(&self) -> i64 {
        let url = format!("{}/_sandbox/ledger", self.dev.provider_url());
        let ledger: Value = self.client.get(url).send().await.expect("an answer").json().await.expect("JSON");
        let payments = ledger["response"]["payments"].as_array().expect("payments");
        payments.iter().filter_map(|payment| payment["cancelled_minor_units"].as_i64()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_shows_a_moment_late_completes_its_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = Shop::start(dir.path(), "30s").await;
    for (fault, payment) in [("late_ms", "imp_late"), ("ready_ms", "imp_ready"), ("failed_ms", "imp_failed")] {
        shop.provider("faults", json!({ "fault": fault, "value": 1_000, "imp_uid": payment })).await;
        let order = shop.order();
        shop.pay(&order, payment).await;
        assert_eq!(shop.place(&order, payment).0, "ORDER_STATE_PAYMENT_SUCCESS", "{fault}");
    }
    assert_eq!(shop.refunded().await, 0);
    assert_eq!(shop.ok(&["payments", "cases"])["cases"].as_array().map_or(0, Vec::len), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_the_orders_end_goes_back_or_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = Shop::start(dir.path(), "0s").await;
    let order = shop.order();
    let payment = format!("imp_{}", Uuid::now_v7().simple());
    assert_eq!(shop.place(&order, &payment).1, "PAYMENT_UNKNOWN");
    let cases = shop.ok(&["payments", "cases"]);
    assert_eq!(cases["cases"][0]["state"], "PAYMENT_CASE_STATE_WATCHED", "{cases}");

    // It comes, and the provider will not have it back: somebody hears of it.
    shop.provider("faults", json!({ "fault": "cancel_refused", "imp_uid": payment })).await;
    shop.pay(&order, &payment).await;
    let admin = shop.dev.admin;
    wait_for("the open case to be counted", async || counter(admin, "shop_payment_open_cases").await == 1).await;
    assert_eq!(counter(admin, "shop_payment_open_minor_units{currency=\"KRW\"}").await, 1_000);
    let open = shop.ok(&["payments", "cases", "--open"]);
    assert_eq!(
        (&open["cases"][0]["reason"], &open["cases"][0]["heldMinorUnits"]),
        (&json!("PAYMENT_REFUND_REFUSED"), &json!("1000"))
    );
    let data = dir.path().join("data");
    let doctor = Command::new(BATON).args(["doctor", "-o", "json", "--data-dir"]).arg(&data).env_clear().output();
    let doctor = doctor.expect("it runs");
    let findings: Vec<Value> = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let money = findings.iter().find(|it| it["check"] == "money").expect("a finding");
    assert_eq!((&money["verdict"], doctor.status.code()), (&json!("BAD"), Some(1)), "{money}");
    assert!(money["found"].as_str().is_some_and(|found| found.contains("1000 minor units of KRW")), "{money}");

    // A second one comes, and goes back by itself.
    let second = shop.order();
    assert_eq!(shop.place(&second, "imp_second").1, "PAYMENT_UNKNOWN");
    shop.pay(&second, "imp_second").await;
    wait_for("the late money to go back", async || shop.refunded().await == 1_000).await;

    // A person decides about the first.
    let case = open["cases"][0]["name"].as_str().expect("a name").to_owned();
    let settled = shop.ok(&["payments", "settle", &case, "--reason", "the customer gets a voucher", "--actor", "ada"]);
    assert_eq!(settled["case"]["decision"], "ada: the customer gets a voucher");
    assert_eq!(shop.ok(&["payments", "cases", "--open"])["cases"].as_array().map_or(0, Vec::len), 0);
}
