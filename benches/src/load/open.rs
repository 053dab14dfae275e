//! Open loop: orders arrive when they arrive, whether or not the last ones have ended.
//!
//! Latency counts from the instant an order was to arrive, not from when the driver got round to it: a stall of the
//! system under test makes all that should have arrived meanwhile late, and is seen as such (no coordinated omission).

use super::call::{Caller, Ending, Follow};
use super::tally::Tally;
use crate::shop::Order;
use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// Orders under way at once. Above what a door with the default admission holds; a driver that reaches it says so.
pub const UNDER_WAY: usize = 32_768;

/// Orders paid for and not placed. A refused order goes back: nothing was started for it.
pub type Pool = Arc<Mutex<Vec<Order>>>;

/// What an open loop brought.
#[derive(Debug)]
pub struct Course {
    /// What ended and what was refused.
    pub tally: Tally,
    /// Arrivals that the driver could not send: too many under way, or no order left. Should be 0.
    pub unsent: u64,
}

/// Lets orders arrive at `rate` per second for `duration`, then waits for the last of them.
pub async fn run(channels: &[Channel], pool: &Pool, rate: f64, duration: Duration, follow: Follow) -> Result<Course> {
    let from = Instant::now();
    let mut tally = Tally::new(from)?;
    let slots = Arc::new(Semaphore::new(UNDER_WAY));
    let mut tasks: JoinSet<(Ending, Instant, Instant)> = JoinSet::new();
    let (mut arrived, mut unsent) = (0_u64, 0);
    let all = (rate * duration.as_secs_f64()) as u64;
    while arrived < all {
        let due = from + Duration::from_secs_f64(arrived as f64 / rate);
        let now = Instant::now();
        if due > now {
            while let Some(done) = tasks.try_join_next() {
                let (ending, begun, at) = done?;
                tally.add(ending, begun, at, None)?;
            }
            tokio::time::sleep_until(due.into()).await;
            continue;
        }
        let channel = channels[usize::try_from(arrived)? % channels.len()].clone();
        arrived += 1;
        let order = lock(pool).pop();
        let (Some(order), Ok(slot)) = (order, slots.clone().try_acquire_owned()) else {
            unsent += 1;
            continue;
        };
        let pool = pool.clone();
        tasks.spawn(async move {
            let ending = Caller::new(channel, follow).place(&order).await;
            let at = Instant::now();
            if ending == Ending::Refused {
                lock(&pool).push(order);
            }
            drop(slot);
            (ending, due, at)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (ending, begun, at) = done?;
        tally.add(ending, begun, at, None)?;
    }
    Ok(Course { tally, unsent })
}

fn lock(pool: &Pool) -> std::sync::MutexGuard<'_, Vec<Order>> {
    // Each change is one call: a panic elsewhere leaves nothing half done.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}
