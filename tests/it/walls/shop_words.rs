//! The engine knows no shop: no word of it stands in the engine's crates. Tests may speak of orders, and do.

use std::fs;
use std::path::{Path, PathBuf};

/// The engine's crates, without their tests.
const ENGINE: [&str; 15] = [
    "proto/proto",
    "proto/src",
    "saga-core/src",
    "orchestrator/src",
    "orchestrator/query/src",
    "orchestrator/engine/src",
    "orchestrator/store/src",
    "orchestrator/operations/src",
    "orchestrator/verify/src",
    "rpc/src",
    "courier/src",
    "sql/src",
    "console/src",
    "console/templates",
    "crash-point/src",
];

/// What a shop speaks of, in lower case; parts of words count. "order" alone is not among them as long as what operators do
/// is called an order too, nor is "item", which every list has.
const WORDS: [&str; 16] = [
    "shop",
    "payment",
    "stock",
    "customer",
    "merchant",
    "currency",
    "currencies",
    "catalogue",
    "order_number",
    "ordernumber",
    "place_order",
    "placeorder",
    "ordersaga",
    "order saga",
    "item_id",
    "itemid",
];

/// Words that hold one of those and mean something else; the second is the AMQP client's.
const INNOCENT: [&str; 2] = ["concurrency", "publishoptions"];

#[test]
fn the_engine_knows_no_shop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ENGINE.iter().for_each(|part| collect(&root.join(part), &mut files));
    assert!(files.len() > 200, "the engine's sources are elsewhere: {}", files.len());
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).expect("below the root").display().to_string();
        let text = fs::read_to_string(&file).expect("a text");
        found.extend(words(&text).into_iter().map(|(line, word)| format!("{name}:{line}: {word}")));
    }
    assert!(found.is_empty(), "the shop is in participants/ and nowhere else:\n{}", found.join("\n"));
}

#[test]
fn a_word_of_the_shop_is_found_where_it_stands() {
    let text = "//! Concurrency, in order.\nfn of(number: OrderNumber) {}\n#[cfg(test)]\nmod tests { const A: &str = \"stock\"; }\n";
    assert_eq!(words(text), [(2, "ordernumber")]);
    assert_eq!(words("<p>What customers pay</p>"), [(1, "customer")]);
}

/// Lines, from 1, with the first word of the shop that each has; what stands behind `#[cfg(test)]` is left out.
fn words(text: &str) -> Vec<(usize, &'static str)> {
    let production = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = production.lines().enumerate().filter_map(|(at, line)| {
        let line = INNOCENT.iter().fold(line.to_lowercase(), |line, word| line.replace(word, ""));
        WORDS.iter().find(|word| line.contains(*word)).map(|word| (at + 1, *word))
    });
    lines.collect()
}

/// Files of tests that are compiled on their own, and suites that other crates' tests run, are none of production's.
fn collect(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())).flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match path.is_dir() {
            _ if name == "tests" || name.starts_with("conformance") => {}
            true => collect(&path, into),
            false => into.push(path),
        }
    }
}
