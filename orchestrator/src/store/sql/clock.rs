//! The database's clock without a round trip: the process's clock and a measured offset.

use baton_sql::database::{Database, Dialect};
use baton_sql::error::SqlError;
use saga_core::time::Micros;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Age at which a measurement is taken again. Skew moves a deadline, never safety, so a few seconds do.
const STALE: Duration = Duration::from_secs(5);

/// What time the database has.
pub(super) struct DatabaseClock {
    given: Option<Arc<dyn Fn() -> Micros + Send + Sync>>,
    offset_us: AtomicI64,
    measured: Mutex<Option<Instant>>,
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("offset_us", &self.offset_us).finish_non_exhaustive()
    }
}

impl DatabaseClock {
    /// Measured against the database.
    pub(super) fn measured() -> Self {
        Self { given: None, offset_us: AtomicI64::new(0), measured: Mutex::new(None) }
    }

    /// The caller's own.
    pub(super) fn given(clock: Arc<dyn Fn() -> Micros + Send + Sync>) -> Self {
        Self { given: Some(clock), ..Self::measured() }
    }

    pub(super) fn now(&self) -> Micros {
        match &self.given {
            Some(clock) => clock(),
            None => Micros(process_us().saturating_add(self.offset_us.load(Ordering::Relaxed))),
        }
    }

    /// Asks the database for its time; the answer is taken to be of the middle of the round trip.
    pub(super) async fn measure(&self, db: &Database) -> Result<(), SqlError> {
        if self.given.is_some() || db.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let before = process_us();
        let theirs = db.now_us().await?;
        let middle = before + (process_us() - before) / 2;
        self.offset_us.store(theirs.saturating_sub(middle), Ordering::Relaxed);
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Measures again beside the caller's path if the last measurement is stale; at most one at a time.
    pub(super) fn refresh(self: &Arc<Self>, db: &Database) {
        if self.given.is_some() || db.dialect() == Dialect::Sqlite {
            return;
        }
        {
            let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
            if measured.is_some_and(|at| at.elapsed() < STALE) {
                return;
            }
            *measured = Some(Instant::now());
        }
        let (clock, db) = (Arc::clone(self), db.clone());
        tokio::spawn(async move {
            if let Err(error) = clock.measure(&db).await {
                tracing::debug!(%error, "the database's clock was not measured");
            }
        });
    }
}

fn process_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
