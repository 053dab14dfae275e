//! A storm as values.

use crate::storm::arena::{Event, Fired};
use crate::storm::courier::Courier;
use crate::storm::history::OrderKind;
use crate::storm::holdings::Holdings;
use baton_verify::report::Finding;
use serde::Serialize;

/// A whole storm.
#[derive(Clone, Debug, Serialize)]
pub struct Campaign {
    /// Version of the binary.
    pub version: String,
    /// The seed everything is drawn from.
    pub seed: u64,
    /// What carried commands.
    pub courier: Courier,
    /// Seconds of load per nemesis.
    pub seconds: u64,
    /// Orders begun in a second.
    pub rate: f64,
    /// UTC, RFC 3339.
    pub began: String,
    /// In order.
    pub nemeses: Vec<NemesisReport>,
    /// Recovery figures, if they were measured.
    pub recovery: Vec<Figure>,
}

/// How a nemesis ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It fired, and every invariant held.
    Passed,
    /// It did not fire, or an invariant is broken.
    Failed,
    /// It could not be run here; why. Never counted as passed.
    NotRun(String),
}

/// One nemesis.
#[derive(Clone, Debug, Serialize)]
pub struct NemesisReport {
    /// Name.
    pub name: String,
    /// In a sentence.
    pub what: String,
    /// Its own seed.
    pub seed: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// When the fault began, ms since the load began.
    pub fault_from_ms: u64,
    /// When it was over.
    pub fault_to_ms: u64,
    /// When no new orders came.
    pub load_to_ms: u64,
    /// When everything was at rest.
    pub rested_ms: u64,
    /// From the fault's end until as many orders ended in a second as before it; `None` if not while the load lasted.
    pub heal_ms: Option<u64>,
    /// Orders that ended in a second before the fault.
    pub baseline: f64,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// What happened.
    pub events: Vec<Event>,
    /// How often it did what it does.
    pub fired: Vec<Fired>,
    /// How many orders of each kind ended how.
    pub ends: Vec<EndCount>,
    /// What was checked.
    pub invariants: Vec<Invariant>,
    /// Orders begun.
    pub orders: u64,
    /// Calls made.
    pub calls: u64,
    /// Calls whose outcome stayed unknown.
    pub unknown_calls: u64,
    /// What processes held before the first nemesis on this cluster, and after this one.
    pub holdings: Option<(Holdings, Holdings)>,
}

impl NemesisReport {
    /// What it broke: a line for each promise, and one for each of the first offenders. Empty if it broke nothing.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let broken = self.invariants.iter().filter(|invariant| invariant.broken > 0);
        broken
            .flat_map(|Invariant { id, name, broken, offenders, .. }| {
                let promise = format!("  {id} {name}: broken by {broken}");
                std::iter::once(promise).chain(offenders.iter().map(|offender| format!("    {offender}")))
            })
            .collect()
    }
}

/// One second of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Second {
    /// Orders whose end was told in it.
    pub ended: u64,
    /// Calls that ended in it without an answer.
    pub unknown: u64,
    /// Latency from placing to the told end of those orders, ms.
    pub p50_ms: u64,
    /// The same.
    pub p99_ms: u64,
}

/// Orders of a kind with an end.
#[derive(Clone, Debug, Serialize)]
pub struct EndCount {
    /// What the order was like.
    pub kind: OrderKind,
    /// How it ended.
    pub end: String,
    /// How many.
    pub count: u64,
}

/// One check of one nemesis.
#[derive(Clone, Debug, Serialize)]
pub struct Invariant {
    /// For example I3.
    pub id: String,
    /// The promise.
    pub name: String,
    /// What was looked at.
    pub counted: String,
    /// How many break it.
    pub broken: usize,
    /// The first few.
    pub offenders: Vec<String>,
}

/// One measured figure with its target.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How often.
    pub samples: usize,
    /// Median, seconds (or a count).
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Worst.
    pub max: f64,
    /// The worst p99 that is good enough.
    pub target: f64,
    /// `s`, `attempts`.
    pub unit: &'static str,
}

impl Figure {
    /// From samples; of none, every figure is infinite and so misses its target.
    #[must_use]
    pub fn of(what: &str, mut samples: Vec<f64>, target: f64, unit: &'static str) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| percentile(&samples, share).unwrap_or(f64::INFINITY);
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        Self { what: what.to_owned(), samples: samples.len(), p50, p99, max, target, unit }
    }

    /// Within its target.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.p99 <= self.target
    }
}

impl Campaign {
    /// Nothing failed, and something was run.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.nemeses.iter().all(|nemesis| nemesis.verdict != Verdict::Failed)
            && self.recovery.iter().all(Figure::is_met)
            && (self.count(&Verdict::Passed) > 0 || !self.recovery.is_empty())
    }

    /// What failed and how to run it again, a line each. A log is read from its end, and what was told when a nemesis
    /// failed stands far above the table.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = self.nemeses.iter().filter(|nemesis| nemesis.verdict == Verdict::Failed);
        failed
            .flat_map(|nemesis| {
                let name = &nemesis.name;
                let again = format!(
                    "  again: baton-lab storm --nemesis {name} --courier {} --seed {} --seconds {} --rate {}",
                    self.courier.name(),
                    self.seed,
                    self.seconds,
                    self.rate
                );
                std::iter::once(format!("{name}:")).chain(nemesis.broken()).chain([again])
            })
            .collect()
    }

    /// Nemeses with this verdict.
    #[must_use]
    pub fn count(&self, verdict: &Verdict) -> usize {
        self.nemeses.iter().filter(|nemesis| nemesis.verdict == *verdict).count()
    }
}

impl From<&Finding> for Invariant {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.to_owned(),
            name: finding.name.to_owned(),
            counted: finding.counted.clone(),
            broken: finding.broken,
            offenders: finding.offenders.clone(),
        }
    }
}

/// The smallest value that a share of the sorted values does not exceed.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::catalogue::named;
    use crate::storm::measure::blank;

    #[test]
    fn what_failed_is_told_again_with_its_offenders_and_the_command() {
        let mut campaign = Campaign {
            version: "1".to_owned(),
            seed: 7,
            courier: Courier::Grpc,
            seconds: 45,
            rate: 30.0,
            began: String::new(),
            nemeses: ["kill-all", "kill-stock"].map(|name| blank(&named(name).expect("known"), 1)).into(),
            recovery: Vec::new(),
        };
        campaign.nemeses[0].verdict = Verdict::Passed;
        let (id, name) = ("I4".to_owned(), "no effect twice".to_owned());
        let offenders = vec!["order 12".to_owned()];
        campaign.nemeses[1].invariants.push(Invariant { id, name, counted: "9".to_owned(), broken: 1, offenders });
        let told = [
            "kill-stock:",
            "  I4 no effect twice: broken by 1",
            "    order 12",
            "  again: baton-lab storm --nemesis kill-stock --courier grpc --seed 7 --seconds 45 --rate 30",
        ];
        assert_eq!(campaign.failures(), told);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| percentile(&sorted, share)),
            [Some(1), Some(50), Some(99), Some(100)]
        );
        assert_eq!(percentile::<u32>(&[], 0.5), None);
    }

    #[test]
    fn a_figure_without_samples_misses_its_target() {
        assert!(Figure::of("x", vec![0.2, 0.1], 0.5, "s").is_met());
        assert!(!Figure::of("x", Vec::new(), 0.5, "s").is_met());
    }
}
