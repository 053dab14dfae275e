//! Arrows between crates point one way: down, and never across between the engine and the participants. Only what puts an
//! installation together knows both.

use super::source::root;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    /// Of use to both, and knows neither.
    Shared,
    Engine,
    Participants,
    /// Puts both together.
    Together,
    /// Proves the rest. Nobody's dependency.
    Laboratory,
}

use Side::{Engine, Laboratory, Participants, Shared, Together};

/// Every crate of the workspace with its floor: it depends on lower floors only.
const FLOORS: [(&str, u8, Side); 30] = [
    ("saga-core", 0, Shared),
    ("baton-proto", 0, Shared),
    ("baton-sql", 0, Shared),
    ("baton-courier", 1, Shared),
    ("baton-crash-point", 0, Shared),
    ("baton-rpc", 1, Shared),
    ("baton-query", 1, Engine),
    ("baton-engine", 2, Engine),
    ("baton-store", 3, Engine),
    ("baton-operations", 4, Engine),
    ("baton-orchestrator", 5, Engine),
    ("baton-console", 6, Engine),
    ("baton-verify", 6, Engine),
    ("shop-proto", 0, Participants),
    ("shop-domain", 2, Participants),
    ("baton-participant-kit", 2, Participants),
    ("baton-order", 3, Participants),
    ("baton-payment", 3, Participants),
    ("baton-stock", 3, Participants),
    ("baton-sandbox", 3, Participants),
    ("baton-shop", 6, Together),
    ("shop-audit", 7, Together),
    ("trip", 7, Together),
    ("baton", 8, Together),
    ("saga-testing", 9, Laboratory),
    ("baton-supervisor", 9, Laboratory),
    ("baton-lab", 10, Laboratory),
    ("baton-decoder-laws", 11, Laboratory),
    ("baton-bench", 11, Laboratory),
    ("baton-document", 11, Laboratory),
];

/// Whether code on one side may know code on the other.
fn may_know(user: Side, used: Side) -> bool {
    match user {
        Shared => used == Shared,
        Engine | Participants => used == Shared || used == user,
        Together => used != Laboratory,
        Laboratory => true,
    }
}

/// The package's name and the workspace's crates that it needs to be built, for whatever platform.
fn needs(manifest: &toml::Table) -> (String, Vec<String>) {
    let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
    let tables = ["dependencies", "build-dependencies"].into_iter().filter_map(|table| manifest.get(table)?.as_table());
    let floors: BTreeMap<_, _> = FLOORS.iter().map(|(name, ..)| (*name, ())).collect();
    (name, tables.flat_map(|table| table.keys().cloned()).filter(|it| floors.contains_key(it.as_str())).collect())
}

#[test]
fn arrows_point_down_and_never_across() {
    let floors: BTreeMap<_, _> = FLOORS.iter().map(|(name, floor, side)| (*name, (*floor, *side))).collect();
    let read = |folder: &str| -> toml::Table {
        let file = root().join(folder).join("Cargo.toml");
        std::fs::read_to_string(&file).expect("a manifest").parse().expect("TOML")
    };
    let workspace = read("");
    let members = workspace["workspace"]["members"].as_array().expect("members");
    let mut wrong = Vec::new();
    for folder in members.iter().map(|it| it.as_str().expect("a path")).chain([""]) {
        let (user, used) = needs(&read(folder));
        let Some((floor, side)) = floors.get(user.as_str()) else {
            wrong.push(format!("{user} has no floor: enter it in FLOORS"));
            continue;
        };
        for it in used {
            let (below, other) = floors[it.as_str()];
            if below >= *floor || !may_know(*side, other) {
                wrong.push(format!("{user} ({side:?}, floor {floor}) depends on {it} ({other:?}, floor {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or across:\n{}", wrong.join("\n"));
}
