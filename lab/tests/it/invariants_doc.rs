//! docs/invariants.md lists every check there is, as the code has them. `BATON_REWRITE=1` writes it.

use baton_verify::tally::catalogue;
use saga_testing::script::check_block;
use std::collections::BTreeSet;
use std::path::Path;

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/invariants.md")
}

#[test]
fn every_check_is_listed() {
    let rows = catalogue().into_iter().map(|(id, name, live)| {
        let when = if live { "live and at rest" } else { "at rest" };
        format!("| {id} | {name} | {when} |\n")
    });
    let table = format!("| id | promise, as the report words it | when |\n|---|---|---|\n{}", rows.collect::<String>());
    check_block(&page(), "checks", &table).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_invariant_has_its_line_and_every_promise_is_worded_once() {
    let text = std::fs::read_to_string(page()).expect("docs/invariants.md");
    for number in 1..=27 {
        assert!(text.contains(&format!("\n| **I{number}** |")), "I{number} has no line");
    }
    let names: Vec<&str> = catalogue().into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}
