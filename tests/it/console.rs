//! The page in a real browser, on both shapes: what an operator does with it, from the first question to the last act.

use crate::support;
use crate::support::browser;
use crate::support::hostile;
use crate::support::stuck;
use baton_courier::bus::{CommandBus as _, Destination, Message};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::letters::NewLetter;
use baton_orchestrator::store::sql::SqlStore;
use baton_sql::database::DatabaseConfig;
use baton_supervisor::chaos::Served;
use baton_supervisor::stack::{Stack, StackOptions};
use browser::{Site, demand_browser, run};
use bytes::Bytes;
use std::sync::Arc;
use support::{BATON, Dev};
use uuid::Uuid;

/// Cases of both shapes.
const EVERYWHERE: [&str; 15] = [
    "find", "paste", "live", "pressed", "stuck", "skipped", "held", "bulk", "chaos", "kill", "keyboard", "noscript",
    "layout", "refusals", "refused",
];

/// What no page may take for anything but text. The last is ten thousand characters long.
fn hostile_texts() -> [String; 5] {
    [
        "<img src=x onerror=\"pwned=1\"><script>pwned=1</script>".to_owned(),
        "\"'><svg/onload=pwned=1> {{7*7}} ${7*7} javascript:pwned=1".to_owned(),
        "\u{202e}txt.exe\u{202c} \u{2066}abc\u{2069} \u{200f}שלום\u{200f} مرحبا".to_owned(),
        "</title></style></textarea><iframe src=javascript:pwned=1>".to_owned(),
        "0123456789".repeat(1_000),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_shape_in_a_browser() {
    demand_browser();
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let site = Site {
        shape: "embedded",
        page: format!("http://127.0.0.1:{}", dev.admin),
        server: dev.address(),
        provider: dev.provider_url(),
    };
    let store = SqlStore::open(DatabaseConfig::sqlite(dir.path().join("data/orchestrator.db"))).await.expect("open");
    let ask = async |line: &str| match line.split_once(' ').unwrap_or((line, "")) {
        ("stuck", saga) => {
            stuck::answered(&store, saga, stuck::refused("REFUND_REFUSED")).await;
            "ok".to_owned()
        }
        // Nobody outside the process reaches its bus: the letter is put where its collector would have put it.
        ("letter", destination) => {
            let id = Uuid::now_v7();
            let letter = NewLetter {
                id: Uuid::now_v7(),
                destination: Destination::Commands(destination.to_owned()),
                message_id: Some(id),
                reason: "COMMAND_UNREADABLE".to_owned(),
                body: Bytes::from_static(b"\xff\xffnobody can read this"),
                sagas: Vec::new(),
            };
            let operations = Operations::new(Arc::new(store.clone()));
            assert_eq!(operations.keep_letters(&[letter]).await.expect("kept"), 1);
            id.to_string()
        }
        ("hostile", _) => {
            let texts = hostile_texts();
            hostile::sagas(&store, &texts.each_ref().map(String::as_str)).await.join(" ")
        }
        (unknown, _) => panic!("nobody does {unknown}"),
    };
    for case in EVERYWHERE.into_iter().chain(["letters"]) {
        run(&site, case, ask).await;
    }
    // Last: its sagas stay, and are on every list.
    run(&site, "hostile", ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_shape_in_a_browser() {
    demand_browser();
    let dir = tempfile::tempdir().expect("a directory");
    let options = StackOptions { chaos: true, ..StackOptions::new(BATON) };
    let stack = Arc::new(Stack::start(dir.path(), &options).await.expect("the stack starts"));
    let _chaos = Served::over(&stack).await.expect("it can be killed from the page");
    let (_, admin) = stack.endpoints.orchestrators[0];
    let site = Site {
        shape: "real",
        page: format!("http://127.0.0.1:{admin}"),
        server: stack.address(0),
        provider: stack.provider_url(),
    };
    let url = stack.mariadb.root_url("baton_orchestrator");
    let store = SqlStore::open(DatabaseConfig::mariadb(url)).await.expect("open");
    let bus = RabbitBus::start(&RabbitConfig::new(stack.rabbitmq.amqp_url())).expect("a bus");
    let ask = async |line: &str| match line.split_once(' ').unwrap_or((line, "")) {
        ("stuck", saga) => {
            stuck::answered(&store, saga, stuck::refused("REFUND_REFUSED")).await;
            "ok".to_owned()
        }
        ("letter", destination) => {
            let (id, body) = (Uuid::now_v7(), Bytes::from_static(b"\xff\xffnobody can read this"));
            let message = Message { id, destination: Destination::Commands(destination.to_owned()), body };
            assert_eq!(bus.publish(vec![message]).await, [id], "taken over");
            id.to_string()
        }
        ("runs", name) => stack.participants[name].is_running().to_string(),
        (unknown, _) => panic!("nobody does {unknown}"),
    };
    for case in EVERYWHERE.into_iter().chain(["letters"]) {
        run(&site, case, ask).await;
    }
    stack.stop().expect("everything stops");
}
