//! Exit codes and streams of the binary: data on standard output, talk on standard error.

use std::process::{Command, Output};

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
        vec!["demo", "--target", "127.0.0.1:1"],
        vec!["demo", "--orders", "0"],
        vec!["verify", "--live", "--provider", "http://127.0.0.1:1"],
        vec!["--set", "novalue", "config", "check"],
        vec!["--config", "/nowhere/baton.toml", "config", "check"],
        vec!["--server", "not an address", "items", "list"],
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
