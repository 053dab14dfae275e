//! How fast what was killed moves again: a few figures, each with its target.

use super::cluster::Cluster;
use super::load::Load;
use super::node::ProcessKind;
use super::quiesce::{BOUND, count, rest};
use super::shop::ShopClient;
use super::voice::Voice;
use crate::report::model::Figure;
use anyhow::{Result, ensure};
use baton_sql::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Orders a second while measuring.
const RATE: f64 = 40.0;

/// Kills of an orchestrator, of each participant, of each server.
const ORCHESTRATOR_ROUNDS: usize = 12;
const PARTICIPANT_ROUNDS: usize = 4;
const SERVER_ROUNDS: usize = 3;

/// Calm before each kill.
const CALM: Duration = Duration::from_secs(4);

/// How long a backlog grows.
const BACKLOG: Duration = Duration::from_secs(3);

/// Length of the outage in which attempts are counted.
const OUTAGE: Duration = Duration::from_secs(60);

/// What does not move within this counts as this.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Attempts a command may take in an outage of a minute: its whole budget before the pivot.
const ATTEMPTS: f64 = 8.0;

/// Sagas that are at work, as MariaDB orders them.
const OPEN: &str = "SELECT id, version FROM saga WHERE state IN (1, 2) ORDER BY id LIMIT 1000";

/// Measures every figure on a running cluster, which is as before when it is done.
///
/// # Errors
/// If the cluster cannot be asked, or does not come to rest.
pub async fn measure(cluster: &Arc<Cluster>, seed: u64, voice: Voice) -> Result<Vec<Figure>> {
    let shop = ShopClient::new(&cluster.client_ports, &cluster.provider_url())?;
    let load = Load::start(&shop, seed, RATE).await?;
    let measuring = Measuring { cluster, load: &load, voice };
    let mut figures = vec![measuring.orchestrators().await?];
    for kind in ProcessKind::PARTICIPANTS {
        figures.push(measuring.participants(kind).await?);
    }
    if let Some(broker) = &cluster.rabbitmq {
        figures.push(measuring.server("RabbitMQ", || broker.kill(), || broker.restart()).await?);
    }
    let mariadb = &cluster.mariadb;
    figures.push(measuring.server("MariaDB", || mariadb.kill(), || mariadb.restart()).await?);
    figures.push(measuring.attempts().await?);
    load.finish(Instant::now() + BOUND).await;
    let left = rest(cluster, Instant::now() + BOUND).await?;
    ensure!(left.is_nothing(), "after the measuring not all is at rest: {left:?}");
    Ok(figures)
}

struct Measuring<'a> {
    cluster: &'a Cluster,
    load: &'a Load,
    voice: Voice,
}

impl Measuring<'_> {
    /// From SIGKILL of an orchestrator until each saga that was at work has moved.
    async fn orchestrators(&self) -> Result<Figure> {
        let mut samples = Vec::new();
        let nodes = self.cluster.of(ProcessKind::Orchestrator);
        for round in 0..ORCHESTRATOR_ROUNDS {
            self.voice.progress(&format!("recovery: orchestrator, round {}", round + 1));
            sleep(CALM).await;
            let node = nodes[round % nodes.len()];
            let killed = Instant::now();
            node.kill()?;
            samples.extend(self.until_each_moves(killed).await?);
            node.start()?;
            node.ready().await?;
        }
        Ok(Figure::of("SIGKILL of an orchestrator until each open saga has moved", samples, 2.0, "s"))
    }

    async fn until_each_moves(&self, since: Instant) -> Result<Vec<f64>> {
        let mut waiting = self.open_sagas().await?;
        let mut samples = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() && since.elapsed() < GIVE_UP {
            sleep(LOOK).await;
            let ids: Vec<Value> = waiting.keys().map(|id| id.as_slice().into()).collect();
            let rows = self.cluster.sagas.query_in("SELECT id, version FROM saga WHERE id", ids, "").await?;
            for row in rows {
                let (id, version) = (row.array::<16>(0)?, row.int(1)?);
                if waiting.get(&id).is_some_and(|before| version > *before) {
                    waiting.remove(&id);
                    samples.push(since.elapsed().as_secs_f64());
                }
            }
        }
        samples.extend(waiting.iter().map(|_| GIVE_UP.as_secs_f64()));
        Ok(samples)
    }

    async fn open_sagas(&self) -> Result<BTreeMap<[u8; 16], i64>> {
        let rows = self.cluster.sagas.query(OPEN, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.array::<16>(0)?, row.int(1)?))).collect()
    }

    /// Both instances dead for a while; from the start of one, process and all, until its ledger grows.
    async fn participants(&self, kind: ProcessKind) -> Result<Figure> {
        let mut samples = Vec::new();
        let ledger = format!("SELECT COUNT(*) FROM baton_{}.ledger", kind.name());
        for round in 0..PARTICIPANT_ROUNDS {
            self.voice.progress(&format!("recovery: {}, round {}", kind.name(), round + 1));
            sleep(CALM).await;
            let nodes = self.cluster.of(kind);
            nodes.iter().try_for_each(|node| node.kill())?;
            sleep(BACKLOG).await;
            let before = count(&self.cluster.sagas, &ledger).await?;
            let started = Instant::now();
            nodes[round % nodes.len()].start()?;
            while count(&self.cluster.sagas, &ledger).await? == before && started.elapsed() < GIVE_UP {
                sleep(LOOK).await;
            }
            samples.push(started.elapsed().as_secs_f64());
            nodes.iter().try_for_each(|node| node.start())?;
            for node in nodes {
                node.ready().await?;
            }
        }
        let what = format!("start of one {} after an outage of both until its backlog moves", kind.name());
        Ok(Figure::of(&what, samples, 2.0, "s"))
    }

    /// From a server's return until as many orders end in a second as before.
    async fn server(
        &self,
        name: &str,
        kill: impl Fn() -> Result<()>,
        restart: impl AsyncFn() -> Result<()>,
    ) -> Result<Figure> {
        let mut samples = Vec::new();
        for round in 0..SERVER_ROUNDS {
            self.voice.progress(&format!("recovery: {name}, round {}", round + 1));
            sleep(CALM).await;
            let calm = self.ended_in_a_second().await;
            kill()?;
            sleep(BACKLOG).await;
            restart().await?;
            let back = Instant::now();
            let mut healed = back.elapsed();
            while self.ended_in_a_second().await * 5 < calm * 4 && back.elapsed() < GIVE_UP {
                healed = back.elapsed();
            }
            samples.push(healed.as_secs_f64());
            self.cluster.ready().await?;
        }
        Ok(Figure::of(&format!("return of {name} until as many orders end as before"), samples, 10.0, "s"))
    }

    async fn ended_in_a_second(&self) -> u64 {
        let told = &self.load.counters.told;
        let before = told.load(Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        told.load(Ordering::Relaxed) - before
    }

    /// Attempts of each command to a participant that is dead for a minute.
    async fn attempts(&self) -> Result<Figure> {
        let nodes = self.cluster.of(ProcessKind::Stock);
        nodes.iter().try_for_each(|node| node.kill())?;
        let until = Instant::now() + OUTAGE;
        let mut most: BTreeMap<([u8; 16], i64, i64), i64> = BTreeMap::new();
        while Instant::now() < until {
            let left = (until - Instant::now()).as_secs();
            self.voice.progress(&format!("recovery: attempts in an outage, {left} s left"));
            // Step 3 is stock.reserve.
            let sql = "SELECT id, step, direction, attempt FROM saga WHERE state IN (1, 2) AND step = 3";
            for row in self.cluster.sagas.query(sql, Vec::new()).await? {
                let attempts = most.entry((row.array::<16>(0)?, row.int(1)?, row.int(2)?)).or_default();
                *attempts = (*attempts).max(row.int(3)?);
            }
            sleep(Duration::from_millis(300)).await;
        }
        nodes.iter().try_for_each(|node| node.start())?;
        for node in nodes {
            node.ready().await?;
        }
        #[allow(clippy::cast_precision_loss)]
        let samples = most.into_values().map(|attempts| attempts as f64).collect();
        Ok(Figure::of("attempts of a command in an outage of 60 s of its participant", samples, ATTEMPTS, "attempts"))
    }
}
