//! No circle of imports within a crate: of any two modules at most one needs the other.

use super::source::{Crate, crates};
use std::collections::{BTreeMap, BTreeSet};

/// Paths that code names from `crate`, `super` or `self`, as modules of this crate. A parent's `mod child;` is no import.
fn imports(it: &Crate, module: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, _) in it.modules[module].code.match_indices("::") {
        let code = &it.modules[module].code;
        let start = code[..index].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
        let base: Vec<&str> = match &code[start..index] {
            "crate" => Vec::new(),
            "super" => parent(module),
            "self" => segments(module),
            _ => continue,
        };
        for path in paths(&code[index + 2..], base) {
            // The longest prefix that is a module: what follows is something in it.
            let named = (0..=path.len())
                .rev()
                .map(|length| path[..length].join("::"))
                .find(|path| it.modules.contains_key(path));
            found.extend(named.filter(|named| named != module));
        }
    }
    found
}

fn segments(module: &str) -> Vec<&str> {
    module.split("::").filter(|part| !part.is_empty()).collect()
}

fn parent(module: &str) -> Vec<&str> {
    let mut path = segments(module);
    path.pop();
    path
}

/// The paths that begin here, with the branches of a `{…}` list written out.
fn paths<'a>(code: &'a str, base: Vec<&'a str>) -> Vec<Vec<&'a str>> {
    let end = code.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(code.len());
    let (word, rest) = code.split_at(end);
    if let Some(list) = rest.strip_prefix('{').filter(|_| word.is_empty()) {
        let mut depth = 1;
        let close = list.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        let list = &list[..close.unwrap_or(list.len())];
        let mut depth = 0;
        let branches = list.split(move |c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        return branches.flat_map(|branch| paths(branch.trim_start(), base.clone())).collect();
    }
    let mut path = base;
    if word == "super" {
        path.pop();
    } else {
        path.push(word);
    }
    match rest.strip_prefix("::") {
        Some(rest) => paths(rest, path),
        None => vec![path],
    }
}

/// Groups of modules that each reach all the others of their group.
fn circles(it: &Crate) -> Vec<Vec<String>> {
    let arrows: BTreeMap<&String, BTreeSet<String>> =
        it.modules.keys().map(|module| (module, imports(it, module))).collect();
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(module) = open.pop() {
            for next in &arrows[&module] {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<String, BTreeSet<String>> =
        it.modules.keys().map(|module| (module.clone(), reach(module))).collect();
    let mut groups = BTreeSet::new();
    for (module, seen) in &reached {
        if seen.contains(module) {
            groups.insert(seen.iter().filter(|other| reached[*other].contains(module)).cloned().collect::<Vec<_>>());
        }
    }
    groups.into_iter().collect()
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    let mut found = Vec::new();
    for it in crates() {
        found.extend(circles(&it).into_iter().map(|circle| format!("{} {}", it.name(), circle.join(" <-> "))));
    }
    assert!(found.is_empty(), "circles of imports:\n{}", found.join("\n"));
}

#[test]
fn paths_are_read_with_their_branches() {
    let read = |code| paths(code, vec!["a"]).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(read("b::{C, d::E, f::{G, h::I}};"), ["a::b::C", "a::b::d::E", "a::b::f::G", "a::b::f::h::I"]);
    assert_eq!(read("super::b;"), ["b"]);
}
