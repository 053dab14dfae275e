//! What a load counts: endings, latencies, and both second by second.

use super::call::Ending;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Wrong endings that are kept word by word; the rest are counted.
const KEPT: usize = 10;

/// Significant digits of a run's histogram, and of one second of it.
const DIGITS: u8 = 3;
const DIGITS_OF_A_SECOND: u8 = 2;

/// One second of a run.
#[derive(Clone, Debug)]
pub struct Second {
    /// Orders that ended in it.
    pub ended: u64,
    /// Orders that were refused in it.
    pub refused: u64,
    /// Latencies of those that ended, in microseconds.
    pub latency: Histogram<u64>,
}

/// What a run brought.
#[derive(Clone, Debug)]
pub struct Tally {
    from: Instant,
    /// Orders that ended right inside the measured time.
    pub ended: u64,
    /// The same by the state they ended in.
    pub states: BTreeMap<&'static str, u64>,
    /// Refused for now.
    pub refused: u64,
    /// The measured time.
    pub elapsed: Duration,
    /// Latencies of those that ended, in microseconds.
    pub latency: Histogram<u64>,
    /// The first wrong endings. A run with one of these reports no figure.
    pub wrong: Vec<String>,
    /// How many there were.
    pub wrong_count: u64,
    /// The course of the run.
    pub seconds: Vec<Second>,
}

impl Tally {
    /// Of a run whose measured time begins at `from`.
    pub fn new(from: Instant) -> Result<Self> {
        Ok(Self {
            from,
            ended: 0,
            states: BTreeMap::new(),
            refused: 0,
            elapsed: Duration::ZERO,
            latency: Histogram::new(DIGITS)?,
            wrong: Vec::new(),
            wrong_count: 0,
            seconds: Vec::new(),
        })
    }

    /// Counts one ending that was seen `at` and had been awaited since `begun`. Only those seen inside the measured time
    /// count as work done; a wrong one counts whenever it is seen.
    pub fn add(&mut self, ending: Ending, begun: Instant, at: Instant, until: Option<Instant>) -> Result<()> {
        let inside = at >= self.from && until.is_none_or(|until| at <= until);
        match ending {
            Ending::Right(state) if inside => {
                let micros = u64::try_from(at.duration_since(begun).as_micros())?;
                self.ended += 1;
                *self.states.entry(state.as_str_name()).or_default() += 1;
                self.latency.record(micros)?;
                let second = self.second(at)?;
                second.ended += 1;
                second.latency.record(micros)?;
                self.elapsed = self.elapsed.max(at.duration_since(self.from));
            }
            Ending::Refused if inside => {
                self.refused += 1;
                self.second(at)?.refused += 1;
            }
            Ending::Right(_) | Ending::Refused => {}
            Ending::Wrong(words) => {
                self.wrong_count += 1;
                if self.wrong.len() < KEPT {
                    self.wrong.push(words);
                }
            }
        }
        Ok(())
    }

    /// Sagas per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.ended as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn second(&mut self, at: Instant) -> Result<&mut Second> {
        let index = usize::try_from(at.duration_since(self.from).as_secs())?;
        while self.seconds.len() <= index {
            let latency = Histogram::new(DIGITS_OF_A_SECOND)?;
            self.seconds.push(Second { ended: 0, refused: 0, latency });
        }
        Ok(&mut self.seconds[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shop_proto::order::v1::OrderState;

    #[test]
    fn only_what_is_seen_inside_the_measured_time_counts_but_a_wrong_ending_always_does() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut tally = Tally::new(at(1_000)).unwrap();
        let right = || Ending::Right(OrderState::PaymentSuccess);
        tally.add(right(), at(0), at(900), Some(at(3_000))).unwrap();
        tally.add(right(), at(900), at(1_100), Some(at(3_000))).unwrap();
        tally.add(right(), at(2_000), at(2_500), Some(at(3_000))).unwrap();
        tally.add(right(), at(2_000), at(3_001), Some(at(3_000))).unwrap();
        tally.add(Ending::Refused, at(2_000), at(2_100), Some(at(3_000))).unwrap();
        tally.add(Ending::Wrong("lost".to_owned()), at(2_000), at(9_000), Some(at(3_000))).unwrap();
        assert_eq!((tally.ended, tally.refused, tally.wrong_count), (2, 1, 1));
        assert_eq!(tally.seconds.iter().map(|second| second.ended).collect::<Vec<_>>(), [1, 1]);
        assert!(tally.latency.max() >= 499_000 && tally.latency.min() <= 201_000);
    }
}
