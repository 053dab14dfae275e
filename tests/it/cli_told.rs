//! What the command line tells beside an answer: that nobody was asked, that nothing was changed, that the address is another
//! one's. And what it shows of text that was written to mislead.

use crate::support;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use support::{BATON, Dev};

/// Runs a client command where nobody can be asked.
fn run(server: &str, args: &[&str]) -> Output {
    let mut command = Command::new(BATON);
    command.env_clear().env("BATON_ACTOR", "ada").stdin(Stdio::null());
    command.args(["--server", server]).args(args).output().expect("it runs")
}

/// Exit code, standard output and standard error.
fn told(server: &str, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = run(server, args);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("it exits"), text(stdout), text(stderr))
}

fn json(server: &str, args: &[&str]) -> Value {
    let (code, out, said) = told(server, &[&["-o", "json"], args].concat());
    assert_eq!(code, 0, "{args:?}: {said}");
    serde_json::from_str(&out).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_must_know_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let server = dev.address();
    nothing_is_ordered_unasked(&server);
    a_hold_that_stands_says_so(&server);
    what_cannot_be_seen_is_named(&server);
    the_sandbox_is_asked_for(&server, &dev.provider_url());
    for port in [dev.admin, dev.provider] {
        let page = format!("127.0.0.1:{port}");
        let (code, out, said) = told(&page, &["sagas", "list"]);
        assert_eq!((code, out.as_str()), (5, ""), "{said}");
        assert!(
            said.contains(&format!("{page} speaks HTTP and not gRPC")) && said.contains("127.0.0.1:7400"),
            "{said}"
        );
    }
    let (code, _, said) = told(&server, &["sagas", "get", "nope"]);
    assert!(code == 2 && !said.contains("speaks HTTP"), "{said}");
}

/// Whoever forgot `--data-dir` hears of it at once, and not after the two minutes that a database may take to come back.
#[test]
fn an_audit_that_waits_for_a_database_says_where_baton_dev_keeps_its_own() {
    let mut command = Command::new(BATON);
    command.args(["verify", "--set", "store.url=mysql://baton@127.0.0.1:1/baton"]);
    let mut process = command.env_clear().stderr(Stdio::piped()).spawn().expect("it runs");
    let mut said = String::new();
    BufReader::new(process.stderr.take().expect("piped")).read_line(&mut said).expect("a line");
    process.kill().expect("it waits");
    process.wait().expect("ours");
    assert!(said.starts_with("store: database unavailable") && said.contains("--data-dir DIR"), "{said}");
}

fn nothing_is_ordered_unasked(server: &str) {
    let order = ["jobs", "create", "--verb", "retry", "--preset", "stuck", "--reason", "x"];
    let (code, out, said) = told(server, &order);
    assert_eq!((code, out.as_str()), (2, ""), "{said}");
    assert!(said.contains("--yes") && said.contains("--dry-run"), "{said}");
    assert_eq!(json(server, &["jobs", "list"])["jobs"], serde_json::json!([]), "nothing was ordered");

    let counted = json(server, &[&order[..], &["--dry-run"]].concat());
    let job = &counted["job"];
    assert_eq!((&job["matched"], &job["name"]), (&"0".into(), &"".into()), "{counted}");
    let (_, table, _) = told(server, &[&order[..], &["--dry-run"]].concat());
    assert!(table.contains("matched") && !table.contains("state"), "what was only counted has none: {table}");
    assert_eq!(json(server, &["jobs", "list"])["jobs"], serde_json::json!([]), "it was only counted");

    let (code, _, said) = told(server, &[&order[..], &["--yes", "--wait"]].concat());
    assert_eq!(code, 0, "{said}");
    let done = &json(server, &["jobs", "list"])["jobs"][0];
    assert_eq!([&done["matched"], &done["done"], &done["failed"]], ["0"; 3], "{done}");
}

fn a_hold_that_stands_says_so(server: &str) {
    let held = |reason| told(server, &["holds", "create", "participants/stock", "--reason", reason]);
    let (code, _, said) = held("the fire");
    assert_eq!((code, said.as_str()), (0, ""));
    let (code, out, said) = held("the flood");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("participants/stock is held already, by ada since 20") && said.contains("the fire"),
        "{said}"
    );
    assert!(!out.contains("the flood"), "{out}");
    assert_eq!(told(server, &["holds", "release", "participants/stock", "--reason", "over"]).0, 0);
}

fn what_cannot_be_seen_is_named(server: &str) {
    let reason = "a\u{202e}b\u{2066}c\u{200f}";
    let (code, out, said) = told(server, &["holds", "create", "participants/order", "--reason", reason]);
    assert_eq!(code, 0, "{said}");
    let (_, listed, _) = told(server, &["audit", "list"]);
    for shown in [out, listed] {
        assert!(shown.contains("a[U+202E]b[U+2066]c[U+200F]"), "{shown}");
        let widths: std::collections::BTreeSet<usize> = shown.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 1, "the table is out of shape:\n{shown}");
    }
    assert_eq!(json(server, &["audit", "list"])["entries"][0]["reason"], reason, "JSON says what was written");
    let machine = told(server, &["-o", "json", "audit", "list"]).1;
    assert!(machine.is_ascii(), "{machine}");
    let (_, _, said) = told(server, &["sagas", "list", "--filter", "a\u{202e}b = 1"]);
    assert!(said.starts_with("error: ") && !said.contains('\u{202e}'), "{said}");
    assert_eq!(told(server, &["holds", "release", "participants/order", "--reason", "over"]).0, 0);
}

fn the_sandbox_is_asked_for(server: &str, provider: &str) {
    json(server, &["items", "create", "mug", "--price", "5", "--stock", "1"]);
    let elsewhere = ["--set", "provider.base_url=http://127.0.0.1:1", "orders", "create", "--line", "mug=1"];
    let (code, _, said) = told(server, &elsewhere);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("None answers at http://127.0.0.1:1 (provider.base_url)"), "{said}");
    assert!(said.contains(" URL/_sandbox/pay") && !said.contains("127.0.0.1:1/_sandbox"), "{said}");
    let url = format!("provider.base_url={provider}");
    let (_, _, said) = told(server, &["--set", &url, "orders", "create", "--line", "mug=1"]);
    assert!(said.contains(&format!("{provider}/_sandbox/pay")), "{said}");
    assert_eq!(told(server, &["-q", "orders", "create", "--line", "mug=1"]).2, "");

    let order = json(server, &["-q", "orders", "create", "--line", "mug=1"]);
    let name = order["order"]["name"].as_str().expect("a name");
    let number = name.trim_start_matches("orders/");
    told(server, &["orders", "place", "--order", number, "--payment", "imp_000000000000"]);
    for key in [name, number] {
        let found = json(server, &["sagas", "list", "--key", key]);
        assert_eq!(found["sagas"].as_array().map(Vec::len), Some(1), "{key}: {found}");
    }
}
