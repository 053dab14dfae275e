//! `baton-bench batching`: what committing together is worth.

use crate::cli::Batching;
use crate::measure::Run;
use crate::report::table::ms;
use crate::site::Site;
use crate::workload::Workload;
use crate::{audit, measure};
use anyhow::Result;
use baton_supervisor::stack::{Stack, StackOptions};
use indicatif::ProgressBar;
use std::path::Path;
use std::time::Duration;

/// Orders paid in advance per second of a run: above what either side can place.
const ORDERS_PER_SECOND: usize = 12_000;

/// The same for one at a time.
const SINGLE_PER_SECOND: usize = 1_500;

/// Runs both sides and prints them, the ratio last.
pub async fn run(arguments: &Batching) -> Result<()> {
    let baton = arguments.binary.path("baton")?;
    println!(
        "real shape, {} orchestrator(s), {} orders under way over {} items, {} s each\n",
        arguments.orchestrators, arguments.concurrency, arguments.items, arguments.seconds
    );
    let batched = side(arguments, &baton, "normal batching", None, ORDERS_PER_SECOND).await?;
    println!("{}", line(&batched));
    let single = side(arguments, &baton, "batch size 1", Some(1), SINGLE_PER_SECOND).await?;
    println!("{}", line(&single));
    println!("\nbatching ratio {:.1}", batched.rate / single.rate);
    Ok(())
}

async fn side(
    arguments: &Batching,
    baton: &Path,
    name: &str,
    max_batch: Option<u32>,
    per_second: usize,
) -> Result<Run> {
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    progress.set_message(format!("{name}: starting private servers and processes"));
    let dir = tempfile::tempdir()?;
    let mut options = StackOptions::new(baton);
    options.orchestrators = usize::from(arguments.orchestrators);
    if let Some(max_batch) = max_batch {
        options.environment.push(("BATON_ENGINE__MAX_BATCH".to_owned(), max_batch.to_string()));
    }
    let stack = Stack::start(dir.path(), &options).await?;
    let site = Site::real(&stack).await?;
    progress.set_message(format!("{name}: running"));
    let callers = usize::try_from(arguments.concurrency)?;
    let workload = Workload::closed(name, callers, arguments.items, arguments.seconds).paid(per_second);
    let mut run = measure::run(&site, &workload).await?;
    progress.set_message(format!("{name}: auditing"));
    run.audited = Some(audit::pass(&audit::of_stack(dir.path(), &stack).await?).await?);
    progress.finish_and_clear();
    stack.stop()?;
    Ok(run)
}

/// One line of a table.
fn line(run: &Run) -> String {
    format!(
        "{:<22} {:>9.0} sagas/s   mean {:>8} ms   p50 {:>8}   p99 {:>8}   p99.9 {:>8}   {} sagas",
        run.workload,
        run.rate,
        ms(run.latency.mean),
        ms(run.latency.p50),
        ms(run.latency.p99),
        ms(run.latency.p999),
        run.sagas,
    )
}
