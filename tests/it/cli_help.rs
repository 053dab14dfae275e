//! Help and completions: complete, consistent, readable.

use baton::cli::Cli;
use clap::CommandFactory as _;
use std::process::Command;

/// Widest line of a help text: what a terminal of usual size shows without breaking it.
const WIDEST: usize = 110;

/// Every command with its path, depth first.
fn commands() -> Vec<(String, clap::Command)> {
    fn walk(path: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let path = format!("{path} {}", inner.get_name());
            found.push((path.clone(), inner.clone()));
            walk(&path, inner, found);
        }
    }
    let mut found = Vec::new();
    let mut root = Cli::command();
    root.build();
    walk("baton", &root, &mut found);
    found
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    let commands = commands();
    assert!(commands.len() > 25, "{}", commands.len());
    for (path, command) in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 5, "{path} has no description");
        assert!(!about.ends_with('.'), "{path}: one-line descriptions carry no full stop");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path}: {} has no description", argument.get_id());
        }
    }
}

#[test]
fn help_fits_a_terminal() {
    for (path, mut command) in commands() {
        let help = command.render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= WIDEST, "{path}: too wide: {line}");
        }
    }
}

#[test]
fn the_help_leads_a_newcomer() {
    let help = Cli::command().render_help().to_string();
    for word in ["baton demo", "baton dev", "Exit codes", "orders", "sagas", "--print-config"] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn completions_come_for_every_shell_and_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Command::new(env!("CARGO_BIN_EXE_baton")).args(["completions", shell]).output().expect("it runs");
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && script.contains("sandbox-provider"), "{shell}");
    }
}
