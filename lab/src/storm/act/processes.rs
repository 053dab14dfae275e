//! Baton's own processes: killed, frozen, stopped and started.

use crate::storm::arena::{Arena, Fired, pause};
use crate::storm::node::{Node, ProcessKind};
use anyhow::Result;
use rand::RngExt as _;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest time a process is frozen: longer than a step's timeout and the broker's patience with heartbeats.
const FROZEN: Duration = Duration::from_secs(30);

/// SIGKILL to an instance as the dice fall, back after a moment, until the time is over.
pub(super) async fn kill(arena: &Arena, kind: ProcessKind) -> Result<Vec<Fired>> {
    let mut dice = arena.dice();
    let nodes = arena.cluster.of(kind);
    let until = Instant::now() + arena.window;
    let mut times = 0;
    while times == 0 || Instant::now() < until {
        let node = nodes[dice.random_range(0..nodes.len())];
        arena.note(format!("SIGKILL {}", node.name));
        node.kill()?;
        pause(&mut dice, 0, 1_500).await;
        node.start()?;
        arena.over(format!("{} is started", node.name));
        times += 1;
        pause(&mut dice, 1_000, 4_000).await;
    }
    Ok(vec![Fired::new(format!("SIGKILL {}", kind.name()), times)])
}

/// SIGSTOP of one instance: it holds its messages and locks, and wakes up in another time.
pub(super) async fn freeze(arena: &Arena, kind: ProcessKind) -> Result<Vec<Fired>> {
    let mut dice = arena.dice();
    let nodes = arena.cluster.of(kind);
    let node = nodes[dice.random_range(0..nodes.len())];
    arena.note(format!("SIGSTOP {}", node.name));
    node.process().pause()?;
    sleep(arena.share(1.0, FROZEN)).await;
    node.process().resume()?;
    arena.note(format!("SIGCONT {}", node.name));
    Ok(vec![Fired::new(format!("SIGSTOP {}", node.name), 1)])
}

/// SIGTERM, start, ready, next: an upgrade.
pub(super) async fn rolling(arena: &Arena) -> Result<Vec<Fired>> {
    let mut times = 0;
    for node in &arena.cluster.nodes {
        arena.note(format!("SIGTERM {}", node.name));
        node.stop().await?;
        node.start()?;
        node.ready().await?;
        times += 1;
    }
    Ok(vec![Fired::new("restart", times)])
}

/// Everything at once, as if the power went.
pub(super) async fn kill_all(arena: &Arena) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    arena.note("SIGKILL everything");
    for node in &cluster.nodes {
        node.kill()?;
    }
    cluster.mariadb.kill()?;
    if let Some(broker) = &cluster.rabbitmq {
        broker.kill()?;
    }
    cluster.redis.kill()?;
    cluster.provider.kill()?;
    sleep(Duration::from_secs(1)).await;
    cluster.provider.start()?;
    // Programs first: they must wait for their servers.
    for node in &cluster.nodes {
        node.start()?;
    }
    let broker = async {
        match &cluster.rabbitmq {
            Some(broker) => broker.restart().await,
            None => Ok(()),
        }
    };
    tokio::try_join!(cluster.mariadb.restart(), broker, cluster.redis.restart())?;
    arena.over("every server is back");
    cluster.ready().await?;
    Ok(vec![Fired::new("SIGKILL everything", 1)])
}

/// Every instance of a kind dead for the whole window.
pub(super) async fn outage(arena: &Arena, kind: ProcessKind) -> Result<Vec<Fired>> {
    let nodes = arena.cluster.of(kind);
    arena.note(format!("every {} is dead", kind.name()));
    nodes.iter().try_for_each(|node| node.kill())?;
    sleep(arena.share(1.0, Duration::from_secs(60))).await;
    nodes.iter().try_for_each(|node: &&Node| node.start())?;
    arena.note(format!("{} is back", kind.name()));
    Ok(vec![Fired::new(format!("outage of {}", kind.name()), 1)])
}
