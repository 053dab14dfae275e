//! `/chaos`: kill a participant, watch sagas wait, revive it. Served only where the service is.

use crate::page::error_view::Trouble;
use crate::page::layout::{Frame, Part, html, see};
use crate::page::row::Row;
use crate::page::services::{Services, call};
use crate::page::text::{Text, words};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::dev::v1::{KillTargetRequest, ListChaosTargetsRequest, ReviveTargetRequest};
use baton_proto::baton::saga::v1::SearchSagasRequest;
use serde::Deserialize;

/// How often it asks again, milliseconds.
const REFRESH_MS: u32 = 1_000;
/// Sagas shown beside the targets.
const SAGAS: i32 = 12;

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChaosQuery {
    /// What was done just now.
    pub did: String,
}

/// A form, as it was sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChaosForm {
    /// Whom.
    pub target: String,
}

#[derive(Template)]
#[template(path = "chaos.html")]
struct ChaosPage {
    frame: Frame,
    targets: Vec<(Text, bool)>,
    rows: Vec<Row>,
    trouble: Option<Trouble>,
}

/// `GET /chaos`.
pub async fn page(State(services): State<Services>, Query(asked): Query<ChaosQuery>) -> Response {
    shown(&services, &asked.did, None).await
}

/// `POST /chaos/kill`.
pub async fn kill(State(services): State<Services>, Form(sent): Form<ChaosForm>) -> Response {
    match call(services.chaos().kill_target(KillTargetRequest { target: sent.target })).await {
        Ok(_) => see("/chaos?did=kill"),
        Err(trouble) => shown(&services, "", Some(trouble)).await,
    }
}

/// `POST /chaos/revive`.
pub async fn revive(State(services): State<Services>, Form(sent): Form<ChaosForm>) -> Response {
    match call(services.chaos().revive_target(ReviveTargetRequest { target: sent.target })).await {
        Ok(_) => see("/chaos?did=revive"),
        Err(trouble) => shown(&services, "", Some(trouble)).await,
    }
}

async fn shown(services: &Services, did: &str, refused: Option<Trouble>) -> Response {
    let frame = Frame::new(services, Part::Chaos, "Chaos").await.every(REFRESH_MS).noticed(did);
    let frame = frame.again_at(refused.is_some(), "/chaos");
    let now = frame.now;
    let search = SearchSagasRequest { preset: "in-flight".to_owned(), page_size: SAGAS, ..Default::default() };
    let (mut chaos, mut admin) = (services.chaos(), services.admin());
    let (targets, found) =
        tokio::join!(call(chaos.list_chaos_targets(ListChaosTargetsRequest {})), call(admin.search_sagas(search)));
    let rows = found.map(|found| found.sagas.iter().map(|saga| Row::new(saga, now)).collect()).unwrap_or_default();
    let (targets, trouble) = match targets {
        Ok(answer) => (answer.targets.into_iter().map(|it| (words(it.target), it.alive)).collect(), refused),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &ChaosPage { frame, targets, rows, trouble })
}
