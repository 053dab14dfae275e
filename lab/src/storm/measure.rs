//! From what clients heard to the figures of a report: throughput, latency, and when it was as before.

use super::history::{self, CallOutcome, ClientOrder};
use super::load::ends_by_kind;
use super::nemesis::Nemesis;
use crate::report::model::{EndCount, NemesisReport, Second, Verdict, percentile};
use std::time::Duration;

/// Orders that must end in a second to count as healed, of those before the fault.
const HEALED: f64 = 0.8;

/// A report of which nothing is known yet but who it is about.
pub(crate) fn blank(nemesis: &Nemesis, seed: u64) -> NemesisReport {
    NemesisReport {
        name: nemesis.name.clone(),
        what: nemesis.what(),
        seed,
        verdict: Verdict::Failed,
        fault_from_ms: 0,
        fault_to_ms: 0,
        load_to_ms: 0,
        rested_ms: 0,
        heal_ms: None,
        baseline: 0.0,
        seconds: Vec::new(),
        events: Vec::new(),
        fired: Vec::new(),
        ends: Vec::new(),
        invariants: Vec::new(),
        orders: 0,
        calls: 0,
        unknown_calls: 0,
        holdings: None,
    }
}

/// Everything that follows from the clients' history.
#[allow(clippy::cast_precision_loss)]
pub(super) fn measure(report: &mut NemesisReport, orders: &[ClientOrder]) {
    report.orders = orders.len() as u64;
    let calls = || orders.iter().flat_map(|order| &order.calls);
    report.calls = calls().count() as u64;
    let unknown: Vec<u64> =
        calls().filter(|call| matches!(call.outcome, CallOutcome::Unknown(_))).map(|call| call.ended_ms).collect();
    report.unknown_calls = unknown.len() as u64;
    report.ends = ends_by_kind(orders)
        .into_iter()
        .map(|((kind, end), count)| EndCount { kind, end: end.trim_start_matches("ORDER_STATE_").to_owned(), count })
        .collect();
    let ends = history::ends(orders);
    let length = usize::try_from(report.rested_ms.max(report.load_to_ms) / 1000 + 1).unwrap_or(0);
    let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); length];
    for (ended_ms, latency) in &ends {
        if let Some(second) = usize::try_from(ended_ms / 1000).ok().and_then(|second| latencies.get_mut(second)) {
            second.push(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
        }
    }
    report.seconds = latencies
        .into_iter()
        .map(|mut latencies| {
            latencies.sort_unstable();
            let at = |share| percentile(&latencies, share).unwrap_or(0);
            Second { ended: latencies.len() as u64, unknown: 0, p50_ms: at(0.5), p99_ms: at(0.99) }
        })
        .collect();
    for at in unknown {
        if let Some(second) = usize::try_from(at / 1000).ok().and_then(|second| report.seconds.get_mut(second)) {
            second.unknown += 1;
        }
    }
    // The first second is not yet in full swing.
    let calm = ends.iter().filter(|(at, _)| (1_000..report.fault_from_ms).contains(at)).count();
    report.baseline = calm as f64 / seconds(report.fault_from_ms.saturating_sub(1_000)).max(1.0);
    report.heal_ms = heal(report, &ends);
}

/// The first whole second of the load after the fault in which as many orders ended as before it.
#[allow(clippy::cast_precision_loss)]
fn heal(report: &NemesisReport, ends: &[(u64, Duration)]) -> Option<u64> {
    let mut from = report.fault_to_ms;
    while from + 1_000 <= report.load_to_ms {
        let ended = ends.iter().filter(|(at, _)| (from..from + 1_000).contains(at)).count();
        if ended as f64 >= HEALED * report.baseline {
            return Some(from - report.fault_to_ms);
        }
        from += 100;
    }
    None
}

/// Milliseconds as seconds.
#[allow(clippy::cast_precision_loss)]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::catalogue::named;

    #[test]
    fn healing_is_the_first_second_as_busy_as_before() {
        let mut report = blank(&named("kill-stock").expect("known"), 1);
        (report.fault_to_ms, report.load_to_ms, report.baseline) = (10_000, 20_000, 10.0);
        let slow = (0..20).map(|n| (10_000 + n * 250, Duration::ZERO));
        let fast = (0..100).map(|n| (15_000 + n * 50, Duration::ZERO));
        let ends: Vec<_> = slow.chain(fast).collect();
        let healed = heal(&report, &ends).expect("it heals");
        assert!((4_000..=5_000).contains(&healed), "{healed}");
        assert_eq!(heal(&report, &[]), None);
    }
}
