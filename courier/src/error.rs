//! Errors named for what the caller does next.

/// Why the bus could not do it.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The broker cannot be reached; the supervisor is reconnecting. Try later.
    #[error("bus unavailable: {0}")]
    Unavailable(String),
    /// The bus is closed for good: the process is shutting down.
    #[error("bus closed")]
    Closed,
}
