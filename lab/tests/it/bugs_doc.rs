//! docs/bugs.md names tests that exist: a bug whose test is gone could come back.

use std::path::Path;

#[test]
fn every_test_that_keeps_a_bug_out_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/bugs.md")).expect("docs/bugs.md");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| bug")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last cell");
        let words: Vec<&str> = cell.split('`').collect();
        let [_, file, ": ", test, _] = words.as_slice() else { panic!("not `file`: `test`: {cell}") };
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
        named += 1;
    }
    assert!(named > 10, "only {named} rows were read");
}
