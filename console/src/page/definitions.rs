//! `/definitions`: what sagas are made of, and how a new version would fit those under way.

use crate::page::datetime::length;
use crate::page::error_view::Trouble;
use crate::page::graph::{self, Graph};
use crate::page::label::{self, Label};
use crate::page::layout::{Frame, Part, html, instead};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::descriptors::Descriptors;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::Deserialize;
use std::sync::LazyLock;
use wire::{
    CheckDefinitionRequest, CheckDefinitionResponse, Definition, GetDefinitionRequest, ListDefinitionsRequest,
    RetryPolicy,
};

/// What stands in the empty form.
const EXAMPLE: &str = r#"{
  "name": "definitions/trip/versions/2",
  "steps": [
    { "step": "hotel.book", "participant": "hotel", "kind": "STEP_KIND_COMPENSATABLE",
      "action": "hotel.book", "undo": "hotel.cancel" }
  ]
}"#;

static DEFINITION: LazyLock<Option<MessageDescriptor>> =
    LazyLock::new(|| Descriptors::engine().pool().get_message_by_name("baton.saga.v1.Definition"));

#[derive(Debug)]
struct DefinitionView {
    link: String,
    name: Text,
    version: Text,
    steps: usize,
    deadline: String,
    digest: Text,
    known: bool,
    newest: bool,
    unfinished: String,
    sagas: String,
}

impl DefinitionView {
    fn new(definition: &Definition) -> Self {
        let mut parts = definition.name.split('/').skip(1).step_by(2);
        let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let filter = format!(
            "definition = \"{}\" AND definition_version = {version}",
            name.replace('\\', r"\\").replace('"', "\\\"")
        );
        Self {
            link: format!("/definitions/{}/{}", link::encoded(name), link::encoded(version)),
            name: cell(name),
            version: cell(version),
            steps: definition.steps.len(),
            deadline: definition.deadline.as_ref().map_or_else(|| "none".to_owned(), length),
            digest: cell(&definition.digest),
            known: definition.known,
            newest: definition.newest,
            unfinished: label::count(definition.unfinished, definition.unfinished_exact),
            sagas: link::with("/sagas", &[("filter", &filter), ("preset", "in-flight")]),
        }
    }
}

#[derive(Template)]
#[template(path = "definitions.html")]
struct DefinitionsPage {
    frame: Frame,
    definitions: Vec<DefinitionView>,
    trouble: Option<Trouble>,
}

/// `GET /definitions`.
pub async fn list(State(services): State<Services>) -> Response {
    let frame = Frame::new(&services, Part::Definitions, "Definitions").await;
    let (definitions, trouble) = match call(services.admin().list_definitions(ListDefinitionsRequest {})).await {
        Ok(answer) => (answer.definitions.iter().map(DefinitionView::new).collect(), None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &DefinitionsPage { frame, definitions, trouble })
}

#[derive(Debug)]
struct Step {
    name: Text,
    participant: Text,
    kind: &'static str,
    action: Text,
    undo: Text,
    covered_by: Text,
    timeout: String,
    retry: String,
    undo_retry: String,
}

#[derive(Template)]
#[template(path = "definition.html")]
struct DefinitionPage {
    frame: Frame,
    definition: DefinitionView,
    steps: Vec<Step>,
    graph: Graph,
    as_json: String,
}

/// `GET /definitions/{name}/{version}`.
pub async fn page(State(services): State<Services>, Path((name, version)): Path<(String, String)>) -> Response {
    let request = GetDefinitionRequest { name: format!("definitions/{name}/versions/{version}") };
    let definition = match call(services.admin().get_definition(request)).await {
        Ok(answer) => answer.definition.unwrap_or_default(),
        Err(trouble) => return instead(&services, Part::Definitions, "Definition", trouble).await,
    };
    let title: String = format!("{name} v{version}").chars().take(80).collect();
    let frame = Frame::new(&services, Part::Definitions, title).await;
    let step = |it: &wire::DefinitionStep| Step {
        name: cell(&it.step),
        participant: cell(&it.participant),
        kind: label::kind(it.kind),
        action: cell(&it.action),
        undo: cell(&it.undo),
        covered_by: cell(&it.covered_by),
        timeout: it.timeout.as_ref().map_or_else(|| "default".to_owned(), length),
        retry: retry(it.retry.as_ref()),
        undo_retry: if it.undo.is_empty() { String::new() } else { retry(it.undo_retry.as_ref()) },
    };
    let page = DefinitionPage {
        steps: definition.steps.iter().map(step).collect(),
        graph: graph::graph(&definition.steps, None),
        as_json: as_json(&definition),
        definition: DefinitionView::new(&definition),
        frame,
    };
    html(StatusCode::OK, &page)
}

fn retry(policy: Option<&RetryPolicy>) -> String {
    let Some(policy) = policy else { return "default".to_owned() };
    let base = policy.base.as_ref().map_or_else(String::new, length);
    let cap = policy.cap.as_ref().map_or_else(String::new, length);
    format!("{} attempts, {base} ×{} up to {cap}", policy.attempts, policy.factor)
}

/// The part of a definition that is written by hand, as JSON.
fn as_json(definition: &Definition) -> String {
    let written = Definition {
        name: definition.name.clone(),
        steps: definition.steps.clone(),
        deadline: definition.deadline,
        ..Definition::default()
    };
    let dynamic = || {
        let mut message = DynamicMessage::new(DEFINITION.clone()?);
        message.transcode_from(&written).ok()?;
        serde_json::to_string_pretty(&message).ok()
    };
    dynamic().unwrap_or_default()
}

/// The form, as it was sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DefinitionForm {
    /// A Definition as proto3 JSON.
    pub json: String,
}

#[derive(Debug)]
struct Fit {
    version: u32,
    state: Label,
    step: Text,
    direction: Text,
    count: String,
    continues: bool,
    rule: Text,
    sentence: Text,
    example: Text,
    link: String,
}

#[derive(Debug)]
struct Verdict {
    safe: bool,
    sentence: Text,
    changes: Vec<Text>,
    fits: Vec<Fit>,
    exact: bool,
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    frame: Frame,
    json: String,
    verdict: Option<Verdict>,
    trouble: Option<Trouble>,
}

/// `GET /definitions/check`.
pub async fn blank(State(services): State<Services>) -> Response {
    checked(&services, EXAMPLE.to_owned(), None).await
}

/// `POST /definitions/check`: changes nothing.
pub async fn check(State(services): State<Services>, Form(sent): Form<DefinitionForm>) -> Response {
    let answer = match parsed(&sent.json) {
        Ok(definition) => {
            let request = CheckDefinitionRequest { definition: Some(definition) };
            call(services.admin().check_definition(request)).await
        }
        Err(why) => Err(Trouble::field("json", "JSON_INVALID", why)),
    };
    checked(&services, sent.json, Some(answer)).await
}

fn parsed(json: &str) -> Result<Definition, String> {
    let descriptor = DEFINITION.clone().ok_or_else(|| "this build cannot read definitions".to_owned())?;
    let mut reader = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor, &mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    message.transcode_to().map_err(|error| error.to_string())
}

async fn checked(
    services: &Services,
    json: String,
    answer: Option<Result<CheckDefinitionResponse, Trouble>>,
) -> Response {
    let frame = Frame::new(services, Part::Definitions, "Check a definition").await;
    let (verdict, trouble) = match answer {
        None => (None, None),
        Some(Ok(answer)) => (Some(verdict(&answer)), None),
        Some(Err(trouble)) => (None, Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &CheckPage { frame, json, verdict, trouble })
}

fn verdict(answer: &CheckDefinitionResponse) -> Verdict {
    let fit = |it: &wire::DefinitionFit| Fit {
        version: it.version,
        state: label::state(it.state),
        step: cell(&it.step),
        direction: cell(&it.direction),
        count: label::grouped(it.count),
        continues: it.continues,
        rule: cell(&it.rule),
        sentence: words(&it.sentence),
        example: cell(link::id(&it.example)),
        link: link::page(&it.example),
    };
    Verdict {
        safe: answer.safe,
        sentence: words(&answer.sentence),
        changes: answer.changes.iter().map(words).collect(),
        fits: answer.fits.iter().map(fit).collect(),
        exact: answer.exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_read_as_it_is_shown() {
        let definition = parsed(EXAMPLE).unwrap();
        assert_eq!((definition.steps[0].step.as_str(), definition.steps.len()), ("hotel.book", 1));
        assert_eq!(parsed(&as_json(&definition)), Ok(definition));
        for wrong in ["", "{", r#"{"nme": "x"}"#, "{} x"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
