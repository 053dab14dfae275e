//! `baton dev` as a user meets it: a tour with the client commands, a kill under load, a graceful end.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `baton dev`, killed when dropped.
struct Dev {
    process: Child,
    server: String,
    provider: String,
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn baton() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.env_clear();
    command
}

/// Starts it on a directory and two addresses, and reads where it is from what it prints.
fn dev(directory: &Path, listen: &str, provider_listen: &str) -> Dev {
    let mut process = baton()
        .args(["dev", "--admin-listen", "127.0.0.1:0", "--set", "telemetry.level=warn"])
        .args(["--listen", listen, "--provider-listen", provider_listen, "--data-dir"])
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let mut word_after = |label: &str| loop {
        let line = lines.next().expect("it prints where it is").expect("UTF-8");
        if let Some(rest) = line.trim().strip_prefix(label) {
            return rest.split_whitespace().next().expect("an address").to_owned();
        }
    };
    let (server, provider) = (word_after("gRPC"), word_after("sandbox"));
    Dev { process, server, provider }
}

impl Dev {
    fn run(&self, args: &[&str]) -> Output {
        baton().args(["--server", &self.server, "-o", "json"]).args(args).output().expect("it runs")
    }

    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The exit code and what was said.
    fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    async fn pay(&self, number: &str, amount: i64) -> String {
        baton::tls::install();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let body = json!({ "merchant_uid": number, "amount": amount, "currency": "KRW" });
        let answer = client.post(format!("{}/_sandbox/pay", self.provider)).json(&body).send().await.expect("paid");
        let answer: Value = answer.json().await.expect("JSON");
        answer["response"]["imp_uid"].as_str().expect("an id").to_owned()
    }
}

fn number(order: &Value) -> String {
    order["order"]["name"].as_str().expect("a name").trim_start_matches("orders/").to_owned()
}

const ANY: &str = "127.0.0.1:0";

#[tokio::test(flavor = "multi_thread")]
async fn a_tour_from_an_item_to_a_completed_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let dev = dev(directory.path(), ANY, ANY);
    dev.ok(&["health"]);

    let item = dev.ok(&["items", "create", "sku-1", "--price", "12000", "--stock", "3", "--name", "One"]);
    assert_eq!((&item["item"]["available"], &item["item"]["unitPriceMinorUnits"]), (&json!("3"), &json!("12000")));
    assert_eq!(dev.refused(&["items", "create", "sku-1", "--price", "1"]).0, 4, "other content");
    let restocked = dev.ok(&["items", "restock", "sku-1", "--quantity", "2"]);
    assert_eq!(restocked["item"]["stocked"], "5");

    let order = dev.ok(&["orders", "create", "--line", "sku-1=2"]);
    assert_eq!(order["order"]["total"]["minorUnits"], "24000");
    let number = number(&order);
    let payment = dev.pay(&number, 24_000).await;
    let placed = dev.ok(&["orders", "place", "--order", &number, "--payment", &payment]);
    let progress = &placed["progress"];
    assert_eq!((&progress["state"], &progress["done"]), (&json!("ORDER_STATE_PAYMENT_SUCCESS"), &json!(true)));
    assert_eq!(dev.ok(&["orders", "get", &number])["order"]["state"], "ORDER_STATE_PAYMENT_SUCCESS");
    assert_eq!(dev.ok(&["items", "get", "sku-1"])["item"]["reserved"], "2");
    assert_eq!(dev.ok(&["orders", "list"])["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(dev.ok(&["items", "list"])["items"].as_array().map(Vec::len), Some(1));

    let sagas = dev.ok(&["sagas", "list", "--key", &number]);
    let saga = sagas["sagas"][0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(dev.ok(&["sagas", "get", &saga])["saga"]["state"], "SAGA_STATE_COMPLETED");
    let events = dev.ok(&["sagas", "events", &saga]);
    assert_eq!(events["events"][0]["event"], "started");
    assert!(dev.run(&["sagas", "watch", &saga]).status.success(), "an ended saga's watch ends");
    assert!(dev.run(&["orders", "watch", &number]).status.success());

    let (code, said) = dev.refused(&["orders", "get", "01890000-0000-7000-8000-000000000000"]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(dev.refused(&["orders", "get", "no-number"]).0, 2);
    let (code, said) = dev.refused(&["orders", "create", "--line", "sku-1=0"]);
    assert!(code == 2 && said.contains("lines[0]"), "{code} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_order_fails_the_command_and_refunds() {
    let directory = tempfile::tempdir().expect("a directory");
    let dev = dev(directory.path(), ANY, ANY);
    dev.ok(&["items", "create", "rare", "--price", "500", "--stock", "0"]);
    let number = number(&dev.ok(&["orders", "create", "--line", "rare=1"]));
    let payment = dev.pay(&number, 500).await;
    let output = dev.run(&["orders", "place", "--order", &number, "--payment", &payment]);
    assert_eq!(output.status.code(), Some(1));
    let progress: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(progress["progress"]["state"], "ORDER_STATE_PAYMENT_OUT_OF_STOCK");
}

#[test]
fn one_directory_belongs_to_one_process_and_sigterm_is_graceful() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = dev(directory.path(), ANY, ANY);
    let second = baton()
        .args(["dev", "--listen", ANY, "--admin-listen", ANY, "--provider-listen", ANY, "--data-dir"])
        .arg(directory.path())
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another baton"));

    let id = nix::unistd::Pid::from_raw(i32::try_from(first.process.id()).expect("a pid"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it lives");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match first.process.try_wait().expect("ours") {
            Some(status) => break status,
            None => assert!(Instant::now() < until, "it does not end"),
        }
        std::thread::yield_now();
    };
    assert!(status.success(), "{status}");
}

#[test]
fn a_damaged_file_is_named_at_once() {
    for name in ["orchestrator", "order", "payment", "stock", "sandbox"] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(format!("{name}.db"));
        std::fs::write(&path, "no database, whatever it is called; ".repeat(300)).expect("it is written");
        let output = baton()
            .args(["dev", "--listen", ANY, "--admin-listen", ANY, "--provider-listen", ANY, "--data-dir"])
            .arg(directory.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert!(!said.contains("not there yet"), "nobody waits for it to heal: {said}");
    }
}

/// Two addresses that were free a moment ago; the restarted process must be where the first one was.
fn addresses() -> (String, String) {
    let free = || TcpListener::bind(ANY).expect("a free port");
    let (one, two) = (free(), free());
    (one.local_addr().expect("an address").to_string(), two.local_addr().expect("an address").to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_finishes_what_it_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (listen, provider_listen) = addresses();
    let mut first = dev(directory.path(), &listen, &provider_listen);
    let mut demo = baton()
        .args(["demo", "--quiet", "--target", &first.server, "--provider", &first.provider])
        .args(["--orders", "2000", "--stock", "1500", "--concurrency", "64"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let until = Instant::now() + PATIENCE;
    while dev_sagas(&first) < 50 {
        assert!(Instant::now() < until, "no saga was ever started");
    }
    first.process.kill().expect("SIGKILL");
    first.process.wait().expect("ours");
    assert!(demo.try_wait().expect("ours").is_none(), "the load ended before the kill");
    let _second = dev(directory.path(), &listen, &provider_listen);
    let output = demo.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn dev_sagas(dev: &Dev) -> usize {
    dev.ok(&["sagas", "list", "--limit", "50"])["sagas"].as_array().map_or(0, Vec::len)
}
