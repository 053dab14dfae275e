//! Backoff.
use std::time::Duration;
/// Policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy { /// base
 pub base: Duration, /// factor
 pub factor: u32, /// cap
 pub cap: Duration, /// attempts
 pub attempts: u32 }
