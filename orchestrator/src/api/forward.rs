//! Business services of participants, passed on byte for byte: a client needs one address, and no participant calls
//! another.

use crate::api::reason::SagaReason;
use axum::Router;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::any;
use tonic::transport::Channel;
use tower::Service as _;

/// A router that passes every call of `services` (full gRPC service names) on to `channel`.
pub fn forward(services: &[&str], channel: Channel) -> Router {
    services.iter().fold(Router::new(), |router, service| {
        router.route(&format!("/{service}/{{method}}"), any(pass_on).with_state(channel.clone()))
    })
}

/// Passes one call on; streams stay streams. A participant that cannot be reached is UNAVAILABLE with RetryInfo.
async fn pass_on(
    State(mut channel): State<Channel>,
    request: Request<axum::body::Body>,
) -> Response<tonic::body::Body> {
    let request = request.map(tonic::body::Body::new);
    let unreachable = || {
        SagaReason::ParticipantUnavailable
            .status("the participant that serves this cannot be reached; try again")
            .into_http()
    };
    if std::future::poll_fn(|context| channel.poll_ready(context)).await.is_err() {
        return unreachable();
    }
    match channel.call(request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "participant not reached");
            unreachable()
        }
    }
}
