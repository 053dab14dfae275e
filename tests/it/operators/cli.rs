//! The command line, and what its exit codes and its output say.

use crate::support::BATON;
use baton::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use tonic::Status;

/// The exit code that a failure over gRPC has on the command line.
pub fn exit(status: Status) -> i32 {
    Failure::from(status).exit() as i32
}

/// Runs a client command; its output, or its exit code.
pub fn cli(server: &str, output: &str, args: &[&str]) -> Result<String, i32> {
    let mut command = Command::new(BATON);
    let done = command.env_clear().args(["--server", server, "-o", output]).args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.code().expect("a code") {
        0 => Ok(String::from_utf8(done.stdout).expect("UTF-8")),
        code => {
            assert!(said.starts_with("error: ") && done.stdout.is_empty(), "{args:?}: {said}");
            Err(code)
        }
    }
}

pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub fn words(text: &[&str]) -> BTreeSet<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}
