//! What operators did, listed and verified.

use super::cli::{parsed, text};
use super::shop::Shop;
use crate::support::BATON;
use serde_json::{Value, json};
use std::process::Command;
use uuid::Uuid;

/// What `baton verify --audit` says of the shop's data; its exit code.
fn audited(shop: &Shop, args: &[&str]) -> (Option<i32>, Value) {
    let data = shop.dir.path().join("data");
    let mut command = Command::new(BATON);
    command.env_clear().args(["-o", "json", "verify", "--audit", "--data-dir", data.to_str().expect("a path")]);
    let done = command.args(args).output().expect("it runs");
    (done.status.code(), parsed(std::str::from_utf8(&done.stdout).expect("UTF-8")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_did_is_listed_and_verified_while_they_go_on() {
    let shop = Shop::open().await;
    let (code, report) = audited(&shop, &[]);
    assert_eq!((code, &report["entries"]), (Some(0), &json!(0)), "{report}");
    shop.faults(&[json!({ "fault": "status", "value": 503, "operation": "lookup" })]).await;
    let (_, saga) = shop.place("apple").await;
    // A paused saga still listens to late answers: from here on none comes that counts.
    shop.have("step = payment.verify AND wait = backoff", 1).await;
    let id = Uuid::now_v7().to_string();
    let pause = ["sagas", "pause", &saga, "--reason", "the provider is down", "--actor", "ada", "--request-id", &id];
    let first = shop.json(&pause);
    let noted = text(&audited(&shop, &[]).1["head"]);
    assert_eq!(shop.json(&pause), first, "repeated, and answered alike");
    shop.json(&["sagas", "resume", &saga, "--reason", "it is back", "--actor", "bob"]);
    shop.json(&["sagas", "cancel", &saga, "--reason", "it is not", "--actor", "ada"]);
    shop.json(&pause);

    let acts = |args: &[&str]| {
        let listed = shop.json(&[&["audit", "list"], args].concat());
        listed["entries"].as_array().expect("a list").iter().map(|entry| text(&entry["act"])).collect::<Vec<_>>()
    };
    assert_eq!(acts(&[]), ["cancel", "resume", "pause"]);
    assert_eq!(acts(&["--actor", "ada", "--subject", &saga]), ["cancel", "pause"]);
    assert_eq!(acts(&["--subject", "sagas/nobody"]), [""; 0]);

    let (code, report) = audited(&shop, &["--head", &noted]);
    assert_eq!((code, &report["entries"], &report["flaws"]), (Some(0), &json!(3), &json!([])), "{report}");
    let (code, report) = audited(&shop, &["--head", &"7".repeat(64)]);
    assert_eq!((code, &report["flawed"]), (Some(1), &json!(1)), "{report}");
}
