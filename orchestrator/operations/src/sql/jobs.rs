//! Jobs in SQL.

use super::gauges::group;
use super::{append, count, until, update};
use crate::audit::{NewAudit, RequestTaken};
use crate::claims::LONGEST_CLAIM;
use crate::gauges::Group;
use crate::jobs::{
    Control, Controlled, Created, Job, JobFailure, JobState, JobStore, MAX_FAILURES, MAX_OPEN, MAX_OUTCOMES, Page,
};
use async_trait::async_trait;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_store::sql::{SqlStore, store_error};
use saga_core::event::Verb;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

const COLUMNS: &str = "id, filter, preset, verb, reason, actor, max_rate, state, matched, matched_exact, done, failed, \
    created_at, updated_at, waits, reached, page, pending, last_page";

#[async_trait]
impl JobStore for SqlStore {
    async fn create_job(&self, job: Job, act: NewAudit) -> Result<Created, StoreError> {
        let done = self.database().transaction(move |tx| {
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

    async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job WHERE id = ?");
        let rows = self.database().query(&sql, vec![(*id.as_bytes()).into()]).await.map_err(store_error)?;
        rows.first().map(decode).transpose().map_err(store_error)
    }

    async fn jobs(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Job>, StoreError> {
        let older = if before.is_some() { "WHERE id < ? " } else { "" };
        let sql = format!("SELECT {COLUMNS} FROM job {older}ORDER BY id DESC LIMIT ?");
        let mut args: Vec<Value> = before.map(|id| (*id.as_bytes()).into()).into_iter().collect();
        args.push(limit.into());
        let rows = self.database().query(&sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn job_failures(&self, id: Uuid, after: u32, limit: u32) -> Result<Vec<JobFailure>, StoreError> {
        let sql = "SELECT number, saga_id, rule, message, at FROM job_failure WHERE job_id = ? AND number > ? \
            ORDER BY number LIMIT ?";
        let args = vec![(*id.as_bytes()).into(), after.into(), limit.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(decode_failure).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn job_outcomes(&self, id: Uuid) -> Result<Vec<Group>, StoreError> {
        let sql = "SELECT definition, definition_version, state, step, direction, COUNT(*), MIN(id) FROM \
            (SELECT saga_id FROM job_saga WHERE job_id = ? LIMIT ?) AS acted JOIN saga ON saga.id = acted.saga_id \
            GROUP BY definition, definition_version, state, step, direction \
            ORDER BY definition, definition_version, state, step, direction";
        let args = vec![(*id.as_bytes()).into(), MAX_OUTCOMES.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        Ok(rows.iter().filter_map(|row| group(row).ok().flatten()).collect())
    }

    async fn control_job(&self, id: Uuid, control: Control, act: NewAudit) -> Result<Controlled, StoreError> {
        let done = self.database().transaction(move |tx| {
            let mut act = act.clone();
            Box::pin(async move {
                let Some(mut job) = locked(tx, id).await? else { return Ok(Verdict::Rollback(Controlled::Unknown)) };
                let before = job.state;
                let after = control.leads_to();
                if before == after {
                    return Ok(Verdict::Rollback(Controlled::Job(Box::new(job))));
                }
                if before.has_ended() {
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

    async fn open_jobs(&self, worker: Uuid, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let sql = "SELECT id FROM job WHERE open = 1 AND (claimed_by = ? OR claimed_until NOT BETWEEN ? AND ?) \
            ORDER BY id LIMIT ?";
        let now = self.now();
        let args = vec![(*worker.as_bytes()).into(), now.0.into(), until(now, LONGEST_CLAIM), limit.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(|row| row.array(0).map(Uuid::from_bytes)).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn claim_job(&self, id: Uuid, worker: Uuid, lease: Duration) -> Result<Option<Job>, StoreError> {
        let now = self.now();
        let done = self.database().transaction(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE job SET claimed_by = ?, claimed_until = ? \
                    WHERE id = ? AND open = 1 AND (claimed_by = ? OR claimed_until NOT BETWEEN ? AND ?)";
                let own = Value::from(*worker.as_bytes());
                let (claim, ahead) = (until(now, lease), until(now, LONGEST_CLAIM));
                let args = vec![own.clone(), claim, (*id.as_bytes()).into(), own, now.0.into(), ahead];
                let claimed = tx.execute(sql, args).await?;
                Ok(Verdict::Commit(if claimed == 0 { None } else { locked(tx, id).await? }))
            })
        });
        done.await.map_err(store_error)
    }

    async fn job_waits(&self, id: Uuid, worker: Uuid, waits: &str) -> Result<(), StoreError> {
        let sql = "UPDATE job SET waits = ? WHERE id = ? AND claimed_by = ?";
        update(self, sql, vec![waits.into(), (*id.as_bytes()).into(), (*worker.as_bytes()).into()]).await?;
        Ok(())
    }

    async fn begin_page(&self, job: &Job, worker: Uuid, page: &Page) -> Result<bool, StoreError> {
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
        Ok(update(self, sql, args).await? == 1)
    }

    async fn settle_page(
        &self,
        job: &Job,
        worker: Uuid,
        done: u64,
        failures: Vec<JobFailure>,
    ) -> Result<bool, StoreError> {
        let (id, page, now) = (job.id, job.page, self.now());
        let settled = self.database().transaction(move |tx| {
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
                let acted = job.pending.iter().filter(|saga| failures.iter().all(|failure| failure.saga != **saga));
                let acted = acted.map(|saga| vec![(*id.as_bytes()).into(), saga.0.into()]);
                tx.insert_missing("job_saga", &["job_id", "saga_id"], acted.collect()).await?;
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

    async fn close_job(&self, job: &Job, worker: Uuid) -> Result<(), StoreError> {
        let sql = "UPDATE job SET open = 0, state = CASE WHEN state = 1 AND last_page = 1 THEN 3 ELSE state END \
            WHERE id = ? AND claimed_by = ? AND page = ? AND (state <> 1 OR last_page = 1)";
        let args = vec![(*job.id.as_bytes()).into(), (*worker.as_bytes()).into(), job.page.into()];
        update(self, sql, args).await?;
        Ok(())
    }

    async fn forget_job(&self, before: Micros, limit: u32) -> Result<bool, StoreError> {
        let forgotten = self.database().transaction(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT id FROM job WHERE open = 0 AND updated_at < ? ORDER BY id LIMIT 1{}",
                    tx.for_update()
                );
                let rows = tx.query(&sql, vec![before.0.into()]).await?;
                let Some(row) = rows.first() else { return Ok(Verdict::Rollback(false)) };
                let id: [u8; 16] = row.array(0)?;
                let sql = "SELECT number FROM job_failure WHERE job_id = ? ORDER BY number LIMIT ?";
                let rows = tx.query(sql, vec![id.into(), limit.into()]).await?;
                let numbers: Vec<Value> = rows.into_iter().filter_map(|row| row.0.into_iter().next()).collect();
                if !numbers.is_empty() {
                    let sql = "DELETE FROM job_failure WHERE job_id = ? AND number";
                    tx.execute_in(sql, vec![id.into()], numbers).await?;
                    return Ok(Verdict::Commit(true));
                }
                let sql = "SELECT saga_id FROM job_saga WHERE job_id = ? ORDER BY saga_id LIMIT ?";
                let rows = tx.query(sql, vec![id.into(), limit.into()]).await?;
                let sagas: Vec<Value> = rows.into_iter().filter_map(|row| row.0.into_iter().next()).collect();
                if sagas.is_empty() {
                    tx.execute("DELETE FROM job WHERE id = ?", vec![id.into()]).await?;
                } else {
                    tx.execute_in("DELETE FROM job_saga WHERE job_id = ? AND saga_id", vec![id.into()], sagas).await?;
                }
                Ok(Verdict::Commit(true))
            })
        });
        forgotten.await.map_err(store_error)
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
        state: state_of(row.int(7)?)?,
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

fn state_of(code: i64) -> Result<JobState, SqlError> {
    let states = [JobState::Running, JobState::Paused, JobState::Done, JobState::Cancelled];
    let found = states.into_iter().find(|state| *state as i64 == code);
    found.ok_or_else(|| SqlError::Refused(format!("a job's state is {code}")))
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
