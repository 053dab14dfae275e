//! One action for many sagas: jobs are judged, counted and kept here; [`baton_operations::workers::jobs`] works on them.

use crate::api::admin::act::verb;
use crate::api::admin::audit::Audits;
use crate::api::admin::fields::{MAX_ACTOR, MAX_REASON, request_id, words};
use crate::api::admin::find::filter;
use crate::api::admin::job_forecast;
use crate::api::admin::job_view::{as_wire, failure_as_wire, outcome};
use crate::api::lookup::Lookup;
use baton_engine::committer::NewId;
use baton_engine::search::Search;
use baton_engine::store::Fingerprint;
use baton_engine::store::query::SearchQuery;
use baton_operations::Operations;
use baton_operations::audit::{NewAudit, content};
use baton_operations::jobs::{Control, Controlled, Created, Job, JobState};
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_query::sort::OrderBy;
use baton_rpc::errors::{Flaw, Violations, invalid};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use saga_core::event::Verb;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use tonic::Status;
use uuid::Uuid;

/// Actions a second if the caller does not say.
const DEFAULT_RATE: u32 = 200;

/// Actions a second at most.
const MAX_RATE: u32 = 1_000;

/// How far is counted, and how many rows are read where each must be looked at: a job may match more.
const MAX_COUNT: u32 = 100_000;

/// Sagas of which is told what would become of them, the newest.
const MAX_FORECAST: u32 = 1_000;

/// Jobs, as operators see to them.
pub struct JobAdmin<'a> {
    pub(in crate::api) operations: &'a Operations,
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) audits: Audits<'a>,
    pub(in crate::api) new_id: &'a NewId,
}

impl JobAdmin<'_> {
    pub(super) async fn create_job(&self, request: wire::CreateJobRequest) -> Result<wire::CreateJobResponse, Status> {
        let operations = self.operations;
        let mut violations = Violations::new();
        if request.filter.trim().is_empty() && request.preset.is_empty() {
            let every = "must say which sagas, unless the preset does";
            violations.add("filter", Flaw::new(Reason::FIELD_REQUIRED, every));
        }
        let selected = filter(self.lookup.registry, &request.filter, &request.preset, &mut violations)?;
        let verb = violations.keep("verb", verb(request.verb));
        let reason = violations.keep("reason", words(request.reason, MAX_REASON, Reason::ACTION_REASON_INVALID));
        let actor = violations.keep("actor", words(request.actor, MAX_ACTOR, Reason::ACTOR_INVALID));
        let max_rate = violations.keep("max_rate", rate(request.max_rate));
        let asked = violations.keep("request_id", request_id(&request.request_id));
        let (Some(selected), Some(verb), Some(reason), Some(actor), Some(max_rate), Some(asked), true) =
            (selected, verb, reason, actor, max_rate, asked, violations.is_empty())
        else {
            return Err(violations.into_status());
        };
        let rate_bytes = max_rate.to_le_bytes();
        let content = content(&[
            b"create-job",
            request.filter.as_bytes(),
            request.preset.as_bytes(),
            verb.as_str().as_bytes(),
            reason.as_bytes(),
            actor.as_bytes(),
            &rate_bytes,
        ]);
        if let Some(job) = self.job_of(asked, content).await? {
            return Ok(created(job));
        }
        let (id, now) = ((self.new_id)(), self.lookup.store.now());
        let search = Search::new(selected, self.lookup.registry.clone(), now);
        let counted = self.lookup.query.count(search.clone(), MAX_COUNT, MAX_COUNT).await;
        let counted = counted.map_err(|error| of_store(&error))?;
        let job = Job {
            id,
            filter: request.filter,
            preset: request.preset,
            verb,
            reason,
            actor,
            max_rate,
            state: JobState::Running,
            matched: counted.count,
            matched_exact: counted.exact,
            done: 0,
            failed: 0,
            created_at: now,
            updated_at: now,
            waits: String::new(),
            reached: SagaId(id.into_bytes()),
            page: 0,
            pending: Vec::new(),
            last_page: false,
        };
        if request.validate_only {
            let (forecast, forecast_exact) = self.forecast(search, verb, now).await?;
            let job = wire::Job { name: String::new(), ..as_wire(&job) };
            return Ok(wire::CreateJobResponse { job: Some(job), forecast, forecast_exact });
        }
        let act = NewAudit {
            after: format!("{} of {} sagas", verb.as_str(), job.matched),
            ..audit("create-job", id, &job.actor, &job.reason, now, asked, content)
        };
        match operations.create_job(job.clone(), act).await.map_err(|error| of_store(&error))? {
            Created::Yes => Ok(created(as_wire(&job))),
            Created::TooMany => Err(SagaReason::TooManyJobs.status("100 jobs are running or paused; end one first")),
            Created::RequestTaken => match self.job_of(asked, content).await? {
                Some(job) => Ok(created(job)),
                None => Err(SagaReason::Internal.status("internal error")),
            },
        }
    }

    pub(super) async fn get_job(&self, request: &wire::GetJobRequest) -> Result<wire::GetJobResponse, Status> {
        let job = self.existing_job("name", &request.name).await?;
        let groups = self.operations.job_outcomes(job.id).await.map_err(|error| of_store(&error))?;
        let mut outcomes = Vec::with_capacity(groups.len());
        for group in &groups {
            outcomes.push(outcome(self.lookup, group).await?);
        }
        Ok(wire::GetJobResponse { job: Some(wire::Job { outcomes, ..as_wire(&job) }) })
    }

    /// What would become of the sagas that the search selects, and whether these are all.
    async fn forecast(
        &self,
        search: Search,
        verb: Verb,
        now: Micros,
    ) -> Result<(Vec<wire::JobForecast>, bool), Status> {
        let order = OrderBy::default();
        let query = SearchQuery { search, order, after: None, limit: MAX_FORECAST, max_rows: MAX_COUNT };
        let found = self.lookup.query.search(query).await.map_err(|error| of_store(&error))?;
        let holds = self.operations.known_holds().standing();
        let told = job_forecast::forecast(self.lookup.registry, &holds, verb, &found.records, now);
        Ok((told, found.next.is_none()))
    }

    pub(super) async fn list_jobs(&self, request: &wire::ListJobsRequest) -> Result<wire::ListJobsResponse, Status> {
        let operations = self.operations;
        let mut violations = Violations::new();
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let before = violations.keep("page_token", page::key("jobs", &request.page_token));
        let (Some(size), Some(before)) = (size, before) else { return Err(violations.into_status()) };
        let before = before.map(|key| Uuid::from_slice(&key).map_err(|_| foreign_token())).transpose()?;
        let mut jobs = operations.jobs(before, size + 1).await.map_err(|error| of_store(&error))?;
        let next_page_token = page::cut(&mut jobs, size, "jobs", |last| last.id.into_bytes());
        Ok(wire::ListJobsResponse { jobs: jobs.iter().map(as_wire).collect(), next_page_token })
    }

    pub(super) async fn control_job(
        &self,
        request: wire::ControlJobRequest,
    ) -> Result<wire::ControlJobResponse, Status> {
        let operations = self.operations;
        let id = job_id("name", &request.name)?;
        let mut violations = Violations::new();
        let control = violations.keep("control", control(request.control));
        let reason = violations.keep("reason", words(request.reason, MAX_REASON, Reason::ACTION_REASON_INVALID));
        let actor = violations.keep("actor", words(request.actor, MAX_ACTOR, Reason::ACTOR_INVALID));
        let asked = violations.keep("request_id", request_id(&request.request_id));
        let (Some((control, word)), Some(reason), Some(actor), Some(asked)) = (control, reason, actor, asked) else {
            return Err(violations.into_status());
        };
        let content = content(&[word.as_bytes(), id.as_bytes(), reason.as_bytes(), actor.as_bytes()]);
        if let Some(job) = self.job_of(asked, content).await? {
            return Ok(wire::ControlJobResponse { job: Some(job) });
        }
        let act = audit(word, id, &actor, &reason, self.lookup.store.now(), asked, content);
        let job = match operations.control_job(id, control, act).await.map_err(|error| of_store(&error))? {
            Controlled::Job(job) => as_wire(&job),
            Controlled::Unknown => return Err(unknown(id)),
            Controlled::Ended(state) => {
                return Err(SagaReason::JobEnded.status(format!("jobs/{id} has ended: it is {}", state.name())));
            }
            Controlled::RequestTaken => match self.job_of(asked, content).await? {
                Some(job) => job,
                None => return Err(SagaReason::Internal.status("internal error")),
            },
        };
        Ok(wire::ControlJobResponse { job: Some(job) })
    }

    pub(super) async fn list_job_failures(
        &self,
        request: &wire::ListJobFailuresRequest,
    ) -> Result<wire::ListJobFailuresResponse, Status> {
        let job = self.existing_job("parent", &request.parent).await?;
        let query = format!("job failures {}", job.id);
        let mut violations = Violations::new();
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let after = violations.keep("page_token", page::key(&query, &request.page_token));
        let (Some(size), Some(after)) = (size, after) else { return Err(violations.into_status()) };
        let number = |key: Vec<u8>| key.as_slice().try_into().map(u32::from_be_bytes).map_err(|_| foreign_token());
        let after = after.map(number).transpose()?.unwrap_or(0);
        let operations = self.operations;
        let mut failures = operations.job_failures(job.id, after, size + 1).await.map_err(|error| of_store(&error))?;
        let next_page_token = page::cut(&mut failures, size, &query, |last| last.number.to_be_bytes());
        let failures = failures.into_iter().map(failure_as_wire).collect();
        Ok(wire::ListJobFailuresResponse { failures, next_page_token })
    }

    async fn existing_job(&self, field: &str, name: &str) -> Result<Job, Status> {
        let id = job_id(field, name)?;
        self.operations.job(id).await.map_err(|error| of_store(&error))?.ok_or_else(|| unknown(id))
    }

    /// The job of a request that was carried out before, as it is now.
    async fn job_of(&self, request: Option<Uuid>, content: Fingerprint) -> Result<Option<wire::Job>, Status> {
        let Some(row) = self.audits.repeated(request, content).await? else { return Ok(None) };
        self.existing_job("name", &row.audit.subject).await.map(|job| Some(as_wire(&job)))
    }
}

fn created(job: wire::Job) -> wire::CreateJobResponse {
    wire::CreateJobResponse { job: Some(job), ..wire::CreateJobResponse::default() }
}

fn audit(
    act: &str,
    job: Uuid,
    actor: &str,
    reason: &str,
    at: Micros,
    request: Option<Uuid>,
    content: Fingerprint,
) -> NewAudit {
    NewAudit {
        at,
        actor: actor.to_owned(),
        act: act.to_owned(),
        subject: format!("jobs/{job}"),
        reason: reason.to_owned(),
        before: String::new(),
        after: String::new(),
        saga: None,
        version: 0,
        request,
        content,
    }
}

fn rate(rate: u32) -> Result<u32, Flaw> {
    match rate {
        0 => Ok(DEFAULT_RATE),
        1..=MAX_RATE => Ok(rate),
        _ => Err(Flaw::new(Reason::RATE_OUT_OF_RANGE, format!("must be at most {MAX_RATE} actions a second"))),
    }
}

fn control(code: i32) -> Result<(Control, &'static str), Flaw> {
    match wire::JobControl::try_from(code) {
        Ok(wire::JobControl::Pause) => Ok((Control::Pause, "pause-job")),
        Ok(wire::JobControl::Resume) => Ok((Control::Resume, "resume-job")),
        Ok(wire::JobControl::Cancel) => Ok((Control::Cancel, "cancel-job")),
        Ok(wire::JobControl::Unspecified) => Err(Flaw::new(Reason::FIELD_REQUIRED, "must say what to do")),
        Err(_) => Err(Flaw::new(Reason::ENUM_UNKNOWN, "must be a JobControl")),
    }
}

fn job_id(field: &str, name: &str) -> Result<Uuid, Status> {
    let parsed = name.strip_prefix("jobs/").and_then(|id| Uuid::try_parse(id).ok());
    parsed.ok_or_else(|| invalid(field, Flaw::new(Reason::NAME_INVALID, "must be jobs/ and a UUID")))
}

fn unknown(id: Uuid) -> Status {
    SagaReason::JobNotFound.status(format!("jobs/{id}: there is no such job"))
}

fn foreign_token() -> Status {
    invalid("page_token", Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be a token of this list"))
}
