//! What became of a run: outcomes with latencies, sagas a second, a small histogram.

use super::drive::Placed;
use super::plan::Expected;
use crate::show::table;
use baton_verify::report::{Finding, Offenders};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use shop_proto::order::v1::OrderState;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rows of the histogram.
const ROWS: usize = 10;

/// Longest bar of the histogram in characters.
const BAR: u64 = 40;

/// Counts and latencies of a run.
#[derive(Debug)]
pub struct Tally {
    outcomes: BTreeMap<String, Vec<Duration>>,
    all: Vec<Duration>,
    troubles: Vec<String>,
    elapsed: Duration,
}

impl Tally {
    /// Sorts the orders by what the client was told.
    #[must_use]
    pub fn of(placed: &[Placed], elapsed: Duration) -> Self {
        let mut outcomes: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
        for order in placed {
            let told = (!order.answers.is_empty()).then_some(order.told);
            let outcome = match told {
                Some(Some(state)) => name(state),
                Some(None) => "accepted, end not told".to_owned(),
                None => "not answered".to_owned(),
            };
            outcomes.entry(outcome).or_default().push(order.latency);
        }
        Self {
            outcomes,
            all: placed.iter().map(|order| order.latency).collect(),
            troubles: placed.iter().filter_map(|order| order.trouble.clone()).collect(),
            elapsed,
        }
    }

    fn count(&self, state: OrderState) -> u32 {
        self.outcomes.get(&name(state)).map_or(0, |latencies| u32::try_from(latencies.len()).unwrap_or(u32::MAX))
    }

    /// Sagas brought to their end in a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn sagas_per_second(&self) -> f64 {
        self.all.len() as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }

    /// The run went as planned. Orders that were cancelled because a participant was away for too long are no fault of the
    /// books, but no order may be missing, and never may more be sold than there is.
    #[must_use]
    pub fn finding(&self, expected: Expected) -> Finding {
        let mut offenders = Offenders::default();
        let cancelled = self.count(OrderState::Cancelled);
        let outcomes = [
            ("completed", OrderState::PaymentSuccess, expected.completed),
            ("out of stock", OrderState::PaymentOutOfStock, expected.out_of_stock),
            ("payment failed", OrderState::PaymentNoPaymentInfo, expected.payment_failed),
        ];
        let mut ended = cancelled;
        for (what, state, planned) in outcomes {
            let count = self.count(state);
            ended += count;
            // A cancelled order gives its unit to one that would have been out of stock.
            if count.abs_diff(planned) > cancelled {
                offenders.add(format!("{count} {what}, planned {planned}"));
            }
        }
        let missing = self.all.len().saturating_sub(ended as usize);
        if missing > 0 {
            offenders.add(format!("{missing} orders have no told end"));
        }
        for trouble in &self.troubles {
            offenders.add(trouble.clone());
        }
        offenders.finding("run", "outcomes are as planned", format!("{} orders", self.all.len()))
    }

    /// Outcome, count, mean, p50, p99; then the histogram.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = table();
        rows.set_header(["outcome", "count", "mean ms", "p50 ms", "p99 ms"]);
        let all = [("all".to_owned(), self.all.clone())];
        for (outcome, latencies) in self.outcomes.iter().map(|(name, it)| (name.clone(), it.clone())).chain(all) {
            let recorded = histogram(&latencies);
            let [mean, p50, p99] = figures(&recorded).map(|ms| format!("{ms:.1}"));
            rows.add_row([outcome, latencies.len().to_string(), mean, p50, p99]);
        }
        format!(
            "{}\n\n{} sagas in {:.2} s: {:.0} sagas/s\n\nlatency, first call to told end\n{}",
            rows.trim_fmt(),
            self.all.len(),
            self.elapsed.as_secs_f64(),
            self.sagas_per_second(),
            drawn(&self.all)
        )
    }

    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let outcomes = self.outcomes.iter().map(|(outcome, latencies)| {
            let [mean, p50, p99] = figures(&histogram(latencies));
            json!({ "outcome": outcome, "count": latencies.len(), "meanMs": mean, "p50Ms": p50, "p99Ms": p99 })
        });
        json!({
            "outcomes": outcomes.collect::<Value>(),
            "elapsedSeconds": self.elapsed.as_secs_f64(),
            "sagasPerSecond": self.sagas_per_second(),
        })
    }
}

fn name(state: OrderState) -> String {
    match state {
        OrderState::PaymentSuccess => "completed".to_owned(),
        OrderState::PaymentOutOfStock => "out of stock, refunded".to_owned(),
        OrderState::PaymentNoPaymentInfo => "payment failed".to_owned(),
        OrderState::Cancelled => "cancelled, refunded".to_owned(),
        other => other.as_str_name().trim_start_matches("ORDER_STATE_").to_owned(),
    }
}

/// Microseconds, three digits, up to ten minutes.
fn histogram(latencies: &[Duration]) -> Option<Histogram<u64>> {
    let mut recorded = Histogram::new_with_max(600_000_000, 3).ok()?;
    for latency in latencies {
        recorded.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }
    Some(recorded)
}

/// Mean, p50 and p99 in milliseconds.
#[allow(clippy::cast_precision_loss)]
fn figures(recorded: &Option<Histogram<u64>>) -> [f64; 3] {
    recorded.as_ref().filter(|recorded| !recorded.is_empty()).map_or([0.0; 3], |recorded| {
        let at = |quantile| recorded.value_at_quantile(quantile) as f64 / 1000.0;
        [recorded.mean() / 1000.0, at(0.5), at(0.99)]
    })
}

/// Equal steps from the fastest to the slowest, one bar each.
fn drawn(latencies: &[Duration]) -> String {
    let micros: Vec<u128> = latencies.iter().map(Duration::as_micros).collect();
    let (Some(least), Some(most)) = (micros.iter().min(), micros.iter().max()) else { return String::new() };
    let step = ((most - least) / ROWS as u128) + 1;
    let mut counts = [0_u64; ROWS];
    for value in &micros {
        // The step is chosen so that the slowest falls into the last row.
        let row = usize::try_from((value - least) / step).unwrap_or(ROWS - 1).min(ROWS - 1);
        counts[row] += 1;
    }
    let longest = counts.iter().copied().max().unwrap_or(1).max(1);
    let row = |(row, count): (usize, &u64)| {
        let upto = (least + step * (row as u128 + 1)) / 1000;
        let length = usize::try_from((count * BAR).div_ceil(longest)).unwrap_or(0);
        format!("  <= {upto:>6} ms  {:<40}  {count}", "#".repeat(length))
    };
    counts.iter().enumerate().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_verify::history::Call;

    fn placed(told: Option<OrderState>, ms: u64) -> Placed {
        let answers = vec![Call::started("r", "o", "sagas/s", told.map(|state| state.as_str_name()))];
        Placed { answers, told, latency: Duration::from_millis(ms), trouble: None }
    }

    const EXPECTED: Expected = Expected { completed: 2, out_of_stock: 1, payment_failed: 0 };

    #[test]
    fn a_run_as_planned_passes_and_is_drawn() {
        let run = [
            placed(Some(OrderState::PaymentSuccess), 5),
            placed(Some(OrderState::PaymentSuccess), 10),
            placed(Some(OrderState::PaymentOutOfStock), 100),
        ];
        let tally = Tally::of(&run, Duration::from_secs(1));
        assert!(tally.finding(EXPECTED).passed());
        let table = tally.table();
        assert!(table.contains("completed") && table.contains("3 sagas/s") && table.contains("####"), "{table}");
        assert_eq!(tally.json()["outcomes"][0]["count"], 2);
    }

    #[test]
    fn a_clean_audit_of_nothing_done_is_no_success() {
        let run: Vec<Placed> = (0..3).map(|_| placed(Some(OrderState::PaymentNoPaymentInfo), 5)).collect();
        assert!(!Tally::of(&run, Duration::from_secs(1)).finding(EXPECTED).passed());
        let untold = [placed(None, 5), placed(None, 5), placed(None, 5)];
        assert!(!Tally::of(&untold, Duration::from_secs(1)).finding(EXPECTED).passed());
    }
}
