//! However the starting process ends, nothing that it started stays: not the servers, not their directories.
//!
//! The test starts itself once more in the role of a test process that holds shared (never dropped) servers, lets that
//! one end in each way a process can end, and looks for what is left.

use baton_supervisor::process::group_is_alive;
use baton_supervisor::shared;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "BATON_TEST_ENDS_BY";

/// The watchdogs act at once; the erasing of a directory takes its time on a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Not a test on its own: the process that ends. Without the role it does nothing.
#[tokio::test]
async fn the_process_that_ends() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let redis = shared::redis().await;
    println!("group {}", redis.process().pid().unwrap());
    println!("directory {}", redis.process().log_path().parent().unwrap().display());
    if role == "kill" {
        let (mariadb, rabbitmq) = tokio::join!(shared::mariadb(), shared::rabbitmq());
        for process in [mariadb.process(), rabbitmq.process(), rabbitmq.mapper_process()] {
            println!("group {}", process.pid().unwrap());
            println!("directory {}", process.log_path().parent().unwrap().display());
        }
    }
    println!("ready");
    match role.as_str() {
        "return" => {}
        "panic" => panic!("as asked"),
        _ => std::future::pending().await,
    }
}

struct Ended {
    groups: Vec<Pid>,
    directories: Vec<PathBuf>,
    /// Kept open: a test process that cannot print its summary panics.
    _output: BufReader<ChildStdout>,
}

fn start(role: &str) -> (Child, Ended) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["orphans::the_process_that_ends", "--exact", "--nocapture"])
        .env(ROLE, role)
        .env_remove(shared::VARIABLE)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut groups, mut directories) = (Vec::new(), Vec::new());
    let mut ready = false;
    for line in output.by_ref().lines() {
        let line = line.unwrap();
        if let Some(group) = line.split("group ").nth(1) {
            groups.push(Pid::from_raw(group.parse().unwrap()));
        } else if let Some(directory) = line.strip_prefix("directory ") {
            directories.push(directory.into());
        } else if line == "ready" {
            ready = true;
            break;
        }
    }
    assert!(ready, "the child ended early");
    (child, Ended { groups, directories, _output: output })
}

fn assert_gone(ended: &Ended) {
    assert!(!ended.groups.is_empty());
    let deadline = Instant::now() + GONE_WITHIN;
    let is_left = || {
        let group = ended.groups.iter().find(|group| group_is_alive(**group)).map(ToString::to_string);
        let directory = ended.directories.iter().find(|directory| directory.exists());
        group.or(directory.map(|directory| directory.display().to_string()))
    };
    while let Some(left) = is_left() {
        assert!(Instant::now() < deadline, "left behind: {left}");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_returns_leaves_nothing() {
    let (mut child, ended) = start("return");
    assert!(child.wait().unwrap().success());
    assert_gone(&ended);
}

#[test]
fn a_process_that_panics_leaves_nothing() {
    let (mut child, ended) = start("panic");
    assert!(!child.wait().unwrap().success());
    assert_gone(&ended);
}

#[test]
fn a_process_that_is_killed_leaves_nothing() {
    let (mut child, ended) = start("kill");
    assert_eq!(ended.groups.len(), 4);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert_gone(&ended);
}
