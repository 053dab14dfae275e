//! The database's clock without a round trip: its time when it was asked last, and what has passed since.

use crate::database::{Database, Dialect};
use crate::error::SqlError;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Age at which a measurement is taken again. Skew moves a deadline, never safety, so a few seconds do.
const STALE: Duration = Duration::from_secs(5);

/// Where this process has its time from.
struct Sources {
    /// Microseconds since 1970. Somebody may set it, to any time.
    wall_us: fn() -> i64,
    /// Never goes back, and nobody can set it.
    steady: fn() -> Instant,
}

/// What time the database has, in microseconds since 1970.
pub struct DatabaseClock {
    given: Option<Arc<dyn Fn() -> i64 + Send + Sync>>,
    sources: Sources,
    state: Mutex<ClockState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ClockState {
    /// The database's time in microseconds, and when it was so.
    measured: Option<(i64, Instant)>,
    /// When a measurement was begun last.
    asked: Option<Instant>,
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl DatabaseClock {
    /// Measured against the database. SQLite has no clock but its process's, which is asked each time: what is steady stops
    /// while a laptop sleeps, and starts anew with every process, so that only the wall clock goes on where its rows were
    /// written.
    #[must_use]
    pub fn measured() -> Self {
        Self::over(Sources { wall_us, steady: Instant::now })
    }

    /// The caller's own.
    #[must_use]
    pub fn given(clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Self {
        Self { given: Some(clock), ..Self::measured() }
    }

    fn over(sources: Sources) -> Self {
        Self { given: None, sources, state: Mutex::default() }
    }

    /// The database's time as measured last, plus what has passed since: an orchestrator whose own wall clock is set to
    /// another time does not write that into rows, where it would hold sagas still until the others' clocks get there. The
    /// wall clock as long as nothing has been measured.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        if let Some(clock) = &self.given {
            return clock();
        }
        match self.state().measured {
            Some((theirs, at)) => theirs.saturating_add(micros((self.sources.steady)().duration_since(at))),
            None => (self.sources.wall_us)(),
        }
    }

    /// Asks the database for its time.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn measure(&self, db: &Database) -> Result<(), SqlError> {
        if self.given.is_some() || db.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let before = (self.sources.steady)();
        let theirs = db.now_us().await?;
        self.learn(theirs, before);
        Ok(())
    }

    /// The database has answered `theirs` to a question of `before`; it is taken to be of the middle of the round trip.
    fn learn(&self, theirs: i64, before: Instant) {
        let after = (self.sources.steady)();
        let mut state = self.state();
        state.measured = Some((theirs, before + after.duration_since(before) / 2));
        state.asked = Some(after);
    }

    /// Measures again beside the caller's path if the last measurement is stale; at most one at a time.
    #[cfg_attr(
        not(any(feature = "mariadb", feature = "sqlite")),
        allow(unreachable_code, reason = "no database can be opened")
    )]
    pub fn refresh(self: &Arc<Self>, db: &Database) {
        if self.given.is_some() || db.dialect() == Dialect::Sqlite || !self.is_stale() {
            return;
        }
        let (clock, db) = (Arc::clone(self), db.clone());
        tokio::spawn(async move {
            if let Err(error) = clock.measure(&db).await {
                tracing::debug!(%error, "the database's clock was not measured");
            }
        });
    }

    /// Whether it is time for another measurement; whoever is told so must take it.
    fn is_stale(&self) -> bool {
        let now = (self.sources.steady)();
        let mut state = self.state();
        let is_stale = state.asked.is_none_or(|at| now.duration_since(at) >= STALE);
        if is_stale {
            state.asked = Some(now);
        }
        is_stale
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        // Two plain values: a panic elsewhere leaves nothing half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wall_us() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::LazyLock;

    const HOUR_US: i64 = 3_600_000_000;

    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

    thread_local! {
        static WALL_US: Cell<i64> = const { Cell::new(1_700_000_000_000_000) };
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// A clock whose sources move on this thread's order only.
    fn clock() -> DatabaseClock {
        DatabaseClock::over(Sources { wall_us: || WALL_US.get(), steady: || *BEGIN + PASSED.get() })
    }

    /// Time passes: both sources go on.
    fn pass(time: Duration) {
        WALL_US.set(WALL_US.get() + micros(time));
        PASSED.set(PASSED.get() + time);
    }

    #[test]
    fn a_wall_clock_that_is_set_to_another_time_changes_nothing_once_the_database_was_asked() {
        let clock = clock();
        assert_eq!(clock.now_us(), WALL_US.get(), "nothing is known yet");
        let (begun, theirs) = (*BEGIN + PASSED.get(), 1_600_000_000_000_000);
        pass(Duration::from_micros(200));
        clock.learn(theirs, begun);
        assert_eq!(clock.now_us(), theirs + 100, "it was theirs in the middle");
        for step in [HOUR_US, -2 * HOUR_US] {
            let before = clock.now_us();
            WALL_US.set(WALL_US.get() + step);
            assert_eq!(clock.now_us(), before);
            pass(Duration::from_secs(1));
            assert_eq!(clock.now_us(), before + 1_000_000);
        }
    }

    #[test]
    fn a_measurement_is_taken_again_once_it_is_stale_and_by_one_only() {
        let clock = clock();
        assert!(clock.is_stale() && !clock.is_stale());
        clock.learn(0, *BEGIN + PASSED.get());
        WALL_US.set(WALL_US.get() + HOUR_US);
        assert!(!clock.is_stale());
        pass(STALE);
        assert!(clock.is_stale() && !clock.is_stale());
    }
}
