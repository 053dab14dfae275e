//! `baton-bench document`: the document's four designs and Baton, on the same servers, with the same orders.
//!
//! Each design gets three things: the document's own load test (1,000 orders of one item at once) and a closed loop, for
//! time and cost; a burst with half the stock; and a closed loop with failing orders during which a participant is
//! killed, and later the process at the door. After the last two every order is looked up in the tables and at the
//! provider: time alone does not tell a design that loses orders from one that does not.

pub mod books;
pub mod design;
pub mod disaster;
pub mod outcome;

use crate::cli::Document;
use crate::machine::raw::Raw;
use crate::report;
use crate::shop::{Items, Mix};
use crate::workload::Workload;
use crate::{audit, measure};
use anyhow::Result;
use baton_supervisor::stack::{Stack, StackOptions};
use books::Books;
use design::{Design, Installed};
use outcome::Outcome;
use std::path::Path;

/// Bursts of a design; the median of the means stands for all.
const BURSTS: usize = 3;

/// Orders of a burst, as in the document.
const ORDERS: usize = 1_000;

/// Items of the closed loop.
const ITEMS: u32 = 100;

/// Carries out `baton-bench document`.
pub async fn run(arguments: &Document) -> Result<()> {
    let (baton, document) = (arguments.binary.path("baton")?, arguments.binary.path("baton-document")?);
    let dir = tempfile::tempdir()?;
    let stack = Stack::start(dir.path(), &StackOptions { orchestrators: 1, ..StackOptions::new(&baton) }).await?;
    let raw = Raw::measure(dir.path(), &stack.mariadb, &stack.rabbitmq).await?;
    println!("{}\n", raw.line());
    design::prepare(&stack, &document)?;
    let mut outcomes = Vec::new();
    for design in &arguments.designs {
        let installed = Installed::start(*design, dir.path(), &stack, &document).await?;
        let outcome = one(arguments, dir.path(), &stack, &installed).await?;
        println!("{}", outcome.line());
        installed.stop()?;
        outcomes.push(outcome);
    }
    stack.stop()?;
    let text = format!("{}\n\n{}", raw.line(), outcome::tables(&outcomes));
    println!("\n{text}");
    report::text(&arguments.out, "document.txt", &text)?;
    report::json(&arguments.out, "document.json", &outcomes)?;
    for (name, picture) in outcome::pictures(&outcomes) {
        report::text(&arguments.out, name, &picture)?;
    }
    println!("\ntables, JSON and pictures are in {}", arguments.out.display());
    Ok(())
}

async fn one(arguments: &Document, dir: &Path, stack: &Stack, installed: &Installed<'_>) -> Result<Outcome> {
    let site = installed.site().await?;
    let mut bursts = Vec::new();
    for _ in 0..BURSTS {
        bursts.push(measure::run(&site, &Workload::burst("burst", ORDERS)).await?);
    }
    bursts.sort_by(|a, b| a.latency.mean.total_cmp(&b.latency.mean));
    let burst = bursts.swap_remove(BURSTS / 2);
    let callers = usize::try_from(arguments.concurrency)?;
    let sustained = measure::run(&site, &Workload::closed("sustained", callers, ITEMS, arguments.seconds)).await?;
    let channels = site.channels()?;

    let items = Items::named(1);
    let half = i64::try_from(ORDERS / 2)?;
    site.shelve(&channels[0], &items, half).await?;
    let orders = items.orders(ORDERS, Mix { scarce: true, ..Mix::GOOD });
    crate::shop::pay(&site.provider, &orders).await?;
    disaster::all_at_once(&site, &orders).await?;
    rest(dir, stack, installed.design).await?;
    let scarce = Books::at_rest(dir, stack, installed.design, &items, &orders).await?.judge(&orders, Some(half));

    let items = Items::named(ITEMS);
    site.shelve(&channels[0], &items, crate::shop::PLENTY).await?;
    let orders = items.orders(disaster::ORDERS, Mix::FAILURES);
    crate::shop::pay(&site.provider, &orders).await?;
    disaster::with_kills(installed, &site, &orders).await?;
    rest(dir, stack, installed.design).await?;
    let killed = Books::at_rest(dir, stack, installed.design, &items, &orders).await?.judge(&orders, None);

    let mut audited = None;
    if installed.design == Design::Baton {
        audited = Some(audit::pass(&audit::of_stack(dir, stack).await?).await?);
    }
    Ok(Outcome { design: installed.design, burst, sustained, scarce, killed, audited })
}

/// Baton says itself when nothing moves any more.
async fn rest(dir: &Path, stack: &Stack, design: Design) -> Result<()> {
    match design {
        Design::Baton => audit::rest(&audit::of_stack(dir, stack).await?).await,
        Design::RowLock | Design::RedisLock | Design::Bare | Design::Events | Design::Choreography => Ok(()),
    }
}
