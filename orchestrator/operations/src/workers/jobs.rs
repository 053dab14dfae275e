//! Bulk jobs: one action for every saga that a filter selects, page by page, at a bounded pace, behind everything fresh.

use crate::Operations;
use crate::jobs::{Job, JobFailure, JobState, Page};
use crate::workers::actions::{Given, give, request_id};
use crate::workers::rate_ramp::RateRamp;
use baton_engine::handle::EngineHandle;
use baton_engine::input::Act;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::audit;
use baton_engine::store::query::{SagaQuery, SearchQuery};
use baton_engine::store::{Record, StoreError};
use baton_engine::workers::ends_round;
use baton_query::filter::{Expr, Preset, parse};
use baton_query::sort::{Cursor, OrderBy};
use futures_util::future::join_all;
use saga_core::event::{OperatorAction, Verb};
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks for jobs when there is nothing to do.
const IDLE: Duration = Duration::from_millis(500);

/// Before something that was in the way is tried again.
const WAIT: Duration = Duration::from_millis(250);

/// How long a claim lasts: what a dead orchestrator's job waits for before another one goes on with it.
const LEASE: Duration = Duration::from_secs(10);

/// Jobs worked on in turns; further ones wait until one of these is through.
const AT_ONCE: u32 = 16;

/// Rows that are read for one page at most.
const MAX_ROWS: u32 = 5_000;

/// Times a page is tried before a saga that others hold counts as a failure: a minute or so.
const PATIENCE: u32 = 200;

/// What a job waits for that the store refuses to be asked for.
const FAILS: &str = "the store refuses its next page; the server's log has the cause";

/// Jobs are kept for 30 days after their end.
const KEEP_ENDED_US: i64 = 30 * 24 * 3600 * 1_000_000;

/// Between two steps of forgetting old ones.
const TIDY: Duration = Duration::from_secs(60);

/// Failures that one step deletes.
const FORGET: u32 = 1_000;

/// Works on jobs.
#[derive(Debug)]
pub struct Jobs {
    operations: Operations,
    query: Arc<dyn SagaQuery>,
    engine: EngineHandle,
    registry: Registry,
    worker: Uuid,
    paces: HashMap<Uuid, Turn>,
    tidied: Instant,
}

/// How one job is getting on.
#[derive(Clone, Copy, Debug)]
struct Turn {
    pace: RateRamp,
    /// How often the page that is begun has been tried in vain.
    tries: u32,
}

impl Jobs {
    /// A worker; `worker` is a name that nobody else has.
    #[must_use]
    pub fn new(
        operations: Operations,
        query: Arc<dyn SagaQuery>,
        engine: EngineHandle,
        registry: Registry,
        worker: Uuid,
    ) -> Self {
        Self { operations, query, engine, registry, worker, paces: HashMap::new(), tidied: Instant::now() }
    }

    /// Runs until cancelled, which a page that was begun is waited for.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.tidy().await;
            let next = match self.run_once().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "jobs could not be worked on");
                    Instant::now() + IDLE
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    async fn tidy(&mut self) {
        if self.tidied.elapsed() < TIDY {
            return;
        }
        let before = Micros(self.operations.now().0.saturating_sub(KEEP_ENDED_US));
        // A step that deleted something is followed by the next one at once; they are short, and go between two pages.
        match self.operations.forget_job(before, FORGET).await {
            Ok(true) => {}
            Ok(false) => self.tidied = Instant::now(),
            Err(error) => {
                self.tidied = Instant::now();
                tracing::debug!(%error, "ended jobs could not be forgotten");
            }
        }
    }

    /// One page of every job whose turn it is; returns when the next one is due. If it fails, or the process dies, a page
    /// that was begun is acted on again under the same request ids, here or elsewhere: nothing happens twice. A job that fails
    /// is looked at again a little later, and does not keep the others waiting.
    pub async fn run_once(&mut self) -> Result<Instant, StoreError> {
        let open = self.operations.open_jobs(self.worker, AT_ONCE).await?;
        self.paces.retain(|id, _| open.contains(id));
        let mut next = Instant::now() + IDLE;
        for id in open {
            let now = Instant::now();
            if let Some(turn) = self.paces.get(&id).filter(|turn| turn.pace.due() > now) {
                next = next.min(turn.pace.due());
                continue;
            }
            match self.turn(id, now).await {
                Ok(None) => {}
                Ok(Some(due)) => next = next.min(due),
                Err(error) if ends_round(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(job = %id, %error, "a job could not be worked on");
                    let turn = self.paces.entry(id).or_insert(Turn { pace: RateRamp::new(1, now), tries: 0 });
                    turn.pace.held_up(Instant::now(), IDLE);
                    if let Err(error) = self.operations.job_waits(id, self.worker, FAILS).await {
                        tracing::debug!(job = %id, %error, "why it waits could not be written down");
                    }
                }
            }
        }
        Ok(next)
    }

    /// One page of a job, unless another worker has it; returns when its next one is due.
    async fn turn(&mut self, id: Uuid, now: Instant) -> Result<Option<Instant>, StoreError> {
        let Some(job) = self.operations.claim_job(id, self.worker, LEASE).await? else { return Ok(None) };
        let turn = *self.paces.entry(id).or_insert(Turn { pace: RateRamp::new(job.max_rate, now), tries: 0 });
        let turn = self.page(job, turn).await?;
        self.paces.insert(id, turn);
        Ok(Some(turn.pace.due()))
    }

    async fn page(&self, mut job: Job, mut turn: Turn) -> Result<Turn, StoreError> {
        let begun = Instant::now();
        if job.pending.is_empty() {
            if job.state != JobState::Running || job.last_page {
                self.operations.close_job(&job, self.worker).await?;
                return Ok(turn);
            }
            if let Some(why) = self.engine.crowded() {
                return self.waits(&job, turn, why).await;
            }
            let Some(expr) = selected(&job, &self.registry) else {
                return self.waits(&job, turn, "this build cannot read its filter; another one must go on").await;
            };
            let page = match self.next_page(&job, expr, turn.pace.page()).await? {
                Ok(page) => page,
                Err(why) => return self.waits(&job, turn, why).await,
            };
            if !self.operations.begin_page(&job, self.worker, &page).await? {
                return Ok(turn);
            }
            job.page += 1;
            job.pending = page.sagas;
            if job.pending.is_empty() && !page.last {
                return Ok(turn);
            }
        }
        let actions = job.pending.len();
        let given =
            join_all(job.pending.iter().map(|saga| give(&self.engine, &self.operations, act(&job, *saga)))).await;
        let (mut done, mut failures) = (0, Vec::new());
        for (saga, given) in job.pending.iter().zip(given) {
            let (rule, message) = match given {
                Given::Done => {
                    done += 1;
                    continue;
                }
                Given::Later(why) if turn.tries < PATIENCE => {
                    turn.tries += 1;
                    return self.waits(&job, turn, why).await;
                }
                Given::Later(why) => ("STORE_UNAVAILABLE", format!("Given up: {why}.")),
                Given::Failed { rule, message } => (rule, message),
            };
            // The store counts them.
            let failure =
                JobFailure { number: 0, saga: *saga, rule: rule.to_owned(), message, at: self.operations.now() };
            failures.push(failure);
        }
        self.operations.settle_page(&job, self.worker, done, failures).await?;
        turn.tries = 0;
        turn.pace.went_well(actions, begun, Instant::now());
        Ok(turn)
    }

    /// The next sagas; or why the first of them must wait. Sagas that rest are not set under way while many are: then the
    /// page ends before the first of them.
    async fn next_page(&self, job: &Job, expr: Expr, limit: u32) -> Result<Result<Page, &'static str>, StoreError> {
        let search = Search::new(expr, self.registry.clone(), job.created_at);
        let page = SearchQuery {
            search,
            order: OrderBy::default(),
            after: Some(Cursor { at: 0, id: job.reached }),
            limit,
            max_rows: MAX_ROWS,
        };
        let found = self.query.search(page).await?;
        let busy = self.engine.busy();
        let stop = found.records.iter().position(|record| busy.is_some() && sets_under_way(record, job.verb));
        let whole = stop.is_none();
        let taken = &found.records[..stop.unwrap_or(found.records.len())];
        let last_taken = taken.last().map(|record| record.saga.id);
        let (reached, last) = match (whole, found.next.map(|place| place.id), last_taken) {
            (true, next, _) => (next.unwrap_or(job.reached), next.is_none()),
            (false, _, Some(last)) => (last, false),
            (false, _, None) => return Ok(Err(busy.unwrap_or_default())),
        };
        let unreadable = found.unreadable.iter().filter(|id| whole || Some(**id) > last_taken).copied();
        let mut sagas: Vec<SagaId> = taken.iter().map(|record| record.saga.id).chain(unreadable).collect();
        sagas.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Ok(Page { sagas, reached, last }))
    }

    async fn waits(&self, job: &Job, mut turn: Turn, why: &'static str) -> Result<Turn, StoreError> {
        if job.waits != why {
            self.operations.job_waits(job.id, self.worker, why).await?;
        }
        turn.pace.held_up(Instant::now(), WAIT);
        Ok(turn)
    }
}

/// What the job's filter and preset select; `None` if this build does not understand them.
fn selected(job: &Job, registry: &Registry) -> Option<Expr> {
    let expr = parse(&job.filter, &registry.attribute_names()).ok()?;
    if job.preset.is_empty() {
        return Some(expr);
    }
    let preset = Preset::named(&job.preset)?.expr();
    Some(match expr {
        Expr::All(parts) if parts.is_empty() => preset,
        expr => Expr::All(vec![expr, preset]),
    })
}

fn act(job: &Job, saga: SagaId) -> Act {
    let reason = audit::reason(&format!("by jobs/{}: {}", job.id, job.reason));
    let action = OperatorAction { verb: job.verb, actor: job.actor.clone(), reason };
    Act { request: Some(request_id(job.id.as_bytes(), saga, 0)), ..Act::new(saga, action) }
}

/// Whether the action would bring the saga under way, which it is not.
fn sets_under_way(record: &Record, verb: Verb) -> bool {
    match record.saga.state {
        State::Stuck { .. } => !matches!(verb, Verb::Cancel | Verb::Pause | Verb::Resume),
        State::Paused { .. } => matches!(verb, Verb::Resume | Verb::Cancel),
        State::Running { .. } | State::Compensating { .. } | State::Completed | State::Compensated { .. } => false,
    }
}
