//! Gives the errors that the gRPC library makes on its own the form of all others: a late call, a message that is too large or
//! cannot be read, a method that is not there.

use crate::errors;
use crate::reason::Reason;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Puts [`Explained`] around a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explain {
    /// How long a call may take until its answer begins, if the caller sets no shorter deadline. A stream that has begun goes
    /// on for as long as it likes.
    pub call_timeout: Duration,
}

/// Ends calls in time, and says why a call failed where the library would only give a code.
#[derive(Clone, Debug)]
pub(crate) struct Explained<S> {
    inner: S,
    call_timeout: Duration,
}

impl<S> Layer<S> for Explain {
    type Service = Explained<S>;

    fn layer(&self, inner: S) -> Explained<S> {
        Explained { inner, call_timeout: self.call_timeout }
    }
}

impl<S> Service<Request<Body>> for Explained<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wanted = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(timeout);
        // Taken now: the library's own timer starts later, so that ours is heard first.
        let deadline = Instant::now() + wanted.map_or(self.call_timeout, |wanted| wanted.min(self.call_timeout));
        let answer = self.inner.call(request);
        async move {
            match timeout_at(deadline, answer).await {
                Ok(answer) => answer.map(explained),
                Err(_) => Ok(too_late().into_http()),
            }
        }
        .boxed()
    }
}

/// A refusal to read a message stands in the head, a refusal to write one behind the body.
fn explained(mut response: Response<Body>) -> Response<Body> {
    explain(response.headers_mut());
    response.map(|body| {
        Body::new(body.map_frame(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                explain(trailers);
            }
            frame
        }))
    })
}

/// Every status of ours has details; one without was made by the library, or by health and reflection, whose clients know
/// them as they are.
fn explain(headers: &mut HeaderMap) {
    if headers.get("grpc-status").is_none_or(|code| !matches!(code.as_bytes(), b"11" | b"12" | b"13")) {
        return;
    }
    let Some(status) = Status::from_header_map(headers).filter(|status| status.details().is_empty()) else { return };
    let Some((code, reason)) = library_meant(status.code(), status.message()) else { return };
    if reason == Reason::INTERNAL {
        tracing::error!(message = status.message(), "the gRPC library failed");
    }
    let meaning = Reason::SHARED.iter().find(|(shared, _)| *shared == reason).map_or("", |(_, meaning)| *meaning);
    let message = if status.message().is_empty() { meaning } else { status.message() };
    if let Err(error) = errors::status(code, reason.as_str(), message).add_header(headers) {
        tracing::error!(%error, "a status that is no header");
    }
}

/// What the library means by one of its own errors. It calls a request that cannot be read its own defect, as the gRPC
/// specification asks of it; told apart by their texts, because nothing else differs.
fn library_meant(code: Code, message: &str) -> Option<(Code, Reason)> {
    match code {
        Code::OutOfRange => Some((Code::InvalidArgument, Reason::MESSAGE_TOO_LARGE)),
        Code::Internal if UNREADABLE.iter().any(|text| message.starts_with(text)) => {
            Some((Code::InvalidArgument, Reason::MESSAGE_MALFORMED))
        }
        Code::Internal => Some((Code::Internal, Reason::INTERNAL)),
        Code::Unimplemented if message.starts_with("Content is compressed") => {
            Some((Code::Unimplemented, Reason::COMPRESSION_UNSUPPORTED))
        }
        Code::Unimplemented => Some((Code::Unimplemented, Reason::UNKNOWN_METHOD)),
        _ => None,
    }
}

/// How the library's words begin when the bytes of a request are not a message.
const UNREADABLE: [&str; 4] =
    ["failed to decode Protobuf message", "protocol error", "Unexpected EOF", "Missing request message"];

fn too_late() -> Status {
    let text = "the call took too long; whether anything was done is not known";
    errors::status(Code::DeadlineExceeded, Reason::DEADLINE_EXCEEDED.as_str(), text)
}

/// A gRPC timeout: at most 8 digits and a unit.
#[must_use]
pub fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount = digits.parse::<u64>().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3_600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Explain, timeout};
    use crate::errors::DOMAIN;
    use baton_proto::baton::participant::v1 as wire;
    use baton_proto::baton::participant::v1::participant_service_client::ParticipantServiceClient;
    use baton_proto::baton::participant::v1::participant_service_server::{
        ParticipantService, ParticipantServiceServer,
    };
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tonic::transport::server::TcpIncoming;
    use tonic::transport::{Channel, Endpoint, Server};
    use tonic::{Code, Request, Response, Status};
    use tonic_health::ServingStatus;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_types::StatusExt as _;

    const CALL_TIMEOUT: Duration = Duration::from_millis(300);

    /// Answers nothing without keys, a large answer to one, a small one to more.
    #[derive(Debug)]
    struct Slow;

    #[tonic::async_trait]
    impl ParticipantService for Slow {
        async fn probe(&self, request: Request<wire::ProbeRequest>) -> Result<Response<wire::ProbeResponse>, Status> {
            let knowledge = match request.into_inner().keys.len() {
                0 => std::future::pending().await,
                1 => vec![wire::Knowledge { key: Some(key()), answer: None }; 100],
                _ => Vec::new(),
            };
            Ok(Response::new(wire::ProbeResponse { knowledge }))
        }
    }

    fn key() -> wire::CommandKey {
        wire::CommandKey { saga_id: vec![1; 16].into(), step: 0, direction: 1 }
    }

    async fn connect() -> (Channel, tonic_health::server::HealthReporter) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (reporter, health) = tonic_health::server::health_reporter();
        let slow =
            ParticipantServiceServer::new(Slow).max_decoding_message_size(1_000).max_encoding_message_size(1_000);
        let mut server = Server::builder().layer(Explain { call_timeout: CALL_TIMEOUT });
        let serving = server.add_service(slow).add_service(health).serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        (Endpoint::from_shared(url).unwrap().connect().await.unwrap(), reporter)
    }

    async fn refusal(channel: &Channel, keys: usize) -> Status {
        let keys = vec![key(); keys];
        ParticipantServiceClient::new(channel.clone()).probe(wire::ProbeRequest { keys }).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_late_call_and_a_large_message_are_refused_with_a_reason() {
        let (channel, _reporter) = connect().await;
        let cases = [
            ("late", 0, Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            ("large answer", 1, Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
            ("large request", 100, Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
        ];
        for (what, keys, code, reason) in cases {
            let status = refusal(&channel, keys).await;
            assert_eq!(status.code(), code, "{what}: {status:?}");
            let info = status.get_details_error_info().unwrap_or_else(|| panic!("{what}: {status:?}"));
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN), "{what}");
        }
        let small = wire::ProbeRequest { keys: vec![key(); 2] };
        assert!(ParticipantServiceClient::new(channel).probe(small).await.is_ok());
    }

    #[tokio::test]
    async fn a_stream_that_has_begun_outlives_the_timeout_of_calls() {
        let (channel, reporter) = connect().await;
        let request = HealthCheckRequest { service: String::new() };
        let mut stream = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
        // A call that began later than the stream has timed out: so would the stream have.
        assert_eq!(refusal(&channel, 0).await.code(), Code::DeadlineExceeded);
        reporter.set_service_status("", ServingStatus::NotServing).await;
        assert_eq!(stream.message().await.unwrap().unwrap().status, 2);
    }

    #[test]
    fn what_the_library_says_on_its_own_has_a_reason() {
        use crate::reason::Reason;
        let meant = |code, message| super::library_meant(code, message);
        assert_eq!(meant(Code::Internal, "Error encoding: x"), Some((Code::Internal, Reason::INTERNAL)));
        assert_eq!(meant(Code::Unimplemented, ""), Some((Code::Unimplemented, Reason::UNKNOWN_METHOD)));
        assert_eq!(meant(Code::NotFound, ""), None, "health does not know a service");
    }

    #[test]
    fn grpc_timeouts_are_read() {
        let read = ["2H", "2M", "2S", "1500m", "7u", "9n"].map(|text| timeout(text).unwrap().as_nanos());
        assert_eq!(read, [7_200_000_000_000, 120_000_000_000, 2_000_000_000, 1_500_000_000, 7_000, 9]);
        for bad in ["", "S", "5", "5x", "-1S", "123456789S", "5ü"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }
}
