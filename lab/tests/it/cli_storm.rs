//! `baton-lab storm` on real processes: a few quick nemeses, the report, and what it says of nonsense.

use std::process::{Command, Stdio};

/// The binary under test; it takes the `baton` beside it, which a build of the whole workspace leaves there.
const LAB: &str = env!("CARGO_BIN_EXE_baton-lab");

/// Orders a second that a debug build on two busy cores can take.
const RATE: &str = "10";

fn storm(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(LAB).arg("storm").args(arguments).stdin(Stdio::null()).output().expect("baton-lab runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn quick_nemeses_pass_and_are_reported() {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("storm.html");
    let data = dir.path().join("data");
    let (page_text, data_text) = (page.to_string_lossy(), data.to_string_lossy());
    let (ok, out, err) = storm(&[
        "--nemesis",
        "kill-stock",
        "--nemesis",
        "net:orchestrator-participant:strand",
        "--nemesis",
        "hostile-publisher",
        "--seconds",
        "10",
        "--rate",
        RATE,
        "--seed",
        "7",
        "--report",
        &page_text,
        "--dir",
        &data_text,
    ]);
    assert!(ok, "{out}\n{err}");
    assert!(out.contains("3 passed, 0 failed, 0 not run"), "{out}");
    let html = std::fs::read_to_string(&page).expect("a page");
    assert!(html.contains("<svg") && html.contains("kill-stock") && !html.contains("<script"), "no page");
    let json = std::fs::read(page.with_extension("json")).expect("a JSON file");
    let report: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let nemeses = report["nemeses"].as_array().expect("nemeses");
    assert_eq!(nemeses.len(), 3);
    for nemesis in nemeses {
        assert_eq!(nemesis["verdict"], "passed", "{nemesis}");
        assert!(nemesis["orders"].as_u64().is_some_and(|orders| orders > 0), "{nemesis}");
        assert!(nemesis["fired"].as_array().is_some_and(|fired| !fired.is_empty()), "{nemesis}");
    }
}

/// An engine that never looks at sagas that wait loses what the broker loses; the storm must say so.
#[test]
fn an_engine_without_its_safety_nets_is_caught() {
    let (ok, out, err) = storm(&[
        "--set",
        "engine.waker_pause=1h",
        "--nemesis",
        "fresh-broker",
        "--seconds",
        "10",
        "--rate",
        RATE,
        "--seed",
        "7",
    ]);
    assert!(!ok, "{out}\n{err}");
    assert!(err.contains("I17") && err.contains("sagas still at work"), "{err}");
    assert!(err.contains("--nemesis fresh-broker --courier rabbitmq --seed 7"), "no way to repeat it: {err}");
}

/// A storm that would leave its crashes out does not begin.
#[test]
fn a_build_without_crash_points_is_refused_what_needs_them() {
    if cfg!(feature = "crash-points") {
        return;
    }
    let (ok, out, err) = storm(&["--full"]);
    assert!(!ok && err.contains("--features crash-points"), "{out}{err}");
}

#[test]
fn an_unknown_nemesis_is_named_and_the_known_ones_are_listed() {
    let (ok, _, err) = storm(&["--nemesis", "kill-humour"]);
    assert!(!ok && err.contains("kill-humour") && err.contains("--list"), "{err}");
    let (ok, out, _) = storm(&["--list"]);
    assert!(ok && out.contains("kill-orchestrator") && out.contains("crash:participant.commit.inside"), "{out}");
}

/// Over streams there is no broker to be short of memory.
#[test]
fn over_streams_a_nemesis_of_the_broker_is_not_run_and_says_why() {
    let (ok, out, err) = storm(&["--courier", "grpc", "--nemesis", "memory-alarm", "--nemesis", "purge-queues"]);
    assert!(!ok, "{out}");
    assert!(out.contains("0 passed, 0 failed, 2 not run; 0 orders over grpc"), "{out}");
    assert!(err.contains("memory-alarm: not run: it needs a broker"), "{err}");
}
