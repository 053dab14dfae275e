//! What carries commands: away for long, cut off again and again.

use super::network;
use crate::proxy::faults::Faults;
use crate::storm::arena::{Arena, Fired};
use crate::storm::links::Pair;
use crate::storm::net_fault::NetFault;
use crate::storm::node::ProcessKind;
use crate::storm::quiesce::count;
use anyhow::Result;
use futures_util::future::try_join_all;
use std::time::Duration;
use tokio::time::sleep;

/// Sagas under way.
const WAITING: &str = "SELECT COUNT(*) FROM saga WHERE state IN (1, 2)";

/// Nothing is carried for so long: the broker is dead, or no stream can be opened.
pub(super) async fn away(arena: &Arena, lasts: Duration) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    arena.note("the courier is away");
    let waiting = match &cluster.rabbitmq {
        Some(broker) => {
            broker.kill()?;
            sleep(lasts).await;
            let waiting = count(&cluster.sagas, WAITING).await?;
            broker.restart().await?;
            waiting
        }
        None => {
            // Orders are created over the connections to the order participant: without them none would be accepted.
            let links = cluster.links.of(Pair::OrchestratorParticipant);
            let links: Vec<_> = links.filter(|link| link.to != ProcessKind::Order.name()).collect();
            for link in &links {
                link.proxy.set(Faults { refuse: true, ..Faults::default() });
                link.proxy.reset();
            }
            sleep(lasts).await;
            let waiting = count(&cluster.sagas, WAITING).await?;
            links.iter().for_each(|link| link.proxy.heal());
            waiting
        }
    };
    arena.over("the courier is back");
    Ok(vec![Fired::new(format!("saga that waits for a courier that was away for {} s", lasts.as_secs()), waiting)])
}

/// Every connection that carries is reset every second.
pub(super) async fn cut(arena: &Arena) -> Result<Vec<Fired>> {
    let pairs = arena.cluster.courier().pairs().iter();
    Ok(try_join_all(pairs.map(|pair| network::one(arena, NetFault::Reset, *pair))).await?.concat())
}
