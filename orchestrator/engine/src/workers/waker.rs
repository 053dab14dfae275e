//! The waker: looks at sagas that have waited for a while. It sends their commands again, which any courier may have lost, and
//! when a deadline has passed it asks the participants first, then lets the engine wake the saga.

use crate::committer::NewId;
use crate::handle::EngineHandle;
use crate::hold_policy::{HoldCache, barrier};
use crate::input::Input;
use crate::metrics::Metrics;
use crate::packer::{Outgoing, pack};
use crate::resending::{BackSince, Due, command_again, due, next_look};
use crate::sagas::Registry;
use crate::store::{NextLook, Record, SagaStore, StoreError};
use crate::workers::probe::{MAX_KEYS, Probe};
use baton_courier::bus::CommandBus;
use baton_crash_point::{Point, hit};
use futures_util::future::join_all;
use saga_core::event::Reply;
use saga_core::saga::{CommandId, SagaId};
use saga_core::transition::Command;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sagas looked at at once: one batch. More of them come with the next look at once.
pub const MAX_LOOK: u32 = 512;

/// What one look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Sagas looked at.
    pub seen: usize,
    /// Those past their deadline.
    pub due: usize,
    /// Commands sent again.
    pub sent_again: usize,
    /// How many inputs about them moved one.
    pub moved: usize,
}

/// What a waker works with.
pub struct Waker {
    /// Where the sagas are.
    pub store: Arc<dyn SagaStore>,
    /// Moves them.
    pub engine: EngineHandle,
    /// The sagas this build knows.
    pub registry: Registry,
    /// What operators hold: nothing is sent to it.
    pub holds: Arc<HoldCache>,
    /// Carries commands.
    pub bus: Arc<dyn CommandBus>,
    /// Makes message ids.
    pub new_id: NewId,
    /// What participants know.
    pub probe: Arc<dyn Probe>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Between two looks.
    pub pause: Duration,
    /// A defect put in on purpose; see [`crate::planted`].
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::planted::EngineBug>,
}

/// Whether the couriers carry, as a waker has seen it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Couriers {
    away: bool,
    back: BackSince,
}

impl Waker {
    /// Runs until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut couriers = Couriers::default();
        loop {
            match self.look(&mut couriers).await {
                // A backlog: look again at once. Every look puts off what it has seen, so that this ends.
                Ok(Look { seen, .. }) if seen == MAX_LOOK as usize && !stop.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "waker could not look"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause) => {}
            }
        }
    }

    /// One look, by a waker that has never seen the couriers away.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn run_once(&self) -> Result<Look, StoreError> {
        self.look(&mut Couriers::default()).await
    }

    /// While the couriers are away nothing is looked at: what is due stays so, and is found as soon as they are back.
    async fn look(&self, couriers: &mut Couriers) -> Result<Look, StoreError> {
        if self.bus.health().is_err() {
            couriers.away = true;
            if !self.has(|bug| matches!(bug, Defect::ClockRunsWhileAway)) {
                return Ok(Look::default());
            }
        } else if std::mem::take(&mut couriers.away) {
            couriers.back = Some(self.store.now());
        }
        let back = if self.has(|bug| matches!(bug, Defect::ClockRunsWhileAway)) { None } else { couriers.back };
        let next: NextLook = Arc::new(move |record, now| next_look(record, now, back));
        let seen = self.store.look(self.registry.ids(), MAX_LOOK, next).await?;
        if seen.is_empty() {
            return Ok(Look::default());
        }
        let now = self.store.now();
        let of = |wanted: Due| seen.iter().filter(move |record| due(&record.saga, now, back) == wanted);
        let late: Vec<&Record> = of(Due::Wake).collect();
        let unanswered: Vec<&Record> = of(Due::SendAgain).collect();
        let sent_again = self.send_again(&unanswered, back);
        #[cfg(feature = "planted-bugs")]
        if self.has(|bug| matches!(bug, Defect::SendingAgainIsAnAttempt)) {
            let given_up = unanswered.iter().filter_map(|record| crate::planted::given_up(&record.saga));
            self.engine.many(given_up.collect()).await;
        }
        let moved = self.wake(&late).await;
        Ok(Look { seen: seen.len(), due: late.len(), sent_again, moved })
    }

    fn send_again(&self, unanswered: &[&Record], back: BackSince) -> usize {
        if self.has(|bug| matches!(bug, Defect::NeverSendAgain)) {
            return 0;
        }
        let holds = self.holds.standing();
        let outgoing = unanswered.iter().filter_map(|record| {
            let saga_type = self.registry.pinned(&record.saga.definition)?;
            let command = command_again(&record.saga, back)?;
            let held = barrier(&holds, saga_type.definition(), [command.id.step]);
            // What cannot be built was never sent: its attempt ends by its deadline.
            let outgoing = || Outgoing::of(&**saga_type, &record.saga, &record.traceparent, command).ok();
            if held.is_some() { None } else { outgoing() }
        });
        let outgoing: Vec<Outgoing> = outgoing.collect();
        let count = outgoing.len();
        if count > 0 {
            hit(Point::ORCHESTRATOR_BEFORE_SEND_AGAIN);
            self.bus.send(pack(outgoing, &*self.new_id));
            hit(Point::ORCHESTRATOR_AFTER_SEND_AGAIN);
            self.metrics.sent_again.inc_by(count as u64);
        }
        count
    }

    /// Lets the engine wake sagas past their deadline; they are settled when it returns.
    async fn wake(&self, late: &[&Record]) -> usize {
        if late.is_empty() {
            return 0;
        }
        self.metrics.woken.inc_by(late.len() as u64);
        // Answers first: a saga that one of them moves is no longer due when its wake comes.
        let mut inputs = self.ask(late).await;
        inputs.extend(late.iter().map(|record| Input::Wake(record.saga.id)));
        hit(Point::ORCHESTRATOR_BEFORE_WAKE);
        let moved = self.engine.many(inputs).await;
        hit(Point::ORCHESTRATOR_AFTER_WAKE);
        moved
    }

    /// What the participants' ledgers say of commands that nobody has answered.
    async fn ask(&self, late: &[&Record]) -> Vec<Input> {
        let mut questions: BTreeMap<String, Vec<CommandId>> = BTreeMap::new();
        let mut attempts: BTreeMap<SagaId, u32> = BTreeMap::new();
        for record in late {
            let Some(command) = Command::awaited_by(&record.saga) else { continue };
            let Some(saga_type) = self.registry.pinned(&record.saga.definition) else { continue };
            let Some(step) = saga_type.definition().steps().get(usize::from(command.id.step)) else { continue };
            questions.entry(step.participant.clone()).or_default().push(command.id);
            attempts.insert(record.saga.id, command.attempt);
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

    #[cfg(feature = "planted-bugs")]
    fn has(&self, is: impl Fn(&Defect) -> bool) -> bool {
        self.planted.as_ref().is_some_and(is)
    }

    #[cfg(not(feature = "planted-bugs"))]
    fn has(&self, _is: impl Fn(&Defect) -> bool) -> bool {
        false
    }
}

#[cfg(feature = "planted-bugs")]
use crate::planted::EngineBug as Defect;

/// There is none in a release.
#[cfg(not(feature = "planted-bugs"))]
enum Defect {
    #[allow(dead_code, reason = "named where a defect would be")]
    NeverSendAgain,
    #[allow(dead_code, reason = "named where a defect would be")]
    ClockRunsWhileAway,
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker").field("pause", &self.pause).finish_non_exhaustive()
    }
}
