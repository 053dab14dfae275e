//! Every planted defect is noticed by an invariant that is there for it.

use baton_chaos::sim::planted::{ALL, SEEDS};

#[test]
fn every_planted_defect_is_noticed() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut missed = Vec::new();
    for planted in ALL.iter().filter(|planted| planted.name.contains(&only)) {
        match planted.caught_within(SEEDS) {
            Some(caught) => println!("{:28} seed {:3} {:?} {}", planted.name, caught.seed, caught.broken, caught.what),
            None => missed.push(planted.name),
        }
    }
    assert!(missed.is_empty(), "not noticed within {SEEDS} seeds: {missed:?}");
}
