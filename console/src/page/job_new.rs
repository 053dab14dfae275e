//! `/jobs/new`: one action for many sagas is counted first, then created.

use crate::command_hints::{CommandHint, Given, Which};
use crate::page::acts::{ActionForm, Equal, Fields, Host};
use crate::page::error_view::Trouble;
use crate::page::label;
use crate::page::layout::{Frame, Part, html, see};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, words};
use crate::verb_names;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1::{CreateJobRequest, CreateJobResponse, JobForecast};
use baton_query::filter::Preset;
use serde::Deserialize;

/// What a job's form says beside why and who, as it is opened and as it is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// AIP-160.
    pub filter: String,
    /// Its name.
    pub preset: String,
    /// The verb's word.
    pub verb: String,
    /// Actions a second; empty for the usual.
    pub max_rate: String,
    /// "count" or "start".
    #[serde(rename = "do")]
    pub step: String,
}

/// What was counted, and what would become of it.
#[derive(Debug)]
struct Counted {
    matched: String,
    /// What would become of them, group by group.
    groups: Vec<ForecastGroup>,
    /// True if there are more sagas than the groups tell of.
    more: bool,
    /// Whether any would be acted on.
    any: bool,
}

#[derive(Debug)]
struct ForecastGroup {
    sentence: Text,
    class: &'static str,
    /// Some of them: link and id.
    sagas: Vec<(String, String)>,
    more: bool,
}

impl Counted {
    fn new(answer: &CreateJobResponse) -> Self {
        let job = answer.job.clone().unwrap_or_default();
        Self {
            matched: label::count(job.matched, job.matched_exact),
            groups: answer.forecast.iter().map(ForecastGroup::new).collect(),
            more: !answer.forecast_exact,
            any: answer.forecast.iter().any(|group| group.rule.is_empty()) || !answer.forecast_exact,
        }
    }
}

impl ForecastGroup {
    fn new(group: &JobForecast) -> Self {
        let class = match group.rule.as_str() {
            "" => "acted",
            "ENDED" => "none",
            _ => "bad",
        };
        let sagas = group.sagas.iter().map(|name| (link::page(name), link::short(link::id(name))));
        Self {
            sentence: words(&group.sentence),
            class,
            sagas: sagas.collect(),
            more: group.count > group.sagas.len() as u64,
        }
    }
}

#[derive(Template)]
#[template(path = "job_new.html")]
struct NewPage {
    frame: Frame,
    draft: Draft,
    verbs: Vec<(&'static str, &'static str, bool)>,
    presets: Vec<(&'static str, bool)>,
    counted: Option<Counted>,
    fields: Fields,
    equal: Equal,
}

/// `GET /jobs/new`: the form, with the filter of the list it was reached from.
pub async fn fresh(
    State(services): State<Services>,
    Query(sent): Query<ActionForm<Draft>>,
    Host(host): Host,
) -> Response {
    form(&services, sent, None, Fields::fresh("job"), &host).await
}

/// `POST /jobs/new`: counts, or creates.
pub async fn create(
    State(services): State<Services>,
    Host(host): Host,
    Form(sent): Form<ActionForm<Draft>>,
) -> Response {
    let counts = sent.what.step != "start";
    let answer = match request(&sent, counts) {
        Ok(request) => call(services.admin().create_job(request)).await,
        Err(trouble) => Err(trouble),
    };
    match answer {
        Ok(answer) if counts => {
            let counted = Counted::new(&answer);
            let (reason, actor) = (sent.signed.reason.clone(), sent.signed.actor.clone());
            let fields = Fields { reason, actor, ..Fields::fresh("job") };
            form(&services, sent, Some(counted), fields, &host).await
        }
        Ok(answer) => see(&link::done(&link::page(&answer.job.unwrap_or_default().name), "job")),
        Err(trouble) => {
            let fields = Fields::again("job", &sent.signed, trouble);
            form(&services, sent, None, fields, &host).await
        }
    }
}

fn request(ActionForm { what, signed }: &ActionForm<Draft>, validate_only: bool) -> Result<CreateJobRequest, Trouble> {
    let rate = what.max_rate.trim();
    let wrong = |_| Trouble::field("max_rate", "RATE_INVALID", "must be a whole number, or empty".to_owned());
    Ok(CreateJobRequest {
        filter: what.filter.clone(),
        preset: what.preset.clone(),
        verb: verb_names::verb_of(&what.verb).unwrap_or_default().into(),
        reason: signed.reason.clone(),
        actor: signed.actor.clone(),
        max_rate: if rate.is_empty() { 0 } else { rate.parse().map_err(wrong)? },
        request_id: if validate_only { String::new() } else { signed.request_id.clone() },
        validate_only,
    })
}

async fn form(
    services: &Services,
    ActionForm { what: draft, signed }: ActionForm<Draft>,
    counted: Option<Counted>,
    fields: Fields,
    host: &str,
) -> Response {
    let frame = Frame::new(services, Part::Jobs, "New job").await;
    let status = fields.trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    let hint = CommandHint::CreateJob {
        which: Which { filter: &draft.filter, preset: &draft.preset },
        verb: verb_names::verb_of(&draft.verb).unwrap_or_default(),
        max_rate: draft.max_rate.trim().parse().unwrap_or_default(),
        validate_only: counted.is_none(),
        given: Given { reason: &signed.reason, actor: &signed.actor, request_id: "" },
    };
    let equal = Equal::new(&hint, host);
    let verbs = label::BUTTONS.into_iter().map(|(verb, button)| {
        let word = label::verb(verb.into());
        (word, button, word == draft.verb)
    });
    let presets = Preset::ALL.into_iter().map(|preset| (preset.name(), preset.name() == draft.preset));
    let page = NewPage { verbs: verbs.collect(), presets: presets.collect(), frame, draft, counted, fields, equal };
    html(status, &page)
}
