//! Shrinking: a failing seed with as little in it as still fails. What is left is the story to read.

use super::run::{Options, RunOutcome, run};
use super::swarm::Limits;

/// Runs spent on one seed at most.
const MAX_RUNS: usize = 120;

/// A seed made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left out.
    pub limits: Limits,
    /// The run with that, readable.
    pub outcome: RunOutcome,
    /// How many runs it took.
    pub runs: usize,
}

/// Leaves out kinds of faults, processes and orders, one after the other, as long as one of the same invariants still
/// breaks. Not the smallest there is, but none of what is left can be left out on its own.
#[must_use]
pub fn shrink(failed: &RunOutcome, options: &Options) -> Shrunk {
    let wanted: Vec<&'static str> = failed.failures.iter().map(|violation| violation.invariant).collect();
    let mut best = options.limits.clone();
    let mut runs = 0;
    let mut try_out = |limits: &Limits| {
        runs += 1;
        let outcome = run(failed.seed, &Options { limits: limits.clone(), trace: false, ..options.clone() });
        runs <= MAX_RUNS && outcome.failures.iter().any(|violation| wanted.contains(&violation.invariant))
    };
    for kind in &failed.kinds {
        let mut limits = best.clone();
        limits.without.insert((*kind).to_owned());
        if try_out(&limits) {
            best = limits;
        }
    }
    for few in [1, 2] {
        let limits = Limits { orchestrators: Some(few), ..best.clone() };
        if best.orchestrators.is_none() && failed.processes.0 > few && try_out(&limits) {
            best = limits;
        }
    }
    let limits = Limits { copies: Some(1), ..best.clone() };
    if failed.processes.1.iter().any(|copies| *copies > 1) && try_out(&limits) {
        best = limits;
    }
    let (mut fails, mut passes) = (failed.orders, 0);
    while fails > passes + 1 {
        let middle = passes + (fails - passes) / 2;
        let limits = Limits { orders: Some(middle), ..best.clone() };
        if try_out(&limits) {
            (best, fails) = (limits, middle);
        } else {
            passes = middle;
        }
    }
    let outcome = run(failed.seed, &Options { limits: best.clone(), trace: true, ..options.clone() });
    Shrunk { limits: best, outcome, runs }
}

/// The command that replays a seed with these limits.
#[must_use]
pub fn command(seed: u64, limits: &Limits) -> String {
    let mut text = format!("baton-lab sim --seed {seed}");
    if !limits.without.is_empty() {
        let kinds: Vec<&str> = limits.without.iter().map(String::as_str).collect();
        text.push_str(&format!(" --without {}", kinds.join(",")));
    }
    let mut number = |flag: &str, value: Option<usize>| {
        if let Some(value) = value {
            text.push_str(&format!(" --{flag} {value}"));
        }
    };
    number("orders", limits.orders);
    number("orchestrators", limits.orchestrators);
    number("copies", limits.copies);
    text
}
