//! Sagas per second while the tables grow: the same load in rounds, from empty tables on.

use crate::cli::Growth;
use crate::report;
use crate::report::plot::{Bar, bars};
use crate::site::Site;
use crate::workload::Workload;
use crate::{audit, measure, suite};
use anyhow::Result;

/// Measured seconds of a round.
const ROUND: u64 = 10;

/// Orders paid for in advance, beside what the last round placed: none may be without.
const SPARE: f64 = 1.5;

/// Carries out `baton-bench growth`.
pub async fn run(arguments: &Growth) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    let dir = tempfile::tempdir()?;
    let stack = suite::start(dir.path(), &baton, 1).await?;
    let site = Site::real(&stack).await?;
    let databases = audit::of_stack(dir.path(), &stack).await?;
    let callers = usize::try_from(arguments.concurrency)?;
    let (mut finished, mut rounds): (u64, Vec<(u64, f64)>) = (0, Vec::new());
    while finished < arguments.sagas {
        let workload = Workload::closed("round", callers, 100, ROUND);
        let workload = match rounds.last() {
            Some((_, rate)) => workload.paid((rate * SPARE) as usize),
            None => workload,
        };
        let run = measure::run(&site, &workload).await?;
        audit::rest(&databases).await?;
        println!("after {finished:>9} sagas: {:>6.0} sagas/s, p99 {:.1} ms", run.rate, run.latency.p99);
        rounds.push((finished, run.rate));
        // The warm-up finishes sagas too, at about the same rate.
        finished += run.sagas + (run.rate * 2.0) as u64;
    }
    let checked = audit::pass(&databases).await?;
    let (first, last) = (rounds.first().map_or(0.0, |round| round.1), rounds.last().map_or(0.0, |round| round.1));
    println!("\n{checked} checks passed; the last round did {:.2} of the first", last / first);
    let bar = |(finished, rate): &(u64, f64)| Bar {
        name: format!("after {finished} sagas"),
        value: *rate,
        figure: format!("{rate:.0}/s"),
        ours: true,
    };
    let picture = bars("Sagas per second while the tables grow", &rounds.iter().map(bar).collect::<Vec<_>>());
    report::text(&arguments.out, "growth.svg", &picture)?;
    stack.stop()
}
