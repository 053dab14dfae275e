//! Time as an argument: microseconds since the Unix epoch, UTC.

use std::fmt;
use std::time::Duration;

/// How far time may go back unnoticed: whoever moves a saga measures the database's clock for itself, and such measurements differ by
/// less. What goes back further was set back.
pub const SET_BACK: Duration = Duration::from_secs(5);

/// A moment, in microseconds since the Unix epoch, UTC, on the database's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// The moment `duration` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}
