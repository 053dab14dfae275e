//! The waker: finds sagas past their deadline, asks the participants first, then lets the engine wake them.

use crate::handle::EngineHandle;
use crate::input::Input;
use crate::metrics::Metrics;
use crate::sagas::Registry;
use crate::store::{Record, SagaStore, StoreError};
use crate::workers::probe::{MAX_KEYS, Probe};
use baton_crash_point::{Point, hit};
use futures_util::future::join_all;
use saga_core::event::Reply;
use saga_core::saga::{CommandId, Direction, State, Wait};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Due sagas taken per look: one batch. More of them come with the next look at once.
const MAX_DUE: u32 = 512;

/// Due sagas taken at most, when page after page holds nothing that moves.
const MAX_PAGE: u32 = 16 * MAX_DUE;

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Sagas past their deadline.
    pub due: usize,
    /// How many inputs about them moved one.
    pub moved: usize,
}

/// Wakes due sagas.
#[derive(Debug)]
pub struct Waker {
    store: Arc<dyn SagaStore>,
    engine: EngineHandle,
    registry: Registry,
    probe: Arc<dyn Probe>,
    metrics: Arc<Metrics>,
    pause: Duration,
}

impl Waker {
    /// A waker that looks every `pause`.
    #[must_use]
    pub fn new(
        store: Arc<dyn SagaStore>,
        engine: EngineHandle,
        registry: Registry,
        probe: Arc<dyn Probe>,
        metrics: Arc<Metrics>,
        pause: Duration,
    ) -> Self {
        Self { store, engine, registry, probe, metrics, pause }
    }

    /// Runs until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut page = MAX_DUE;
        loop {
            match self.run_once(page).await {
                // A backlog: look again at once.
                Ok(Look { due, moved }) if due == page as usize && moved > 0 && !stop.is_cancelled() => {
                    page = MAX_DUE;
                    continue;
                }
                // A page full of sagas that nothing moves must not hide those behind it.
                Ok(Look { due, moved: 0 }) if due == page as usize => page = (page * 2).min(MAX_PAGE),
                Ok(_) => page = MAX_DUE,
                Err(error) => tracing::debug!(%error, "waker could not look"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause) => {}
            }
        }
    }

    /// One look at up to `page` due sagas. They are settled when it returns.
    pub async fn run_once(&self, page: u32) -> Result<Look, StoreError> {
        let due = self.store.due(self.registry.ids(), page).await?;
        if due.is_empty() {
            return Ok(Look { due: 0, moved: 0 });
        }
        self.metrics.woken.inc_by(due.len() as u64);
        // Answers first: a saga that one of them moves is no longer due when its wake comes.
        let mut inputs = self.ask(&due).await;
        inputs.extend(due.iter().map(|record| Input::Wake(record.saga.id)));
        hit(Point::ORCHESTRATOR_BEFORE_WAKE);
        let moved = self.engine.many(inputs).await;
        hit(Point::ORCHESTRATOR_AFTER_WAKE);
        Ok(Look { due: due.len(), moved })
    }

    /// What the participants' ledgers say of commands that nobody has answered.
    async fn ask(&self, due: &[Record]) -> Vec<Input> {
        let mut questions: BTreeMap<String, Vec<CommandId>> = BTreeMap::new();
        let mut attempts = BTreeMap::new();
        for record in due {
            if let Some((participant, command, attempt)) = self.question(record) {
                questions.entry(participant).or_default().push(command);
                attempts.insert(record.saga.id, attempt);
            }
        }
        let asked = questions.iter().flat_map(|(participant, commands)| {
            commands.chunks(MAX_KEYS).map(|commands| self.probe.ask(participant, commands))
        });
        let answers = join_all(asked).await;
        // A ledger answers for the command, whatever the attempt; the attempt asked about is the newest sent.
        let answers = answers.into_iter().flatten().flatten().filter_map(|(saga, reply)| {
            let attempt = *attempts.get(&saga)?;
            Some(Input::Reply(saga, Reply { attempt, ..reply }))
        });
        answers.collect()
    }

    fn question(&self, record: &Record) -> Option<(String, CommandId, u32)> {
        let saga = &record.saga;
        let (step, direction, attempt) = match &saga.state {
            State::Running { step, wait: Wait::Reply { attempt, .. } } => (*step, Direction::Action, *attempt),
            State::Compensating { step, wait: Wait::Reply { attempt, .. }, .. } => (*step, Direction::Undo, *attempt),
            State::Running { wait: Wait::Backoff { .. }, .. }
            | State::Compensating { wait: Wait::Backoff { .. }, .. }
            | State::Stuck { .. }
            | State::Paused { .. }
            | State::Completed
            | State::Compensated { .. } => return None,
        };
        let definition = self.registry.pinned(&saga.definition)?.definition();
        let participant = definition.steps().get(usize::from(step))?.participant.clone();
        Some((participant, CommandId { saga: saga.id, step, direction }, attempt))
    }
}
