//! The faces for people: HTTP/JSON under `/api/v1`, and the operators' page. Both call the gRPC services in the same process,
//! so that they can do what the services do and nothing else.
//!
//! | module | what it holds |
//! |---|---|
//! | [`command_hints`] | for each action the equal command line and curl line |
//! | [`guard`] | who may ask, and what every answer carries |
//! | [`http`] | HTTP/JSON: transcoded from the services' own descriptors |
//! | [`page`] | the page: server-rendered, readable without scripts |
//! | [`verb_names`] | the words for actions |

#![warn(missing_docs)]

pub mod command_hints;
pub mod guard;
pub mod http;
pub mod page;
pub mod verb_names;

use crate::guard::Guard;
use crate::http::table::Table;
use axum::{Router, middleware};

/// Everything over HTTP, on top of the gRPC services that `grpc` serves: the page, and the routes of `table`. `guard` knows who
/// may ask.
pub fn routes(grpc: &Router, table: Table, guard: Guard) -> Router {
    let all = http::routes(grpc.clone(), table).merge(page::routes(grpc.clone()));
    all.layer(middleware::from_fn_with_state(guard, guard::guard))
}
