//! The simulator: the same seed is the same run, no seed breaks a promise, and a failing seed can be made small.

use baton_lab::sim::campaign::campaign;
use baton_lab::sim::plant::AdapterBug;
use baton_lab::sim::report;
use baton_lab::sim::run::{Options, run};
use baton_lab::sim::shrink::{command, shrink};

/// Seeds that are run twice.
const TWICE: std::ops::Range<u64> = 0..15;

/// Seeds of the campaign in a debug build; `make sim` and CI run more in a release build.
const CAMPAIGN: std::ops::Range<u64> = 0..200;

#[test]
fn the_same_seed_is_the_same_run() {
    let mut digests = std::collections::BTreeSet::new();
    for seed in TWICE {
        let (first, second) = (run(seed, &Options::default()), run(seed, &Options::default()));
        if first.digest != second.digest {
            let lines = |()| run(seed, &Options { trace: true, ..Options::default() }).lines;
            let (one, other) = (lines(()), lines(()));
            let differ = one.iter().zip(&other).find(|(a, b)| a != b);
            panic!("baton-lab sim --seed {seed}: two runs differ, first at {differ:#?}");
        }
        digests.insert(first.digest);
    }
    assert!(digests.len() > 10, "different seeds are different runs");
}

#[test]
fn no_seed_breaks_a_promise() {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let totals = campaign(CAMPAIGN, jobs, &Options::default(), |_| true);
    println!("{}", report::totals(&totals));
    let broken: Vec<String> = totals.failures.iter().map(report::outcome).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    // A campaign in which nothing goes wrong, or only one thing comes of it, shows nothing.
    let struck = totals.faults.values().filter(|count| **count > 0).count();
    assert!(struck >= 30, "only {struck} kinds of faults struck");
    assert!(totals.sagas.get("completed") > Some(&1_000) && totals.sagas.get("compensated") > Some(&1_000));
}

#[test]
fn a_failing_seed_is_made_small_and_still_fails() {
    let options = Options { adapter: Some(AdapterBug::UnknownIsFailure), ..Options::default() };
    let failed = (0..200).map(|seed| run(seed, &options)).find(|outcome| !outcome.failures.is_empty());
    let failed = failed.expect("a seed that notices the defect");
    let shrunk = shrink(&failed, &options);
    assert!(shrunk.outcome.orders < failed.orders, "{} of {} orders are left", shrunk.outcome.orders, failed.orders);
    assert!(!shrunk.limits.without.is_empty() && !shrunk.outcome.failures.is_empty());
    assert!(command(failed.seed, &shrunk.limits).contains("--without"), "{}", report::story(&shrunk));
}
