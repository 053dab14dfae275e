//! The seam for hints between orchestrators: losing them costs latency, never correctness.

pub mod local;

use async_trait::async_trait;
use saga_core::saga::SagaId;
use std::fmt;
use tokio::sync::broadcast;

/// A saga moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Which.
    pub saga: SagaId,
    /// Its version now.
    pub version: u64,
    /// True if nothing more happens to it without an operator.
    pub ended: bool,
}

/// Carries hints between processes, as well as it can.
#[async_trait]
pub trait Coord: Send + Sync + fmt::Debug + 'static {
    /// Tells the other processes. Best effort; returns within about 200 ms whatever happens.
    async fn publish(&self, hints: Vec<Hint>);

    /// Hears what other processes tell from now on.
    fn subscribe(&self) -> broadcast::Receiver<Hint>;
}
