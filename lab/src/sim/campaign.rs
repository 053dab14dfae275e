//! Many seeds, on as many threads as wanted: each seed is a world of its own.

use super::life::Us;
use super::run::{Options, RunOutcome, run};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Failing seeds kept with everything that is known of them; the rest are counted.
const MAX_FAILED: usize = 20;

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Seeds run.
    pub seeds: u64,
    /// Seeds that failed.
    pub failed: u64,
    /// Virtual time lived, microseconds.
    pub lived: u128,
    /// Sagas by their last state.
    pub sagas: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Commits of the orchestrators' stores.
    pub commits: u64,
    /// The longest time from the heal to rest, virtual.
    pub longest_healing: Us,
    /// Wall time.
    pub elapsed: Duration,
    /// Threads.
    pub jobs: usize,
    /// The first failures.
    pub failures: Vec<RunOutcome>,
}

impl Totals {
    /// Sagas of all ends.
    #[must_use]
    pub fn all_sagas(&self) -> u64 {
        self.sagas.values().sum()
    }

    /// Sagas for each second and thread.
    #[must_use]
    pub fn sagas_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64() * self.jobs.max(1) as f64;
        if seconds > 0.0 { self.all_sagas() as f64 / seconds } else { 0.0 }
    }

    /// Virtual hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.lived as f64 / 3.6e9
    }

    fn add(&mut self, outcome: RunOutcome) {
        self.seeds += 1;
        self.lived += u128::from(outcome.lived);
        self.commits += outcome.commits;
        self.longest_healing = self.longest_healing.max(outcome.healing);
        for (state, count) in &outcome.sagas {
            *self.sagas.entry(state).or_default() += count;
        }
        for (kind, count) in &outcome.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        if !outcome.failures.is_empty() {
            self.failed += 1;
            if self.failures.len() < MAX_FAILED {
                self.failures.push(outcome);
            }
        }
    }
}

/// Runs the seeds on `jobs` threads; `progress` hears of the totals now and then and says whether to go on.
pub fn campaign(
    seeds: Range<u64>,
    jobs: usize,
    options: &Options,
    mut progress: impl FnMut(&Totals) -> bool,
) -> Totals {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let mut totals = Totals { jobs: jobs.max(1), ..Totals::default() };
    std::thread::scope(|scope| {
        // Bounded: a thread that is ahead waits for the one that counts.
        let (done, finished) = mpsc::sync_channel(64);
        for _ in 0..jobs.max(1) {
            let (done, next, stop, end) = (done.clone(), &next, &stop, seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || stop.load(Ordering::Relaxed) || done.send(run(seed, options)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        for outcome in finished {
            totals.add(outcome);
            totals.elapsed = began.elapsed();
            if !progress(&totals) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    totals.elapsed = began.elapsed();
    totals
}
