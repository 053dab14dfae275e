//! A name means one thing: no type twice in a crate, and no import renamed because two names clash.

use super::source::{Crate, crates};
use std::collections::BTreeMap;

/// Names of the types that a file defines at the top of a module.
fn types(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| {
        let line = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
            Some(restricted) => restricted.split_once(')').map_or(rest, |(_, rest)| rest),
            None => rest,
        });
        let mut words = line.trim_start().trim_start_matches("unsafe ").split([' ', '<', '(', ';', '{', ':', '=']);
        let keyword = words.next()?;
        matches!(keyword, "struct" | "enum" | "trait" | "type" | "union").then(|| words.next()).flatten()
    })
}

/// Types defined more than once in a crate.
fn doubled(it: &Crate) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for module in it.modules.values() {
        for name in types(&module.code) {
            places.entry(name).or_default().push(module.file.display().to_string());
        }
    }
    places.retain(|_, files| files.len() > 1);
    places.into_keys().map(|name| format!("{} {name}", it.name())).collect()
}

/// Imports of a type under another name, except `as _`.
fn renamed(it: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    for module in it.modules.values() {
        for statement in module.code.split(';').filter_map(|text| text.split_once("use ").map(|(_, uses)| uses)) {
            let words: Vec<&str> =
                statement.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
            for window in words.windows(3) {
                let is_type = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase());
                if window[1] == "as" && is_type(window[0]) && is_type(window[2]) {
                    found.push(format!("{} {} as {}", it.name(), window[0], window[2]));
                }
            }
        }
    }
    found
}

#[test]
fn no_crate_names_two_types_alike() {
    let found: Vec<String> = crates().iter().flat_map(doubled).collect();
    assert!(found.is_empty(), "names that mean two things in one crate:\n{}", found.join("\n"));
}

#[test]
fn no_import_is_renamed_because_of_a_clash() {
    let found: Vec<String> = crates().iter().flat_map(renamed).collect();
    assert!(found.is_empty(), "imports that hide a clash of names:\n{}", found.join("\n"));
}

#[test]
fn the_reader_of_names_sees_what_it_must() {
    let code = "pub struct Saga<T> {\n    field: u8,\n}\npub(crate) enum State {}\ntype Row = u8;\nlet type_of = 1;\n";
    assert_eq!(types(code).collect::<Vec<_>>(), ["Saga", "State", "Row"]);
}
