//! The operators' page: server-rendered, readable and usable without scripts.
//!
//! | file | what it holds |
//! |---|---|
//! | [`services`] | the services in this process |
//! | [`layout`] | what every page has, answers, redirects |
//! | [`guard`] | who may be answered, and with which headers |
//! | [`assets`] | style sheet, script, mark |
//! | [`overview`], [`sagas`], [`saga`] with its [`offers`], [`jobs`], [`job_new`], [`holds`], [`letters`], [`audit`], [`definitions`], [`chaos`] | the pages |
//! | [`acts`] | what every form that changes something has |
//! | [`live`] | tells an open page that its saga moved |
//! | [`find`] | what is pasted into the box at the top |
//! | [`row`] | one saga as a row of a list |
//! | [`chart`], [`gantt`], [`graph`] | drawings, as numbers for the templates |
//! | [`text`], [`datetime`], [`label`], [`link`] | texts, times, enums, addresses |
//! | [`error_view`] | what a service answered instead of an answer |

pub mod acts;
pub mod assets;
pub mod audit;
pub mod chaos;
pub mod chart;
pub mod datetime;
pub mod definitions;
pub mod error_view;
pub mod find;
pub mod gantt;
pub mod graph;
pub mod guard;
pub mod holds;
pub mod job_new;
pub mod jobs;
pub mod label;
pub mod layout;
pub mod letters;
pub mod link;
pub mod live;
pub mod offers;
pub mod overview;
pub mod row;
pub mod saga;
pub mod sagas;
pub mod services;
pub mod text;

use crate::page::services::Services;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::routing::get;
use axum::{Router, middleware};

/// Longest form: a definition of 64 steps as JSON is some 30 KiB.
const MAX_FORM: usize = 256 * 1024;

/// The routes, over the gRPC services that `grpc` serves.
pub fn routes(grpc: Router) -> Router {
    Router::new()
        .route("/", get(overview::page))
        .route("/find", get(find::page))
        .route("/sagas", get(sagas::page))
        .route("/sagas/{id}", get(saga::page))
        .route("/sagas/{id}/act", get(layout::sent_here).post(saga::act))
        .route("/sagas/{id}/live", get(live::stream))
        .route("/jobs", get(jobs::list))
        .route("/jobs/new", get(job_new::fresh).post(job_new::create))
        .route("/jobs/{id}", get(jobs::page))
        .route("/jobs/{id}/control", get(layout::sent_here).post(jobs::control))
        .route("/holds", get(holds::page))
        .route("/holds/new", get(layout::sent_here).post(holds::create))
        .route("/holds/release", get(layout::sent_here).post(holds::release))
        .route("/dead-letters", get(letters::list))
        .route("/dead-letters/{id}", get(letters::page))
        .route("/dead-letters/{id}/replay", get(layout::sent_here).post(letters::replay))
        .route("/dead-letters/{id}/drop", get(layout::sent_here).post(letters::give_up))
        .route("/audit", get(audit::page))
        .route("/definitions", get(definitions::list))
        .route("/definitions/check", get(definitions::blank).post(definitions::check))
        .route("/definitions/{name}/{version}", get(definitions::page))
        .route("/chaos", get(chaos::page))
        .route("/chaos/kill", get(layout::sent_here).post(chaos::kill))
        .route("/chaos/revive", get(layout::sent_here).post(chaos::revive))
        .route("/assets/{hash}/{name}", get(async |uri: Uri| assets::serve(uri.path())))
        .fallback(layout::nowhere)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(guard::check))
        .with_state(Services::new(grpc))
}
