//! What the nemeses do. Each act returns how often it did it, and leaves the cluster to be healed by whoever called it.

mod courier;
mod crash;
mod deliveries;
mod hostile;
mod messages;
mod network;
mod processes;
mod resends;
mod servers;

use super::arena::{Arena, Fired};
use super::nemesis::Act;
use anyhow::Result;
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Performs an act for about the arena's window.
///
/// # Errors
/// If the act itself could not be done; what the cluster makes of it is judged elsewhere.
pub fn perform<'a>(act: &'a Act, arena: &'a Arena) -> BoxFuture<'a, Result<Vec<Fired>>> {
    Box::pin(async move {
        match act {
            Act::Kill(kind) => processes::kill(arena, *kind).await,
            Act::Freeze(kind) => processes::freeze(arena, *kind).await,
            Act::StopParticipant => resends::stop(arena).await,
            Act::Rolling => processes::rolling(arena).await,
            Act::KillAll => processes::kill_all(arena).await,
            Act::Outage(kind) => processes::outage(arena, *kind).await,
            Act::KillServer(server) => servers::kill(arena, *server).await,
            Act::FreezeServer(server) => servers::freeze(arena, *server).await,
            Act::MemoryAlarm => servers::memory_alarm(arena).await,
            Act::DiskAlarm => servers::disk_alarm(arena).await,
            Act::DeleteQueues => servers::delete_queues(arena).await,
            Act::CloseConnections => servers::close_connections(arena).await,
            Act::FreshBroker => servers::fresh_broker(arena).await,
            Act::CourierAway(lasts) => courier::away(arena, *lasts).await,
            Act::CutCourier => courier::cut(arena).await,
            Act::PurgeQueues => messages::purge(arena).await,
            Act::DoubleMessages => messages::double(arena).await,
            Act::DelayReplies => messages::delay_replies(arena).await,
            Act::FlushHints => servers::flush_hints(arena).await,
            Act::LockHotItem => servers::lock_hot_item(arena).await,
            Act::FullDisk => servers::full_disk(arena).await,
            Act::ProviderDown => servers::provider_down(arena).await,
            Act::ProviderFaults => servers::provider_faults(arena).await,
            Act::NetworkCycle(pair) => network::cycle(arena, *pair).await,
            Act::Network(fault, pair) => network::one(arena, *fault, *pair).await,
            Act::CrashPoints(points) => crash::points(arena, points).await,
            Act::HostilePublisher => hostile::publish(arena).await,
            Act::Both(first, second) => both(arena, first, second).await,
        }
    })
}

/// The second begins in the middle of the first, so that each meets the other's recovery.
async fn both(arena: &Arena, first: &Act, second: &Act) -> Result<Vec<Fired>> {
    let (one, other) = (arena.part(arena.window.mul_f64(0.7), 1), arena.part(arena.window.mul_f64(0.6), 2));
    let later = arena.window.mul_f64(0.3).min(Duration::from_secs(10));
    let delayed = async {
        tokio::time::sleep(later).await;
        perform(second, &other).await
    };
    let (mut fired, more) = tokio::try_join!(perform(first, &one), delayed)?;
    fired.extend(more);
    Ok(fired)
}
