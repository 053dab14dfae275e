//! `baton verify`: clean while orders move and at rest, and each damage done to real databases is named by its invariant.

use crate::support;
use baton_courier::bus::{CommandBus as _, Destination, Message};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_supervisor::stack::{Stack, StackOptions};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use support::{BATON, Demo, Dev, counter, expect_in_order, wait_for};

/// Runs `baton verify -o json` and returns its exit code and its report.
fn verify(args: &[&str]) -> (i32, serde_json::Value) {
    let output = raw(&[&["-o", "json", "--quiet"], args].concat());
    let report = serde_json::from_slice(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it exits"), report.unwrap_or_else(|error| panic!("{args:?}: {error}: {said}")))
}

fn raw(args: &[&str]) -> Output {
    Command::new(BATON).arg("verify").args(args).env_clear().output().expect("it runs")
}

/// Ids of the broken invariants, and what was said of them.
fn broken(report: &serde_json::Value) -> (BTreeSet<String>, String) {
    let findings = report["findings"].as_array().expect("findings").iter().filter(|finding| finding["broken"] != 0);
    let text = |finding: &serde_json::Value| format!("{} {}", finding["id"], finding["offenders"]);
    let said = findings.clone().map(text).collect::<Vec<_>>().join("\n");
    (findings.filter_map(|finding| finding["id"].as_str().map(str::to_owned)).collect(), said)
}

fn expect_clean(what: &str, args: &[&str]) -> serde_json::Value {
    let (code, report) = verify(args);
    assert_eq!((code, &report["passed"]), (0, &serde_json::Value::Bool(true)), "{what}: {}", broken(&report).1);
    report
}

/// Promises, by name, of checks that looked at something.
fn checked(report: &serde_json::Value) -> usize {
    report["findings"].as_array().expect("findings").iter().filter(|finding| finding["verdict"] == "ok").count()
}

async fn execute(database: &Database, sql: &'static str) {
    let done =
        database.transaction(move |tx| Box::pin(async move { tx.execute(sql, Vec::new()).await.map(Verdict::Commit) }));
    assert!(done.await.unwrap_or_else(|error| panic!("{sql}: {error}")) > 0, "nothing was damaged: {sql}");
}

/// The oldest completed saga, in every statement that damages it.
macro_rules! one {
    ($before:literal) => {
        concat!($before, " = (SELECT id FROM saga WHERE state = 5 ORDER BY id LIMIT 1)")
    };
}

/// Database, statements, and exactly the invariants that must be named.
const DAMAGES: &[(&str, &[&str], &[&str])] = &[
    ("orchestrator", &[one!("DELETE FROM journal WHERE version = 3 AND saga_id")], &["I12"]),
    ("orchestrator", &[one!("UPDATE journal SET at = at - 3000000 WHERE version = 3 AND saga_id")], &["I12"]),
    ("orchestrator", &[one!("UPDATE saga SET version = version + 1 WHERE id")], &["I12", "I13"]),
    ("orchestrator", &[one!("DELETE FROM saga WHERE id")], &["I1"]),
    ("orchestrator", &["DELETE FROM saga_key"], &["I2"]),
    (
        "orchestrator",
        &["INSERT INTO journal SELECT saga_id, version + 1, at, event FROM journal \
           WHERE version = 5 AND saga_id IN (SELECT id FROM saga WHERE state = 5) ORDER BY saga_id LIMIT 1"],
        &["I11", "I13"],
    ),
    // At rest, and somebody is to look at it in the year 2100.
    ("orchestrator", &[one!("UPDATE saga SET look_at = 4102444800000000 WHERE id")], &["I14"]),
    ("stock", &["UPDATE item SET available = available + 5, stocked = stocked + 5"], &["I3"]),
    ("stock", &["UPDATE reservation SET state = 2 WHERE saga_id = (SELECT MIN(saga_id) FROM reservation)"], &["I3"]),
    ("stock", &["DELETE FROM ledger WHERE saga_id = (SELECT MIN(saga_id) FROM reservation)"], &["I6", "I10", "I15"]),
    (
        "stock",
        &["INSERT INTO ledger SELECT saga_id, step, 2, 1, x'', '', '', 1, created_at FROM ledger \
           WHERE saga_id = (SELECT MIN(saga_id) FROM reservation)"],
        &["I8", "I9", "I10", "I14"],
    ),
    (
        "order",
        &["UPDATE orders SET state = 2 WHERE order_no = (SELECT MIN(order_no) FROM orders WHERE state = 3)"],
        &["I6", "I10"],
    ),
    (
        "payment",
        &["UPDATE payment SET saga_id = x'01010101010101010101010101010101' WHERE payment_id = \
        (SELECT MIN(payment_id) FROM payment WHERE state = 1)"],
        &["I1", "I6"],
    ),
    (
        "sandbox",
        &["UPDATE sandbox_payment SET cancellations = 2 WHERE imp_uid = \
           (SELECT MIN(imp_uid) FROM sandbox_payment WHERE cancelled > 0)"],
        &["I5"],
    ),
    (
        "sandbox",
        &["UPDATE sandbox_payment SET cancelled = amount, cancellations = 1, status = 'cancelled' WHERE imp_uid = \
           (SELECT MAX(imp_uid) FROM sandbox_payment WHERE status = 'paid')"],
        &["I4", "I5"],
    ),
];

/// A live audit in the midst of a load, which must be clean. A machine may be faster than its audit: twice the load then.
async fn audited_under_load(
    mut orders: u32,
    load: impl Fn(u32) -> Demo,
    moved: impl AsyncFn() -> u64,
    verify: &[&str],
) -> serde_json::Value {
    for _ in 0..6 {
        let before = moved().await;
        let demo = load(orders);
        wait_for("sagas to move", async || moved().await > before + 100).await;
        let report = expect_clean("live", verify);
        let was_live = demo.is_running();
        demo.expect_clean("audited while it ran").await;
        if was_live {
            return report;
        }
        orders *= 2;
    }
    panic!("every load was over before its audit; nothing was tested");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_installation_is_clean_and_each_damage_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let dev = Dev::start(dir.path()).await;
    let directory = data.to_str().expect("a path");
    let load =
        |orders| Demo::start(dir.path(), &format!("demo-{orders}"), &dev.address(), &dev.provider_url(), orders, 100);
    let moved = async || counter(dev.admin, "saga_transitions_total").await;
    let live = audited_under_load(600, load, moved, &["--live", "--data-dir", directory]).await;
    assert!(checked(&live) > 15, "{live}");
    let log = dev.process.log_path();
    dev.process.stop().expect("it stops");
    let rest = expect_clean("at rest", &["--data-dir", directory, "--logs", log.to_str().expect("a path")]);
    assert!(checked(&rest) > 25, "{rest}");

    for (service, statements, wanted) in DAMAGES {
        let copy = tempfile::tempdir().expect("a directory");
        copy_files(&data, copy.path());
        let database = Database::open(DatabaseConfig::sqlite(copy.path().join(format!("{service}.db")))).await;
        let database = database.expect("a database");
        for sql in *statements {
            execute(&database, sql).await;
        }
        drop(database);
        let (code, report) = verify(&["--data-dir", copy.path().to_str().expect("a path")]);
        let (ids, said) = broken(&report);
        assert_eq!(ids, wanted.iter().map(|id| (*id).to_owned()).collect(), "{statements:?}\n{said}");
        assert_eq!(code, 1, "{said}");
        // What is broken for good is broken in every reading of a live audit too.
        let (code, report) = verify(&["--live", "--data-dir", copy.path().to_str().expect("a path")]);
        let wanted = wanted.iter().filter(|id| **id != "I17").map(|id| (*id).to_owned()).collect();
        assert_eq!((code, broken(&report).0), (1, wanted), "live: {statements:?}\n{}", broken(&report).1);
    }
}

/// Publishes a reply that nobody takes, and waits until the broker counts it.
async fn stray(url: &str) {
    let bus = RabbitBus::start(&RabbitConfig::new(url)).expect("a bus");
    let message = Message { id: uuid::Uuid::now_v7(), destination: Destination::Replies, body: Bytes::new() };
    assert_eq!(bus.publish(vec![message.clone()]).await, [message.id]);
    let counted = async || bus.depths(&Destination::Replies).await.expect("depths")[0].1;
    wait_for("the broker to count it", async || counted().await == Some(1)).await;
}

/// The verdict on a promise, by its name.
fn verdict<'a>(report: &'a serde_json::Value, promise: &str) -> &'a str {
    let findings = report["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["promise"] == promise).expect("the promise");
    found["verdict"].as_str().expect("a verdict")
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the data directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_installation_is_clean_and_a_damage_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::start(dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    let config = stack.config.to_str().expect("a path").to_owned();
    let load = |orders| {
        let name = format!("demo-{orders}");
        Demo::start(dir.path(), &name, &stack.address(0), &stack.provider_url(), orders, 300)
    };
    let moved = async || counter(stack.endpoints.orchestrators[0].1, "saga_transitions_total").await;
    audited_under_load(1_500, load, moved, &["--config", &config, "--live"]).await;

    let logs = dir.path().join("log");
    let logs = logs.to_str().expect("a path");
    expect_in_order("at rest", &["--config", &config]);
    let rest = expect_clean("at rest", &["--config", &config, "--logs", logs]);
    assert!(checked(&rest) > 25, "{rest}");
    assert_eq!(verdict(&rest, "command and reply queues are empty"), "ok", "{rest}");
    expect_clean("with a copied ledger", &["--config", &config, "--provider", &stack.provider_url()]);

    let url = stack.mariadb.root_url("baton_orchestrator");
    let store = Database::open(DatabaseConfig::mariadb(url)).await.expect("the orchestrator's schema");
    execute(&store, "DELETE FROM journal WHERE version = 3 ORDER BY saga_id LIMIT 1").await;
    let (code, report) = verify(&["--config", &config]);
    let (ids, said) = broken(&report);
    assert_eq!((code, ids), (1, BTreeSet::from(["I12".to_owned()])), "{said}");
    // Nobody takes it any more: what is left in a queue is named, by the broker's own count.
    stack.orchestrators.iter().for_each(|process| process.kill().expect("it ends"));
    stray(&stack.rabbitmq.amqp_url()).await;
    let (code, report) = verify(&["--config", &config]);
    let (ids, said) = broken(&report);
    assert_eq!((code, ids), (1, BTreeSet::from(["I12".to_owned(), "I17".to_owned()])), "{said}");
    assert!(said.contains("saga.reply.v2 holds 1 messages"), "{said}");
    stack.stop().expect("everything stops");
}

#[test]
fn what_is_not_there_is_not_found() {
    let output = raw(&["--data-dir", "/nowhere"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}
