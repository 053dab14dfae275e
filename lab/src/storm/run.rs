//! One nemesis from the first order to the verdict, and a whole storm of them.

use super::act::perform;
use super::arena::{Arena, Fired};
use super::cluster::{Cluster, ClusterOptions};
use super::courier::Courier;
use super::holdings::{self, Holdings};
use super::judge::{JudgeInput, judge, unread};
use super::load::Load;
use super::logs::Logs;
use super::measure::{blank, measure, seconds};
use super::nemesis::Nemesis;
use super::quiesce::{BOUND, depths, rest};
use super::shop::ShopClient;
use super::voice::Voice;
use crate::report::model::{Invariant, NemesisReport, Verdict};
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
    /// What carries commands.
    pub courier: Courier,
    /// Configuration keys over the defaults, for every node.
    pub set: Vec<(String, String)>,
}

/// Runs nemeses on one cluster after the other: the next one is clean even if this one left a mess.
#[derive(Debug)]
pub struct Storm {
    settings: Settings,
    voice: Voice,
    testbed: Option<Testbed>,
    clusters: u32,
}

/// A cluster with what is remembered of it from one nemesis to the next.
#[derive(Debug)]
struct Testbed {
    cluster: Arc<Cluster>,
    logs: Logs,
    /// What its processes held before the first nemesis.
    baseline: Holdings,
}

impl Storm {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(settings: Settings, voice: Voice) -> Self {
        Self { settings, voice, testbed: None, clusters: 0 }
    }

    /// Runs one nemesis. What goes wrong on the way is part of the report.
    ///
    /// # Errors
    /// If no cluster can be started.
    pub async fn run(&mut self, nemesis: &Nemesis) -> Result<NemesisReport> {
        let seed = self.settings.seed ^ fold(&nemesis.name);
        let voice = self.voice;
        let mut report = blank(nemesis, seed);
        if let Some(why) = nemesis.cannot_run(self.settings.courier) {
            voice.say(&format!("{}: not run: {why}", nemesis.name));
            report.verdict = Verdict::NotRun(why.to_owned());
            return Ok(report);
        }
        voice.say(&format!("{}: {} (seed {})", nemesis.name, nemesis.what(), self.settings.seed));
        let mut testbed = self.testbed_for(nemesis).await?;
        let ended = self.storm(nemesis, seed, &mut testbed, &mut report).await;
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
            self.testbed = Some(testbed);
        }
        self.tell(&report);
        Ok(report)
    }

    /// A running cluster, for figures.
    ///
    /// # Errors
    /// If none can be started.
    pub async fn cluster(&mut self) -> Result<Arc<Cluster>> {
        if let Some(testbed) = &self.testbed {
            return Ok(testbed.cluster.clone());
        }
        let testbed = self.start(None).await?;
        let cluster = testbed.cluster.clone();
        self.testbed = Some(testbed);
        Ok(cluster)
    }

    async fn testbed_for(&mut self, nemesis: &Nemesis) -> Result<Testbed> {
        if nemesis.needs_tmpfs() {
            return self.start(Some(TMPFS_MIB)).await;
        }
        match self.testbed.take() {
            Some(kept) => Ok(kept),
            None => self.start(None).await,
        }
    }

    /// Somebody else on the machine may take a port between our look and the bind, so it is tried again, elsewhere.
    async fn start(&mut self, database_mib: Option<u32>) -> Result<Testbed> {
        let mut tries = 0;
        loop {
            self.clusters += 1;
            let dir = self.settings.dir.join(format!("cluster-{}", self.clusters));
            self.voice.progress(&format!("starting a cluster in {}", dir.display()));
            let options = ClusterOptions {
                baton: self.settings.baton.clone(),
                seed: self.settings.seed,
                set: self.settings.set.clone(),
                courier: self.settings.courier,
                database_mib,
            };
            match Cluster::start(&dir, &options).await {
                Ok(cluster) => {
                    let Settings { seed, rate, .. } = self.settings;
                    let baseline = holdings::baseline(&cluster, seed, rate, self.voice).await?;
                    return Ok(Testbed { cluster: Arc::new(cluster), logs: Logs::default(), baseline });
                }
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
        testbed: &mut Testbed,
        report: &mut NemesisReport,
    ) -> Result<()> {
        let cluster = &testbed.cluster;
        let all = Duration::from_secs(self.settings.seconds);
        let lead = all.mul_f64(0.2).min(Duration::from_secs(20));
        let window = all.mul_f64(0.4);
        let (_, letters_before) = depths(cluster).await?;
        let shop = ShopClient::new(&cluster.client_ports, &cluster.provider_url())?;
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
        let case = JudgeInput {
            cluster,
            shop: &shop,
            goods: &goods,
            orders: &orders,
            left: &left,
            letters_before,
            may_cancel: nemesis.may_cancel(),
            may_quarantine: nemesis.may_quarantine(),
            garbled: nemesis.garbles_database(),
            forged: nemesis.forges(),
            fired: &fired,
            died: &died,
        };
        let mut findings = judge(&case, &mut testbed.logs).await;
        match holdings::compare(cluster, &testbed.baseline).await {
            Ok((held, finding)) => {
                findings.push(finding);
                report.holdings = Some((testbed.baseline.clone(), held));
            }
            Err(error) => findings.push(unread("I20", holdings::PROMISE, &format!("{error:#}"))),
        }
        report.invariants = findings.iter().map(Invariant::from).collect();
        report.events = arena.events();
        report.fired = fired.unwrap_or_default();
        measure(report, &orders);
        let is_clean = findings.iter().all(baton_verify::report::Finding::passed);
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
        report.broken().iter().for_each(|line| self.voice.say(line));
        if report.verdict == Verdict::Failed {
            self.voice.say(&format!(
                "  again: baton-lab storm --nemesis {} --courier {} --seed {} --seconds {} --rate {}; logs are in {}",
                report.name,
                self.settings.courier.name(),
                self.settings.seed,
                self.settings.seconds,
                self.settings.rate,
                self.settings.dir.display()
            ));
        }
    }
}

/// FNV-1a: the same name gives the same seed everywhere.
fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
