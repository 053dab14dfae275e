//! How fast a worker gives actions: gently at first, twice as fast every second while all goes well, never above its bound.

use std::time::Duration;
use tokio::time::Instant;

/// Sagas on one page at most: small beside the engine's batches, so that fresh requests never stand behind many.
pub const MAX_PAGE: u32 = 200;

/// The first rate is the bound divided by this.
const GENTLY: u32 = 16;

/// Between two doublings.
const RISE: Duration = Duration::from_secs(1);

/// The pace of one job.
#[derive(Clone, Copy, Debug)]
pub struct RateRamp {
    max: u32,
    rate: u32,
    rises_at: Instant,
    due: Instant,
}

impl RateRamp {
    /// At most `max` actions a second, at least one; the first page is due at once.
    #[must_use]
    pub fn new(max: u32, now: Instant) -> Self {
        Self { max: max.max(1), rate: first(max), rises_at: now + RISE, due: now }
    }

    /// When the next page may begin.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Actions of the next page at most: a quarter of a second's.
    #[must_use]
    pub fn page(&self) -> u32 {
        (self.rate / 4).clamp(1, MAX_PAGE)
    }

    /// A page of so many actions, begun at `begun`, went well; it is `now`.
    pub fn went_well(&mut self, actions: usize, begun: Instant, now: Instant) {
        let spent = Duration::from_secs(1) * u32::try_from(actions).unwrap_or(u32::MAX) / self.rate;
        self.due = begun + spent;
        if now >= self.rises_at {
            self.rate = self.rate.saturating_mul(2).min(self.max);
            self.rises_at = now + RISE;
        }
    }

    /// Something is in the way: next try after `pause`, gently again.
    pub fn held_up(&mut self, now: Instant, pause: Duration) {
        (self.rate, self.rises_at, self.due) = (first(self.max), now + pause + RISE, now + pause);
    }
}

fn first(max: u32) -> u32 {
    (max / GENTLY).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_gently_rises_to_its_bound_and_begins_again_after_trouble() {
        let mut now = Instant::now();
        let mut pace = RateRamp::new(160, now);
        let mut given = Vec::new();
        for _ in 0..6 {
            let (second, mut actions) = (now + RISE, 0);
            while now < second {
                let page = pace.page();
                actions += page;
                pace.went_well(page as usize, now, now);
                now = pace.due();
            }
            given.push(actions);
        }
        assert!(given[0] <= 12 && given.is_sorted(), "{given:?}");
        assert!(given[5] >= 120 && given[5] <= 200, "{given:?}");
        pace.held_up(now, RISE);
        assert_eq!((pace.due(), pace.page()), (now + RISE, 2));
        assert_eq!(RateRamp::new(1, now).page(), 1);
        assert_eq!(RateRamp::new(100_000, now).page(), MAX_PAGE);
    }
}
