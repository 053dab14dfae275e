//! Services of other processes, passed on byte for byte: a client needs one address, and no participant calls another.

use axum::Router;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::any;
use baton_operations::reason::SagaReason;
use tonic::transport::Channel;
use tower::Service as _;

/// Who serves, and what callers hear while it is away.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// For people.
    pub name: &'static str,
    /// For programs.
    pub away: SagaReason,
}

/// A router that passes every call of `services` (full gRPC service names) on to `channel`. While `server` cannot be
/// reached, calls end with its reason.
pub fn forward(services: &[&str], channel: Channel, server: Server) -> Router {
    let way = (channel, server);
    services.iter().fold(Router::new(), |router, service| {
        router.route(&format!("/{service}/{{method}}"), any(pass_on).with_state(way.clone()))
    })
}

/// Passes one call on; streams stay streams.
async fn pass_on(
    State((mut channel, server)): State<(Channel, Server)>,
    request: Request<axum::body::Body>,
) -> Response<tonic::body::Body> {
    let request = request.map(tonic::body::Body::new);
    let away = |why: String| server.away.status(why).into_http();
    let unreachable = || away(format!("the {} that serves this cannot be reached; try again", server.name));
    if std::future::poll_fn(|context| channel.poll_ready(context)).await.is_err() {
        return unreachable();
    }
    match channel.call(request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "{} not reached", server.name);
            if never_left(&error) {
                return unreachable();
            }
            away(format!(
                "the {} that serves this was lost before it answered; whether it was done is not known; repeat it with the \
                 same request_id, if it has one",
                server.name
            ))
        }
    }
}

/// Whether a call failed because there was no connection to send it on.
fn never_left(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::transport::Endpoint;
    use tonic::{Code, Status};
    use tonic_types::StatusExt as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn who_cannot_be_reached_is_named() {
        let nobody = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let server = Server { name: "supervisor", away: SagaReason::SupervisorUnavailable };
        let routes = forward(&["a.Service"], nobody, server);
        let request = Request::post("/a.Service/Call").body(axum::body::Body::empty()).unwrap();
        let answer = routes.oneshot(request).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), "the supervisor that serves this cannot be reached; try again");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "SUPERVISOR_UNAVAILABLE");
        assert!(details.retry_info().is_some());
    }

    /// A server that takes the call and dies: what it did with it nobody knows.
    #[tokio::test]
    async fn a_call_that_was_sent_is_not_told_as_one_that_was_not() {
        let address = baton_supervisor::hangup::on_calls().unwrap();
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        let routes =
            forward(&["a.Service"], channel, Server { name: "participant", away: SagaReason::ParticipantUnavailable });
        let request = Request::post("/a.Service/Call").body(axum::body::Body::empty()).unwrap();
        let answer = routes.oneshot(request).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("whether it was done is not known"), "{}", status.message());
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "PARTICIPANT_UNAVAILABLE");
    }
}
