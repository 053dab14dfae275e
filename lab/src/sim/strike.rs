//! Faults that strike by the clock, and the operator who meddles.

use super::operations::is_of_a_hold;
use super::plant::AdapterBug;
use super::run::Run;
use baton_courier::bus::Destination;
use baton_orchestrator::engine::input::Act;
use bytes::Bytes;
use futures_util::FutureExt as _;
use saga_core::event::{Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::{SagaId, State};
use uuid::Uuid;

impl Run {
    /// A fault that strikes by the clock.
    pub(super) fn strike(&mut self, number: usize) {
        let (_, kind, choice) = self.schedule[number];
        let now = self.now();
        let process = usize::try_from(choice % self.stage.count() as u64).unwrap_or(0);
        let spare = choice >> 20;
        let mut until = now;
        match kind {
            "crash-anytime" => self.stage.kill(process, true),
            "everything-dies" => (0..self.stage.count()).for_each(|process| self.stage.kill(process, true)),
            "stop-and-continue" => self.stage.stop(process, 1_000_000 + spare % 30_000_000),
            "connection-reset" => {
                let mut inner = self.stage.world.lock();
                if inner.plant == Some(AdapterBug::StreamEndsSilently) {
                    inner.broker.consumers_end_silently(process);
                }
                let held = inner.broker.connection_lost(process);
                inner.again(held);
            }
            "stale-message" => self.stale(choice),
            "corrupt-message" => self.corrupt(choice),
            "broker-away" => {
                let mut inner = self.stage.world.lock();
                inner.broker_away_until = now + 500_000 + spare % 15_000_000;
                inner.is_away_known = choice & 1 == 0;
            }
            "broker-restarts" => {
                let mut inner = self.stage.world.lock();
                let kept = inner.broker.restart();
                inner.again(kept);
                inner.broker_away_until = now + spare % 3_000_000;
                inner.is_away_known = choice & 1 == 0;
            }
            // From seconds to minutes, for everybody or for one process, which then sends nothing and hears all.
            "courier-away" => {
                let mut inner = self.stage.world.lock();
                let away_until = now + 2_000_000 + spare % 178_000_000;
                if choice & 1 == 0 {
                    inner.broker_away_until = away_until;
                    inner.is_away_known = true;
                } else {
                    inner.links[process].away_until = away_until;
                }
            }
            "broker-comes-back-empty" => {
                let mut inner = self.stage.world.lock();
                inner.broker.wipe();
                inner.queues_missing_until = now + 200_000 + spare % 3_000_000;
            }
            "provider-down" => until = now + 5_000_000 + spare % 60_000_000,
            "provider-throttles" => {
                let mut inner = self.stage.world.lock();
                inner.throttled_until = now + 1_000_000 + spare % 14_000_000;
            }
            "store-outage" => until = now + 1_000_000 + spare % 10_000_000,
            "clock-jump" => {
                let hour = 3_600_000_000;
                let skew = [hour, -hour, 5_000_000, -5_000_000][usize::try_from(spare % 4).unwrap_or(0)];
                if self.stage.is_participant(process) {
                    self.stage.skew(process, skew);
                }
            }
            "store-clock-jump" => {
                let hour = 3_600_000_000;
                let skews = [hour, -hour, 30_000_000, -30_000_000, 4_000_000, 0];
                self.stage.skew_store(skews[usize::try_from(spare % 6).unwrap_or(0)]);
            }
            "operator" => {
                // The last three are for stuck sagas only; racing everything else they must be refused.
                let verbs = [
                    Verb::Cancel,
                    Verb::Cancel,
                    Verb::Cancel,
                    Verb::Pause,
                    Verb::Pause,
                    Verb::Resume,
                    Verb::Retry,
                    Verb::Skip,
                    Verb::ResolveDone,
                    Verb::ResolveUndone,
                ];
                let verb = verbs[usize::try_from(spare % 10).unwrap_or(0)];
                if let Some(saga) = self.meddled(spare >> 8) {
                    self.act_on(saga, verb);
                }
            }
            "hold" | "job" | "dead-letter" => self.operators.act(&mut self.stage, kind, choice),
            _ => {}
        }
        let mut inner = self.stage.world.lock();
        inner.adversary.outage(kind, until);
        inner.trace.note(now, "fault", &[number as u64, choice], || format!("{kind} (process {process})"));
    }

    /// A saga for an operator to meddle with: mostly one that is at work, for that is where it can do harm.
    fn meddled(&mut self, choice: u64) -> Option<SagaId> {
        let active: Vec<SagaId> =
            self.records().iter().filter(|record| !record.saga.has_ended()).map(|record| record.saga.id).collect();
        if active.is_empty() || choice.is_multiple_of(4) {
            return self.clients.some_saga();
        }
        Some(active[usize::try_from(choice % active.len() as u64).unwrap_or(0)])
    }

    fn act_on(&mut self, saga: SagaId, verb: Verb) {
        let up = self.stage.orchestrators_up();
        if up.is_empty() {
            return;
        }
        let process = up[self.rng.index(up.len())];
        self.stage.call(process, move |api, _world, _life| async move {
            let action = OperatorAction { verb, actor: "sim".to_owned(), reason: "because".to_owned() };
            // What comes of it stands in the journal.
            let _ = api.engine.action(Act::new(saga, action)).await;
        });
    }

    fn stale(&mut self, choice: u64) {
        let mut inner = self.stage.world.lock();
        let remembered = inner.broker.memory.len();
        if remembered == 0 {
            return;
        }
        let index = usize::try_from(choice % remembered as u64).unwrap_or(0);
        let (queue, body) = inner.broker.memory[index].clone();
        let id = Uuid::from_bytes(self.rng.uuid_v7(1));
        inner.inject(queue, body, id);
    }

    /// A message of ours cut short, or noise: unreadable either way.
    fn corrupt(&mut self, choice: u64) {
        let id = Uuid::from_bytes(self.rng.uuid_v7(2));
        let mut inner = self.stage.world.lock();
        let remembered = inner.broker.memory.len();
        let (queue, body) = if remembered == 0 || choice & 1 == 0 {
            (Destination::Replies, Bytes::from_static(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
        } else {
            let index = usize::try_from((choice >> 1) % remembered as u64).unwrap_or(0);
            let (queue, body) = inner.broker.memory[index].clone();
            (queue, body.slice(..body.len() - 1))
        };
        self.corrupt += 1;
        inner.inject(queue, body, id);
    }

    fn is_paused_by_a_hold(&self, saga: SagaId) -> bool {
        let journal = self.stage.store.journal(saga, 0, 100_000).now_or_never().and_then(Result::ok);
        let newest = journal.unwrap_or_default().into_iter().rev().find_map(|entry| match entry.record {
            JournalRecord::Moved(Event::Action(action)) => Some(action),
            JournalRecord::Moved(Event::Reply(_) | Event::Wake) | JournalRecord::Started { .. } => None,
        });
        newest.is_some_and(|action| is_of_a_hold(&action))
    }

    /// What operators do after the storm: release what is held, decide what waits, resume what is paused, try again what is
    /// stuck.
    pub(super) fn operate(&mut self) {
        self.operators.tidy(&mut self.stage);
        for record in self.records() {
            let verb = match record.saga.state {
                // What a hold has paused goes on when the hold is released, or a promise is broken.
                State::Paused { .. } if self.is_paused_by_a_hold(record.saga.id) => continue,
                State::Paused { .. } => Verb::Resume,
                State::Stuck { .. } => Verb::Retry,
                _ => continue,
            };
            self.act_on(record.saga.id, verb);
        }
    }
}
