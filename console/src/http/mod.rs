//! HTTP/JSON under `/api/v1`: the gRPC services of this process, transcoded. Nothing here knows a single call; the proto files do.
//!
//! | file | what it holds |
//! |---|---|
//! | [`route`] | routes as the proto files declare them |
//! | [`path`] | templates of paths |
//! | [`table`] | all routes there are |
//! | [`read`] | a request read into a message |
//! | `fields` | fields that the path and the headers hold |
//! | [`strict`] | JSON without fields that come twice |
//! | [`shape`] | what is wrong with JSON as a message |
//! | [`preconditions`] | If-Match, If-None-Match, Idempotency-Key, Last-Event-ID |
//! | [`call`] | calls to the services |
//! | [`mod@write`] | answers written |
//! | [`stream`] | server-sent events |
//! | [`problem`] | refusals written |
//! | [`openapi`] | the same as OpenAPI 3.1 |
//! | [`docs`] | the same as a page |
//! | [`reason`] | why HTTP itself refuses |

pub mod call;
pub mod docs;
mod fields;
pub mod openapi;
pub mod path;
pub mod preconditions;
pub mod problem;
pub mod read;
pub mod reason;
pub mod route;
pub mod shape;
pub mod stream;
pub mod strict;
pub mod table;
pub mod write;

use crate::http::call::ServiceRouter;
use crate::http::problem::Problem;
use crate::http::reason::HttpReason;
use crate::http::route::{Answer, Route};
use crate::http::table::{Found, Table};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http::{Method, StatusCode, header};
use prost_reflect::DynamicMessage;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls at work at once; more are refused. The services have bounds of their own, this one is for what waits before them.
const MAX_CALLS: usize = 256;
/// Streams open at once; more are refused. One costs a task and a few kilobytes.
const MAX_STREAMS: usize = 1_024;
/// Calls that wait for their saga to end, at once; more are refused. They are not among [`MAX_CALLS`]: in an outage all of them wait for
/// half a minute, and operators must get through.
const MAX_WAITS: usize = 2_048;

/// What a request needs.
#[derive(Clone, Debug)]
struct Shared {
    table: Arc<Table>,
    services: ServiceRouter,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    waits: Arc<Semaphore>,
}

/// The routes that `table` has, over the gRPC services that `grpc` serves.
pub fn routes(grpc: Router, table: Table) -> Router {
    let table = Arc::new(table);
    let shared = Shared {
        table: table.clone(),
        services: ServiceRouter::new(grpc),
        calls: Arc::new(Semaphore::new(MAX_CALLS)),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        waits: Arc::new(Semaphore::new(MAX_WAITS)),
    };
    Router::new()
        .route("/api/v1", any(unknown))
        .route("/api/v1/{*path}", any(transcode).with_state(shared))
        .route("/api/openapi.json", get(docs::openapi).with_state(table.clone()))
        .route("/api/docs", get(docs::page).with_state(table))
        .route("/api/docs.css", get(docs::style))
        .route("/api/{*path}", any(unknown))
}

async fn unknown(request: Request) -> Problem {
    nothing(request.uri().path())
}

fn nothing(path: &str) -> Problem {
    Problem::new(HttpReason::PathUnknown, format!("nothing is at {path}; /api/docs lists what there is"))
}

async fn transcode(State(shared): State<Shared>, request: Request) -> Response {
    match answered(shared, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answered(shared: Shared, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path();
    let table = shared.table.clone();
    match table.find(request.method(), path.strip_prefix("/api/v1").unwrap_or(path)) {
        Found::Route(route, name) => call(shared, route, name, request).await,
        Found::Methods(methods) => other_method(request.method(), &methods),
        Found::Nothing => Err(nothing(path)),
    }
}

/// OPTIONS is answered with what there is; no header of it lets another site in.
fn other_method(method: &Method, there: &[&Method]) -> Result<Response, Problem> {
    let mut allow: Vec<&str> = there.iter().map(|method| method.as_str()).collect();
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    allow.push("OPTIONS");
    let allow = allow.join(", ");
    if method == Method::OPTIONS {
        return Ok((StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response());
    }
    let detail = format!("{method} does nothing here; there are {allow}");
    Err(Problem::new(HttpReason::MethodNotAllowed, detail).with_header(header::ALLOW, &allow))
}

async fn call(shared: Shared, route: &Route, name: String, request: Request) -> Result<Response, Problem> {
    let place = if matches!(route.answer, Answer::Once | Answer::Tagged) { &shared.calls } else { &shared.streams };
    let mut permit = permitted(place)?;
    let (head, body) = request.into_parts();
    let body = read::body(body).await?;
    let asked = read::read(route, name, &head.uri, &head.headers, &body)?;
    if waits(&asked.message) {
        permit = permitted(&shared.waits)?;
    }
    let refused = |status| Problem::from_status(&status, asked.conditional);
    let (services, method) = (&shared.services, &route.call);
    match route.answer {
        Answer::Once | Answer::Tagged => {
            let answer = services.unary(method, asked.message.clone(), &head.headers).await.map_err(refused)?;
            write::answer(route, &answer, &head.headers)
        }
        Answer::Stream if head.method == Method::HEAD => Ok(nothing_yet(permit)),
        Answer::Stream => {
            let messages = services.stream(method, asked.message.clone(), &head.headers).await.map_err(refused)?;
            Ok(stream::events(messages, permit))
        }
        Answer::Repeated => {
            let first = services.unary(method, asked.message.clone(), &head.headers).await.map_err(refused)?;
            let (services, method) = (services.clone(), method.clone());
            let messages = stream::repeated(services, method, asked.message.clone(), head.headers.clone(), first);
            Ok(stream::events(messages, permit))
        }
    }
}

fn permitted(place: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = place.clone().try_acquire_owned();
    permit.map_err(|_| Problem::new(HttpReason::TooManyCalls, "too many calls are open; try again"))
}

/// Whether the caller wants to hear the end: of every call that can wait the field is called so.
fn waits(message: &DynamicMessage) -> bool {
    message.get_field_by_name("wait").and_then(|wait| wait.as_bool()).unwrap_or_default()
}

/// The head of a stream alone.
fn nothing_yet(permit: OwnedSemaphorePermit) -> Response {
    drop(permit);
    [(header::CONTENT_TYPE, "text/event-stream")].into_response()
}
