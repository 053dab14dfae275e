//! A participant that stands still for a moment: what it has in hand is asked for again, and not more than once.

use super::deliveries::sent_again;
use crate::storm::arena::{Arena, Fired};
use crate::storm::cluster::Cluster;
use crate::storm::node::ProcessKind;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a process stands still: a pause of its machine, not an outage.
const STOPPED: Duration = Duration::from_secs(2);

/// What was in flight must be answered within this; whether it ever is, the verdict says.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at what is in flight.
const LOOK: Duration = Duration::from_millis(50);

/// Commands in flight, one for each saga that is under way.
const IN_FLIGHT: &str = "SELECT id, step, direction FROM saga WHERE state IN (1, 2)";

/// Names a command.
type InFlight = ([u8; 16], i64, i64);

/// SIGSTOP for two seconds, of every process of a participant in turn: over streams some may have nothing to do.
pub(super) async fn stop(arena: &Arena) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    let participants = cluster.nodes.iter().filter(|node| node.kind != ProcessKind::Orchestrator);
    let all = participants.clone().count() as u64;
    let until = Instant::now() + arena.window;
    let (mut stops, mut commands, mut again) = (0, 0, 0);
    // Whoever had nothing to do says nothing about re-sending.
    let mut concerned = 0;
    for node in participants.cycle() {
        if stops >= all && Instant::now() >= until {
            break;
        }
        let before = sent_again(cluster).await?;
        arena.note(format!("SIGSTOP {}", node.name));
        node.process().pause()?;
        let waiting = seen_in_flight(cluster, Instant::now() + STOPPED).await?;
        node.process().resume()?;
        arena.over(format!("SIGCONT {}", node.name));
        answered(cluster, &waiting).await?;
        let sent = sent_again(cluster).await? - before;
        arena.note(format!("{} commands in flight, {sent} sent again", waiting.len()));
        let waiting = waiting.len() as u64;
        (stops, commands, again) = (stops + 1, commands + waiting, again + sent);
        concerned += if sent > 0 { waiting } else { 0 };
    }
    ensure!(again <= concerned, "{again} times a command was sent again, of {concerned} in flight");
    Ok(vec![
        Fired::new(format!("SIGSTOP of a participant; {again} commands sent again"), stops),
        Fired::new("command in flight meanwhile", commands),
    ])
}

/// Every command that was in flight at one look or another.
async fn seen_in_flight(cluster: &Cluster, until: Instant) -> Result<BTreeSet<InFlight>> {
    let mut seen = BTreeSet::new();
    while Instant::now() < until {
        seen.extend(in_flight(cluster).await?);
        sleep(LOOK).await;
    }
    Ok(seen)
}

/// Waits until none of them is in flight any more.
async fn answered(cluster: &Cluster, commands: &BTreeSet<InFlight>) -> Result<()> {
    let until = Instant::now() + ANSWERED_WITHIN;
    while Instant::now() < until && !in_flight(cluster).await?.is_disjoint(commands) {
        sleep(LOOK).await;
    }
    Ok(())
}

async fn in_flight(cluster: &Cluster) -> Result<BTreeSet<InFlight>> {
    let rows = cluster.sagas.query(IN_FLIGHT, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.array::<16>(0)?, row.int(1)?, row.int(2)?))).collect()
}
