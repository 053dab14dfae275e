//! Streams as server-sent events: `id` is the version, `data` the message as JSON. A stream that has come to its end says so
//! with the event `end`; one that was cut off says why with the event `problem`, and is worth taking up again.

use crate::http::call::ServiceRouter;
use crate::http::problem::Problem;
use crate::http::table::version;
use crate::http::write;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, header};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::Status;

/// How often a silent stream says that it is alive: more often than proxies give up.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a repeated call is made.
const REPEAT: Duration = Duration::from_secs(2);
/// What a browser is told to wait before it takes up a stream that has ended, which it does if its page does not close it.
const AFTER_END: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps nginx, and others that know its word, from holding events back until their buffer is full.
pub const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The events of a stream that has begun; `permit` is held as long as it goes on.
pub fn events(
    messages: impl Stream<Item = Result<DynamicMessage, Status>> + Send + 'static,
    permit: OwnedSemaphorePermit,
) -> Response {
    let frames = stream::unfold(Some((Box::pin(messages), permit)), async move |state| {
        let (mut messages, permit) = state?;
        let frame = match tokio::time::timeout(HEARTBEAT, messages.next()).await {
            Err(_) => return Some((": \n\n".to_owned(), Some((messages, permit)))),
            Ok(Some(Ok(message))) => return Some((event(&message), Some((messages, permit)))),
            Ok(Some(Err(status))) => problem(&Problem::from_status(&status, false)),
            Ok(None) => format!("event: end\nretry: {}\ndata: {{}}\n\n", AFTER_END.as_millis()),
        };
        Some((frame, None))
    });
    let head =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store"), (ACCEL_BUFFERING, "no")];
    // A comment at once: whoever waits behind a proxy learns that the stream is there.
    let frames = stream::once(std::future::ready(": \n\n".to_owned())).chain(frames);
    (head, Body::from_stream(frames.map(|text| Ok::<_, Infallible>(Bytes::from(text))))).into_response()
}

/// The answers to a call that is made over and over, until it is refused.
pub fn repeated(
    services: ServiceRouter,
    method: MethodDescriptor,
    message: DynamicMessage,
    headers: HeaderMap,
    first: DynamicMessage,
) -> impl Stream<Item = Result<DynamicMessage, Status>> + Send {
    let rest = stream::unfold(Some(Instant::now() + REPEAT), move |next| {
        let (services, method, message, headers) = (services.clone(), method.clone(), message.clone(), headers.clone());
        async move {
            tokio::time::sleep_until(next?).await;
            let answer = services.unary(&method, message, &headers).await;
            let next = answer.is_ok().then(|| Instant::now() + REPEAT);
            Some((answer, next))
        }
    });
    stream::iter([Ok(first)]).chain(rest)
}

/// JSON has no line breaks outside of texts, and in texts they are escaped: it is one line of data.
fn event(message: &DynamicMessage) -> String {
    match write::json(message) {
        Ok(json) => {
            let id = version(message).map(|version| format!("id: {version}\n")).unwrap_or_default();
            format!("{id}data: {json}\n\n")
        }
        Err(problem) => self::problem(&problem),
    }
}

fn problem(problem: &Problem) -> String {
    format!("event: problem\ndata: {}\n\n", problem.json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::table::shipped;
    use http_body_util::BodyExt as _;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn saga(version: u64) -> DynamicMessage {
        let message = shipped().pool().get_message_by_name("baton.saga.v1.WatchSagaResponse").expect("a message");
        let text = format!(r#"{{"saga":{{"version":"{version}","message":"a\nb\u2028c"}}}}"#);
        DynamicMessage::deserialize(message, &mut serde_json::Deserializer::from_str(&text)).expect("a saga")
    }

    async fn written(messages: Vec<Result<DynamicMessage, Status>>) -> String {
        let all = Arc::new(Semaphore::new(1));
        let permit = all.clone().try_acquire_owned().expect("a permit");
        let response = events(stream::iter(messages), permit);
        let text = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(all.available_permits(), 1, "it is given back");
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }

    #[tokio::test]
    async fn an_event_is_one_line_with_its_version_and_the_end_is_told() {
        let text = written(vec![Ok(saga(3)), Ok(saga(4))]).await;
        let text = text.strip_prefix(": \n\n").expect("a comment at once");
        let events: Vec<&str> = text.split("\n\n").collect();
        assert!(events[0].starts_with("id: 3\ndata: {\"saga\":{"), "{text}");
        assert!(events[1].starts_with("id: 4\n") && events[1].lines().count() == 2, "{text}");
        assert_eq!(events[2], "event: end\nretry: 86400000\ndata: {}");
        assert_eq!(&events[3..], [""]);
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_off_says_why() {
        let text = written(vec![Err(Status::unavailable("shutting down"))]).await;
        assert!(text.starts_with(": \n\nevent: problem\ndata: {") && text.contains("UNAVAILABLE"), "{text}");
        assert!(!text.contains("event: end"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_a_heartbeat() {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a permit");
        let mut body = events(stream::pending(), permit).into_body();
        for _ in 0..2 {
            let frame = body.frame().await.expect("a frame").expect("sent").into_data().expect("data");
            assert_eq!(frame, ": \n\n");
        }
    }
}
