//! Workers beside the engine: replies in, due sagas woken and commands sent again, attributes indexed, what is old forgotten.
//! Each is `run_once` and a short loop.

pub mod inbox;
pub mod index;
pub mod probe;
pub mod retention;
pub mod waker;

use crate::store::StoreError;
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Does something, and again after each `pause`, until cancelled, which what has begun is waited for. A failure costs its turn
/// and is told as `in_vain`.
pub async fn repeat<E: fmt::Display, F: Future<Output = Result<(), E>>>(
    stop: &CancellationToken,
    pause: Duration,
    in_vain: &'static str,
    mut once: impl FnMut() -> F,
) {
    loop {
        if let Err(error) = once().await {
            tracing::debug!(%error, "{in_vain}");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whether the store is away, so that a round is over. Any other failure is about the piece of work that met it, and must not
/// keep those behind it waiting.
#[must_use]
pub fn ends_round(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::UnknownOutcome(_))
}
