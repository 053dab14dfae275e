//! Jobs in memory.

use super::defect::Defect;
use super::gauges::grouped;
use super::{MemoryOperations, OperationTables, Tables};
use crate::OpsStore as _;
use crate::audit::NewAudit;
use crate::claims::is_claim;
use crate::gauges::Group;
use crate::jobs::{
    Control, Controlled, Created, Job, JobFailure, JobState, JobStore, MAX_FAILURES, MAX_OPEN, MAX_OUTCOMES, Page,
};
use async_trait::async_trait;
use baton_engine::store::StoreError;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// Jobs by id.
pub(super) type JobRows = BTreeMap<Uuid, JobRow>;

#[derive(Debug)]
pub(super) struct JobRow {
    job: Job,
    failures: Vec<JobFailure>,
    /// Sagas that were acted on.
    acted: BTreeSet<SagaId>,
    open: bool,
    claimed_by: Uuid,
    claimed_until: Micros,
}

impl JobRow {
    fn is_free_for(&self, worker: Uuid, now: Micros) -> bool {
        self.open && (self.claimed_by == worker || !is_claim(self.claimed_until, now))
    }

    /// A job that is through with its last page is done, unless an operator has halted or ended it.
    fn end_if_through(&mut self) {
        if self.job.state == JobState::Running && self.job.last_page {
            self.job.state = JobState::Done;
        }
    }
}

/// The row of a job that `worker` has at the page it knows.
fn claimed<'a>(own: &'a mut OperationTables, job: &Job, worker: Uuid) -> Option<&'a mut JobRow> {
    own.jobs.get_mut(&job.id).filter(|row| row.claimed_by == worker && row.job.page == job.page)
}

fn control(own: &mut OperationTables, sagas: &mut Tables, id: Uuid, control: Control, mut act: NewAudit) -> Controlled {
    let Some(row) = own.jobs.get_mut(&id) else { return Controlled::Unknown };
    let (before, after) = (row.job.state, control.leads_to());
    if before == after {
        return Controlled::Job(Box::new(row.job.clone()));
    }
    if before.has_ended() {
        return Controlled::Ended(before);
    }
    if sagas.untaken(std::slice::from_ref(&act)).is_err() {
        return Controlled::RequestTaken;
    }
    // A halted or ended job stays open until its worker has seen that no page of it is left half done.
    (row.job.state, row.job.updated_at, row.open) = (after, act.at, true);
    row.job.waits.clear();
    (act.before, act.after) = (before.name().to_owned(), after.name().to_owned());
    sagas.append(&[act]);
    Controlled::Job(Box::new(row.job.clone()))
}

#[async_trait]
impl JobStore for MemoryOperations {
    async fn create_job(&self, job: Job, act: NewAudit) -> Result<Created, StoreError> {
        self.write(|own, sagas| {
            if own.jobs.values().filter(|row| row.open).count() >= MAX_OPEN as usize {
                return Created::TooMany;
            }
            if sagas.untaken(std::slice::from_ref(&act)).is_err() {
                return Created::RequestTaken;
            }
            if !self.has(Defect::ActNotAudited) {
                sagas.append(&[act]);
            }
            let (claimed_by, claimed_until) = (Uuid::nil(), Micros(0));
            let job = Job { pending: Vec::new(), ..job };
            let (failures, acted) = (Vec::new(), BTreeSet::new());
            own.jobs.insert(job.id, JobRow { job, failures, acted, open: true, claimed_by, claimed_until });
            Created::Yes
        })
        .await
    }

    async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        self.read(|own, _| own.jobs.get(&id).map(|row| row.job.clone())).await
    }

    async fn jobs(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.read(|own, _| {
            let older = own.jobs.values().rev().filter(|row| before.is_none_or(|before| row.job.id < before));
            older.take(limit as usize).map(|row| row.job.clone()).collect()
        })
        .await
    }

    async fn job_failures(&self, id: Uuid, after: u32, limit: u32) -> Result<Vec<JobFailure>, StoreError> {
        self.read(|own, _| {
            let failures = own.jobs.get(&id).into_iter().flat_map(|row| &row.failures);
            failures.filter(|failure| failure.number > after).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn job_outcomes(&self, id: Uuid) -> Result<Vec<Group>, StoreError> {
        self.read(|own, sagas| {
            let acted = own.jobs.get(&id).into_iter().flat_map(|row| &row.acted).take(MAX_OUTCOMES as usize);
            grouped(acted.filter_map(|saga| sagas.sagas.get(saga)).map(|record| &record.saga))
        })
        .await
    }

    async fn control_job(&self, id: Uuid, control: Control, act: NewAudit) -> Result<Controlled, StoreError> {
        self.write(|own, sagas| self::control(own, sagas, id, control, act)).await
    }

    async fn open_jobs(&self, worker: Uuid, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let now = self.now();
        self.read(|own, _| {
            let free = own.jobs.values().filter(|row| row.is_free_for(worker, now));
            free.take(limit as usize).map(|row| row.job.id).collect()
        })
        .await
    }

    async fn claim_job(&self, id: Uuid, worker: Uuid, lease: Duration) -> Result<Option<Job>, StoreError> {
        let now = self.now();
        self.write(|own, _| {
            let row = own.jobs.get_mut(&id).filter(|row| row.is_free_for(worker, now))?;
            (row.claimed_by, row.claimed_until) = (worker, now.plus(lease));
            Some(row.job.clone())
        })
        .await
    }

    async fn job_waits(&self, id: Uuid, worker: Uuid, waits: &str) -> Result<(), StoreError> {
        self.write(|own, _| {
            let row = own.jobs.get_mut(&id).filter(|row| row.claimed_by == worker);
            row.into_iter().for_each(|row| waits.clone_into(&mut row.job.waits));
        })
        .await
    }

    async fn begin_page(&self, job: &Job, worker: Uuid, page: &Page) -> Result<bool, StoreError> {
        self.write(|own, _| {
            let Some(row) = claimed(own, job, worker).filter(|row| row.job.state == JobState::Running) else {
                return false;
            };
            let Page { sagas, reached, last } = page.clone();
            let sagas = if self.has(Defect::PageForgotten) { Vec::new() } else { sagas };
            let last = last || self.has(Defect::EndsTooEarly);
            (row.job.pending, row.job.reached, row.job.last_page) = (sagas, reached, last);
            row.job.page += 1;
            row.job.waits.clear();
            true
        })
        .await
    }

    async fn settle_page(
        &self,
        job: &Job,
        worker: Uuid,
        done: u64,
        failures: Vec<JobFailure>,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        self.write(|own, _| {
            let Some(row) = claimed(own, job, worker) else { return false };
            let room = MAX_FAILURES.saturating_sub(row.job.failed);
            let kept = failures.iter().zip(1..=room).map(|(failure, nth)| {
                let number = u32::try_from(row.job.failed + nth).unwrap_or(u32::MAX);
                JobFailure { number, ..failure.clone() }
            });
            row.failures.extend(kept);
            let refused = |saga: &SagaId| failures.iter().any(|failure| failure.saga == *saga);
            row.acted.extend(row.job.pending.iter().copied().filter(|saga| !refused(saga)));
            row.open = row.job.state == JobState::Running && !row.job.last_page;
            row.end_if_through();
            row.job.done += if self.has(Defect::PageCountedAgain) { 2 * done } else { done };
            row.job.failed += failures.len() as u64;
            row.job.page += 1;
            row.job.updated_at = now;
            row.job.pending.clear();
            row.job.waits.clear();
            true
        })
        .await
    }

    async fn close_job(&self, job: &Job, worker: Uuid) -> Result<(), StoreError> {
        self.write(|own, _| {
            let row = claimed(own, job, worker);
            let row = row.filter(|row| row.job.state != JobState::Running || row.job.last_page);
            row.into_iter().for_each(|row| {
                row.open = false;
                row.end_if_through();
            });
        })
        .await
    }

    async fn forget_job(&self, before: Micros, limit: u32) -> Result<bool, StoreError> {
        self.write(|own, _| {
            let mut old = own.jobs.values_mut().filter(|row| !row.open && row.job.updated_at < before);
            let Some(row) = old.next() else { return false };
            let (id, left) = (row.job.id, row.failures.len());
            row.failures.drain(..left.min(limit as usize));
            if left == 0 {
                let gone: Vec<SagaId> = row.acted.iter().take(limit as usize).copied().collect();
                for saga in &gone {
                    row.acted.remove(saga);
                }
                if gone.is_empty() {
                    own.jobs.remove(&id);
                }
            }
            true
        })
        .await
    }
}
