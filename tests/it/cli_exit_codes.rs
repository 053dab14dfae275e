//! Exit codes and streams of the binary: data on standard output, talk on standard error.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs the binary with a clean environment.
fn baton(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton")).args(args).env_clear().output().expect("the binary runs")
}

fn code(args: &[&str]) -> i32 {
    baton(args).status.code().expect("it exits by itself")
}

/// An address on loopback where nobody listens: the port was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

#[test]
fn usage_is_two() {
    for args in [
        vec!["frobnicate"],
        vec!["orders", "create"],
        vec!["orders", "create", "--line", "sku"],
        vec!["participant", "cook"],
        vec!["items", "create", "sku", "--price", "much"],
        vec!["demo", "--provider", "http://127.0.0.1:1"],
        vec!["demo", "--orders", "0"],
        vec!["verify", "--live", "--provider", "http://127.0.0.1:1"],
        vec!["--set", "novalue", "config", "check"],
        vec!["--config", "/nowhere/baton.toml", "config", "check"],
        vec!["--server", "not an address", "items", "list"],
        vec!["--server", "https://127.0.0.1:1", "items", "list"],
        vec!["--set", "provider.base_url=ftp://127.0.0.1:1", "config", "check"],
        vec!["--set", "shop.currencies=won", "config", "check"],
    ] {
        assert_eq!(code(&args), 2, "{args:?}");
    }
}

#[test]
fn no_command_shows_the_help_and_is_usage() {
    let output = baton(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Usage: baton"));
}

#[test]
fn help_and_version_are_fine() {
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["--version"]), 0);
    assert_eq!(code(&["orders", "place", "--help"]), 0);
}

#[test]
fn somebody_else_there_is_five_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let _ = peer.write_all(b"-ERR unknown command\r\n");
        }
    });
    let output = baton(&["--server", &address, "items", "list"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains(&format!("{address} gave no answer that is gRPC")), "{said}");
}

#[test]
fn who_does_not_hear_the_end_of_an_order_is_told_how_to_repeat_it() {
    let address = baton_supervisor::hangup::on_calls().expect("a free port").to_string();
    let restock = ["--server", &address, "items", "restock", "apple", "--quantity", "10"];
    let output = baton(&restock);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    let (_, id) = said.trim_end().rsplit_once("to repeat it without doing it twice, add --request-id ").expect(&said);
    let given = baton(&[&restock[..], &["--request-id", id]].concat());
    let said = String::from_utf8_lossy(&given.stderr);
    assert_eq!(given.status.code(), Some(5), "it is one that the command takes: {said}");
    assert!(!said.contains("--request-id"), "who gave it knows it: {said}");
}

#[test]
fn nobody_there_is_five_and_names_the_address() {
    let address = nobody();
    for command in [vec!["items", "list"], vec!["orders", "get", "x"], vec!["sagas", "list"], vec!["health"]] {
        let output = baton(&[vec!["--server", &address], command.clone()].concat());
        assert_eq!(output.status.code(), Some(5), "{command:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains(&address), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_sound_configuration_is_fine_and_quiet_is_quiet() {
    let output = baton(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    assert!(baton(&["config", "check", "--quiet"]).stderr.is_empty());
}

#[test]
fn a_reader_who_has_read_enough_is_no_error_and_a_full_disk_is() {
    for (args, fine) in
        [(vec!["completions", "bash"], 0), (vec!["--help"], 0), (vec!["--print-config"], 0), (vec![], 2)]
    {
        let start = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
            command.args(&args).env_clear().stdout(stdout).stderr(Stdio::piped()).spawn().expect("the binary runs")
        };
        let mut process = start(Stdio::piped());
        drop(process.stdout.take());
        let output = process.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(fine), "{args:?}: {said}");
        assert!(!said.contains("ipe") && !said.contains("panicked"), "{args:?}: {said}");

        let full = File::options().write(true).open("/dev/full").expect("a device that is full");
        let output = start(full.into()).wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if fine == 0 { 1 } else { fine }), "{args:?}: {said}");
        assert!(said.contains("error: standard output cannot be written: "), "{args:?}: {said}");
    }
}

#[test]
fn the_environment_is_no_flag_that_must_be_written() {
    let with = |name: &str, value: &str, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(args).env_clear().env(name, value).output().expect("the binary runs")
    };
    for name in ["BATON_CONFIG", "BATON_SERVER", "BATON_OUTPUT"] {
        assert_eq!(with(name, "", &["config", "check"]).status.code(), Some(0), "{name}: empty is not set");
        let output = with(name, "x", &["orders", "get"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(said.contains("Usage: baton orders get <ORDER>"), "{name}: {said}");
    }
    let address = nobody();
    let output = with("BATON_SERVER", &address, &["items", "list"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
    assert_eq!(with("BATON_OUTPUT", "yaml", &["config", "check"]).status.code(), Some(2));
    assert_eq!(with("BATON_CONFIG", "/nowhere/baton.toml", &["config", "check"]).status.code(), Some(2));
}
