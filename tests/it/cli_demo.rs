//! `baton demo` in one process: outcomes as planned, every line of the audit, a readable report.

use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton")).arg("demo").args(args).env_clear().output().expect("it runs")
}

const SMALL: [&str; 8] = ["--orders", "120", "--stock", "70", "--wrong-amount", "10", "--unknown-payment", "10"];

#[test]
fn a_small_run_is_clean_and_says_so() {
    let output = demo(&SMALL);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in ["completed", "out of stock, refunded", "payment failed", "sagas/s", "I1", "I3", "I4", "I5", "I10"] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("BROKEN"), "{text}");
}

#[test]
fn machines_get_json_with_the_counts() {
    let output = demo(&[&SMALL[..], &["-o", "json", "--quiet"]].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let outcomes = report["run"]["outcomes"].as_array().expect("outcomes");
    let count = |name: &str| {
        let found = outcomes.iter().find(|outcome| outcome["outcome"].as_str().is_some_and(|it| it.starts_with(name)));
        found.and_then(|outcome| outcome["count"].as_u64()).unwrap_or(0)
    };
    assert_eq!((count("completed"), count("out of stock"), count("payment failed")), (70, 30, 20));
    assert!(report["audit"].as_array().expect("findings").iter().all(|finding| finding["passed"] == true));
}
