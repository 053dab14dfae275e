//! What a design came to, as tables and pictures.

use super::books::Verdict;
use super::design::Design;
use crate::measure::Run;
use crate::report::plot::{Bar, bars};
use crate::report::table::{cpu, ms, table};
use serde::Serialize;

/// Of one design.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Which.
    pub design: Design,
    /// 1,000 orders of one item at once.
    pub burst: Run,
    /// The closed loop.
    pub sustained: Run,
    /// The burst with half the stock.
    pub scarce: Verdict,
    /// The run with kills.
    pub killed: Verdict,
    /// Checks of Baton's own audit that looked at something.
    pub audited: Option<usize>,
}

impl Outcome {
    /// As soon as it is over.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:<30} burst {:>7} ms mean, {:>6.0} sagas/s sustained, {:>5} of {} orders right after kills",
            self.design.title(),
            ms(self.burst.latency.mean),
            self.sustained.rate,
            self.killed.right,
            self.killed.orders
        )
    }
}

/// Time and cost; correctness with half the stock; correctness after kills; CPU by process.
#[must_use]
pub fn tables(outcomes: &[Outcome]) -> String {
    let time = outcomes.iter().map(|outcome| {
        let (burst, sustained) = (&outcome.burst, &outcome.sustained);
        vec![
            outcome.design.title().to_owned(),
            ms(burst.latency.mean),
            ms(burst.latency.p99),
            ms(burst.latency.max),
            format!("{:.0}", burst.cpu_without_driver()),
            format!("{:.0}", sustained.rate),
            ms(sustained.latency.p50),
            ms(sustained.latency.p99),
            format!("{:.0}", sustained.cpu_without_driver()),
        ]
    });
    let time_header =
        ["design", "burst mean ms", "p99", "all done", "CPU µs/order", "orders/s", "p50 ms", "p99", "CPU µs/order"];
    let named = |outcome: &Outcome, mut run: Run| {
        run.workload = outcome.design.title().to_owned();
        run
    };
    let sustained: Vec<Run> = outcomes.iter().map(|outcome| named(outcome, outcome.sustained.clone())).collect();
    format!(
        "1,000 orders of one item at once, then a closed loop:\n{}\n\n{}\n\n1,000 orders, stock for 500:\n{}\n\n\
         A participant killed, then the door; 5 % out of stock, 5 % wrong amounts:\n{}\n\n{}",
        table(&time_header, &time.collect::<Vec<_>>()),
        ratios(outcomes),
        verdicts(outcomes, |outcome| outcome.scarce),
        verdicts(outcomes, |outcome| outcome.killed),
        cpu(&sustained)
    )
}

/// How many times the other designs' figures are of Baton's, if Baton ran too.
fn ratios(outcomes: &[Outcome]) -> String {
    let Some(baton) = outcomes.iter().find(|outcome| outcome.design == Design::Baton) else { return String::new() };
    let others = outcomes.iter().filter(|outcome| outcome.design != Design::Baton);
    let line = |other: &Outcome| {
        let slower = other.burst.latency.mean / baton.burst.latency.mean;
        let fewer = baton.sustained.rate / other.sustained.rate;
        let dearer = other.sustained.cpu_without_driver() / baton.sustained.cpu_without_driver();
        vec![other.design.title().to_owned(), format!("{slower:.1}"), format!("{fewer:.1}"), format!("{dearer:.1}")]
    };
    let header = ["against Baton", "burst mean, times", "orders/s, Baton's times", "CPU per order, times"];
    table(&header, &others.map(line).collect::<Vec<_>>())
}

fn verdicts(outcomes: &[Outcome], of: impl Fn(&Outcome) -> Verdict) -> String {
    let header =
        ["design", "orders", "right", "lost", "stuck", "oversold", "stock held for nothing", "paid, not refunded"];
    let row = |outcome: &Outcome| {
        let v = of(outcome);
        let counts = [v.orders, v.right, v.lost, v.stuck, v.oversold, v.stock_held, v.not_refunded];
        [outcome.design.title().to_owned()].into_iter().chain(counts.map(|count| count.to_string())).collect()
    };
    table(&header, &outcomes.iter().map(row).collect::<Vec<_>>())
}

/// File names and pictures.
#[must_use]
pub fn pictures(outcomes: &[Outcome]) -> Vec<(&'static str, String)> {
    let picture = |title: &str, of: &dyn Fn(&Outcome) -> (f64, String)| {
        let bar = |outcome: &Outcome| {
            let (value, figure) = of(outcome);
            let (name, ours) = (outcome.design.title().to_owned(), outcome.design == Design::Baton);
            Bar { name, value, figure, ours }
        };
        bars(title, &outcomes.iter().map(bar).collect::<Vec<_>>())
    };
    let burst = picture("1,000 orders of one item at once: mean response, ms", &|outcome| {
        let latency = outcome.burst.latency;
        (latency.mean, format!("{} ms", ms(latency.mean)))
    });
    let sustained = picture("Orders per second", &|outcome| {
        (
            outcome.sustained.rate,
            format!("{:.0}/s, {:.0} µs CPU", outcome.sustained.rate, outcome.sustained.cpu_without_driver()),
        )
    });
    let wrong = picture("Orders gone wrong after two kills", &|outcome| {
        let wrong = outcome.killed.orders - outcome.killed.right;
        (wrong as f64, format!("{wrong} of {}", outcome.killed.orders))
    });
    vec![("document-burst.svg", burst), ("document-sustained.svg", sustained), ("document-kills.svg", wrong)]
}
