//! Where a nemesis acts: the cluster, its time, its dice, and what it leaves for the picture.

use super::cluster::Cluster;
use super::shop::ShopClient;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Events of one nemesis that are kept; the rest are told by counts.
const MAX_EVENTS: usize = 500;

/// Something that happened, for the timeline.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Milliseconds since the load began.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// How often something a nemesis does was done. Zero fails the run.
#[derive(Clone, Debug, Serialize)]
pub struct Fired {
    /// What.
    pub what: String,
    /// How often.
    pub times: u64,
}

impl Fired {
    /// So often.
    #[must_use]
    pub fn new(what: impl Into<String>, times: u64) -> Self {
        Self { what: what.into(), times }
    }
}

/// Where a nemesis acts. Clones share the cluster and the events; each has dice of its own.
#[derive(Clone, Debug)]
pub struct Arena {
    /// All processes.
    pub cluster: Arc<Cluster>,
    /// A client, for sandbox faults.
    pub shop: ShopClient,
    /// The item everybody wants.
    pub hot_item: String,
    /// How long the fault is to last. A nemesis with more to do than fits takes longer.
    pub window: Duration,
    began: Instant,
    seed: u64,
    events: Arc<Mutex<Vec<Event>>>,
    over_ms: Arc<AtomicU64>,
}

impl Arena {
    /// `began` is when the load began.
    #[must_use]
    pub fn new(
        cluster: Arc<Cluster>,
        shop: ShopClient,
        hot_item: String,
        window: Duration,
        began: Instant,
        seed: u64,
    ) -> Self {
        Self { cluster, shop, hot_item, window, began, seed, events: Arc::default(), over_ms: Arc::default() }
    }

    /// The same with another window and other dice.
    #[must_use]
    pub fn part(&self, window: Duration, salt: u64) -> Self {
        Self { window, seed: self.seed.wrapping_mul(31).wrapping_add(salt), ..self.clone() }
    }

    /// Dice that fall the same in every run of this seed.
    #[must_use]
    pub fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// The last fault so far is over now; what follows is recovery. An act that does not say so ends with its fault.
    pub fn over(&self, what: impl Into<String>) {
        self.over_ms.store(self.now_ms(), Ordering::Relaxed);
        self.note(what);
    }

    /// When the last fault was over, if the act said so.
    #[must_use]
    pub fn over_ms(&self) -> Option<u64> {
        Some(self.over_ms.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Something happens now.
    pub fn note(&self, what: impl Into<String>) {
        let at_ms = self.now_ms();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < MAX_EVENTS {
            events.push(Event { at_ms, what: what.into() });
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A part of the window, at most `most`.
    #[must_use]
    pub fn share(&self, share: f64, most: Duration) -> Duration {
        self.window.mul_f64(share).min(most)
    }
}

/// Sleeps between the two, as the dice fall.
pub async fn pause(dice: &mut StdRng, least_ms: u64, most_ms: u64) {
    sleep(Duration::from_millis(dice.random_range(least_ms..=most_ms))).await;
}
