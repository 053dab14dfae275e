//! `baton-bench batching`: what committing together is worth.
//!
//! Both sides run all the time and are loaded in turns, so that a machine whose speed changes changes both alike. The figure
//! is the ratio of their medians.

use crate::audit::{self, Installation};
use crate::cli::Batching;
use crate::measure::{self, Run};
use crate::report::table::ms;
use crate::site::Site;
use crate::workload::Workload;
use anyhow::{Context, Result};
use baton_supervisor::stack::{Stack, StackOptions};
use indicatif::ProgressBar;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Orders paid in advance per second of a run: above what either side can place.
const ORDERS_PER_SECOND: usize = 12_000;

/// The same for one at a time.
const SINGLE_PER_SECOND: usize = 1_500;

/// One side: its servers, its processes and what it brought.
struct Side {
    name: &'static str,
    paid_per_second: usize,
    stack: Stack,
    dir: TempDir,
    rates: Vec<f64>,
}

/// Runs both sides in turns and prints every round, the ratio last.
pub async fn run(arguments: &Batching) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    println!(
        "real shape, {} orchestrator(s), {} orders under way over {} items, {} rounds of {} s each side\n",
        arguments.orchestrators, arguments.concurrency, arguments.items, arguments.rounds, arguments.seconds
    );
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    progress.set_message("starting private servers and processes");
    let batched = Side::start("normal batching", arguments, &baton, None, ORDERS_PER_SECOND).await?;
    let single = Side::start("batch size 1", arguments, &baton, Some(1), SINGLE_PER_SECOND).await?;
    let mut sides = [batched, single];
    for round in 1..=arguments.rounds {
        for side in &mut sides {
            progress.set_message(format!("round {round}: {}", side.name));
            let run = side.round(arguments).await?;
            progress.suspend(|| println!("{}", line(round, &run)));
            side.rates.push(run.rate);
        }
    }
    progress.set_message("auditing");
    for side in &sides {
        audit::pass(&side.databases().await?).await.with_context(|| side.name)?;
    }
    progress.finish_and_clear();
    let [batched, single] = sides.map(Side::stop);
    let (batched, single) = (batched?, single?);
    println!("\nmedians {batched:.0} and {single:.0} sagas/s, both audited\nbatching ratio {:.1}", batched / single);
    Ok(())
}

impl Side {
    async fn start(
        name: &'static str,
        arguments: &Batching,
        baton: &Path,
        max_batch: Option<u32>,
        paid_per_second: usize,
    ) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut options = StackOptions::new(baton);
        options.orchestrators = usize::from(arguments.orchestrators);
        if let Some(max_batch) = max_batch {
            options.environment.push(("BATON_ENGINE__MAX_BATCH".to_owned(), max_batch.to_string()));
        }
        let stack = Stack::start(dir.path(), &options).await?;
        Ok(Self { name, paid_per_second, stack, dir, rates: Vec::new() })
    }

    async fn databases(&self) -> Result<Installation> {
        audit::of_stack(self.dir.path(), &self.stack).await
    }

    /// Loads this side and lets it come to rest, so that it costs the other nothing.
    async fn round(&self, arguments: &Batching) -> Result<Run> {
        let site = Site::real(&self.stack).await?;
        let callers = usize::try_from(arguments.concurrency)?;
        let workload = Workload::closed(self.name, callers, arguments.items, arguments.seconds);
        let run = measure::run(&site, &workload.paid(self.paid_per_second)).await?;
        audit::rest(&self.databases().await?).await?;
        Ok(run)
    }

    /// Ends it; its median rate.
    fn stop(mut self) -> Result<f64> {
        self.stack.stop()?;
        self.rates.sort_by(f64::total_cmp);
        Ok(self.rates[self.rates.len() / 2])
    }
}

/// One line of a table.
fn line(round: u32, run: &Run) -> String {
    format!(
        "{round:>2}  {:<16} {:>7.0} sagas/s   mean {:>7} ms   p50 {:>7}   p99 {:>7}   p99.9 {:>7}   {} sagas",
        run.workload,
        run.rate,
        ms(run.latency.mean),
        ms(run.latency.p50),
        ms(run.latency.p99),
        ms(run.latency.p999),
        run.sagas,
    )
}
