//! `/jobs`: one action for many sagas, as it goes on without anybody watching. How it begins is in
//! [`job_new`](crate::page::job_new).

use crate::command_hints::{CommandHint, Given};
use crate::page::acts::{ActionForm, Equal, Fields, Host};
use crate::page::datetime::Moment;
use crate::page::error_view::Trouble;
use crate::page::label::{self, Label};
use crate::page::layout::{Frame, Part, html, instead, see};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use crate::verb_names;
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1 as wire;
use serde::Deserialize;
use wire::{
    ControlJobRequest, GetJobRequest, Job, JobControl, JobState, ListJobFailuresRequest, ListJobsRequest, SagaState,
};

/// Jobs, or failures, on a page.
const PAGE: i32 = 50;

/// How often a job at work is asked for, milliseconds.
const REFRESH_MS: u32 = 1_500;

/// What an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobsQuery {
    /// From the page before.
    pub page_token: String,
    /// What was done just now.
    pub did: String,
}

#[derive(Debug)]
struct JobView {
    link: String,
    id: Text,
    verb: &'static str,
    filter: Text,
    preset: Text,
    state: Label,
    matched: String,
    done: String,
    failed: String,
    any_failed: bool,
    /// Thousandths of the way.
    progress: u64,
    rate: u32,
    reason: Text,
    actor: Text,
    created: Moment,
    updated: Moment,
    waits: Text,
    /// What has become of those that were acted on.
    outcomes: Vec<Outcome>,
    /// Those that were acted on and are in none of these: retention has deleted them, or there are more than are told.
    untold: String,
}

/// Sagas that were acted on and stand at one place by now.
#[derive(Debug)]
struct Outcome {
    count: String,
    state: Label,
    step: Text,
    undo: bool,
    reason: Text,
    message: Text,
    example: String,
}

impl Outcome {
    fn new(outcome: &wire::JobOutcome) -> Self {
        Self {
            count: label::grouped(outcome.count),
            state: label::state(outcome.state),
            step: cell(&outcome.step),
            undo: outcome.direction == "undo",
            reason: cell(&outcome.reason),
            message: words(&outcome.message),
            example: link::page(&outcome.example),
        }
    }
}

impl JobView {
    fn new(job: &Job, now: i64) -> Self {
        let went = job.done.saturating_add(job.failed);
        let ended = job.state() == JobState::Done;
        let told: u64 = job.outcomes.iter().map(|outcome| outcome.count).sum();
        let untold = job.done.saturating_sub(told);
        let is_stuck = job.outcomes.iter().any(|outcome| outcome.state() == wire::SagaState::Stuck);
        let progress = if ended { 1_000 } else { went.saturating_mul(1_000) / job.matched.max(1) };
        Self {
            link: link::page(&job.name),
            id: cell(link::id(&job.name)),
            verb: label::verb(job.verb),
            filter: words(&job.filter),
            preset: cell(&job.preset),
            // To be through is no success for those that got stuck.
            state: if ended && is_stuck { label::DONE_STUCK } else { label::job(job.state) },
            matched: label::count(job.matched, job.matched_exact),
            done: label::grouped(job.done),
            failed: label::grouped(job.failed),
            any_failed: job.failed > 0,
            progress: progress.min(1_000),
            rate: job.max_rate,
            reason: words(&job.reason),
            actor: words(&job.actor),
            created: Moment::new(job.create_time.as_ref(), now),
            updated: Moment::new(job.update_time.as_ref(), now),
            waits: words(&job.waits),
            outcomes: job.outcomes.iter().map(Outcome::new).collect(),
            untold: if untold > 0 { label::grouped(untold) } else { String::new() },
        }
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    jobs: Vec<JobView>,
    older: String,
    trouble: Option<Trouble>,
}

/// `GET /jobs`.
pub async fn list(State(services): State<Services>, Query(asked): Query<JobsQuery>) -> Response {
    let frame = Frame::new(&services, Part::Jobs, "Jobs").await.every(REFRESH_MS);
    let request = ListJobsRequest { page_size: PAGE, page_token: asked.page_token };
    let now = frame.now;
    let (jobs, older, trouble) = match call(services.admin().list_jobs(request)).await {
        Ok(answer) => {
            let older = link::older("/jobs", &[], &answer.next_page_token);
            (answer.jobs.iter().map(|job| JobView::new(job, now)).collect(), older, None)
        }
        Err(trouble) => (Vec::new(), String::new(), Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &JobsPage { frame, jobs, older, trouble })
}

#[derive(Debug)]
struct Failure {
    link: String,
    id: Text,
    rule: Text,
    message: Text,
    at: Moment,
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    job: JobView,
    action: String,
    controls: Vec<(&'static str, &'static str, Equal)>,
    fields: Fields,
    failures: Vec<Failure>,
    older: String,
    failing: Option<Trouble>,
}

/// `GET /jobs/{id}`.
pub async fn page(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(asked): Query<JobsQuery>,
    Host(host): Host,
) -> Response {
    one(&services, &id, &host, asked, Fields::fresh("control")).await
}

/// What the form of a job's control says beside why and who.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Control {
    /// "pause", "resume" or "cancel".
    pub control: String,
}

/// `POST /jobs/{id}/control`.
pub async fn control(
    State(services): State<Services>,
    Path(id): Path<String>,
    Host(host): Host,
    Form(sent): Form<ActionForm<Control>>,
) -> Response {
    let ActionForm { what, signed } = sent;
    let request = ControlJobRequest {
        name: format!("jobs/{id}"),
        control: verb_names::control_of(&what.control).unwrap_or_default().into(),
        reason: signed.reason.clone(),
        actor: signed.actor.clone(),
        request_id: signed.request_id.clone(),
    };
    match call(services.admin().control_job(request)).await {
        Ok(_) => see(&link::done(&address(&id), "control")),
        Err(trouble) => {
            one(&services, &id, &host, JobsQuery::default(), Fields::again("control", &signed, trouble)).await
        }
    }
}

fn address(id: &str) -> String {
    format!("/jobs/{}", link::encoded(id))
}

async fn one(services: &Services, id: &str, host: &str, asked: JobsQuery, fields: Fields) -> Response {
    let name = format!("jobs/{id}");
    let (mut getter, mut lister) = (services.admin(), services.admin());
    let failures = ListJobFailuresRequest { parent: name.clone(), page_size: PAGE, page_token: asked.page_token };
    let (job, failures) = tokio::join!(
        call(getter.get_job(GetJobRequest { name: name.clone() })),
        call(lister.list_job_failures(failures))
    );
    let job = match job.map(|answer| answer.job.unwrap_or_default()) {
        Ok(job) => job,
        Err(trouble) => return instead(services, Part::Jobs, "Job", trouble).await,
    };
    let frame = Frame::new(services, Part::Jobs, format!("Job: {}", label::verb(job.verb))).await.noticed(&asked.did);
    let controls = match job.state() {
        JobState::Running => vec![(JobControl::Pause, "Pause"), (JobControl::Cancel, "Cancel the job")],
        JobState::Paused => vec![(JobControl::Resume, "Resume"), (JobControl::Cancel, "Cancel the job")],
        _ => Vec::new(),
    };
    let controls = controls.into_iter().map(|(control, button)| {
        let hint = CommandHint::ControlJob { job: &name, control, given: Given::default() };
        (verb_names::control(control).unwrap_or_default(), button, Equal::new(&hint, host))
    });
    let controls: Vec<_> = controls.collect();
    // Sagas go on after the job has.
    let moves = |outcome: &wire::JobOutcome| matches!(outcome.state(), SagaState::Running | SagaState::Compensating);
    let is_over = controls.is_empty() && !job.outcomes.iter().any(moves);
    let frame = if is_over { frame } else { frame.every(REFRESH_MS) };
    let frame = frame.again_at(fields.trouble.is_some(), &address(id));
    let now = frame.now;
    let (failures, older, failing) = match failures {
        Ok(answer) => {
            let older = link::older(&address(id), &[], &answer.next_page_token);
            (answer.failures, older, None)
        }
        Err(trouble) => (Vec::new(), String::new(), Some(trouble)),
    };
    let failure = |it: &wire::JobFailure| Failure {
        link: link::page(&it.saga),
        id: cell(link::id(&it.saga)),
        rule: cell(&it.rule),
        message: words(&it.message),
        at: Moment::new(it.event_time.as_ref(), now),
    };
    let status = fields.trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    let page = JobPage {
        job: JobView::new(&job, now),
        action: format!("{}/control", address(id)),
        controls,
        fields,
        failures: failures.iter().map(failure).collect(),
        older,
        failing,
        frame,
    };
    html(status, &page)
}
