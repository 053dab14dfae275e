//! Holds: pauses the sagas that wait at what is held, and resumes exactly those once it is released. Those that come there
//! later are paused by the engine, in the commit that brings them there.

use crate::Operations;
use crate::holds::Hold;
use crate::workers::actions::{Given, give, request_id};
use baton_engine::handle::EngineHandle;
use baton_engine::hold_policy::Held;
use baton_engine::input::Act;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::query::{SagaQuery, SearchQuery};
use baton_engine::store::{SagaStore, StoreError};
use baton_engine::workers::{ends_round, repeat};
use baton_query::filter::{Compare, Expr, NumberField, StateKind, Term, TextField, TextTest};
use baton_query::sort::OrderBy;
use futures_util::future::join_all;
use saga_core::event::{Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks: within it, and the time they take, an orchestrator knows of what others hold.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a claim lasts: what a dead orchestrator's hold waits for before another one goes on with it.
const LEASE: Duration = Duration::from_secs(10);

/// Sagas that are acted on at once, so that fresh requests never stand behind many.
const PAGE: u32 = 100;

/// Rows that one look reads at most.
const MAX_ROWS: u32 = 5_000;

/// Pages of one hold in one round; then it is the next hold's turn.
const PAGES: u32 = 10;

/// Journal entries that are looked through for a hold's pause.
const ENTRIES: u32 = 1_000;

/// Sees to holds.
#[derive(Debug)]
pub struct Holds {
    operations: Operations,
    store: Arc<dyn SagaStore>,
    query: Arc<dyn SagaQuery>,
    engine: EngineHandle,
    registry: Registry,
    worker: Uuid,
    /// Holds whose last sagas this build cannot resume, and until when they are left to others.
    left: Mutex<BTreeMap<Held, Micros>>,
}

/// Whose pause it is that a marked saga stands in.
enum Pause {
    /// The hold's, at this version of the saga.
    Own(u64),
    /// Somebody else's, or there is none any more.
    Other,
    /// This build cannot tell.
    Unclear,
}

impl Holds {
    /// A worker; `worker` is a name that nobody else has.
    #[must_use]
    pub fn new(
        operations: Operations,
        store: Arc<dyn SagaStore>,
        query: Arc<dyn SagaQuery>,
        engine: EngineHandle,
        registry: Registry,
        worker: Uuid,
    ) -> Self {
        Self { operations, store, query, engine, registry, worker, left: Mutex::default() }
    }

    /// Runs until cancelled, which a page that was begun is waited for. While the store is away the holds known last stand.
    pub async fn run(self, stop: CancellationToken) {
        repeat(&stop, PAUSE, "holds could not be seen to", || self.run_once()).await;
    }

    /// One round. What fails, or is cut off by a crash, is done again by whoever claims the hold next, under the same
    /// request ids. A hold that cannot be seen to does not keep the others waiting.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        for hold in self.operations.holds().await? {
            if hold.release.is_some() && self.leaves(&hold.held) {
                continue;
            }
            match self.see_to(&hold.held).await {
                Ok(()) => {}
                Err(error) if ends_round(&error) => return Err(error),
                Err(error) => tracing::warn!(hold = hold.held.name(), %error, "a hold could not be seen to"),
            }
        }
        Ok(())
    }

    async fn see_to(&self, held: &Held) -> Result<(), StoreError> {
        let Some(hold) = self.operations.claim_hold(held, self.worker, LEASE).await? else { return Ok(()) };
        match &hold.release {
            None => self.pause(&hold).await,
            Some((actor, reason)) => self.resume(&hold, actor, reason).await,
        }
    }

    async fn pause(&self, hold: &Hold) -> Result<(), StoreError> {
        for expr in self.held_sagas(&hold.held) {
            let search = Search::new(expr, self.registry.clone(), self.store.now());
            let mut after = None;
            for _ in 0..PAGES {
                if self.engine.crowded().is_some() {
                    return Ok(());
                }
                let query = SearchQuery {
                    search: search.clone(),
                    order: OrderBy::default(),
                    after,
                    limit: PAGE,
                    max_rows: MAX_ROWS,
                };
                let found = self.query.search(query).await?;
                let sagas: Vec<(SagaId, u64)> =
                    found.records.iter().map(|record| (record.saga.id, record.saga.version)).collect();
                if !sagas.is_empty() && !self.pause_all(hold, sagas).await? {
                    return Ok(());
                }
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn pause_all(&self, hold: &Hold, sagas: Vec<(SagaId, u64)>) -> Result<bool, StoreError> {
        // Renewed with every page, so that nobody else works on the hold meanwhile.
        let claimed = self.operations.claim_hold(&hold.held, self.worker, LEASE).await?;
        if claimed.is_none_or(|hold| hold.release.is_some()) {
            return Ok(false);
        }
        let action = hold.held.pause(&hold.actor, &hold.reason);
        // At the version it was seen at: by now it may have left what is held, or be paused by the engine. What is not paused
        // and still waits there is found by the next look.
        let given = sagas.iter().map(|(saga, version)| self.give(hold, "pause", *saga, *version, action.clone()));
        join_all(given).await;
        Ok(true)
    }

    async fn resume(&self, hold: &Hold, actor: &str, reason: &str) -> Result<(), StoreError> {
        let (mut after, mut unclear) = (None, Vec::new());
        for _ in 0..PAGES {
            if self.engine.crowded().or_else(|| self.engine.busy()).is_some()
                || self
                    .operations
                    .claim_hold(&hold.held, self.worker, LEASE)
                    .await?
                    .is_none_or(|hold| hold.release.is_none())
            {
                return Ok(());
            }
            let marked = self.operations.marked(&hold.held, after, PAGE).await?;
            let Some((last, _)) = marked.last() else {
                break;
            };
            after = Some(*last);
            let action = hold.held.resume(actor, reason);
            let (mut own, mut kept) = (Vec::new(), Vec::new());
            for (saga, seen) in &marked {
                match self.whose_pause(hold, *saga, *seen).await? {
                    Pause::Own(version) => own.push((*saga, version)),
                    Pause::Other => {}
                    Pause::Unclear => {
                        unclear.push(*saga);
                        kept.push(*saga);
                    }
                }
            }
            let given = own.iter().map(|(saga, version)| self.give(hold, "resume", *saga, *version, action.clone()));
            let given = join_all(given).await;
            let mut is_settled = true;
            for ((saga, _), given) in own.iter().zip(&given) {
                if given.is_unclear() {
                    unclear.push(*saga);
                } else if matches!(given, Given::Later(_)) || given.came_late() {
                    is_settled = false;
                } else {
                    continue;
                }
                kept.push(*saga);
            }
            let over = marked.iter().filter(|(saga, _)| !kept.contains(saga)).copied().collect();
            self.operations.unmark(&hold.held, over).await?;
            if !is_settled {
                return Ok(());
            }
        }
        match unclear.first() {
            // If there are more than a round looks at, it stays until the last of them.
            None => self.operations.forget_hold(&hold.held).await,
            Some(first) => self.leave(hold, unclear.len(), *first).await,
        }
    }

    /// Lets another orchestrator have a hold, for as long as a claim would last. A saga that this one cannot read, or whose
    /// definition it does not know, may be no riddle to a newer one beside it: nobody else would ever resume it.
    async fn leave(&self, hold: &Hold, sagas: usize, first: SagaId) -> Result<(), StoreError> {
        let hold_name = hold.held.name();
        tracing::warn!(hold = hold_name, sagas, %first, "released, but this build cannot resume what it paused");
        let until =
            Micros(self.operations.now().0.saturating_add(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX)));
        self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(hold.held.clone(), until);
        self.operations.leave_hold(&hold.held, self.worker).await
    }

    fn leaves(&self, held: &Held) -> bool {
        let now = self.operations.now();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|_, until| *until > now);
        left.contains_key(held)
    }

    async fn give(&self, hold: &Hold, what: &str, saga: SagaId, version: u64, action: OperatorAction) -> Given {
        let release = action.verb == Verb::Resume;
        let work = format!("{} {} {what}", hold.held.name(), hold.created_at.0);
        let request = Some(request_id(work.as_bytes(), saga, version));
        // Whoever has the claim may be another one by the time the pause is committed, and the hold be gone.
        let pauses = (action.verb == Verb::Pause).then(|| hold.held.clone());
        let act = Act { version: Some(version), request, release, hold: pauses, ..Act::new(saga, action) };
        give(&self.engine, &self.operations, act).await
    }

    /// A saga is paused by this hold if since it was marked its journal has the hold's pause, and no action after that. Late
    /// answers may have come since; they do not make it anybody else's.
    async fn whose_pause(&self, hold: &Hold, saga: SagaId, seen: u64) -> Result<Pause, StoreError> {
        let record = match self.store.get(saga).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Pause::Other),
            Err(StoreError::Unreadable(_)) => return Ok(Pause::Unclear),
            Err(error) => return Err(error),
        };
        if !matches!(record.saga.state, State::Paused { .. }) {
            return Ok(Pause::Other);
        }
        if self.registry.pinned(&record.saga.definition).is_none() {
            return Ok(Pause::Unclear);
        }
        let journal = match self.store.journal(saga, seen, ENTRIES).await {
            Ok(journal) => journal,
            Err(StoreError::Unreadable(_)) => return Ok(Pause::Unclear),
            Err(error) => return Err(error),
        };
        let mut actions = journal.iter().filter_map(|entry| match &entry.record {
            JournalRecord::Moved(Event::Action(action)) => Some(action),
            JournalRecord::Moved(Event::Reply(_) | Event::Wake) | JournalRecord::Started { .. } => None,
        });
        let mark = hold.held.mark();
        let own = actions.next().is_some_and(|action| action.verb == Verb::Pause && action.reason.starts_with(&mark));
        Ok(if own && actions.next().is_none() { Pause::Own(record.saga.version) } else { Pause::Other })
    }

    /// Which sagas under way a hold concerns, one filter for each definition that this build knows.
    fn held_sagas(&self, held: &Held) -> Vec<Expr> {
        let text = |field, text: &str| Expr::Term(Term::Text(field, TextTest::Is, text.to_owned()));
        let under_way = Expr::Any(vec![
            Expr::Term(Term::State(true, StateKind::Running)),
            Expr::Term(Term::State(true, StateKind::Compensating)),
        ]);
        match held {
            Held::Definition(name) => vec![Expr::All(vec![under_way, text(TextField::Definition, name)])],
            Held::Participant(participant) => {
                let of_definition = |definition: &saga_core::definition::Definition| {
                    let steps = definition.steps().iter().filter(|step| step.participant == *participant);
                    let mut steps: Vec<Expr> = steps.map(|step| text(TextField::Step, &step.name)).collect();
                    let step = match steps.len() {
                        0 => return None,
                        1 => steps.remove(0),
                        _ => Expr::Any(steps),
                    };
                    let version = definition.id().version;
                    Some(Expr::All(vec![
                        under_way.clone(),
                        text(TextField::Definition, &definition.id().name),
                        Expr::Term(Term::Number(NumberField::DefinitionVersion, Compare::Equal, version)),
                        step,
                    ]))
                };
                self.registry.iter().filter_map(|saga| of_definition(saga.definition())).collect()
            }
        }
    }
}
