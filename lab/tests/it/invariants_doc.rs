//! docs/invariants.md lists every check there is, as the code has them. `BATON_REWRITE=1` writes it.

use baton_verify::invariant::Promise;
use baton_verify::tally::with_engine;
use saga_testing::script::check_block;
use shop_audit::laws::invariants;
use std::collections::BTreeSet;
use std::path::Path;

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/invariants.md")
}

#[test]
fn every_check_is_listed() {
    let further = invariants();
    let rows = with_engine(&further).into_iter().map(|invariant| {
        let Promise { id, what, live, needs, .. } = *invariant.promise();
        let when = if live { "live and at rest" } else { "at rest" };
        let needs: Vec<&str> = needs.iter().map(|part| part.0).collect();
        format!("| {id} | {what} | {when} | {} |\n", needs.join(", "))
    });
    let head = "| id | promise, as the report words it | when | needs |\n|---|---|---|---|\n";
    let table = format!("{head}{}", rows.collect::<String>());
    check_block(&page(), "checks", &table).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_invariant_has_its_line_and_every_promise_is_worded_once() {
    let text = std::fs::read_to_string(page()).expect("docs/invariants.md");
    for number in 1..=27 {
        assert!(text.contains(&format!("\n| **I{number}** |")), "I{number} has no line");
    }
    let further = invariants();
    let names: Vec<&str> = with_engine(&further).into_iter().map(|invariant| invariant.promise().what).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}
