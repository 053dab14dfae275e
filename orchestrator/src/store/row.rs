//! Rows and values mapped to each other, in one place.

/// The state as stored in `saga.state` and shown in lists. Codes never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StateCode {
    /// Running.
    Running = 1,
    /// Compensating.
    Compensating = 2,
    /// Stuck.
    Stuck = 3,
    /// Paused.
    Paused = 4,
    /// Completed.
    Completed = 5,
    /// Compensated.
    Compensated = 6,
}
