//! Waiting until everything rests: sagas and queues.

use super::cluster::Cluster;
use anyhow::{Context as _, Result};
use baton_sql::database::Database;
use baton_supervisor::rabbitmq::COUNTED_EVERY;
use baton_verify::broker::{is_quarantine, listed};
use baton_verify::evidence::Queue;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// B: how long after the last fault has ended everything may take to come to rest. A step's timeout (5 s), twice the
/// longest backoff (10 s each), the longest time the bus holds a message that was given back (30 s), and 10 s, in which what
/// was lost is sent again (5 s).
pub const BOUND: Duration = Duration::from_secs(5 + 2 * 10 + 30 + 10);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// What is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Sagas that are neither ended nor parked.
    pub open: u64,
    /// Sagas that wait for an operator.
    pub parked: u64,
    /// Messages in command and reply queues, delivered ones included.
    pub queued: u64,
    /// Messages in dead-letter queues.
    pub letters: u64,
}

impl Left {
    /// Nothing will happen any more.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.open == 0 && self.queued == 0
    }
}

/// Waits until everything rests, at most until `until`, and says what is left.
///
/// # Errors
/// If a server cannot be asked even at the end.
pub async fn rest(cluster: &Cluster, until: Instant) -> Result<Left> {
    loop {
        let left = look(cluster).await;
        match left {
            Ok(left) if left.is_nothing() => return Ok(left),
            left if Instant::now() >= until => return left,
            Ok(_) | Err(_) => sleep(LOOK).await,
        }
    }
}

/// What is left right now. Asks the broker, which is slow, only if the database has nothing left.
async fn look(cluster: &Cluster) -> Result<Left> {
    let mut left = Left {
        open: count(&cluster.sagas, "SELECT COUNT(*) FROM saga WHERE state IN (1, 2)").await?,
        parked: count(&cluster.sagas, "SELECT COUNT(*) FROM saga WHERE state IN (3, 4)").await?,
        ..Left::default()
    };
    if left.open == 0 {
        // So that the broker's counts are younger than what has just been read.
        sleep(COUNTED_EVERY).await;
        (left.queued, left.letters) = depths(cluster).await?;
    }
    Ok(left)
}

/// One number.
///
/// # Errors
/// The database's.
pub async fn count(database: &Database, sql: &str) -> Result<u64> {
    let rows = database.query(sql, Vec::new()).await?;
    let value = rows.first().context("a count has a row")?.int(0)?;
    Ok(u64::try_from(value).unwrap_or_default())
}

/// Messages in work queues, and dead letters: those in their queues and those that were collected.
///
/// # Errors
/// If the broker cannot be asked.
pub async fn depths(cluster: &Cluster) -> Result<(u64, u64)> {
    let mut depths = (0, 0);
    for queue in queues(cluster).await? {
        if is_quarantine(&queue.name) {
            depths.1 += queue.messages;
        } else {
            depths.0 += queue.messages;
        }
    }
    // Orchestrators empty the dead-letter queues; what they took out stays here.
    depths.1 += count(&cluster.sagas, "SELECT COUNT(*) FROM dead_letter").await?;
    Ok(depths)
}

/// Every queue with its depth, by the broker's own count; none without a broker.
///
/// # Errors
/// If the broker cannot be asked.
pub async fn queues(cluster: &Cluster) -> Result<Vec<Queue>> {
    let Some(broker) = &cluster.rabbitmq else { return Ok(Vec::new()) };
    Ok(listed(&broker.ctl(&["list_queues", "name", "messages", "--no-table-headers"]).await?))
}
