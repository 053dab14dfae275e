//! Jobs: one order for many sagas, kept so that any orchestrator goes on where another one stopped.
//!
//! A job goes through its sagas page by page. A page is first written down ([`Operations::begin_page`]), then ordered, then counted
//! ([`Operations::settle_page`]): whoever takes a job over orders the page that was begun once more, under the same request ids,
//! and counts it once.

use crate::operations::Operations;
use crate::operations::audit::{NewAudit, RequestTaken, append};
use crate::store::StoreError;
use crate::store::sql::store_error;
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::event::Verb;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

/// Failures of one job that are kept one by one; further ones are only counted.
pub const MAX_FAILURES: u64 = 10_000;

/// Jobs that may be running or paused at once.
pub const MAX_OPEN: u32 = 100;

const COLUMNS: &str = "id, filter, preset, verb, reason, actor, max_rate, state, matched, matched_exact, done, failed, \
    created_at, updated_at, waits, reached, page, pending, last_page";

/// Where a job stands. Stored as numbers, which never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Ordering.
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

    fn from_stored(code: i64) -> Result<Self, SqlError> {
        [Self::Running, Self::Paused, Self::Done, Self::Cancelled]
            .into_iter()
            .find(|state| *state as i64 == code)
            .ok_or_else(|| SqlError::Refused(format!("a job's state is {code}")))
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
    /// What is ordered.
    pub verb: Verb,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Orders a second at most.
    pub max_rate: u32,
    /// Where it stands.
    pub state: JobState,
    /// Sagas that matched when it was created.
    pub matched: u64,
    /// False if there may be more.
    pub matched_exact: bool,
    /// Orders carried out.
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

/// A saga that refused a job's order.
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

/// A page to be ordered.
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

impl Operations {
    /// Keeps a new job, and the act that creates it.
    pub async fn create_job(&self, job: Job, act: NewAudit) -> Result<Created, StoreError> {
        let done = self.store.database().transaction(move |tx| {
            let (job, act) = (job.clone(), act.clone());
            Box::pin(async move {
                let open = tx.query("SELECT id FROM job WHERE open = 1 LIMIT ?", vec![MAX_OPEN.into()]).await?;
                if open.len() >= MAX_OPEN as usize {
                    return Ok(Verdict::Rollback(Created::TooMany));
                }
                insert(tx, &job).await?;
                Ok(match append(tx, act).await? {
                    Ok(()) => Verdict::Commit(Created::Yes),
                    Err(RequestTaken) => Verdict::Rollback(Created::RequestTaken),
                })
            })
        });
        done.await.map_err(store_error)
    }

    /// One job.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job WHERE id = ?");
        let rows = self.store.database().query(&sql, vec![(*id.as_bytes()).into()]).await.map_err(store_error)?;
        rows.first().map(decode).transpose().map_err(store_error)
    }

    /// Jobs, newest first, at most `limit`, created before the job `before`.
    pub async fn jobs(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Job>, StoreError> {
        let older = if before.is_some() { "WHERE id < ? " } else { "" };
        let sql = format!("SELECT {COLUMNS} FROM job {older}ORDER BY id DESC LIMIT ?");
        let mut args: Vec<Value> = before.map(|id| (*id.as_bytes()).into()).into_iter().collect();
        args.push(limit.into());
        let rows = self.store.database().query(&sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)
    }

    /// A job's failures, oldest first, at most `limit`, with numbers above `after`.
    pub async fn job_failures(&self, id: Uuid, after: u32, limit: u32) -> Result<Vec<JobFailure>, StoreError> {
        let sql = "SELECT number, saga_id, rule, message, at FROM job_failure WHERE job_id = ? AND number > ? \
            ORDER BY number LIMIT ?";
        let args = vec![(*id.as_bytes()).into(), after.into(), limit.into()];
        let rows = self.store.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(decode_failure).collect::<Result<_, _>>().map_err(store_error)
    }

    /// Halts a job, lets it go on, or ends it. A page that was begun is still finished.
    pub async fn control_job(&self, id: Uuid, control: Control, act: NewAudit) -> Result<Controlled, StoreError> {
        let done = self.store.database().transaction(move |tx| {
            let mut act = act.clone();
            Box::pin(async move {
                let Some(mut job) = locked(tx, id).await? else { return Ok(Verdict::Rollback(Controlled::Unknown)) };
                let before = job.state;
                let after = match control {
                    Control::Pause => JobState::Paused,
                    Control::Resume => JobState::Running,
                    Control::Cancel => JobState::Cancelled,
                };
                if before == after {
                    return Ok(Verdict::Rollback(Controlled::Job(Box::new(job))));
                }
                if matches!(before, JobState::Done | JobState::Cancelled) {
                    return Ok(Verdict::Rollback(Controlled::Ended(before)));
                }
                // A halted or ended job stays open until its worker has seen that no page of it is left half done.
                let sql = "UPDATE job SET state = ?, open = 1, updated_at = ?, waits = '' WHERE id = ?";
                tx.execute(sql, vec![(after as u8).into(), act.at.0.into(), (*id.as_bytes()).into()]).await?;
                (job.state, job.updated_at) = (after, act.at);
                job.waits.clear();
                (act.before, act.after) = (before.name().to_owned(), after.name().to_owned());
                Ok(match append(tx, act).await? {
                    Ok(()) => Verdict::Commit(Controlled::Job(Box::new(job))),
                    Err(RequestTaken) => Verdict::Rollback(Controlled::RequestTaken),
                })
            })
        });
        done.await.map_err(store_error)
    }

    /// Jobs that have something to be done and that `worker` may claim, oldest first, at most `limit`.
    pub async fn open_jobs(&self, worker: Uuid, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let sql = "SELECT id FROM job WHERE open = 1 AND (claimed_by = ? OR claimed_until < ?) ORDER BY id LIMIT ?";
        let args = vec![(*worker.as_bytes()).into(), self.now().0.into(), limit.into()];
        let rows = self.store.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(|row| row.array(0).map(Uuid::from_bytes)).collect::<Result<_, _>>().map_err(store_error)
    }

    /// Claims a job for `lease`, or renews the claim; `None` if another worker has it. A claim is a courtesy: two workers on
    /// one job would do nothing twice, only in vain.
    pub async fn claim_job(&self, id: Uuid, worker: Uuid, lease: Duration) -> Result<Option<Job>, StoreError> {
        let now = self.now();
        let done = self.store.database().transaction(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE job SET claimed_by = ?, claimed_until = ? \
                    WHERE id = ? AND open = 1 AND (claimed_by = ? OR claimed_until < ?)";
                let own = Value::from(*worker.as_bytes());
                let args = vec![own.clone(), until(now, lease), (*id.as_bytes()).into(), own, now.0.into()];
                let claimed = tx.execute(sql, args).await?;
                Ok(Verdict::Commit(if claimed == 0 { None } else { locked(tx, id).await? }))
            })
        });
        done.await.map_err(store_error)
    }

    /// Says why a job waits.
    pub async fn job_waits(&self, id: Uuid, worker: Uuid, waits: &str) -> Result<(), StoreError> {
        let sql = "UPDATE job SET waits = ? WHERE id = ? AND claimed_by = ?";
        self.update(sql, vec![waits.into(), (*id.as_bytes()).into(), (*worker.as_bytes()).into()]).await?;
        Ok(())
    }

    /// Writes down which sagas are ordered next. False, and nothing is written, if another worker has the job by now, if a
    /// page is already begun, or if the job was halted.
    pub async fn begin_page(&self, job: &Job, worker: Uuid, page: &Page) -> Result<bool, StoreError> {
        let sql = "UPDATE job SET pending = ?, reached = ?, last_page = ?, page = page + 1, waits = '' \
            WHERE id = ? AND claimed_by = ? AND page = ? AND state = 1";
        let pending: Vec<u8> = page.sagas.iter().flat_map(|saga| saga.0).collect();
        let args = vec![
            pending.into(),
            page.reached.0.into(),
            page.last.into(),
            (*job.id.as_bytes()).into(),
            (*worker.as_bytes()).into(),
            job.page.into(),
        ];
        Ok(self.update(sql, args).await? == 1)
    }

    /// Counts the page that was begun, and keeps its failures as far as there is room. A job whose last page this was is
    /// done. False, and nothing is written, if another worker has settled it.
    pub async fn settle_page(
        &self,
        job: &Job,
        worker: Uuid,
        done: u64,
        failures: Vec<JobFailure>,
    ) -> Result<bool, StoreError> {
        let (id, page, now) = (job.id, job.page, self.now());
        let settled = self.store.database().transaction(move |tx| {
            let failures = failures.clone();
            Box::pin(async move {
                let Some(job) = locked(tx, id).await? else { return Ok(Verdict::Rollback(false)) };
                let sql = "UPDATE job SET pending = ?, page = page + 1, done = done + ?, failed = failed + ?, \
                    open = CASE WHEN state = 1 AND last_page = 0 THEN 1 ELSE 0 END, \
                    state = CASE WHEN state = 1 AND last_page = 1 THEN 3 ELSE state END, updated_at = ?, waits = '' \
                    WHERE id = ? AND claimed_by = ? AND page = ?";
                let args = vec![
                    Vec::new().into(),
                    count(done),
                    count(failures.len() as u64),
                    now.0.into(),
                    (*id.as_bytes()).into(),
                    (*worker.as_bytes()).into(),
                    page.into(),
                ];
                if tx.execute(sql, args).await? == 0 {
                    return Ok(Verdict::Rollback(false));
                }
                let room = MAX_FAILURES.saturating_sub(job.failed);
                let kept = failures.into_iter().zip(1..=room).map(|(failure, nth)| {
                    let number = count(job.failed + nth);
                    vec![
                        (*id.as_bytes()).into(),
                        number,
                        failure.saga.0.into(),
                        failure.rule.into(),
                        failure.message.into(),
                        failure.at.0.into(),
                    ]
                });
                let columns = ["job_id", "number", "saga_id", "rule", "message", "at"];
                tx.insert_many("job_failure", &columns, kept.collect()).await?;
                Ok(Verdict::Commit(true))
            })
        });
        settled.await.map_err(store_error)
    }

    /// Leaves a job alone that has been halted or has ended; its last page, if that was it, makes it done.
    pub async fn close_job(&self, job: &Job, worker: Uuid) -> Result<(), StoreError> {
        let sql = "UPDATE job SET open = 0, state = CASE WHEN state = 1 AND last_page = 1 THEN 3 ELSE state END \
            WHERE id = ? AND claimed_by = ? AND page = ? AND (state <> 1 OR last_page = 1)";
        let args = vec![(*job.id.as_bytes()).into(), (*worker.as_bytes()).into(), job.page.into()];
        self.update(sql, args).await?;
        Ok(())
    }

    /// One statement in a transaction of its own; returns the rows it matched.
    pub(super) async fn update(&self, sql: &'static str, args: Vec<Value>) -> Result<u64, StoreError> {
        let done = self.store.database().transaction(move |tx| {
            let args = args.clone();
            Box::pin(async move { Ok(Verdict::Commit(tx.execute(sql, args).await?)) })
        });
        done.await.map_err(store_error)
    }
}

async fn insert(tx: &mut Tx, job: &Job) -> Result<(), SqlError> {
    let columns = [
        "id",
        "filter",
        "preset",
        "verb",
        "reason",
        "actor",
        "max_rate",
        "state",
        "matched",
        "matched_exact",
        "done",
        "failed",
        "created_at",
        "updated_at",
        "waits",
        "open",
        "reached",
        "page",
        "pending",
        "last_page",
        "claimed_by",
        "claimed_until",
    ];
    let row = vec![
        (*job.id.as_bytes()).into(),
        job.filter.as_str().into(),
        job.preset.as_str().into(),
        verb_code(job.verb).into(),
        job.reason.as_str().into(),
        job.actor.as_str().into(),
        job.max_rate.into(),
        (job.state as u8).into(),
        count(job.matched),
        job.matched_exact.into(),
        count(job.done),
        count(job.failed),
        job.created_at.0.into(),
        job.updated_at.0.into(),
        job.waits.as_str().into(),
        true.into(),
        job.reached.0.into(),
        job.page.into(),
        Vec::new().into(),
        job.last_page.into(),
        [0_u8; 16].into(),
        0_i64.into(),
    ];
    tx.insert_many("job", &columns, vec![row]).await.map(|_| ())
}

async fn locked(tx: &mut Tx, id: Uuid) -> Result<Option<Job>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM job WHERE id = ?{}", tx.for_update());
    tx.query(&sql, vec![(*id.as_bytes()).into()]).await?.first().map(decode).transpose()
}

fn decode(row: &Row) -> Result<Job, SqlError> {
    let natural = |column| row.int(column).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(Job {
        id: Uuid::from_bytes(row.array(0)?),
        filter: row.text(1)?.to_owned(),
        preset: row.text(2)?.to_owned(),
        verb: verb_of(row.int(3)?)?,
        reason: row.text(4)?.to_owned(),
        actor: row.text(5)?.to_owned(),
        max_rate: u32::try_from(row.int(6)?).unwrap_or(1),
        state: JobState::from_stored(row.int(7)?)?,
        matched: natural(8)?,
        matched_exact: row.int(9)? != 0,
        done: natural(10)?,
        failed: natural(11)?,
        created_at: Micros(row.int(12)?),
        updated_at: Micros(row.int(13)?),
        waits: row.text(14)?.to_owned(),
        reached: SagaId(row.array(15)?),
        page: row.int(16)?,
        pending: row.bytes(17)?.as_chunks::<16>().0.iter().map(|id| SagaId(*id)).collect(),
        last_page: row.int(18)? != 0,
    })
}

fn decode_failure(row: &Row) -> Result<JobFailure, SqlError> {
    Ok(JobFailure {
        number: u32::try_from(row.int(0)?).unwrap_or(0),
        saga: SagaId(row.array(1)?),
        rule: row.text(2)?.to_owned(),
        message: row.text(3)?.to_owned(),
        at: Micros(row.int(4)?),
    })
}

/// A verb as stored; the numbers never change their meaning.
fn verb_code(verb: Verb) -> u8 {
    match verb {
        Verb::Cancel => 1,
        Verb::Retry => 2,
        Verb::Skip => 3,
        Verb::ResolveDone => 4,
        Verb::ResolveUndone => 5,
        Verb::Pause => 6,
        Verb::Resume => 7,
    }
}

fn verb_of(code: i64) -> Result<Verb, SqlError> {
    use Verb::{Cancel, Pause, ResolveDone, ResolveUndone, Resume, Retry, Skip};
    let verbs = [Cancel, Retry, Skip, ResolveDone, ResolveUndone, Pause, Resume];
    let found = verbs.into_iter().find(|verb| i64::from(verb_code(*verb)) == code);
    found.ok_or_else(|| SqlError::Refused(format!("a job's verb is {code}")))
}

pub(super) fn until(now: Micros, lease: Duration) -> Value {
    now.0.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX)).into()
}

fn count(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
