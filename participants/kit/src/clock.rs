//! Where the kit and its participants read the time: an argument at the edge, so that a simulator can turn it.

use baton_sql::clock::DatabaseClock;
use baton_sql::database::Database;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A wall clock in microseconds since the Unix epoch, UTC. Skew moves a deadline or a timestamp, never safety.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
        })
    }

    /// The database's, as orchestrators have theirs, so that whoever shares a database server judges a deadline alike, whatever the
    /// machines' clocks say. Measured every few seconds; the machine's until it was measured first, and always with SQLite.
    ///
    /// # Panics
    /// Outside of a tokio runtime, with MariaDB.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        let (clock, database) = (Arc::new(DatabaseClock::measured()), database.clone());
        clock.refresh(&database);
        Self::from_fn(move || {
            clock.refresh(&database);
            clock.now_us()
        })
    }

    /// A clock that asks `read`.
    pub fn from_fn(read: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Now, in microseconds since the Unix epoch.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A point in time as gRPC shows it.
#[must_use]
pub fn timestamp(us: i64) -> prost_types::Timestamp {
    // rem_euclid of a million times a thousand is below 10^9 and fits.
    let nanos = i32::try_from(us.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    prost_types::Timestamp { seconds: us.div_euclid(1_000_000), nanos }
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_keep_microseconds_before_and_after_the_epoch() {
        assert_eq!((timestamp(1_500_001).seconds, timestamp(1_500_001).nanos), (1, 500_001_000));
        assert_eq!((timestamp(-1).seconds, timestamp(-1).nanos), (-1, 999_999_000));
    }
}
