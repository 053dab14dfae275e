//! Breaches that are older than the walls. Their lists may only grow shorter.

use std::collections::BTreeSet;

/// Demands that `found` is what `known` lists, a line each: no new breach, and no line whose breach is mended.
pub fn compare(what: &str, known: &str, found: Vec<String>) {
    let known: BTreeSet<&str> = known.lines().collect();
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let list = |lines: Vec<&&str>| lines.into_iter().map(|line| format!("  {line}\n")).collect::<String>();
    let new = list(found.difference(&known).collect());
    assert!(new.is_empty(), "new {what}:\n{new}");
    let mended = list(known.difference(&found).collect());
    assert!(mended.is_empty(), "{what} that are mended; take them out of the list:\n{mended}");
}

#[test]
fn a_new_breach_and_a_mended_one_are_both_told() {
    let failed = |known: &'static str, found: &'static str| {
        let found = found.lines().map(str::to_owned).collect();
        let told = std::panic::catch_unwind(move || compare("breaches", known, found)).expect_err("it fails");
        told.downcast_ref::<String>().expect("a message").clone()
    };
    compare("breaches", "a\nb", vec!["b".to_owned(), "a".to_owned()]);
    assert!(failed("a", "a\nb").contains("new breaches:\n  b"));
    assert!(failed("a\nb", "a").contains("mended; take them out of the list:\n  b"));
}
