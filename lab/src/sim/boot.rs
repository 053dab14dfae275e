//! Starting a process: the real orchestrator or the real worker, with its seams in place.

use super::bus::SimBus;
use super::cast::Making;
use super::gateway::SimGateway;
use super::hints::{SimCoord, SimProbe};
use super::kept::SimWebhook;
use super::life::{EPOCH_US, Life, Role};
use super::stage::{Running, Stage};
use super::store::{EffectFaults, FaultyStore};
use baton_orchestrator::wiring::{Chance, Orchestrator, Parts};
use baton_orchestrator::workers::incidents::Webhook;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ids::NewId;
use baton_participant_kit::worker::WorkerOptions;
use baton_rpc::descriptors::Descriptors;
use std::sync::{Arc, PoisonError};
use tokio::runtime::Builder;
use uuid::Uuid;

impl Stage {
    /// Starts a process over what its predecessors left behind.
    ///
    /// # Errors
    /// If its runtime cannot be made.
    pub fn start(&mut self, index: usize) -> Result<(), String> {
        if self.processes[index].running.is_some() {
            return Ok(());
        }
        let now = {
            let mut inner = self.world.lock();
            let now = inner.now;
            inner.trace.note(now, "start", &[index as u64], || format!("process {index}"));
            inner.poke(index);
            inner.links[index].forgotten();
            now
        };
        self.starts += 1;
        let process = &self.processes[index];
        let life = Life::new(index, self.starts, process.role, now, process.skew_us.clone());
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| error.to_string())?;
        life.enter();
        let bus = Arc::new(SimBus::new(self.world.clone(), life.clone()));
        let (ids, clock_life) = (process.ids.clone(), life.clone());
        let new_id = Arc::new(move || {
            let millis = u64::try_from(EPOCH_US / 1000).unwrap_or(0) + clock_life.now() / 1000;
            Uuid::from_bytes(ids.lock().unwrap_or_else(PoisonError::into_inner).uuid_v7(millis))
        });
        let orchestrator = match process.role {
            Role::Orchestrator => {
                let store = Arc::new(FaultyStore::new(self.store.clone(), self.world.clone(), life.clone()));
                let operations = self.cast.operates;
                let webhook = SimWebhook { world: self.world.clone(), life: life.clone() };
                let parts = Parts {
                    store: store.clone(),
                    query: store,
                    operations: operations.then(|| self.kept.seen_by(self.world.clone(), life.clone())),
                    webhook: operations.then(|| Arc::new(webhook) as Arc<dyn Webhook>),
                    bus,
                    coord: Arc::new(SimCoord { world: self.world.clone(), hints: self.hints.clone() }),
                    probe: Arc::new(SimProbe {
                        world: self.world.clone(),
                        life: life.clone(),
                        ledgers: self.databases.clone(),
                    }),
                    registry: self.cast.registry.clone(),
                    // Nobody looks at payloads here.
                    descriptors: Descriptors::engine(),
                    settings: self.cast.settings.clone(),
                };
                // No literal: the orchestrator may know of planted bugs although this crate does not.
                let chance = Chance::of(new_id);
                #[cfg(feature = "planted-bugs")]
                let chance = Chance { plant: self.cast.plant, ..chance };
                let metrics = self.metrics.clone();
                let started = runtime.block_on(async {
                    life.begin();
                    Orchestrator::start_with(parts, metrics, chance).await
                });
                Some(started.map_err(|error| error.to_string())?)
            }
            Role::Participant(actor) => {
                let actor = self.cast.actors[actor].clone();
                let faults = EffectFaults::new(self.world.clone(), life.clone());
                let wall = life.clone();
                let making = Making {
                    database: self.databases[actor.name()].with_faults(faults),
                    bus,
                    clock: Clock::from_fn(move || wall.wall_us()),
                    gateway: Arc::new(SimGateway::new(self.world.clone(), life.clone())),
                    options: WorkerOptions {
                        rules: self.cast.rules,
                        new_id: NewId(new_id),
                        ..WorkerOptions::default()
                    },
                };
                runtime.block_on(async {
                    life.begin();
                    tokio::spawn(actor.work(making));
                });
                None
            }
        };
        Life::leave();
        self.processes[index].running = Some(Running { runtime, life, local: now, orchestrator });
        Ok(())
    }
}
