//! What Baton of 30 November 2026 left behind when it was killed, opened by this build: it goes on where that one stopped.
//!
//! `tests/earlier/make.sh` says what was done to it: three sagas completed and two compensated, one paused by a bulk job, one
//! under way, and one at a participant that is held.

use crate::support;
use baton_supervisor::MariaDb;
use baton_supervisor::stack::{Stack, StackOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{BATON, Dev, baton, expect_in_order, wait_for};

/// Unpacks what was left behind.
fn unpack(archive: &str, into: &Path) {
    let archive: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/earlier").join(archive);
    let status = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(into).status().expect("tar runs");
    assert!(status.success(), "{} cannot be unpacked", archive.display());
}

/// Names of the sagas that a filter finds.
fn found(server: &str, filter: &str) -> Vec<String> {
    let list = baton(&["--server", server, "sagas", "list", "--filter", filter]);
    list.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("sagas/")))
        .map(str::to_owned)
        .collect()
}

/// Everything is there, is found by what the shop calls it, and goes on to its end.
async fn goes_on(server: &str) {
    assert_eq!(found(server, "state = completed").len(), 3);
    assert_eq!(found(server, "state = compensated").len(), 2);
    wait_for("alice's sagas", async || found(server, "customer = alice").len() == 2).await;
    let acts = baton(&["--server", server, "audit", "list"]);
    assert!(acts.contains("look at it") && acts.contains("provider is down"), "{acts}");
    assert!(baton(&["--server", server, "jobs", "list"]).contains("PAUSE"));
    baton(&["--server", server, "holds", "release", "participants/payment", "--reason", "back", "--actor", "day"]);
    wait_for("what was under way to end", async || found(server, "state = completed").len() == 5).await;
    let [frank] = found(server, "customer = frank").try_into().expect("one saga");
    baton(&["--server", server, "sagas", "resume", &frank, "--reason", "looked at", "--actor", "day"]);
    wait_for("the paused saga to end", async || found(server, "state = completed").len() == 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_an_earlier_build_is_opened_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    unpack("embedded.tar.gz", dir.path());
    let dev = Dev::start(dir.path()).await;
    goes_on(&dev.address()).await;
    let data = dir.path().join("data");
    expect_in_order("an earlier data directory", &["--data-dir", data.to_str().expect("a path")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_an_earlier_build_are_migrated_and_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    unpack("real.tar.gz", dir.path());
    let dump = std::fs::read_to_string(dir.path().join("dump.sql")).expect("a dump");
    let server = MariaDb::start(dir.path()).await.expect("MariaDB starts");
    server.execute(&dump).expect("the dump is loaded");
    server.stop().expect("MariaDB stops");
    let stack = Stack::start(dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    goes_on(&stack.address(0)).await;
    expect_in_order("earlier schemas", &["--config", stack.config.to_str().expect("a path")]);
    stack.stop().expect("everything stops");
}
