//! One run: prepare, load, and what it cost, apart by process.

use crate::load::closed;
use crate::load::open::{self, Pool};
use crate::load::tally::Tally;
use crate::machine::counters::{self, Counted};
use crate::machine::processes::{self, Used, Watched};
use crate::shop::{self, Items};
use crate::site::Site;
use crate::workload::{Load, Workload};
use anyhow::{Result, bail, ensure};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Name of the driver among the processes. Its cost is shown and never counted as the site's.
pub const DRIVER: &str = "driver";

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// 999 of 1,000 are no longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Latency {
    /// Of a histogram in microseconds.
    #[must_use]
    pub fn of(histogram: &hdrhistogram::Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let (mean, max) = (histogram.mean() / 1000.0, histogram.max() as f64 / 1000.0);
        Self { mean, p50: at(0.5), p99: at(0.99), p999: at(0.999), max }
    }
}

/// What a run brought and what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// What was measured.
    pub site: String,
    /// The workload.
    pub workload: String,
    /// How orders came.
    pub load: Load,
    /// Orders that ended as they must inside the measured time.
    pub sagas: u64,
    /// The same by their state.
    pub states: BTreeMap<String, u64>,
    /// Refused for now: not in any other figure.
    pub refused: u64,
    /// Per second.
    pub rate: f64,
    /// In milliseconds.
    pub latency: Latency,
    /// Microseconds of CPU per saga, by process.
    pub cpu_us: BTreeMap<String, f64>,
    /// Cores busy on the whole machine, whoever kept them busy.
    pub cores_busy: f64,
    /// Bytes written to disk per saga, by process.
    pub written: BTreeMap<String, f64>,
    /// Peak memory in MiB, by process.
    pub peak_mib: BTreeMap<String, f64>,
    /// MariaDB's explicit commits per saga.
    pub commits: Option<f64>,
    /// Transactions that MariaDB rolled back, per commit: conflicts, above all.
    pub rollbacks: Option<f64>,
    /// MariaDB's statements per saga, BEGIN and COMMIT among them.
    pub statements: Option<f64>,
    /// fsyncs of MariaDB per saga, of its log where that is counted apart.
    pub database_fsyncs: Option<f64>,
    /// Flush requests of all disks per saga: MariaDB, RabbitMQ, the provider and whoever else.
    pub disk_flushes: f64,
    /// Messages published to RabbitMQ per saga, warm-up included.
    pub messages: Option<f64>,
    /// Checks of the audit that looked at something; nothing for sites that Baton's audit does not know.
    pub audited: Option<usize>,
}

impl Run {
    /// Microseconds of CPU per saga, of all processes but the driver.
    #[must_use]
    pub fn cpu_without_driver(&self) -> f64 {
        self.cpu_us.iter().filter(|(name, _)| *name != DRIVER).map(|(_, us)| us).sum()
    }
}

/// One look at everything that is counted.
struct Look {
    used: BTreeMap<String, Used>,
    machine: (f64, f64),
    database: Option<Counted>,
    flushes: u64,
    at: Instant,
}

impl Look {
    async fn take(site: &Site<'_>, watched: &[Watched]) -> Result<Self> {
        let database = match &site.mariadb {
            Some(database) => Some(counters::mariadb(database).await?),
            None => None,
        };
        let (used, flushes) = (processes::read(watched), counters::disk_flushes());
        Ok(Self { used, machine: processes::whole_machine(), database, flushes, at: Instant::now() })
    }
}

/// Runs a workload. The caller audits: until then the figures are worth nothing.
pub async fn run(site: &Site<'_>, workload: &Workload) -> Result<Run> {
    let channels = site.channels()?;
    let items = Items::named(workload.items);
    site.shelve(&channels[0], &items, workload.stock).await?;
    let orders = items.orders(workload.orders(), workload.mix);
    shop::pay(&site.provider, &orders).await?;
    let mut watched = site.processes.clone();
    watched.push(Watched { name: DRIVER.to_owned(), pid: std::process::id(), group: false });
    processes::forget_peaks(&watched);
    let messages = match site.broker {
        Some(broker) => Some(counters::messages(broker).await?),
        None => None,
    };
    let loaded = match workload.load {
        Load::Burst { .. } => {
            let before = Look::take(site, &watched).await?;
            let tally = closed::burst(&channels, orders, workload.follow).await?;
            (tally, before, Look::take(site, &watched).await?)
        }
        Load::Closed { callers, warm_up, measured, .. } => {
            let from = Instant::now() + warm_up;
            let until = from + measured;
            let loading = closed::run(&channels, Arc::new(orders), callers, workload.follow, from, until);
            let looking = async {
                tokio::time::sleep_until(from.into()).await;
                let before = Look::take(site, &watched).await?;
                tokio::time::sleep_until(until.into()).await;
                anyhow::Ok((before, Look::take(site, &watched).await?))
            };
            let (tally, (before, after)) = tokio::try_join!(loading, looking)?;
            (tally, before, after)
        }
        Load::Open { rate, measured } => {
            let pool: Pool = Arc::new(Mutex::new(orders));
            let before = Look::take(site, &watched).await?;
            let course = open::run(&channels, &pool, rate, measured, workload.follow).await?;
            ensure!(course.unsent == 0, "the driver could not send {} orders in time", course.unsent);
            (course.tally, before, Look::take(site, &watched).await?)
        }
    };
    let (tally, before, after) = loaded;
    if tally.wrong_count > 0 {
        bail!("{}: {} orders went wrong; the first:\n{}", workload.name, tally.wrong_count, tally.wrong.join("\n"));
    }
    let mut run = weigh(site, workload, &tally, &before, &after);
    if let (Some(broker), Some(before)) = (site.broker, messages) {
        let published = counters::messages(broker).await?.saturating_sub(before);
        run.messages = Some(published as f64 / total_of(workload, &tally));
    }
    Ok(run)
}

/// Orders of the whole run: what ended in the measured time, stretched over the warm-up. Only a closed loop has one.
fn total_of(workload: &Workload, tally: &Tally) -> f64 {
    match workload.load {
        Load::Burst { .. } | Load::Open { .. } => tally.ended as f64,
        Load::Closed { warm_up, .. } => tally.rate() * (tally.elapsed + warm_up).as_secs_f64(),
    }
}

fn weigh(site: &Site<'_>, workload: &Workload, tally: &Tally, before: &Look, after: &Look) -> Run {
    let sagas = (tally.ended as f64).max(1.0);
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    // A closed loop is looked at for the whole measured time, even if the orders ran out before its end.
    let each = |of: &dyn Fn(&Used, &Used) -> f64| -> BTreeMap<String, f64> {
        let pairs = after.used.iter().map(|(name, now)| {
            let then = before.used.get(name).copied().unwrap_or_default();
            (name.clone(), of(&then, now))
        });
        pairs.collect()
    };
    let counted = match (&before.database, &after.database) {
        (Some(before), Some(after)) => after.since(before),
        _ => Counted::default(),
    };
    let per_saga = |names: &[&str]| {
        let counts: Option<Vec<i64>> = names.iter().map(|name| counted.get(name)).collect();
        counts.map(|counts| counts.iter().sum::<i64>() as f64 / sagas)
    };
    Run {
        site: site.name.clone(),
        workload: workload.name.clone(),
        load: workload.load,
        sagas: tally.ended,
        states: tally.states.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        refused: tally.refused,
        rate: tally.rate(),
        latency: Latency::of(&tally.latency),
        cpu_us: each(&|then, now| (now.cpu_s - then.cpu_s) * 1e6 / sagas),
        cores_busy: (after.machine.0 - before.machine.0) / seconds,
        written: each(&|then, now| now.written.saturating_sub(then.written) as f64 / sagas),
        peak_mib: each(&|_, now| now.peak as f64 / f64::from(1 << 20)),
        commits: per_saga(&["COM_COMMIT"]),
        rollbacks: counted
            .get("COM_ROLLBACK")
            .and_then(|rollbacks| Some(rollbacks as f64 / counted.get("COM_COMMIT")?.max(1) as f64)),
        statements: per_saga(&["QUESTIONS"]),
        // Newer servers count the log's fsyncs among those of all files.
        database_fsyncs: per_saga(&["INNODB_OS_LOG_FSYNCS"]).or_else(|| per_saga(&["INNODB_DATA_FSYNCS"])),
        disk_flushes: after.flushes.saturating_sub(before.flushes) as f64 / sagas,
        messages: None,
        audited: None,
    }
}
