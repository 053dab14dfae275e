//! Every planted defect is noticed by the invariants that are there for it, and docs/testing.md lists them all.
//! `BATON_REWRITE=1` writes the list.

use baton_lab::sim::planted::elsewhere::ELSEWHERE;
use baton_lab::sim::planted::{ALL, SEEDS};
use saga_testing::script::check_block;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_planted_defect_is_noticed() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let chosen: Vec<_> = ALL.iter().filter(|planted| planted.name.contains(&only)).collect();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let missed: Vec<String> = std::thread::scope(|scope| {
        let search = || {
            let mut missed = Vec::new();
            while let Some(planted) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                let caught = planted.caught_within(SEEDS);
                for (invariant, (seed, what)) in &caught {
                    println!("{:28} {invariant:4} seed {seed:3} {what}", planted.name);
                }
                // Each invariant the list names, not just one of them.
                let blind = planted.breaks.iter().filter(|invariant| !caught.contains_key(*invariant));
                missed.extend(blind.map(|invariant| format!("{} by {invariant}", planted.name)));
            }
            missed
        };
        let searches: Vec<_> = (0..jobs).map(|_| scope.spawn(search)).collect();
        searches.into_iter().flat_map(|search| search.join().expect("a search ends")).collect()
    });
    assert!(missed.is_empty(), "not noticed within {SEEDS} seeds: {missed:#?}");
}

#[test]
fn every_planted_defect_is_listed() {
    let mut rows = vec!["| defect | what is wrong | noticed by | shown by |\n|---|---|---|---|\n".to_owned()];
    for planted in ALL {
        let (name, what, breaks) = (planted.name, planted.what, planted.breaks.join(", "));
        rows.push(format!("| {name} | {what} | {breaks} | the simulator |\n"));
    }
    for planted in ELSEWHERE {
        let (name, what, breaks) = (planted.name, planted.what, planted.breaks);
        rows.push(format!("| {name} | {what} | {breaks} | `{}` |\n", planted.command()));
    }
    check_block(&root().join("docs/testing.md"), "planted", &rows.concat()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn names_are_distinct_and_every_test_named_exists() {
    let names: BTreeSet<&str> =
        ALL.iter().map(|planted| planted.name).chain(ELSEWHERE.iter().map(|planted| planted.name)).collect();
    assert_eq!(names.len(), ALL.len() + ELSEWHERE.len());
    for planted in ELSEWHERE {
        let text = std::fs::read_to_string(root().join(planted.file)).expect(planted.file);
        assert!(text.contains(&format!("fn {}(", planted.test)), "{} has no test {}", planted.file, planted.test);
    }
}
