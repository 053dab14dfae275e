//! `baton-bench batching`: what committing together is worth.

use crate::load::{Outcome, closed_loop};
use crate::{Batching, prepare};
use anyhow::{Context as _, Result, bail};
use baton_proto::shop::stock::v1::GetItemRequest;
use baton_proto::shop::stock::v1::item_service_client::ItemServiceClient;
use baton_supervisor::stack::{Stack, StackOptions};
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::time::Duration;
use tonic::transport::Channel;

/// Before the measured time: connections open, statements prepared, the batch size settled.
const WARM_UP: Duration = Duration::from_secs(2);

/// Connections of the driver.
const CHANNELS: usize = 8;

/// Orders paid in advance per second of a run: above what either side can place.
const ORDERS_PER_SECOND: usize = 8_000;

/// The same for one at a time.
const SINGLE_PER_SECOND: usize = 1_500;

/// Runs both sides and prints them, the ratio last.
pub async fn run(arguments: &Batching) -> Result<()> {
    let baton = match &arguments.baton {
        Some(path) => path.clone(),
        None => beside_us()?,
    };
    println!(
        "real shape, {} orchestrator(s), {} orders under way over {} items, {} s each\n",
        arguments.orchestrators, arguments.concurrency, arguments.items, arguments.seconds
    );
    let batched = side(arguments, &baton, "normal batching", None, ORDERS_PER_SECOND).await?;
    println!("{}", batched.line("normal batching"));
    let single = side(arguments, &baton, "batch size 1", Some(1), SINGLE_PER_SECOND).await?;
    println!("{}", single.line("batch size 1"));
    println!("\nbatching ratio {:.1}", batched.rate() / single.rate());
    Ok(())
}

async fn side(
    arguments: &Batching,
    baton: &std::path::Path,
    name: &str,
    max_batch: Option<u32>,
    per_second: usize,
) -> Result<Outcome> {
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
    let mut channels = Vec::new();
    for index in 0..options.orchestrators {
        channels.extend(prepare::channels(&stack.address(index), CHANNELS / options.orchestrators)?);
    }
    progress.set_message(format!("{name}: creating items and payments"));
    let items = prepare::items(&channels[0], arguments.items).await?;
    let seconds = usize::try_from(arguments.seconds + WARM_UP.as_secs())?;
    let orders = prepare::pay(&stack.provider_url(), &items, seconds * per_second).await?;
    progress.set_message(format!("{name}: running"));
    let measured = Duration::from_secs(arguments.seconds);
    let outcome = closed_loop(&channels, orders, arguments.concurrency, WARM_UP, measured).await?;
    progress.set_message(format!("{name}: auditing"));
    audit(&channels[0], &items, &outcome).await?;
    progress.finish_and_clear();
    stack.stop()?;
    Ok(outcome)
}

/// A run that lost or oversold anything reports no figure.
async fn audit(channel: &Channel, items: &[String], outcome: &Outcome) -> Result<()> {
    if let Some(first) = outcome.failed.first() {
        bail!("{} orders did not complete; the first: {first}", outcome.failed.len());
    }
    let mut client = ItemServiceClient::new(channel.clone());
    let mut reserved = 0;
    for item in items {
        let response = client.get_item(GetItemRequest { name: format!("items/{item}") }).await?.into_inner();
        let item = response.item.context("an item without content")?;
        if item.available + item.reserved != item.stocked {
            bail!(
                "{}: {} available and {} reserved are not {}",
                item.name,
                item.available,
                item.reserved,
                item.stocked
            );
        }
        reserved += item.reserved;
    }
    // Orders completed while warming up hold stock as well, so this is a lower bound.
    let completed = i64::try_from(outcome.completed)?;
    if reserved < completed {
        bail!("{completed} orders completed, but only {reserved} units are reserved");
    }
    Ok(())
}

fn beside_us() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let dir = own.parent().context("this program has no directory")?;
    Ok(dir.join("baton"))
}
