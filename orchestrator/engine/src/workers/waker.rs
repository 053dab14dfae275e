//! The waker: looks at sagas that have waited for a while. It sends their commands again, which any courier may have lost, and
//! when a deadline has passed it asks the participants first, then lets the engine wake the saga.

use crate::committer::NewId;
use crate::handle::EngineHandle;
use crate::hold_policy::{HoldCache, barrier};
use crate::input::Input;
use crate::metrics::Metrics;
use crate::pace::{Pace, participant};
use crate::packer::{Outgoing, pack};
#[cfg(feature = "planted-bugs")]
use crate::planted::EngineBug;
use crate::resending::{Courier, Due, command_again, due, next_look};
use crate::sagas::Registry;
use crate::store::{NextLook, Record, SagaStore, StoreError, UNREADABLE_AGAIN};
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

/// No saga is put off to further than its longest wait from now, but for this. What lies further was written before the clock was set
/// back.
const SPARE: Duration = Duration::from_secs(10);

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
    /// How long participants take to answer.
    pub pace: Arc<Pace>,
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

/// Whether the couriers carry to each participant, as a waker has seen it from look to look.
pub type Couriers = BTreeMap<String, Courier>;

impl Waker {
    /// Runs until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut couriers = Couriers::new();
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
        self.look(&mut Couriers::new()).await
    }

    /// One look. While all couriers are away nothing is looked at: what is due stays so, and is found as soon as one is back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&self, couriers: &mut Couriers) -> Result<Look, StoreError> {
        self.ask_couriers(couriers);
        if !couriers.is_empty() && couriers.values().all(|courier| courier.away) {
            return Ok(Look::default());
        }
        let (seen, registry) = (couriers.clone(), self.registry.clone());
        let courier: Arc<dyn Fn(&Record) -> Courier + Send + Sync> = Arc::new(move |record| {
            participant(&registry, record).and_then(|name| seen.get(name)).copied().unwrap_or_default()
        });
        let next: NextLook = {
            let courier = courier.clone();
            Arc::new(move |record, now| next_look(record, now, courier(record)))
        };
        let farthest = self.registry.longest_wait().max(UNREADABLE_AGAIN) + SPARE;
        let found = self.store.look(self.registry.ids(), MAX_LOOK, farthest, next).await?;
        if found.is_empty() {
            return Ok(Look::default());
        }
        let now = self.store.now();
        let of =
            |wanted: Due| found.iter().filter(|record| due(&record.saga, now, courier(record)) == wanted).collect();
        let late: Vec<&Record> = of(Due::Wake);
        let unanswered: Vec<&Record> = of(Due::SendAgain);
        #[cfg(feature = "planted-bugs")]
        if matches!(self.planted, Some(EngineBug::SendingAgainIsAnAttempt)) {
            let moved = self.engine.many(crate::planted::given_up(&unanswered)).await;
            return Ok(Look { seen: found.len(), due: late.len(), sent_again: 0, moved });
        }
        let sent_again = self.send_again(&unanswered, &*courier);
        let moved = self.wake(&late).await;
        Ok(Look { seen: found.len(), due: late.len(), sent_again, moved })
    }

    fn ask_couriers(&self, couriers: &mut Couriers) {
        for name in self.registry.participants() {
            let carries = self.bus.carries(&name);
            let away = carries.is_err() && !self.never_knows_a_courier_away();
            let first_look = self.pace.first_look(&name, self.store.now());
            let is_new = !couriers.contains_key(&name);
            let courier = couriers.entry(name.clone()).or_default();
            courier.first_look = first_look;
            match (courier.away, carries) {
                // At the start a connection is only being made.
                (false, Err(error)) if away && !is_new => {
                    tracing::warn!(participant = name, %error, "commands cannot be sent; sagas at its steps wait, and no attempt counts");
                }
                (true, Ok(())) => {
                    courier.back = Some(self.store.now());
                    tracing::info!(participant = name, "commands are sent: what waits is sent again");
                }
                _ => {}
            }
            courier.away = away;
        }
    }

    fn send_again(&self, unanswered: &[&Record], courier: &dyn Fn(&Record) -> Courier) -> usize {
        if self.never_sends_again() {
            return 0;
        }
        let holds = self.holds.standing();
        let outgoing = unanswered.iter().filter_map(|record| {
            let saga_type = self.registry.pinned(&record.saga.definition)?;
            let command = command_again(&record.saga, courier(record))?;
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
            let Some(name) = participant(&self.registry, record) else { continue };
            questions.entry(name.to_owned()).or_default().push(command.id);
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
    fn never_sends_again(&self) -> bool {
        matches!(self.planted, Some(EngineBug::NeverSendAgain))
    }

    #[cfg(not(feature = "planted-bugs"))]
    fn never_sends_again(&self) -> bool {
        false
    }

    #[cfg(feature = "planted-bugs")]
    fn never_knows_a_courier_away(&self) -> bool {
        matches!(self.planted, Some(EngineBug::ClockRunsWhileAway))
    }

    #[cfg(not(feature = "planted-bugs"))]
    fn never_knows_a_courier_away(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker").field("pause", &self.pause).finish_non_exhaustive()
    }
}
