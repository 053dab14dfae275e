//! What processes hold: memory, open files, threads, tasks, connections. After every nemesis it must be what it was before
//! the first one, or a fault has left something behind (I20).
//!
//! Each process is asked for nothing it could be wrong about: memory, files and threads are the kernel's figures,
//! connections are those that the database and the broker count. Only tasks are the process's own.

use super::cluster::Cluster;
use super::load::Load;
use super::quiesce::{BOUND, rest};
use super::shop::ShopClient;
use super::voice::Voice;
use anyhow::{Context as _, Result};
use baton_supervisor::Process;
use baton_verify::report::{Finding, Offenders};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Load before the first look: pools, caches and lazily started threads are what a process needs, not a leak.
const WARM_UP: Duration = Duration::from_secs(10);

/// How long what is left of a fault may take to be let go of: an idle thread of the blocking pool ends after 10 s, a
/// connection that is dead without a word is found by its keep-alive after 15 to 20 s, an idle HTTP connection to the
/// provider is kept for 20 to 40 s. Only a process that holds too much makes anybody wait.
const LET_GO_WITHIN: Duration = Duration::from_secs(100);

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Files over the baseline that are no leak: a pool of 8 database connections keeps for five minutes whatever it needed at
/// its busiest, the broker's three and each peer's channel may stand double while one is replaced.
const FILES: u64 = 24;

/// Threads over the baseline: the runtime's workers are fixed, name lookups and file work start a few of the blocking
/// pool, which end by themselves.
const THREADS: u64 = 8;

/// Tasks over the baseline: up to four for each connection that [`FILES`] allows. One left behind by each fault, or by
/// each order in a thousand, is more than this.
const TASKS: u64 = 96;

/// Memory over the baseline, MiB: each process remembers up to 16,384 sagas or answers it has seen, at one to two KiB each,
/// and the allocator keeps what a backlog needed. A process that kept a KiB of each order would pass this in one full storm
/// of 240,000 orders.
const MEMORY_MIB: u64 = 96;

/// Database connections of one kind of program: two processes with the configured pool of 8 each.
const DATABASE: u64 = 16;

/// Broker connections over the baseline: the one for declaring is opened when it is needed, in each of eight processes.
const BROKER: u64 = 8;

/// As the report words it.
pub const PROMISE: &str = "what processes hold is what they held before the first nemesis";

/// What one process holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// `stock-2`.
    pub name: String,
    /// Resident memory, MiB.
    pub memory_mib: u64,
    /// Open files, sockets among them.
    pub files: u64,
    /// Threads.
    pub threads: u64,
    /// Tasks that have not ended; `None` for a process that does not tell.
    pub tasks: Option<u64>,
}

/// What all of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Every process of Baton's own.
    pub processes: Vec<Held>,
    /// Connections at the database, by user.
    pub database: Vec<(String, u64)>,
    /// Connections at the broker.
    pub broker: u64,
}

/// Warms a new cluster up and looks.
///
/// # Errors
/// If it cannot be asked, or does not come to rest.
pub async fn baseline(cluster: &Cluster, seed: u64, rate: f64, voice: Voice) -> Result<Holdings> {
    voice.progress("warming up, to see what processes hold before the first nemesis");
    let shop = ShopClient::new(&cluster.client_ports, &cluster.provider_url())?;
    let load = Load::start(&shop, seed, rate).await?;
    sleep(WARM_UP).await;
    load.finish(Instant::now() + BOUND).await;
    rest(cluster, Instant::now() + BOUND).await?;
    look(cluster).await
}

/// Looks until everything is as before, or the time is over; what was held at the last look, and the verdict.
///
/// # Errors
/// If a process, the database or the broker cannot be asked.
pub async fn compare(cluster: &Cluster, before: &Holdings) -> Result<(Holdings, Finding)> {
    let until = Instant::now() + LET_GO_WITHIN;
    loop {
        let after = look(cluster).await?;
        let finding = judge(before, &after);
        if finding.passed() || Instant::now() >= until {
            return Ok((after, finding));
        }
        sleep(LOOK).await;
    }
}

async fn look(cluster: &Cluster) -> Result<Holdings> {
    let mut processes = Vec::new();
    for node in &cluster.nodes {
        let mut held = of_process(&node.process())?;
        held.tasks = tasks(node.admin).await;
        processes.push(held);
    }
    processes.push(of_process(&cluster.provider)?);
    let sql = "SELECT user, COUNT(*) FROM information_schema.processlist WHERE user LIKE 'baton%' GROUP BY user \
               ORDER BY user";
    let rows = cluster.sagas.query(sql, Vec::new()).await?;
    let database: Result<Vec<(String, u64)>> =
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), u64::try_from(row.int(1)?).unwrap_or(0)))).collect();
    let broker = match &cluster.rabbitmq {
        Some(broker) => broker.ctl(&["list_connections", "pid", "--no-table-headers"]).await?,
        None => String::new(),
    };
    let broker = broker.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    Ok(Holdings { processes, database: database?, broker })
}

fn of_process(process: &Process) -> Result<Held> {
    let name = process.name().to_owned();
    let pid = process.pid().with_context(|| format!("{name} does not run"))?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("status of {name}"))?;
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let memory_mib = number("VmRSS:").with_context(|| format!("memory of {name}"))? / 1024;
    let threads = number("Threads:").with_context(|| format!("threads of {name}"))?;
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("files of {name}"))?.count();
    Ok(Held { name, memory_mib, files: files as u64, threads, tasks: None })
}

/// As the process itself counts them.
async fn tasks(admin: u16) -> Option<u64> {
    let answer = reqwest::get(format!("http://127.0.0.1:{admin}/metrics")).await.ok()?;
    gauge(&answer.text().await.ok()?, "process_tasks")
}

/// The value of a metric without labels.
pub(super) fn gauge(metrics: &str, name: &str) -> Option<u64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Whether anything holds more than it did, beyond what its constant argues for.
#[must_use]
pub fn judge(before: &Holdings, after: &Holdings) -> Finding {
    let mut offenders = Offenders::default();
    let mut expect = |who: &str, what: &str, was: u64, is: u64, slack: u64| {
        if is > was + slack {
            offenders.add(format!("{who} holds {is} {what}, {was} before the first nemesis"));
        }
    };
    for now in &after.processes {
        let Some(was) = before.processes.iter().find(|held| held.name == now.name) else { continue };
        expect(&now.name, "MiB", was.memory_mib, now.memory_mib, MEMORY_MIB);
        expect(&now.name, "open files", was.files, now.files, FILES);
        expect(&now.name, "threads", was.threads, now.threads, THREADS);
        if let (Some(was), Some(is)) = (was.tasks, now.tasks) {
            expect(&now.name, "tasks", was, is, TASKS);
        }
    }
    for (user, is) in &after.database {
        expect(user, "database connections", 0, *is, DATABASE);
    }
    expect("the broker", "connections", before.broker, after.broker, BROKER);
    let counted = format!("{} processes", after.processes.len());
    offenders.finding("I20", PROMISE, counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holdings(change: impl FnOnce(&mut Holdings)) -> Holdings {
        let held = Held { name: "stock-1".to_owned(), memory_mib: 30, files: 40, threads: 5, tasks: Some(60) };
        let mut holdings =
            Holdings { processes: vec![held], database: vec![("baton_stock".to_owned(), 4)], broker: 24 };
        change(&mut holdings);
        holdings
    }

    #[test]
    fn each_kind_of_leak_is_named() {
        let before = holdings(|_| ());
        assert!(judge(&before, &before).passed());
        type Leak = fn(&mut Holdings);
        let leaks: [(&str, Leak); 6] = [
            ("MiB", |it| it.processes[0].memory_mib += MEMORY_MIB + 1),
            ("open files", |it| it.processes[0].files += FILES + 1),
            ("threads", |it| it.processes[0].threads += THREADS + 1),
            ("tasks", |it| it.processes[0].tasks = Some(60 + TASKS + 1)),
            ("database connections", |it| it.database[0].1 = DATABASE + 1),
            ("connections", |it| it.broker += BROKER + 1),
        ];
        for (what, leak) in leaks {
            let found = judge(&before, &holdings(leak));
            assert!(found.broken == 1 && found.offenders[0].contains(what), "{what}: {found:?}");
        }
    }

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let text = "# TYPE process_tasks gauge\nprocess_tasks_total 9\nprocess_tasks 61\n# EOF\n";
        assert_eq!(gauge(text, "process_tasks"), Some(61));
        assert_eq!(gauge(text, "process_files"), None);
    }
}
