//! A shop in one process, with a provider that can be told to fail, and sagas brought where no rule brings them in time.

use super::cli::{cli, parsed, text};
use super::drivers::{Driver, state};
use super::http::Http;
use super::page::Page;
use crate::support::stuck::{answered, happen, refused};
use crate::support::{Dev, wait_for};
use baton_orchestrator::store::sql::SqlStore;
use baton_sql::database::DatabaseConfig;
use saga_core::event::{Event, OperatorAction, Outcome, Verb};
use serde_json::{Value, json};
use tonic::transport::Endpoint;

/// A shop in one process, and a provider that can be told to fail.
pub struct Shop {
    pub dev: Dev,
    pub client: reqwest::Client,
    pub dir: tempfile::TempDir,
}

impl Shop {
    pub async fn open() -> Self {
        baton::tls::install();
        let dir = tempfile::tempdir().expect("a directory");
        let dev = Dev::start(dir.path()).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let shop = Self { dev, client, dir };
        shop.json(&["items", "create", "apple", "--price", "500", "--stock", "100"]);
        shop.json(&["items", "create", "rare", "--price", "500", "--stock", "0"]);
        shop
    }

    pub fn json(&self, args: &[&str]) -> Value {
        parsed(&cli(&self.dev.address(), "json", args).expect("it is done"))
    }

    pub async fn faults(&self, rules: &[Value]) {
        let url = format!("{}/_sandbox/faults", self.dev.provider_url());
        self.client.delete(&url).send().await.expect("no faults");
        for rule in rules {
            let answer = self.client.post(&url).json(rule).send().await.expect("a fault");
            assert!(answer.status().is_success(), "{answer:?}");
        }
    }

    /// Places a paid order and returns its number and its saga.
    pub async fn place(&self, item: &str) -> (String, String) {
        let order = self.json(&["orders", "create", "--line", &format!("{item}=1")]);
        let number = text(&order["order"]["name"]).trim_start_matches("orders/").to_owned();
        let body = json!({ "merchant_uid": number, "amount": 500, "currency": "KRW" });
        let url = format!("{}/_sandbox/pay", self.dev.provider_url());
        let paid: Value = self.client.post(url).json(&body).send().await.expect("paid").json().await.expect("JSON");
        let payment = text(&paid["response"]["imp_uid"]);
        let progress = self.json(&["orders", "place", "--order", &number, "--payment", &payment, "--no-wait"]);
        (number, text(&progress["progress"]["saga"]))
    }

    /// The shop again, with orders whose refund was refused for good: their numbers and their stuck sagas.
    pub async fn with_stuck(self, count: usize) -> (Self, Vec<(String, String)>) {
        self.faults(&[json!({ "fault": "cancel_refused" })]).await;
        let mut placed = Vec::new();
        for _ in 0..count {
            placed.push(self.place("rare").await);
        }
        (self.answered(&placed, &[refused("REFUND_REFUSED")]).await, placed)
    }

    /// The shop again, with orders that could not be confirmed when they were as good as done.
    pub async fn with_unconfirmed(self, count: usize) -> (Self, Vec<(String, String)>) {
        self.faults(&[json!({ "fault": "status", "value": 503, "operation": "lookup" })]).await;
        let mut placed = Vec::new();
        for _ in 0..count {
            placed.push(self.place("apple").await);
        }
        let done = || Outcome::Succeeded { output: Default::default() };
        (self.answered(&placed, &[done(), done(), refused("ORDER_STATE")]).await, placed)
    }

    /// Pauses a saga between two attempts, when no command of it is open: no participant's own answer can come later.
    pub async fn halt(&self, number: &str) {
        let filter = format!("key = {number} AND wait = backoff");
        wait_for(&format!("{filter}, until it is paused"), async || {
            let found = self.json(&["sagas", "list", "--filter", &filter]);
            let Some(saga) = found["sagas"].as_array().and_then(|found| found.first()) else { return false };
            let (name, version) = (text(&saga["name"]), text(&saga["version"]));
            let act = ["sagas", "pause", &name, "--version", &version, "--reason", "x", "--actor", "test"];
            cli(&self.dev.address(), "json", &act).is_ok()
        })
        .await;
    }

    /// Waits until so many sagas are where a filter says.
    pub async fn have(&self, filter: &str, count: usize) {
        wait_for(filter, async || {
            self.json(&["sagas", "list", "--filter", filter])["sagas"].as_array().map(Vec::len) == Some(count)
        })
        .await;
    }

    /// The shop again, with answers that no participant gives within a test's patience written into the sagas' journals, as
    /// the engine would have written them.
    pub async fn answered(self, placed: &[(String, String)], outcomes: &[Outcome]) -> Self {
        for (number, _) in placed {
            self.halt(number).await;
        }
        let Self { dev, client, dir } = self;
        dev.process.stop().expect("it stops");
        let store =
            SqlStore::open(DatabaseConfig::sqlite(dir.path().join("data/orchestrator.db"))).await.expect("open");
        for (_, saga) in placed {
            let order = OperatorAction { verb: Verb::Resume, actor: "test".to_owned(), reason: "goes on".to_owned() };
            happen(&store, saga, move |_| Event::Action(order.clone())).await;
            for outcome in outcomes {
                answered(&store, saga, outcome.clone()).await;
            }
        }
        drop(store);
        let dev = Dev::start(dir.path()).await;
        Self { dev, client, dir }
    }

    pub fn saga(&self, saga: &str) -> (String, u64) {
        let saga = self.json(&["sagas", "get", saga]);
        (state(&saga), text(&saga["saga"]["version"]).parse().expect("a version"))
    }

    pub async fn reaches(&self, saga: &str, state: &str) {
        wait_for(&format!("{saga} to be {state}"), async || self.saga(saga).0 == state).await;
    }

    pub fn http(&self) -> Http {
        Http { client: self.client.clone(), base: format!("http://127.0.0.1:{}/api/v1", self.dev.admin) }
    }

    pub async fn drivers(&self) -> [Driver; 4] {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.dev.address())).expect("an address");
        let grpc = endpoint.connect().await.expect("a connection");
        [
            Driver::Grpc(grpc),
            Driver::Cli(self.dev.address()),
            Driver::Http(self.http()),
            Driver::Page(Page::at(self.dev.admin)),
        ]
    }
}
