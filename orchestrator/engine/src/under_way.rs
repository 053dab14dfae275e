//! How many sagas are under way: what admission goes by, so that what is begun also ends in bounded time.
//!
//! By Little's law the latency of a saga is the number under way over the throughput. Starts are cheaper than ends, so that
//! without a bound on the former an overload turns all work into starts, and every saga into a late one.

use crate::store::Record;
use saga_core::saga::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Sagas under way in the store, whoever drives them, as far as this process knows: what the store counted last, corrected
/// by what this process has started and brought to rest since. Other orchestrators' moves since then are not in it, so that
/// the bound may be passed by what they start between two counts.
#[derive(Debug)]
pub struct UnderWay {
    max: usize,
    is_known: AtomicBool,
    counted: AtomicI64,
    /// Of these, sagas that this build cannot drive.
    undrivable: AtomicI64,
    /// By how much this process has changed the number, ever.
    moved: AtomicI64,
    /// [`Self::moved`] when the store was asked for the count.
    moved_then: AtomicI64,
}

impl UnderWay {
    /// Not counted yet; at most `max` are to be under way.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            is_known: false.into(),
            counted: 0.into(),
            undrivable: 0.into(),
            moved: 0.into(),
            moved_then: 0.into(),
        })
    }

    /// The bound.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// Whether another saga may be started when `waiting` starts wait for their commit. Sagas that nobody here drives take no time of
    /// anybody's, and would otherwise refuse all others for as long as they are there.
    #[must_use]
    pub fn admits(&self, waiting: usize) -> bool {
        let undrivable = usize::try_from(self.undrivable.load(Ordering::Acquire)).unwrap_or(0);
        self.now().saturating_sub(undrivable).saturating_add(waiting) < self.max
    }

    /// How many of those under way are of definitions that this build does not know.
    pub fn undrivable(&self, sagas: u64) {
        self.undrivable.store(i64::try_from(sagas).unwrap_or(i64::MAX), Ordering::Release);
    }

    /// The number now.
    #[must_use]
    pub fn now(&self) -> usize {
        let since = self.moved.load(Ordering::Acquire) - self.moved_then.load(Ordering::Acquire);
        usize::try_from(self.counted.load(Ordering::Acquire) + since).unwrap_or(0)
    }

    /// What has been committed, each saga once, with what it was before (`None`: it was started).
    pub(crate) fn moved(&self, moved: &[(Option<Arc<Record>>, Arc<Record>)]) {
        let change = moved.iter().map(|(before, after)| {
            i64::from(is_under_way(after)) - i64::from(before.as_deref().is_some_and(is_under_way))
        });
        self.moved.fetch_add(change.sum(), Ordering::AcqRel);
    }

    /// Whether nothing was under way at the last count and this process has changed nothing since. Others may have.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
            && self.counted.load(Ordering::Acquire) == 0
            && self.moved.load(Ordering::Acquire) == self.moved_then.load(Ordering::Acquire)
    }

    /// To be called before the store is asked for the count that [`Self::counted`] is told.
    #[must_use]
    pub fn about_to_count(&self) -> i64 {
        self.moved.load(Ordering::Acquire)
    }

    /// What the store counted. Moves committed while it did may be counted twice, until the next count.
    pub fn counted(&self, sagas: u64, about_to_count: i64) {
        self.counted.store(i64::try_from(sagas).unwrap_or(i64::MAX), Ordering::Release);
        self.moved_then.store(about_to_count, Ordering::Release);
        self.is_known.store(true, Ordering::Release);
    }
}

fn is_under_way(record: &Record) -> bool {
    matches!(record.saga.state, State::Running { .. } | State::Compensating { .. })
}
