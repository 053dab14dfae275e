//! What operators do, from one table through gRPC and through the command line alike: find, explain, act.

mod support;

use baton::failure::Failure;
use baton_operate::half::position;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Loaded, SagaStore as _, Update};
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::{
    ActOnSagaRequest, CountSagasRequest, ExplainSagaRequest, SagaVerb, SearchSagasRequest,
};
use baton_sql::database::DatabaseConfig;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::SagaId;
use saga_core::transition::Applied;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use support::{BATON, Dev, wait_for};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// One way to operate. Failures are exit codes, and codes that would become them.
#[derive(Clone, Debug)]
enum Driver {
    Grpc(Channel),
    Cli(String),
}

/// What an explanation says.
#[derive(Debug)]
struct Explained {
    text: String,
    legal: BTreeSet<String>,
}

const VERBS: [(&str, SagaVerb); 7] = [
    ("cancel", SagaVerb::Cancel),
    ("retry", SagaVerb::Retry),
    ("skip", SagaVerb::Skip),
    ("resolve-done", SagaVerb::ResolveDone),
    ("resolve-undone", SagaVerb::ResolveUndone),
    ("pause", SagaVerb::Pause),
    ("resume", SagaVerb::Resume),
];

fn exit(status: Status) -> i32 {
    Failure::from(status).exit() as i32
}

/// Runs a client command; its output, or its exit code.
fn cli(server: &str, output: &str, args: &[&str]) -> Result<String, i32> {
    let mut command = Command::new(BATON);
    let done = command.env_clear().args(["--server", server, "-o", output]).args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.code().expect("a code") {
        0 => Ok(String::from_utf8(done.stdout).expect("UTF-8")),
        code => {
            assert!(said.starts_with("error: ") && done.stdout.is_empty(), "{args:?}: {said}");
            Err(code)
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

impl Driver {
    async fn list(&self, filter: &str, preset: Option<&str>) -> Result<Vec<String>, i32> {
        match self {
            Self::Grpc(channel) => {
                let preset = preset.unwrap_or_default().to_owned();
                let request = SearchSagasRequest { filter: filter.to_owned(), preset, ..Default::default() };
                let found = SagaAdminServiceClient::new(channel.clone()).search_sagas(request).await.map_err(exit)?;
                Ok(found.into_inner().sagas.into_iter().map(|saga| saga.name).collect())
            }
            Self::Cli(server) => {
                let mut args = vec!["sagas", "list", "--filter", filter];
                args.extend(preset.iter().flat_map(|preset| ["--preset", preset]));
                let found = parsed(&cli(server, "json", &args)?);
                Ok(found.as_array().expect("a list").iter().map(|saga| text(&saga["name"])).collect())
            }
        }
    }

    async fn count(&self, filter: &str) -> Result<u64, i32> {
        match self {
            Self::Grpc(channel) => {
                let request = CountSagasRequest { filter: filter.to_owned(), ..Default::default() };
                let counted = SagaAdminServiceClient::new(channel.clone()).count_sagas(request).await.map_err(exit)?;
                let counted = counted.into_inner();
                assert!(counted.exact);
                Ok(counted.count)
            }
            Self::Cli(server) => {
                let counted = cli(server, "table", &["sagas", "count", "--filter", filter])?;
                Ok(counted.trim().parse().expect("an exact count"))
            }
        }
    }

    async fn explain(&self, saga: &str) -> Result<Explained, i32> {
        match self {
            Self::Grpc(channel) => {
                let request = ExplainSagaRequest { name: saga.to_owned() };
                let answer = SagaAdminServiceClient::new(channel.clone()).explain_saga(request).await.map_err(exit)?;
                let answer = answer.into_inner();
                let explanation = answer.explanation.expect("an explanation");
                let happened = explanation.history.iter().map(|happening| happening.sentence.as_str());
                let text: Vec<&str> = std::iter::once(explanation.summary.as_str()).chain(happened).collect();
                let legal = explanation.acts.iter().filter(|act| act.legal);
                let word = |verb| VERBS.iter().find(|(_, known)| *known == verb).expect("a verb").0.to_owned();
                let legal = legal.map(|act| word(act.verb())).collect();
                Ok(Explained { text: text.join("\n") + "\n" + &answer.timeline, legal })
            }
            Self::Cli(server) => {
                let text = cli(server, "table", &["sagas", "explain", saga])?;
                let explained = parsed(&cli(server, "json", &["sagas", "explain", saga])?);
                let acts = explained["acts"].as_array().expect("acts");
                let legal: BTreeSet<String> =
                    acts.iter().filter(|act| act["legal"] == true).map(|act| self::text(&act["verb"])).collect();
                let id = saga.trim_start_matches("sagas/");
                for verb in &legal {
                    assert!(text.contains(&format!("\n  baton sagas {verb} {id} ")), "{verb} to copy: {text}");
                }
                Ok(Explained { text, legal })
            }
        }
    }

    /// The state after one order.
    async fn act(&self, verb: &str, saga: &str, reason: &str, version: u64) -> Result<String, i32> {
        match self {
            Self::Grpc(channel) => {
                let order = ActOnSagaRequest {
                    name: saga.to_owned(),
                    verb: VERBS.iter().find(|(word, _)| *word == verb).expect("a verb").1.into(),
                    reason: reason.to_owned(),
                    actor: "ada".to_owned(),
                    version,
                };
                let answer = SagaAdminServiceClient::new(channel.clone()).act_on_saga(order).await.map_err(exit)?;
                let state = answer.into_inner().saga.expect("a saga").state();
                Ok(state.as_str_name().trim_start_matches("SAGA_STATE_").to_owned())
            }
            Self::Cli(server) => {
                let version = version.to_string();
                let mut args = vec!["sagas", verb, saga, "--reason", reason, "--actor", "ada"];
                if version != "0" {
                    args.extend(["--version", &version]);
                }
                Ok(text(&parsed(&cli(server, "json", &args)?)["state"]))
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A shop in one process, and a provider that can be told to fail.
struct Shop {
    dev: Dev,
    client: reqwest::Client,
    dir: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        baton::tls::install();
        let dir = tempfile::tempdir().expect("a directory");
        let dev = Dev::start(dir.path()).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let shop = Self { dev, client, dir };
        shop.json(&["items", "create", "apple", "--price", "500", "--stock", "100"]);
        shop.json(&["items", "create", "rare", "--price", "500", "--stock", "0"]);
        shop
    }

    fn json(&self, args: &[&str]) -> Value {
        parsed(&cli(&self.dev.address(), "json", args).expect("it is done"))
    }

    async fn faults(&self, rules: &[Value]) {
        let url = format!("{}/_sandbox/faults", self.dev.provider_url());
        self.client.delete(&url).send().await.expect("no faults");
        for rule in rules {
            let answer = self.client.post(&url).json(rule).send().await.expect("a fault");
            assert!(answer.status().is_success(), "{answer:?}");
        }
    }

    /// Places a paid order and returns its number and its saga.
    async fn place(&self, item: &str) -> (String, String) {
        let order = self.json(&["orders", "create", "--line", &format!("{item}=1")]);
        let number = text(&order["name"]).trim_start_matches("orders/").to_owned();
        let body = json!({ "merchant_uid": number, "amount": 500, "currency": "KRW" });
        let url = format!("{}/_sandbox/pay", self.dev.provider_url());
        let paid: Value = self.client.post(url).json(&body).send().await.expect("paid").json().await.expect("JSON");
        let payment = text(&paid["response"]["imp_uid"]);
        let progress = self.json(&["orders", "place", "--order", &number, "--payment", &payment, "--no-wait"]);
        (number, text(&progress["saga"]))
    }

    /// The shop again, with orders whose refund was refused for good: their numbers and their stuck sagas.
    async fn with_stuck(self, count: usize) -> (Self, Vec<(String, String)>) {
        self.faults(&[json!({ "fault": "cancel_refused" })]).await;
        let mut placed = Vec::new();
        for _ in 0..count {
            placed.push(self.place("rare").await);
        }
        wait_for("the refunds to be tried", async || {
            let filter = ["sagas", "list", "--filter", "step = payment.taken AND attempt >= 1 AND wait = backoff"];
            self.json(&filter).as_array().map(Vec::len) == Some(count)
        })
        .await;
        // No budget of this saga is spent within a test's patience. So the answer that parks it at once is written into its
        // journal, as the engine would have written it.
        let Self { dev, client, dir } = self;
        dev.process.stop().expect("it stops");
        let store =
            SqlStore::open(DatabaseConfig::sqlite(dir.path().join("data/orchestrator.db"))).await.expect("open");
        for (_, saga) in &placed {
            refuse_for_good(&store, saga).await;
        }
        drop(store);
        let dev = Dev::start(dir.path()).await;
        (Self { dev, client, dir }, placed)
    }

    fn saga(&self, saga: &str) -> (String, u64) {
        let saga = self.json(&["sagas", "get", saga]);
        (text(&saga["state"]), saga["version"].as_u64().expect("a version"))
    }

    async fn reaches(&self, saga: &str, state: &str) {
        wait_for(&format!("{saga} to be {state}"), async || self.saga(saga).0 == state).await;
    }

    async fn drivers(&self) -> [Driver; 2] {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.dev.address())).expect("an address");
        [Driver::Grpc(endpoint.connect().await.expect("a connection")), Driver::Cli(self.dev.address())]
    }
}

/// The participant's answer to the open undo: it will never do that.
async fn refuse_for_good(store: &SqlStore, saga: &str) {
    let id = SagaId(Uuid::try_parse(saga.trim_start_matches("sagas/")).expect("an id").into_bytes());
    let registry = Registry::standard();
    let decide = move |loaded: &Loaded| {
        let saga = &loaded.records[&id].saga;
        let (step, direction, attempt) = position(&saga.state).expect("it is at a step");
        let outcome = Outcome::Rejected { reason: "REFUND_REFUSED".to_owned(), message: String::new() };
        let event = Event::Reply(Reply { step, direction, attempt, outcome });
        let definition = registry.pinned(&saga.definition).expect("known").definition();
        let Applied::Moved(moved) = machine::apply(definition, saga, &event, loaded.now) else { panic!("it moves") };
        let update = Update { saga: moved.saga, loaded_version: saga.version, data_changed: true };
        Changes { updates: vec![update], journal: vec![moved.entry], ..Changes::default() }
    };
    store.commit(vec![id], Box::new(decide)).await.expect("committed");
}

fn words(text: &[&str]) -> BTreeSet<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_saga_is_found_explained_paused_and_resumed_to_its_end() {
    let shop = Shop::open().await;
    for driver in shop.drivers().await {
        shop.faults(&[json!({ "fault": "status", "value": 503, "operation": "lookup" })]).await;
        let (number, saga) = shop.place("apple").await;
        wait_for("the provider to be asked in vain", async || {
            let filter = format!("order = \"{number}\" AND step = payment.verify AND attempt >= 2");
            driver.list(&filter, Some("in-doubt")).await == Ok(vec![saga.clone()])
        })
        .await;
        let explained = driver.explain(&saga).await.expect("explained");
        assert!(explained.text.contains("payment.verify"), "{driver:?}: {}", explained.text);
        assert!(explained.legal.contains("pause") && explained.legal.contains("cancel"), "{explained:?}");

        assert_eq!(driver.act("pause", &saga, "the provider is down", 0).await.as_deref(), Ok("PAUSED"));
        let (_, version) = shop.saga(&saga);
        assert_eq!(driver.list("state = paused", Some("in-flight")).await, Ok(vec![saga.clone()]));
        assert_eq!(driver.list("state = paused", Some("stuck")).await, Ok(vec![]));
        assert_eq!(driver.count("customer = customer-1 AND state = paused").await, Ok(1));
        let explained = driver.explain(&saga).await.expect("explained");
        assert!(explained.text.contains("ada") && explained.legal.contains("resume"), "{explained:?}");

        assert_eq!(driver.act("skip", &saga, "x", 0).await, Err(4), "not legal");
        assert_eq!(driver.act("resume", &saga, "x", version + 1).await, Err(4), "another version");
        shop.faults(&[]).await;
        for _ in 0..2 {
            driver.act("resume", &saga, "the provider is back", version).await.expect("once, and answered again");
        }
        shop.reaches(&saga, "COMPLETED").await;
        assert_eq!(driver.act("cancel", &saga, "too late", 0).await, Err(4), "it has ended");
        let explained = driver.explain(&saga).await.expect("explained");
        assert_eq!(explained.legal, words(&[]));
        let events = shop.json(&["sagas", "events", &saga]);
        let resumed = events.as_array().expect("events").iter().filter(|event| event["event"] == "resume");
        assert_eq!(resumed.count(), 1, "{events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_saga_is_found_explained_and_retried_to_its_end() {
    let (shop, placed) = Shop::open().await.with_stuck(2).await;
    for (left, (driver, (number, saga))) in (1..).zip(shop.drivers().await.into_iter().zip(&placed)) {
        let filter = format!("order = {number} AND reason = OUT_OF_STOCK");
        assert_eq!(driver.list(&filter, Some("stuck")).await, Ok(vec![saga.clone()]));
        assert_eq!(driver.count("state = stuck").await, Ok(3 - left));
        let explained = driver.explain(saga).await.expect("explained");
        assert!(explained.text.contains("the undo of payment.taken"), "{}", explained.text);
        assert_eq!(explained.legal, words(&["retry", "resolve-undone", "skip"]), "{}", explained.text);
        for verb in ["cancel", "resolve-done", "resume"] {
            assert_eq!(driver.act(verb, saga, "x", 0).await, Err(4), "{verb}");
        }
        driver.act("retry", saga, "refunds work again", shop.saga(saga).1).await.expect("retried");
        shop.reaches(saga, "COMPENSATED").await;
        assert_eq!(driver.count("state = stuck").await, Ok(2 - left));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_refuses_alike() {
    let shop = Shop::open().await;
    let nobody = format!("sagas/{}", Uuid::nil());
    for driver in shop.drivers().await {
        assert_eq!(driver.list("stat = stuck", None).await, Err(2), "a bad filter");
        assert_eq!(driver.count("age > ").await, Err(2), "half a filter");
        assert_eq!(driver.list("", Some("nope")).await, Err(2), "no such preset");
        assert_eq!(driver.explain(&nobody).await.err(), Some(3), "no such saga");
        assert_eq!(driver.explain("sagas/7").await.err(), Some(2), "no name");
        assert_eq!(driver.act("cancel", &nobody, "x", 0).await, Err(3), "no such saga");
        assert_eq!(driver.act("cancel", &nobody, "", 0).await, Err(2), "no reason");
        assert_eq!(driver.list("state = running OR state = completed", None).await, Ok(vec![]));
        assert_eq!(driver.count("").await, Ok(0));
    }
}

/// What a person sees: the flaw of a filter where it is, a table with ages, a command to copy.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_in_words() {
    let (shop, placed) = Shop::open().await.with_stuck(1).await;
    let (number, saga) = &placed[0];
    let server = shop.dev.address();
    let mut wrong = Command::new(BATON);
    wrong.env_clear().args(["--server", &server, "sagas", "list", "--filter", "stat = stuck", "--state", "stuck"]);
    let said = String::from_utf8(wrong.output().expect("it runs").stderr).expect("UTF-8");
    assert!(
        said.contains("FILTER_INVALID") && said.contains("at byte 1") && said.contains("did you mean state?"),
        "{said}"
    );

    let table = cli(&server, "table", &["sagas", "list", "--state", "stuck", "--key", number]).expect("a table");
    for word in ["age", "reason", "attempt", "STUCK", "payment.taken", saga] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
    // Nobody is asked who acts if the system cannot say.
    assert_eq!(cli(&server, "table", &["sagas", "retry", saga, "--reason", "x"]), Err(2));
    let explained = cli(&server, "table", &["sagas", "explain", saga]).expect("explained");
    let line = explained.lines().find(|line| line.trim().starts_with("baton sagas resolve-undone")).expect("a command");
    let words: Vec<&str> = line.split_whitespace().skip(1).map(|word| word.trim_matches('\'')).collect();
    let done = cli(&server, "table", &[words, vec!["--actor", "ada"]].concat()).expect("what is offered is taken");
    assert!(done.contains("COMPENSATED"), "{done}");
}
