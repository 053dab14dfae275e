//! Repeats calls while processes are killed and come back. Every call of the demo is idempotent by its request id.

use crate::failure::Failure;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// First pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Calls `attempt` until it answers, is refused for good, or `until` has come.
///
/// # Errors
/// The last refusal.
pub async fn persist<T>(until: Instant, mut attempt: impl AsyncFnMut() -> Result<T, Status>) -> Result<T, Failure> {
    let mut pause = PAUSES.0;
    loop {
        let status = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        let wait = asked_for(&status).unwrap_or(pause).min(PAUSES.1);
        if !passing(&status) || Instant::now() + wait >= until {
            return Err(status.into());
        }
        // A process that is away hears nothing in the meantime: only the clock can end this pause.
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether trying again may help. A connection that breaks in the middle of a call shows as any of several codes.
fn passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// How long the server asks to wait, plus nothing: callers that all wait the same are spread by their own latency.
fn asked_for(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_persists_through_an_outage_and_no_longer() {
        let mut calls = 0;
        let until = Instant::now() + Duration::from_secs(60);
        let outage = persist(until, async || {
            calls += 1;
            if calls < 4 { Err(Status::unavailable("killed")) } else { Ok(calls) }
        });
        assert_eq!(outage.await.unwrap(), 4);
        let until = Instant::now() + Duration::from_millis(200);
        let forever = persist::<()>(until, async || Err(Status::unavailable("gone")));
        assert!(forever.await.is_err());
        assert!(Instant::now() <= until);
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let mut calls = 0;
        let until = Instant::now() + Duration::from_secs(60);
        let refused = persist::<()>(until, async || {
            calls += 1;
            Err(Status::already_exists("other content"))
        });
        assert!(refused.await.is_err());
        assert_eq!(calls, 1);
    }
}
