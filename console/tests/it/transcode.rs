//! What happens between HTTP and gRPC, against services that are only made up: metadata, deadlines, repeated calls, bounds.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use baton_console::guard::Guard;
use baton_proto::baton::saga::v1::{GetOverviewResponse, GetSagaRequest, GetSagaResponse, Saga, WatchSagaResponse};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use prost::Message;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::Status;
use tower::ServiceExt as _;

const GET_SAGA: &str = "/baton.saga.v1.SagaService/GetSaga";
const WATCH_SAGA: &str = "/baton.saga.v1.SagaService/WatchSaga";
const OVERVIEW: &str = "/baton.saga.v1.SagaAdminService/GetOverview";

fn frame(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(body.len()).expect("short"));
    frame.extend_from_slice(&body);
    frame.freeze()
}

fn answered(messages: impl futures_util::Stream<Item = Bytes> + Send + 'static) -> Response {
    let trailers: HeaderMap =
        [(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))].into_iter().collect();
    let body = Body::from_stream(messages.map(Ok::<_, Infallible>)).with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(Body::new(body)).expect("a response")
}

fn once(message: &impl Message) -> Response {
    answered(stream::iter([frame(message)]))
}

fn refused(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(Body::new)
}

fn saga(version: u64, message: &str) -> Option<Saga> {
    Some(Saga { name: "sagas/7".to_owned(), version, message: message.to_owned(), ..Saga::default() })
}

async fn ask(console: &Router, method: &str, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("traceparent", "00-1-2-01").body(Body::empty()).expect("a request");
    console.clone().oneshot(request).await.expect("an answer")
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON")
}

fn console(grpc: Router) -> Router {
    baton_console::routes(&grpc, crate::support::table(), Guard::new(([127, 0, 0, 1], 80).into()))
}

#[tokio::test]
async fn a_call_carries_its_name_and_its_trace() {
    let grpc = Router::new().route(
        GET_SAGA,
        post(async |request: Request| {
            let (head, body) = request.into_parts();
            assert_eq!(head.headers["content-type"], "application/grpc");
            let body = body.collect().await.expect("a body").to_bytes();
            let asked = GetSagaRequest::decode(&body[5..]).expect("a request");
            let trace = head.headers["traceparent"].to_str().expect("a text");
            once(&GetSagaResponse { saga: saga(7, &format!("{} {trace}", asked.name)) })
        }),
    );
    let response = ask(&console(grpc), "GET", "/api/v1/sagas/a%20b").await;
    assert_eq!((response.status(), &response.headers()["etag"]), (StatusCode::OK, &HeaderValue::from_static("\"7\"")));
    let answer = json(response).await;
    assert_eq!(answer["saga"]["message"], "sagas/a b 00-1-2-01");
    assert_eq!((&answer["saga"]["version"], &answer["saga"]["reason"]), (&Value::from("7"), &Value::from("")));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_given_up_and_one_that_is_not_there_is_said_not_to_be() {
    let hangs = Router::new().route(GET_SAGA, post(async || std::future::pending::<Json<()>>().await));
    let response = ask(&console(hangs), "GET", "/api/v1/sagas/7").await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(json(response).await["reason"], "DEADLINE_EXCEEDED");
    let nothing = Router::new().fallback(async || refused(Status::unimplemented("")));
    let response = ask(&console(nothing), "GET", "/api/v1/sagas/7").await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test(start_paused = true)]
async fn the_overview_comes_again_until_it_is_refused() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let grpc = Router::new().route(
        OVERVIEW,
        post(async move || match counted.fetch_add(1, Ordering::SeqCst) {
            n @ 0..3 => once(&GetOverviewResponse { dead_letters: n as u64, ..GetOverviewResponse::default() }),
            _ => refused(Status::unavailable("shutting down")),
        }),
    );
    let response = ask(&console(grpc), "GET", "/api/v1/overview:watch").await;
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let begun = text.strip_prefix(": \n\n").expect("a comment at once");
    let events: Vec<&str> = begun.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 4, "{text}");
    for (n, event) in events[..3].iter().enumerate() {
        assert!(event.starts_with("data: ") && event.contains(&format!("\"deadLetters\":\"{n}\"")), "{event}");
    }
    assert!(events[3].starts_with("event: problem\ndata: ") && events[3].contains("\"status\":503"), "{text}");
}

/// In an outage all who wait for the end of an order wait for half a minute, and operators must get through.
#[tokio::test(start_paused = true)]
async fn callers_who_wait_keep_nobody_out() {
    let grpc = Router::new()
        .route(GET_SAGA, post(async || once(&GetSagaResponse { saga: saga(7, "") })))
        .fallback(async || std::future::pending::<Json<()>>().await);
    let console = console(grpc);
    let waiting: Vec<_> = (0..400)
        .map(|_| {
            let request = Request::builder().method("POST").uri("/api/v1/orders/1:place").header("host", "localhost");
            let request = request.header("content-type", "application/json");
            let request = request.header("idempotency-key", "5b8c3ab0-7c4f-4c69-9a43-0f4a4c7ee1a1");
            tokio::spawn(console.clone().oneshot(request.body(Body::from(r#"{"wait":true}"#)).expect("a request")))
        })
        .collect();
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() < waiting.len() {
        tokio::task::yield_now().await;
    }
    for _ in 0..waiting.len() {
        tokio::task::yield_now().await;
    }
    assert!(waiting.iter().all(|call| !call.is_finished()), "one of them was refused");
    assert_eq!(ask(&console, "GET", "/api/v1/sagas/7").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn streams_have_a_bound_and_give_their_place_back() {
    let grpc = Router::new().route(
        WATCH_SAGA,
        post(async || {
            let first = frame(&WatchSagaResponse { saga: saga(1, "") });
            answered(stream::iter([first]).chain(stream::pending()))
        }),
    );
    let console = console(grpc);
    let mut open = Vec::new();
    let full = loop {
        let response = ask(&console, "GET", "/api/v1/sagas/7:watch").await;
        if response.status() != StatusCode::OK {
            break response;
        }
        open.push(response);
        assert!(open.len() <= 10_000, "there is a bound");
    };
    assert_eq!(
        (full.status(), &full.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from(1))
    );
    assert_eq!(json(full).await["reason"], "TOO_MANY_CALLS");
    open.pop();
    let response = ask(&console, "GET", "/api/v1/sagas/7:watch").await;
    assert_eq!(response.status(), StatusCode::OK);
    // What is left open only waits.
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut body = response.into_body();
    let mut next = async || body.frame().await.expect("a frame").expect("sent").into_data().expect("data");
    assert_eq!(next().await, ": \n\n", "a comment at once");
    let first = next().await;
    assert!(first.starts_with(b"id: 1\ndata: {"), "{first:?}");
    let waited = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    assert!(waited.is_err(), "nothing more, not even a heartbeat yet");
}
