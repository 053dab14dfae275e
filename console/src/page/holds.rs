//! `/holds`: definitions and participants that are halted.

use crate::command_hints::{CommandHint, Given};
use crate::page::acts::{ActionForm, Done, Equal, Fields, Host, Refused, Signed};
use crate::page::datetime::Moment;
use crate::page::error_view::Trouble;
use crate::page::label;
use crate::page::layout::{Frame, Part, html, see};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, words};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use serde::Deserialize;
use std::collections::BTreeSet;
use wire::{CreateHoldRequest, ListDefinitionsRequest, ListHoldsRequest, ReleaseHoldRequest};

/// How often it asks again, milliseconds.
const REFRESH_MS: u32 = 2_000;

/// What a hold's form says beside why and who.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// `holds/…`
    pub name: String,
}

/// Which of the forms it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Create,
    Release,
}

#[derive(Debug)]
struct HoldView {
    name: Text,
    reason: Text,
    actor: Text,
    created: Moment,
    paused: String,
    releasing: bool,
    fields: Fields,
    open: bool,
    equal: Equal,
}

#[derive(Template)]
#[template(path = "holds.html")]
struct HoldsPage {
    frame: Frame,
    holds: Vec<HoldView>,
    choices: Vec<(String, bool)>,
    fields: Fields,
    equal: Equal,
    trouble: Option<Trouble>,
}

/// `GET /holds`.
pub async fn page(State(services): State<Services>, Query(done): Query<Done>, Host(host): Host) -> Response {
    shown(&services, &host, &done.did, None).await
}

/// `POST /holds/new`.
pub async fn create(
    State(services): State<Services>,
    Host(host): Host,
    Form(sent): Form<ActionForm<Named>>,
) -> Response {
    let (Named { name }, Signed { reason, actor, request_id }) = (sent.what.clone(), sent.signed.clone());
    match call(services.admin().create_hold(CreateHoldRequest { name, reason, actor, request_id })).await {
        Ok(_) => see(&link::done("/holds", "hold")),
        Err(trouble) => shown(&services, &host, "", Some((Act::Create, sent.refused(trouble)))).await,
    }
}

/// `POST /holds/release`.
pub async fn release(
    State(services): State<Services>,
    Host(host): Host,
    Form(sent): Form<ActionForm<Named>>,
) -> Response {
    let (Named { name }, Signed { reason, actor, request_id }) = (sent.what.clone(), sent.signed.clone());
    match call(services.admin().release_hold(ReleaseHoldRequest { name, reason, actor, request_id })).await {
        Ok(_) => see(&link::done("/holds", "release")),
        Err(trouble) => shown(&services, &host, "", Some((Act::Release, sent.refused(trouble)))).await,
    }
}

async fn shown(services: &Services, host: &str, did: &str, refused: Option<(Act, Refused<Named>)>) -> Response {
    let frame = Frame::new(services, Part::Holds, "Holds").await.every(REFRESH_MS).noticed(did);
    let frame = frame.again_at(refused.is_some(), "/holds");
    let now = frame.now;
    let refused = |act: Act| refused.as_ref().filter(|(asked, _)| *asked == act).map(|(_, refused)| refused);
    let (creates, releases) = (refused(Act::Create), refused(Act::Release));
    let (mut lister, mut definer) = (services.admin(), services.admin());
    let (holds, definitions) = tokio::join!(
        call(lister.list_holds(ListHoldsRequest {})),
        call(definer.list_definitions(ListDefinitionsRequest {})),
    );
    let (holds, trouble) = match holds {
        Ok(answer) => (answer.holds, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let choices = choices(&definitions.map(|answer| answer.definitions).unwrap_or_default());
    let choices = choices.into_iter().map(|name| {
        let open = creates.is_some_and(|it| it.what.name == name);
        (name, open)
    });
    let hold = |(index, hold): (usize, &wire::Hold)| {
        let refused = releases.filter(|it| it.what.name == hold.name);
        HoldView {
            name: words(&hold.name),
            reason: words(&hold.reason),
            actor: words(&hold.actor),
            created: Moment::new(hold.create_time.as_ref(), now),
            paused: label::grouped(hold.paused),
            releasing: hold.releasing,
            equal: Equal::new(&CommandHint::ReleaseHold { hold: &hold.name, given: Given::default() }, host),
            open: refused.is_some(),
            fields: Fields::of(format!("release-{index}"), refused),
        }
    };
    let told = creates.or(releases).map(|it| &it.trouble).or(trouble.as_ref());
    let status = told.map_or(StatusCode::OK, Trouble::status);
    let holds = holds.iter().enumerate().map(hold).collect();
    let hint = CommandHint::CreateHold { hold: "holds/participants/NAME", given: Given::default() };
    let equal = Equal::new(&hint, host);
    let fields = Fields::of("hold", creates);
    html(status, &HoldsPage { holds, choices: choices.collect(), fields, equal, trouble, frame })
}

/// Everything that can be held: definitions, and whoever carries out one of their steps.
fn choices(definitions: &[wire::Definition]) -> BTreeSet<String> {
    let named = definitions.iter().filter_map(|it| it.name.split('/').nth(1));
    let steps = definitions.iter().flat_map(|it| &it.steps).map(|step| step.participant.as_str());
    let participants = steps.filter(|it| !it.is_empty()).map(|it| format!("holds/participants/{it}"));
    named.map(|it| format!("holds/definitions/{it}")).chain(participants).collect()
}
