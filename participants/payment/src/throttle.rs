//! The pause that a provider asks for: one refusal counts for every call of the process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Pause after a refusal that does not say how long, doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);

/// Shortest pause, whatever was asked for: "at once" from somebody who has just refused is not meant.
const SHORTEST: Duration = Duration::from_millis(500);

/// Longest pause, whatever was asked for. One call a minute troubles no provider, and no slip of the pen there keeps refunds
/// waiting for a day.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// Whether the provider may be asked.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Refusals>);

#[derive(Debug, Default)]
struct Refusals {
    until: Option<Instant>,
    /// How many pauses have followed each other without an answer between them.
    pauses: u32,
}

impl Throttle {
    /// How long to wait from now; `None` if the provider may be asked.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = self.lock().until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The provider refused a call, and asked for a pause of `wanted` if it said so. Calls that were under way beside it are
    /// refused as well and make the pause no longer than the longest of them asks.
    pub(crate) fn refused(&self, wanted: Option<Duration>) {
        let mut state = self.lock();
        let now = Instant::now();
        let is_new = state.until.is_none_or(|until| until <= now);
        if is_new {
            state.pauses = state.pauses.saturating_add(1);
        }
        // 2^6 seconds are beyond the longest.
        let own = FIRST * 2_u32.pow(state.pauses.saturating_sub(1).min(6));
        let until = now + wanted.unwrap_or(own).clamp(SHORTEST, LONGEST);
        state.until = Some(state.until.map_or(until, |before| before.max(until)));
        if is_new {
            tracing::warn!(
                pause_ms = u64::try_from((until - now).as_millis()).unwrap_or(0),
                "the provider asks for a pause"
            );
        }
    }

    /// The provider answered a call.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        // An answer that was under way when another call was refused ends no pause.
        if state.until.is_some_and(|until| until <= Instant::now()) {
            *state = Refusals::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Refusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn seconds(throttle: &Throttle) -> Option<u64> {
        throttle.left().map(|left| left.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_as_long_as_was_asked_for_within_bounds() {
        let throttle = Throttle::default();
        assert_eq!(throttle.left(), None);
        throttle.refused(Some(Duration::from_secs(7)));
        // The rest of the same batch.
        throttle.refused(Some(Duration::from_secs(3)));
        throttle.refused(None);
        assert_eq!(seconds(&throttle), Some(7));
        throttle.answered();
        assert_eq!(seconds(&throttle), Some(7), "an answer that was under way ends no pause");
        advance(Duration::from_secs(7)).await;
        assert_eq!(throttle.left(), None);
        throttle.refused(Some(Duration::MAX));
        assert_eq!(throttle.left(), Some(LONGEST));
        advance(LONGEST).await;
        throttle.refused(Some(Duration::ZERO));
        assert_eq!(throttle.left(), Some(SHORTEST));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_nobody_measured_grow_until_an_answer() {
        let throttle = Throttle::default();
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.refused(None);
            assert_eq!(seconds(&throttle), Some(expected));
            advance(Duration::from_secs(expected)).await;
        }
        throttle.answered();
        throttle.refused(None);
        assert_eq!(seconds(&throttle), Some(1));
    }
}
