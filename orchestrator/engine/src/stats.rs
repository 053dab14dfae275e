//! What an orchestrator counts of its own work between two beats: how much was started, ended and got stuck, and how long what
//! ended took.

use hdrhistogram::Histogram;
use saga_core::time::Micros;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest time from start to end that is told apart, microseconds: a day.
const LONGEST_US: u64 = 24 * 60 * 60 * 1_000_000;

/// Counts since the last beat. Recording is a lock that nobody holds for long, and a few adds.
#[derive(Debug)]
pub struct Stats(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    started: u64,
    ended: u64,
    stuck: u64,
    times: Histogram<u32>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Sagas started and committed.
    pub started: u64,
    /// Sagas that completed or were compensated.
    pub ended: u64,
    /// Times that a saga got stuck: one that is retried in vain counts again.
    pub stuck: u64,
    /// Median time from start to end; zero if none ended.
    pub p50: Duration,
    /// The 99th percentile of the same.
    pub p99: Duration,
}

impl Default for Stats {
    fn default() -> Self {
        // The bounds are constants that the histogram takes: two digits up to a day.
        let times = Histogram::new_with_max(LONGEST_US, 2).or_else(|_| Histogram::new(2));
        let times = times.unwrap_or_else(|_| unreachable!("two digits are within what a histogram takes"));
        Self(Mutex::new(Counts { started: 0, ended: 0, stuck: 0, times }))
    }
}

impl Stats {
    /// A saga was started.
    pub fn started(&self) {
        self.counts().started += 1;
    }

    /// A saga got stuck.
    pub fn got_stuck(&self) {
        self.counts().stuck += 1;
    }

    /// A saga completed or was compensated.
    pub fn ended(&self, created: Micros, at: Micros) {
        let took = u64::try_from(at.since(created).as_micros()).unwrap_or(LONGEST_US);
        let mut counts = self.counts();
        counts.ended += 1;
        counts.times.saturating_record(took.clamp(1, LONGEST_US));
    }

    /// Everything since the last call.
    pub fn take(&self) -> Beat {
        let mut counts = self.counts();
        let at = |quantile| Duration::from_micros(counts.times.value_at_quantile(quantile));
        let (p50, p99) = if counts.ended == 0 { Default::default() } else { (at(0.5), at(0.99)) };
        let beat = Beat { started: counts.started, ended: counts.ended, stuck: counts.stuck, p50, p99 };
        (counts.started, counts.ended, counts.stuck) = (0, 0, 0);
        counts.times.reset();
        beat
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Every change is one call that leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_is_what_happened_since_the_last() {
        let stats = Stats::default();
        assert_eq!(stats.take(), Beat::default());
        for n in 1..=100 {
            stats.started();
            stats.ended(Micros(0), Micros(n * 1_000));
        }
        stats.ended(Micros(5), Micros(0));
        stats.got_stuck();
        let beat = stats.take();
        assert_eq!((beat.started, beat.ended, beat.stuck), (100, 101, 1));
        assert!((49..=51).contains(&beat.p50.as_millis()) && (98..=100).contains(&beat.p99.as_millis()), "{beat:?}");
        assert_eq!(stats.take(), Beat::default());
    }
}
