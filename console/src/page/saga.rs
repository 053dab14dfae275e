//! `/sagas/{id}`: where it is, why it is there, what can be done ([`offers`]); and the actions.

use crate::command_hints::{CommandHint, Given};
use crate::page::acts::{ActionForm, Done, Equal, Fields, Host, Refused};
use crate::page::datetime::Moment;
use crate::page::error_view::Trouble;
use crate::page::find;
use crate::page::gantt::{self, Gantt};
use crate::page::graph::{self, Graph};
use crate::page::layout::{Frame, Part, html, instead, see};
use crate::page::link;
use crate::page::offers::{self, ActionFields, AllowedAction, Refusal};
use crate::page::row::Row;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use tonic::Code;
use wire::{ExplainSagaRequest, GetDefinitionRequest, GetSagaTimelineRequest, ListSagaEventsRequest};
use wire::{Saga, SagaEvent, SagaExplanation, SagaState};

/// Journal entries on the page, the oldest; a longer journal says so.
const EVENTS: i32 = 200;

/// How often the page of a saga that moves asks again, milliseconds: for ages, and if nothing tells it.
const REFRESH_MS: u32 = 4_000;

/// A sentence, with its class.
#[derive(Debug)]
struct Said {
    class: &'static str,
    sentence: Text,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    at: Moment,
    event: Text,
    step: Text,
    attempt: u32,
    to: Text,
    reason: Text,
    message: Text,
}

#[derive(Debug)]
struct Payload {
    title: Text,
    kind: Text,
    json: Text,
    size: u32,
}

/// A hold that keeps the saga back, with the form that releases it.
#[derive(Debug)]
struct Held {
    name: Text,
    actor: Text,
    reason: Text,
    fields: Fields,
    equal: Equal,
}

impl Held {
    fn new(hold: &wire::SagaHold, host: &str) -> Self {
        let hint = CommandHint::ReleaseHold { hold: &hold.name, given: Given::default() };
        Self {
            name: words(&hold.name),
            actor: words(&hold.actor),
            reason: words(&hold.reason),
            fields: Fields::fresh("release"),
            equal: Equal::new(&hint, host),
        }
    }
}

#[derive(Template)]
#[template(path = "saga.html")]
struct SagaPage {
    frame: Frame,
    name: Text,
    action: String,
    row: Option<Row>,
    whole_key: Text,
    trace: Text,
    version: u64,
    definition: String,
    trouble: Text,
    summary: Text,
    message: Text,
    hold: Option<Held>,
    said: Vec<Said>,
    history: Vec<(Moment, Text)>,
    offers: Vec<AllowedAction>,
    refusals: Vec<Refusal>,
    stray: Option<Trouble>,
    gantt: Option<Gantt>,
    gap: Text,
    drawn: Option<Trouble>,
    as_text: String,
    graph: Option<Graph>,
    entries: Vec<Entry>,
    more_entries: bool,
    journal: Option<Trouble>,
    payloads: Vec<Payload>,
    audit: String,
}

/// `GET /sagas/{id}`.
pub async fn page(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    Host(host): Host,
) -> Response {
    shown(&services, &id, &host, &done.did, None).await
}

/// `POST /sagas/{id}/act`.
pub async fn act(
    State(services): State<Services>,
    Path(id): Path<String>,
    Host(host): Host,
    Form(sent): Form<ActionForm<ActionFields>>,
) -> Response {
    let answer = match offers::request(&id, &sent) {
        Ok(request) => call(services.admin().act_on_saga(request)).await,
        Err(trouble) => Err(trouble),
    };
    match answer {
        Ok(_) => see(&link::done(&address(&id), &sent.what.verb)),
        Err(trouble) => shown(&services, &id, &host, "", Some(sent.refused(trouble))).await,
    }
}

fn address(id: &str) -> String {
    format!("/sagas/{}", link::encoded(id))
}

async fn shown(
    services: &Services,
    id: &str,
    host: &str,
    did: &str,
    refused: Option<Refused<ActionFields>>,
) -> Response {
    let name = format!("sagas/{id}");
    let (mut explain, mut draw, mut list) = (services.admin(), services.admin(), services.sagas());
    let journal = ListSagaEventsRequest { parent: name.clone(), page_size: EVENTS, page_token: String::new() };
    let (explained, timeline, events) = tokio::join!(
        call(explain.explain_saga(ExplainSagaRequest { name: name.clone() })),
        call(draw.get_saga_timeline(GetSagaTimelineRequest { name: name.clone() })),
        call(list.list_saga_events(journal)),
    );
    let explained = match explained {
        Ok(explained) => explained,
        // What an act was refused with is told first, as in every other way to give it.
        Err(trouble) => {
            // A number, or the beginning of an id, may have been put where an id stands.
            if refused.is_none()
                && matches!(trouble.code, Code::NotFound | Code::InvalidArgument)
                && let Some(meant) = find::only(services, id).await
                && meant != address(id)
            {
                return see(&meant);
            }
            let trouble = refused.map_or(trouble, |refused| refused.trouble);
            return instead(services, Part::Sagas, "Saga", trouble).await;
        }
    };
    let saga = explained.saga.as_ref();
    let explanation = explained.explanation.clone().unwrap_or_default();
    let definition = match saga {
        Some(saga) => {
            let name = format!("definitions/{}/versions/{}", saga.definition, saga.definition_version);
            call(services.admin().get_definition(GetDefinitionRequest { name })).await.ok()
        }
        None => None,
    };
    let steps = definition.and_then(|answer| answer.definition).map(|definition| definition.steps).unwrap_or_default();
    let status = Refused::status(refused.as_ref());
    let frame = frame(services, id, saga, did).await.again_at(refused.is_some(), &address(id));
    let now = frame.now;
    let offers = offers::legal(&explanation, saga, &name, host, refused.as_ref());
    // What was sent and is not offered any more still says what came of it.
    let stray = refused.map(|it| it.trouble).filter(|_| !offers.iter().any(|offer| offer.open));
    let (entries, journal) = match events {
        Ok(events) => (events, None),
        Err(trouble) => (wire::ListSagaEventsResponse::default(), Some(trouble)),
    };
    let payloads = timeline.as_ref().map(|timeline| payloads(&timeline.payloads)).unwrap_or_default();
    let gap = timeline.as_ref().map(|timeline| timeline.gap.clone()).unwrap_or_default();
    let (gantt, drawn) = match timeline {
        Ok(timeline) => (Some(gantt::gantt(&timeline)).filter(|drawn| !drawn.lanes.is_empty()), None),
        Err(trouble) => (None, Some(trouble)),
    };
    let page = SagaPage {
        name: words(&name),
        action: format!("{}/act", address(id)),
        row: saga.map(|saga| Row::new(saga, now)),
        whole_key: words(saga.map(|saga| saga.business_key.clone()).unwrap_or_default()),
        trace: words(saga.map(|saga| saga.trace_id.clone()).unwrap_or_default()),
        version: saga.map(|saga| saga.version).unwrap_or_default(),
        definition: saga.map(definition_link).unwrap_or_default(),
        trouble: words(&explanation.trouble),
        summary: words(&explanation.summary),
        message: words(saga.map(|saga| saga.message.clone()).unwrap_or_default()),
        hold: explanation.hold.as_ref().map(|hold| Held::new(hold, host)),
        said: said(&explanation),
        history: history(&explanation, now),
        offers,
        refusals: offers::refusals(&explanation),
        stray,
        gantt,
        gap: words(gap),
        drawn,
        as_text: explained.timeline.clone(),
        graph: (!steps.is_empty()).then(|| graph::graph(&steps, saga)),
        more_entries: !entries.next_page_token.is_empty(),
        entries: entries.events.iter().map(|event| entry(event, now)).collect(),
        journal,
        payloads,
        audit: link::with("/audit", &[("subject", &name)]),
        frame,
    };
    html(status, &page)
}

async fn frame(services: &Services, id: &str, saga: Option<&Saga>, did: &str) -> Frame {
    let title = saga.map_or_else(|| "Saga".to_owned(), |saga| format!("{} {}", saga.definition, saga.business_key));
    let title: String = title.chars().take(80).collect();
    let frame = Frame::new(services, Part::Sagas, title).await.noticed(did);
    let moves = saga.is_some_and(|saga| !matches!(saga.state(), SagaState::Completed | SagaState::Compensated));
    if !moves {
        return frame;
    }
    Frame { stream: format!("{}/live", address(id)), ..frame.every(REFRESH_MS) }
}

fn definition_link(saga: &Saga) -> String {
    format!("/definitions/{}/{}", link::encoded(&saga.definition), saga.definition_version)
}

fn said(explanation: &SagaExplanation) -> Vec<Said> {
    let all = [
        ("waiting", explanation.waiting.as_ref().map(|it| &it.sentence)),
        ("upcoming", explanation.upcoming.as_ref().map(|it| &it.sentence)),
        ("ledger", explanation.ledger.as_ref().map(|it| &it.sentence)),
        ("outlook", explanation.outlook.as_ref().map(|it| &it.sentence)),
        ("gap", Some(&explanation.gap)),
    ];
    let there = all.into_iter().filter_map(|(class, sentence)| Some((class, sentence.filter(|it| !it.is_empty())?)));
    there.map(|(class, sentence)| Said { class, sentence: words(sentence) }).collect()
}

fn history(explanation: &SagaExplanation, now: i64) -> Vec<(Moment, Text)> {
    let told = explanation.history.iter();
    told.map(|it| (Moment::new(it.event_time.as_ref(), now), words(&it.sentence))).collect()
}

fn entry(event: &SagaEvent, now: i64) -> Entry {
    Entry {
        version: event.version,
        at: Moment::new(event.event_time.as_ref(), now),
        event: cell(&event.event),
        step: cell(format!("{}{}", event.step, if event.direction == "undo" { " (undo)" } else { "" })),
        attempt: event.attempt,
        to: cell(&event.to),
        reason: cell(&event.reason),
        message: words(&event.message),
    }
}

fn payloads(payloads: &[wire::SagaPayload]) -> Vec<Payload> {
    let shown = |it: &wire::SagaPayload| Payload {
        title: words(&it.title),
        kind: words(&it.r#type),
        json: words(&it.json),
        size: it.size_bytes,
    };
    payloads.iter().map(shown).collect()
}
