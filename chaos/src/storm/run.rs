//! One nemesis from the first order to the verdict, and a whole storm of them.

use super::act::perform;
use super::arena::{Arena, Fired};
use super::cluster::{Cluster, ClusterOptions};
use super::history::{self, ClientOrder, Outcome};
use super::judge::{Case, judge};
use super::load::{Load, ends_by_kind};
use super::logs::Logs;
use super::nemesis::Nemesis;
use super::quiesce::{BOUND, depths, rest};
use super::shop::Shop;
use super::tmpfs::Tmpfs;
use super::voice::Voice;
use crate::report::model::{End, Invariant, NemesisReport, Second, Verdict, percentile};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Longest time of one act; the longest cycle through every crash point takes a few minutes.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// Size of a database's own file system: its redo log takes 100 MiB of it.
const TMPFS_MIB: u32 = 320;

/// Clusters that may fail to start, one after the other, before the storm gives up.
const STARTS: u32 = 2;

/// Orders that must end in a second to count as healed, of those before the fault.
const HEALED: f64 = 0.8;

/// What a storm is to be like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `baton` binary.
    pub baton: PathBuf,
    /// Where clusters live.
    pub dir: PathBuf,
    /// Seconds of load per nemesis.
    pub seconds: u64,
    /// Orders a second.
    pub rate: f64,
    /// Of everything.
    pub seed: u64,
    /// Configuration keys over the defaults, for every node.
    pub set: Vec<(String, String)>,
}

/// Runs nemeses on one cluster after the other: the next one is clean even if this one left a mess.
#[derive(Debug)]
pub struct Storm {
    settings: Settings,
    voice: Voice,
    cluster: Option<(Arc<Cluster>, Logs)>,
    clusters: u32,
}

impl Storm {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(settings: Settings, voice: Voice) -> Self {
        Self { settings, voice, cluster: None, clusters: 0 }
    }

    /// Runs one nemesis. What goes wrong on the way is part of the report.
    ///
    /// # Errors
    /// If no cluster can be started.
    pub async fn run(&mut self, nemesis: &Nemesis) -> Result<NemesisReport> {
        let seed = self.settings.seed ^ fold(&nemesis.name);
        let voice = self.voice;
        voice.say(&format!("{}: {} (seed {})", nemesis.name, nemesis.what(), self.settings.seed));
        let mut report = blank(nemesis, seed);
        if let Some(why) = cannot_run(nemesis) {
            voice.say(&format!("{}: not run: {why}", nemesis.name));
            report.verdict = Verdict::NotRun(why);
            return Ok(report);
        }
        let (cluster, mut logs) = self.cluster_for(nemesis).await?;
        let ended = self.storm(nemesis, seed, &cluster, &mut logs, &mut report).await;
        if let Err(error) = ended {
            report.verdict = Verdict::Failed;
            report.invariants.push(Invariant {
                id: "run".to_owned(),
                name: "the run came to its end".to_owned(),
                counted: "1 run".to_owned(),
                broken: 1,
                offenders: vec![format!("{error:#}")],
            });
        }
        // A cluster that something is wrong with would spoil the next nemesis, and its logs are evidence.
        if report.verdict == Verdict::Passed && !nemesis.needs_tmpfs() && !nemesis.forges() {
            self.cluster = Some((cluster, logs));
        }
        self.tell(&report);
        Ok(report)
    }

    /// A running cluster, for figures.
    ///
    /// # Errors
    /// If none can be started.
    pub async fn cluster(&mut self) -> Result<Arc<Cluster>> {
        if let Some((cluster, _)) = &self.cluster {
            return Ok(cluster.clone());
        }
        let cluster = self.start(None).await?;
        self.cluster = Some((cluster.clone(), Logs::default()));
        Ok(cluster)
    }

    async fn cluster_for(&mut self, nemesis: &Nemesis) -> Result<(Arc<Cluster>, Logs)> {
        if nemesis.needs_tmpfs() {
            return Ok((self.start(Some(TMPFS_MIB)).await?, Logs::default()));
        }
        match self.cluster.take() {
            Some(kept) => Ok(kept),
            None => Ok((self.start(None).await?, Logs::default())),
        }
    }

    /// Somebody else on the machine may take a port between our look and the bind, so it is tried again, elsewhere.
    async fn start(&mut self, database_mib: Option<u32>) -> Result<Arc<Cluster>> {
        let mut tries = 0;
        loop {
            self.clusters += 1;
            let dir = self.settings.dir.join(format!("cluster-{}", self.clusters));
            self.voice.progress(&format!("starting a cluster in {}", dir.display()));
            let options = ClusterOptions {
                baton: self.settings.baton.clone(),
                seed: self.settings.seed,
                set: self.settings.set.clone(),
                database_mib,
            };
            match Cluster::start(&dir, &options).await {
                Ok(cluster) => return Ok(Arc::new(cluster)),
                Err(error) if tries == STARTS => return Err(error),
                Err(error) => self.voice.say(&format!("a cluster did not start, another is tried: {error:#}")),
            }
            tries += 1;
        }
    }

    async fn storm(
        &self,
        nemesis: &Nemesis,
        seed: u64,
        cluster: &Arc<Cluster>,
        logs: &mut Logs,
        report: &mut NemesisReport,
    ) -> Result<()> {
        let all = Duration::from_secs(self.settings.seconds);
        let lead = all.mul_f64(0.2).min(Duration::from_secs(20));
        let window = all.mul_f64(0.4);
        let (_, letters_before) = depths(cluster).await?;
        let shop = Shop::new(&cluster.client_ports, &cluster.provider_url())?;
        let load = Load::start(&shop, seed, self.settings.rate).await?;
        self.watch(&nemesis.name, "calm", &load, lead).await;

        report.fault_from_ms = load.now_ms();
        let arena = Arena::new(cluster.clone(), shop.clone(), load.goods.hot(), window, load.began, seed);
        let acting = async {
            match timeout(LONGEST, perform(&nemesis.act, &arena)).await {
                Ok(fired) => fired.map_err(|error| format!("{error:#}")),
                Err(_) => Err("it took too long".to_owned()),
            }
        };
        let fired: Result<Vec<Fired>, String> = tokio::select! {
            fired = acting => fired,
            () = self.watch_for_ever(&nemesis.name, &load) => unreachable!("it watches for ever"),
        };
        report.fault_to_ms = arena.over_ms().unwrap_or_else(|| load.now_ms());
        let died = cluster.heal().await?;
        cluster.ready().await?;
        let healed_at = Instant::now();
        let tail = all.saturating_sub(lead + window);
        self.watch(&nemesis.name, "healed", &load, tail).await;

        report.load_to_ms = load.now_ms();
        let (goods, began) = (load.goods.clone(), load.began);
        let until = healed_at.max(Instant::now()) + BOUND;
        self.voice.progress(&format!("{}: waiting for the last clients", nemesis.name));
        let orders = load.finish(until).await;
        self.voice.progress(&format!("{}: waiting for rest", nemesis.name));
        let left = rest(cluster, until).await?;
        report.rested_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);

        self.voice.progress(&format!("{}: auditing {} orders", nemesis.name, orders.len()));
        let case = Case {
            cluster,
            shop: &shop,
            goods: &goods,
            orders: &orders,
            left: &left,
            letters_before,
            may_quarantine: nemesis.may_quarantine(),
            garbled: nemesis.garbles_database(),
            forged: nemesis.forges(),
            fired: &fired,
            died: &died,
        };
        let findings = judge(&case, logs).await;
        report.invariants = findings.iter().map(Invariant::from).collect();
        report.events = arena.events();
        report.fired = fired.unwrap_or_default();
        measure(report, &orders);
        let is_clean = findings.iter().all(crate::audit::report::Finding::passed);
        report.verdict = if is_clean { Verdict::Passed } else { Verdict::Failed };
        Ok(())
    }

    async fn watch(&self, name: &str, phase: &str, load: &Load, lasts: Duration) {
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            self.progress(name, phase, load);
            sleep((until - Instant::now()).min(Duration::from_secs(1))).await;
        }
    }

    async fn watch_for_ever(&self, name: &str, load: &Load) {
        loop {
            self.progress(name, "fault", load);
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn progress(&self, name: &str, phase: &str, load: &Load) {
        let counters = &load.counters;
        let [begun, told, troubled] =
            [&counters.begun, &counters.told, &counters.troubled].map(|count| count.load(Ordering::Relaxed));
        let seconds = load.now_ms() / 1000;
        self.voice.progress(&format!(
            "{name}: {seconds} s, {phase}: {begun} orders, {told} ended, {troubled} calls unanswered"
        ));
    }

    fn tell(&self, report: &NemesisReport) {
        let verdict = match &report.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
            Verdict::NotRun(_) => "not run",
        };
        let heal =
            report.heal_ms.map_or_else(|| "not within the load".to_owned(), |ms| format!("{:.1} s", seconds(ms)));
        let rest = seconds(report.rested_ms.saturating_sub(report.load_to_ms));
        let fired: u64 = report.fired.iter().map(|fired| fired.times).sum();
        self.voice.say(&format!(
            "{}: {verdict}: fired {fired} times, {} orders, healed in {heal}, at rest {rest:.1} s after the load",
            report.name, report.orders
        ));
        for broken in report.invariants.iter().filter(|invariant| invariant.broken > 0) {
            self.voice.say(&format!("  {} {}: broken by {}", broken.id, broken.name, broken.broken));
            broken.offenders.iter().for_each(|offender| self.voice.say(&format!("    {offender}")));
        }
        if report.verdict == Verdict::Failed {
            self.voice.say(&format!(
                "  again: baton storm --nemesis {} --seed {} --seconds {} --rate {}; logs are in {}",
                report.name,
                self.settings.seed,
                self.settings.seconds,
                self.settings.rate,
                self.settings.dir.display()
            ));
        }
    }
}

/// Why it cannot be run here, if so.
fn cannot_run(nemesis: &Nemesis) -> Option<String> {
    if nemesis.needs_crash_points() && !baton_crash_point::BUILT_IN {
        return Some("this binary has no crash points: build it with --features crash-points".to_owned());
    }
    if nemesis.needs_tmpfs() && !Tmpfs::is_allowed() {
        return Some("this user may not mount a small file system".to_owned());
    }
    None
}

fn blank(nemesis: &Nemesis, seed: u64) -> NemesisReport {
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
    }
}

/// Everything that follows from the clients' history.
#[allow(clippy::cast_precision_loss)]
fn measure(report: &mut NemesisReport, orders: &[ClientOrder]) {
    report.orders = orders.len() as u64;
    let calls = || orders.iter().flat_map(|order| &order.calls);
    report.calls = calls().count() as u64;
    let unknown: Vec<u64> =
        calls().filter(|call| matches!(call.outcome, Outcome::Unknown(_))).map(|call| call.ended_ms).collect();
    report.unknown_calls = unknown.len() as u64;
    report.ends = ends_by_kind(orders)
        .into_iter()
        .map(|((kind, end), count)| End { kind, end: end.trim_start_matches("ORDER_STATE_").to_owned(), count })
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

#[allow(clippy::cast_precision_loss)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// FNV-1a: the same name gives the same seed everywhere.
fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::nemesis::named;

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
