//! Orders while things go wrong. Callers are patient: they ask again, with the same ids, until they are told.

use super::design::Installed;
use crate::load::call::{Caller, Ending, Follow};
use crate::shop::Order;
use crate::site::Site;
use anyhow::Result;
use baton_supervisor::process::{Probe, Process};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Orders of a run with kills.
pub const ORDERS: usize = 3_000;

/// Callers of a run with kills.
const CALLERS: usize = 100;

/// What was killed is started again after this.
const DOWN: Duration = Duration::from_secs(2);

/// Pause of a caller before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A caller that was told nothing by then goes.
const GIVE_UP: Duration = Duration::from_secs(20);

/// All orders at once; what callers are told is not judged.
pub async fn all_at_once(site: &Site<'_>, orders: &[Order]) -> Result<()> {
    let channels = site.channels()?;
    let mut tasks = JoinSet::new();
    for (number, order) in orders.iter().cloned().enumerate() {
        let mut caller = Caller::new(channels[number % channels.len()].clone(), Follow::Wait);
        tasks.spawn(async move { caller.place_patiently(&order, ASK_AGAIN, Instant::now() + GIVE_UP).await });
    }
    while let Some(told) = tasks.join_next().await {
        told?;
    }
    Ok(())
}

/// A closed loop during which the participant is killed after a third of the orders, and the door after two thirds.
/// Returns how many callers were told an end that fits.
pub async fn with_kills(installed: &Installed<'_>, site: &Site<'_>, orders: &[Order]) -> Result<usize> {
    let channels = site.channels()?;
    let orders: Arc<Vec<Order>> = Arc::new(orders.to_vec());
    let (next, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let moved = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    for number in 0..CALLERS {
        let mut caller = Caller::new(channels[number % channels.len()].clone(), Follow::Wait);
        let (orders, next, ended, moved) = (orders.clone(), next.clone(), ended.clone(), moved.clone());
        tasks.spawn(async move {
            let mut right = 0;
            while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let told = caller.place_patiently(order, ASK_AGAIN, Instant::now() + GIVE_UP).await;
                right += usize::from(matches!(told, Ending::Right(_)));
                ended.fetch_add(1, Ordering::Relaxed);
                moved.notify_one();
            }
            right
        });
    }
    let kills = async {
        let reached = async |count: usize| {
            while ended.load(Ordering::Relaxed) < count {
                moved.notified().await;
            }
        };
        reached(orders.len() / 3).await;
        kill(installed.participant()?).await?;
        reached(orders.len() * 2 / 3).await;
        kill(installed.door()?).await
    };
    let load = async {
        let mut right = 0;
        while let Some(told) = tasks.join_next().await {
            right += told?;
        }
        anyhow::Ok(right)
    };
    let (right, ()) = tokio::try_join!(load, kills)?;
    Ok(right)
}

async fn kill((process, ready): (&Process, Probe)) -> Result<()> {
    process.kill()?;
    tokio::time::sleep(DOWN).await;
    process.start()?;
    process.wait_ready(&ready).await
}
