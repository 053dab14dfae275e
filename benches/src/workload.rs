//! Workloads: how orders come, what they are like, and how their callers learn of the end.

use crate::load::call::Follow;
use crate::shop::{Mix, PLENTY};
use serde::Serialize;
use std::time::Duration;

/// Orders paid for in advance per second of a closed loop, at most.
pub const MOST_PAID: usize = 14_000;

/// How orders come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// All at one instant.
    Burst {
        /// How many.
        orders: usize,
    },
    /// So many callers, each with one order under way.
    Closed {
        /// How many.
        callers: usize,
        /// Before the measured time: connections open, statements prepared, the batch size settled.
        warm_up: Duration,
        /// The measured time.
        measured: Duration,
        /// Orders paid for in advance, per second: above what the site can place.
        paid_per_second: usize,
    },
    /// Arrivals at a rate, whether or not earlier orders have ended.
    Open {
        /// Per second.
        rate: f64,
        /// How long.
        measured: Duration,
    },
}

/// One workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// For tables.
    pub name: String,
    /// How orders come.
    pub load: Load,
    /// Items with stock.
    pub items: u32,
    /// Units of each.
    pub stock: i64,
    /// What the orders are like.
    pub mix: Mix,
    /// How callers learn of the end.
    pub follow: Follow,
}

impl Workload {
    /// A burst of good orders of one item.
    #[must_use]
    pub fn burst(name: &str, orders: usize) -> Self {
        let load = Load::Burst { orders };
        Self { name: name.to_owned(), load, items: 1, stock: PLENTY, mix: Mix::GOOD, follow: Follow::Wait }
    }

    /// Callers over many items.
    #[must_use]
    pub fn closed(name: &str, callers: usize, items: u32, seconds: u64) -> Self {
        // Above the ceiling of the design on the machine it was found on, for any number of callers.
        let paid_per_second = (callers * 80).clamp(1_000, MOST_PAID);
        let load = Load::Closed {
            callers,
            warm_up: Duration::from_secs(2),
            measured: Duration::from_secs(seconds),
            paid_per_second,
        };
        Self { name: name.to_owned(), load, items, stock: PLENTY, mix: Mix::GOOD, follow: Follow::Wait }
    }

    /// Arrivals at a rate.
    #[must_use]
    pub fn open(name: &str, rate: f64, items: u32, seconds: u64) -> Self {
        let load = Load::Open { rate, measured: Duration::from_secs(seconds) };
        Self { name: name.to_owned(), load, items, stock: PLENTY, mix: Mix::GOOD, follow: Follow::Wait }
    }

    /// With another number of orders paid for in advance; for closed loops only.
    #[must_use]
    pub fn paid(mut self, per_second: usize) -> Self {
        if let Load::Closed { paid_per_second, .. } = &mut self.load {
            *paid_per_second = per_second;
        }
        self
    }

    /// Orders that it takes.
    #[must_use]
    pub fn orders(&self) -> usize {
        match self.load {
            Load::Burst { orders } => orders,
            Load::Closed { warm_up, measured, paid_per_second, .. } => {
                usize::try_from((warm_up + measured).as_secs()).unwrap_or(0) * paid_per_second
            }
            Load::Open { rate, measured } => (rate * measured.as_secs_f64()).ceil() as usize,
        }
    }
}
