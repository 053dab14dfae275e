//! Jobs: one action for many sagas, kept so that any orchestrator goes on where another one stopped.
//!
//! A job goes through its sagas page by page. A page is first written down ([`JobStore::begin_page`]), then acted on, then counted
//! ([`JobStore::settle_page`]): whoever takes a job over acts on the page that was begun once more, under the same request ids,
//! and counts it once.

use crate::audit::NewAudit;
use crate::gauges::Group;
use async_trait::async_trait;
use baton_engine::store::StoreError;
use saga_core::event::Verb;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Failures of one job that are kept one by one; further ones are only counted.
pub const MAX_FAILURES: u64 = 10_000;

/// Sagas of one job of which is told at once what has become of them.
pub const MAX_OUTCOMES: u32 = 10_000;

/// Jobs that may be running or paused at once.
pub const MAX_OPEN: u32 = 100;

/// Where a job stands. Stored as numbers, which never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Acting.
    Running = 1,
    /// Halted by an operator.
    Paused = 2,
    /// Through.
    Done = 3,
    /// Ended by an operator before that.
    Cancelled = 4,
}

impl JobState {
    /// One word for the audit.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// True once no operator's act changes it any more.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// A UUIDv7. Only sagas with smaller ids are touched, that is, older ones.
    pub id: Uuid,
    /// The filter's text.
    pub filter: String,
    /// The preset's name, or empty.
    pub preset: String,
    /// What is done to each.
    pub verb: Verb,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Actions a second at most.
    pub max_rate: u32,
    /// Where it stands.
    pub state: JobState,
    /// Sagas that matched when it was created.
    pub matched: u64,
    /// False if there may be more.
    pub matched_exact: bool,
    /// Actions carried out.
    pub done: u64,
    /// Sagas that refused.
    pub failed: u64,
    /// When it was created; durations in its filter are relative to this.
    pub created_at: Micros,
    /// When it last went on.
    pub updated_at: Micros,
    /// Why it waits, or empty.
    pub waits: String,
    /// The next page begins below this id.
    pub reached: SagaId,
    /// Pages settled so far.
    pub page: i64,
    /// The page that was begun and is not settled.
    pub pending: Vec<SagaId>,
    /// True if no page comes after the one that was begun.
    pub last_page: bool,
}

/// A saga that refused a job's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// From 1, in the order in which they happened.
    pub number: u32,
    /// The saga.
    pub saga: SagaId,
    /// The rule, or another reason of the API: at most 63 bytes.
    pub rule: String,
    /// The same for people: at most 500 characters.
    pub message: String,
    /// When.
    pub at: Micros,
}

/// A page to be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its sagas; may be empty.
    pub sagas: Vec<SagaId>,
    /// The next page begins below this id.
    pub reached: SagaId,
    /// True if there is no next page.
    pub last: bool,
}

/// What an operator does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Halt.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Cancel,
}

impl Control {
    /// Where it leaves a job that has not ended.
    #[must_use]
    pub fn leads_to(self) -> JobState {
        match self {
            Self::Pause => JobState::Paused,
            Self::Resume => JobState::Running,
            Self::Cancel => JobState::Cancelled,
        }
    }
}

/// What became of an operator's act on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// The job afterwards; if nothing had to be done, as it was, and nothing is written down.
    Job(Box<Job>),
    /// It has ended, and this would change it.
    Ended(JobState),
    /// There is no such job.
    Unknown,
    /// An act with this request id is written down already.
    RequestTaken,
}

/// What became of a job that was to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    Yes,
    /// [`MAX_OPEN`] jobs are running or paused.
    TooMany,
    /// An act with this request id is written down already.
    RequestTaken,
}

/// Jobs. Each call is one transaction, an operator's act with its audit entry in it: after a crash all of it is there or
/// nothing, and a page that was begun is begun.
#[async_trait]
pub trait JobStore: Send + Sync + fmt::Debug + 'static {
    /// Keeps a new job, and the act that creates it.
    async fn create_job(&self, job: Job, act: NewAudit) -> Result<Created, StoreError>;

    /// One job.
    async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError>;

    /// Jobs, newest first, at most `limit`, created before the job `before`.
    async fn jobs(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// A job's failures, oldest first, at most `limit`, with numbers above `after`.
    async fn job_failures(&self, id: Uuid, after: u32, limit: u32) -> Result<Vec<JobFailure>, StoreError>;

    /// Where the sagas that a job acted on stand by now, in groups; at most [`MAX_OUTCOMES`] are looked at, and those that retention
    /// has deleted are left out.
    async fn job_outcomes(&self, id: Uuid) -> Result<Vec<Group>, StoreError>;

    /// Halts a job, lets it go on, or ends it. A page that was begun is still finished.
    async fn control_job(&self, id: Uuid, control: Control, act: NewAudit) -> Result<Controlled, StoreError>;

    /// Jobs that have something to be done and that `worker` may claim, oldest first, at most `limit`.
    async fn open_jobs(&self, worker: Uuid, limit: u32) -> Result<Vec<Uuid>, StoreError>;

    /// Claims a job for `lease`, or renews the claim; `None` if another worker has it. A claim is a courtesy: two workers on
    /// one job would do nothing twice, only in vain.
    async fn claim_job(&self, id: Uuid, worker: Uuid, lease: Duration) -> Result<Option<Job>, StoreError>;

    /// Says why a job waits.
    async fn job_waits(&self, id: Uuid, worker: Uuid, waits: &str) -> Result<(), StoreError>;

    /// Writes down which sagas are acted on next. False, and nothing is written, if another worker has the job by now, if a
    /// page is already begun, or if the job was halted.
    async fn begin_page(&self, job: &Job, worker: Uuid, page: &Page) -> Result<bool, StoreError>;

    /// Counts the page that was begun, notes which of its sagas were acted on, and keeps its failures as far as there is room. A job whose last page this was is
    /// done. False, and nothing is written, if another worker has settled it.
    async fn settle_page(
        &self,
        job: &Job,
        worker: Uuid,
        done: u64,
        failures: Vec<JobFailure>,
    ) -> Result<bool, StoreError>;

    /// Leaves a job alone that has been halted or has ended; its last page, if that was it, makes it done.
    async fn close_job(&self, job: &Job, worker: Uuid) -> Result<(), StoreError>;

    /// One step: of the oldest job that ended before `before`, deletes at most `limit` failures, once there are none `limit` notes of
    /// sagas, and once there is nothing left the job. False if there is no such job. Any number of callers may do this at once; after a crash a job is there with
    /// fewer failures than it counts.
    async fn forget_job(&self, before: Micros, limit: u32) -> Result<bool, StoreError>;
}
