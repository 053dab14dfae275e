//! Closed loop: so many callers, each placing an order and waiting for its end, then the next. And bursts: all at once.

use super::call::{Caller, Ending, Follow};
use super::tally::Tally;
use crate::shop::Order;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::watch;
use tonic::transport::Channel;

/// One caller's order: its ending, when it was begun and when its ending was seen.
type Seen = (Ending, Instant, Instant);

/// Runs `callers` callers over the orders until `until`; each order is used once. What ends from `from` on counts.
pub async fn run(
    channels: &[Channel],
    orders: Arc<Vec<Order>>,
    callers: usize,
    follow: Follow,
    from: Instant,
    until: Instant,
) -> Result<Tally> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..callers {
        let caller = Caller::new(channels[number % channels.len()].clone(), follow);
        tasks.push(tokio::spawn(one(caller, orders.clone(), next.clone(), until)));
    }
    let mut tally = Tally::new(from)?;
    for task in tasks {
        for (ending, begun, at) in task.await? {
            tally.add(ending, begun, at, Some(until))?;
        }
    }
    // The measured time is the whole of it, unless the orders ran out first: then it ends with the last of them.
    if next.load(Ordering::Relaxed) <= orders.len() {
        tally.elapsed = until.duration_since(from);
    }
    Ok(tally)
}

async fn one(mut caller: Caller, orders: Arc<Vec<Order>>, next: Arc<AtomicUsize>, until: Instant) -> Vec<Seen> {
    let mut seen = Vec::new();
    while Instant::now() < until {
        let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let begun = Instant::now();
        let ending = caller.place(order).await;
        seen.push((ending, begun, Instant::now()));
    }
    seen
}

/// All orders at one instant; latencies count from it.
pub async fn burst(channels: &[Channel], orders: Vec<Order>, follow: Follow) -> Result<Tally> {
    let (start, started) = watch::channel(None);
    let mut tasks = Vec::new();
    for (number, order) in orders.into_iter().enumerate() {
        let mut caller = Caller::new(channels[number % channels.len()].clone(), follow);
        let mut started = started.clone();
        tasks.push(tokio::spawn(async move {
            // The sender lives until all tasks have ended.
            let _ = started.wait_for(Option::is_some).await;
            let ending = caller.place(&order).await;
            (ending, Instant::now())
        }));
    }
    let begun = Instant::now();
    start.send_replace(Some(begun));
    let mut tally = Tally::new(begun)?;
    for task in tasks {
        let (ending, at) = task.await?;
        tally.add(ending, begun, at, None)?;
    }
    Ok(tally)
}
