//! The stage: processes with a runtime each, started, stepped, stopped and killed by hand.
//!
//! A process is a tokio runtime of one thread with a paused clock, as in the crate turmoil: killing it drops the runtime,
//! so that every task dies at whatever await it stood at. What survives is what is outside: databases, broker, provider.

use super::cast::Actor;
use super::kept::Kept;
use super::life::{EPOCH_US, Life, Role, Us, at_first_poll};
use super::link::BusLink;
use super::rng::Rng;
use super::shelf;
use super::world::{Due, World};
use baton_orchestrator::api::Api;
use baton_orchestrator::coord::Hint;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::operations::OpsStore;
use baton_orchestrator::operations::memory::MemoryOperations;
use baton_orchestrator::operations::memory::defect::Defect;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::query::WholeStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::wiring::{Orchestrator, Settings};
use baton_participant_kit::plan::Rules;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::value::Value;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast;

/// Longest stretch of virtual time in which an idle process is not looked at.
const STRIDE: Us = 250_000;

/// How long a ledger that forgets keeps an answer: less than the pause between two looks.
const KEPT_FOR: i64 = 100_000;

/// What a stage is made of.
pub struct Cast {
    /// The sagas that can be started.
    pub registry: Registry,
    /// The participants.
    pub actors: Vec<Arc<dyn Actor>>,
    /// How many orchestrators.
    pub orchestrators: usize,
    /// How many processes of each participant.
    pub copies: Vec<usize>,
    /// Bounds and pauses of the orchestrators.
    pub settings: Settings,
    /// True to keep the orchestrators' state in SQL instead of in memory.
    pub sql_store: bool,
    /// True if there are operators, and what their work is kept in.
    pub operates: bool,
    /// A defect of what operators' work is kept in, in memory.
    pub defect: Option<Defect>,
    /// Which ledger rules hold.
    pub rules: Rules,
    /// A defect of the engine.
    #[cfg(feature = "planted-bugs")]
    pub plant: Option<baton_orchestrator::engine::planted::Plant>,
}

/// A process that runs.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) life: Arc<Life>,
    pub(super) local: Us,
    pub(super) orchestrator: Option<Orchestrator>,
}

/// A process, dead or alive.
pub(super) struct Process {
    pub(super) role: Role,
    pub(super) skew_us: Arc<AtomicI64>,
    pub(super) running: Option<Running>,
    pub(super) stopped: bool,
    /// Ids of this process, over all its lives.
    pub(super) ids: Arc<Mutex<Rng>>,
}

/// The stage.
pub struct Stage {
    /// Everything outside the processes.
    pub world: World,
    /// The orchestrators' store, without faults.
    pub store: Arc<dyn WholeStore>,
    /// The operations beside it.
    pub(super) kept: Kept,
    /// The participants' databases by name, without faults.
    pub databases: BTreeMap<String, Database>,
    pub(super) cast: Cast,
    pub(super) processes: Vec<Process>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) hints: broadcast::Sender<Hint>,
    last_full: Us,
    /// How long a process that died stays away, microseconds.
    pub downtime: Us,
    /// Processes started.
    pub starts: u64,
    /// How wrong the store's clock is.
    store_skew_us: Arc<AtomicI64>,
}

impl Drop for Stage {
    /// Every process dies, and the databases go back to their shelf.
    fn drop(&mut self) {
        (0..self.processes.len()).for_each(|process| self.kill(process, false));
        for actor in &self.cast.actors {
            if let Some(database) = self.databases.remove(actor.name()) {
                shelf::give_back(database, &actor.migrations());
            }
        }
    }
}

impl Stage {
    /// Databases and processes, all started.
    ///
    /// # Errors
    /// If a database cannot be made.
    pub fn new(world: World, cast: Cast, seed: u64) -> Result<Self, String> {
        let outside = world.clone();
        let store_skew_us = Arc::new(AtomicI64::new(0));
        let skew_us = store_skew_us.clone();
        let clock = move || {
            let now = Life::current_now().unwrap_or_else(|| outside.lock().now);
            Micros(EPOCH_US + i64::try_from(now).unwrap_or(0) + skew_us.load(Ordering::Relaxed))
        };
        let setup = Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        let (store, kept): (Arc<dyn WholeStore>, Kept) = if cast.sql_store {
            let opened = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, Arc::new(clock));
            let store = setup.block_on(opened).map_err(|error| error.to_string())?;
            setup.block_on(store.migrate()).map_err(|error| error.to_string())?;
            let store = Arc::new(store);
            (store.clone(), Kept::Sql(store))
        } else {
            let store = Arc::new(MemoryStore::new(Arc::new(clock)));
            (store.clone(), Kept::Memory(MemoryOperations::new(store), cast.defect))
        };
        let mut databases = BTreeMap::new();
        for actor in &cast.actors {
            databases.insert(actor.name().to_owned(), shelf::take(&actor.migrations())?);
        }
        let mut processes = Vec::new();
        let mut add = |role: Role| {
            let ids = Rng::new(seed, &format!("ids {}", processes.len()));
            let (skew_us, ids) = (Arc::new(AtomicI64::new(0)), Arc::new(Mutex::new(ids)));
            processes.push(Process { role, skew_us, running: None, stopped: false, ids });
        };
        (0..cast.orchestrators).for_each(|_| add(Role::Orchestrator));
        for (actor, copies) in cast.copies.iter().enumerate() {
            (0..*copies).for_each(|_| add(Role::Participant(actor)));
        }
        let count = processes.len();
        {
            let mut inner = world.lock();
            inner.poked = vec![false; count];
            inner.links = vec![BusLink::default(); count];
            inner.seen.registry = cast.registry.clone();
        }
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let (hints, _) = broadcast::channel(1024);
        let downtime = 500_000;
        let mut stage = Self {
            world,
            store,
            kept,
            databases,
            cast,
            processes,
            metrics,
            hints,
            last_full: 0,
            downtime,
            starts: 0,
            store_skew_us,
        };
        for process in 0..count {
            stage.start(process)?;
        }
        Ok(stage)
    }

    /// The operations, without faults.
    #[must_use]
    pub fn operations(&self) -> Arc<dyn OpsStore> {
        self.kept.plain()
    }

    /// The sagas of this stage.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.cast.registry
    }

    /// Names and databases of participants whose effects leave rows.
    pub fn recording(&self) -> impl Iterator<Item = (&str, &Database)> {
        let recording = self.cast.actors.iter().filter(|actor| actor.records_effects());
        recording.filter_map(|actor| Some((actor.name(), self.databases.get(actor.name())?)))
    }

    /// How many processes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Numbers of the orchestrators that are up.
    #[must_use]
    pub fn orchestrators_up(&self) -> Vec<usize> {
        let up = |index: &usize| {
            let process = &self.processes[*index];
            process.role == Role::Orchestrator && process.running.is_some() && !process.stopped
        };
        (0..self.processes.len()).filter(up).collect()
    }

    /// True if the process runs (stopped or not).
    #[must_use]
    pub fn is_up(&self, process: usize) -> bool {
        self.processes[process].running.is_some()
    }

    /// Kills a process; it starts again after `downtime` if `again`.
    pub fn kill(&mut self, index: usize, again: bool) {
        let process = &mut self.processes[index];
        process.stopped = false;
        let Some(running) = process.running.take() else { return };
        running.life.kill();
        running.life.enter();
        drop(running);
        Life::leave();
        let mut inner = self.world.lock();
        let now = inner.now;
        inner.trace.note(now, "death", &[index as u64], || format!("process {index}"));
        let held = inner.broker.process_died(index);
        inner.again(held);
        if again {
            let at = now + self.downtime;
            inner.at(at, Due::Start(index));
        }
    }

    /// Stops a process as SIGSTOP does.
    pub fn stop(&mut self, index: usize, us: Us) {
        if self.processes[index].running.is_none() || self.processes[index].stopped {
            return;
        }
        self.processes[index].stopped = true;
        let mut inner = self.world.lock();
        let at = inner.now + us;
        inner.at(at, Due::Resume(index));
    }

    /// Lets a stopped process go on: its clock has gone on without it.
    pub fn resume(&mut self, index: usize) {
        if !std::mem::take(&mut self.processes[index].stopped) {
            return;
        }
        let now = self.world.lock().now;
        let Some(running) = &mut self.processes[index].running else { return };
        running.life.enter();
        let gap = Duration::from_micros(now.saturating_sub(running.local));
        running.runtime.block_on(tokio::time::advance(gap));
        running.local = now;
        Life::leave();
        self.world.lock().poke(index);
    }

    /// Sets a process's clock wrong by so much.
    pub fn skew(&mut self, index: usize, us: i64) {
        self.processes[index].skew_us.store(us, Ordering::Relaxed);
    }

    /// Sets the store's clock wrong by so much. What depends on how long something took is not judged any more.
    pub fn skew_store(&mut self, us: i64) {
        if self.store_skew_us.swap(us, Ordering::Relaxed) != us {
            self.world.lock().seen.is_clock_set = true;
        }
    }

    /// True if the process is a participant.
    #[must_use]
    pub fn is_participant(&self, index: usize) -> bool {
        matches!(self.processes[index].role, Role::Participant(_))
    }

    /// [`super::plant::AdapterBug::LedgerForgets`]: drops what participants answered more than a moment ago.
    pub(super) fn forget_answers(&self) -> Result<(), String> {
        let now = i64::try_from(self.world.lock().now).unwrap_or(0);
        for database in self.databases.values() {
            let before = Value::Int(EPOCH_US + now - KEPT_FOR);
            let forgotten = database.transaction(move |tx| {
                let before = before.clone();
                Box::pin(async move {
                    tx.execute("DELETE FROM ledger WHERE created_at < ?", vec![before]).await.map(Verdict::Commit)
                })
            });
            at_first_poll(forgotten)?;
        }
        Ok(())
    }

    /// Runs `call` in an orchestrator; its end is told to nobody unless `call` does.
    pub fn call<F>(&mut self, index: usize, call: impl FnOnce(Api, World, Arc<Life>) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(running) = &self.processes[index].running else { return false };
        let Some(orchestrator) = &running.orchestrator else { return false };
        running.life.enter();
        let future = call(orchestrator.api().clone(), self.world.clone(), running.life.clone());
        running.runtime.spawn(future);
        Life::leave();
        self.world.lock().poke(index);
        true
    }

    /// Goes on to the next moment at which anything is due, not past `limit`; returns what the run itself must do.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn round(&mut self, limit: Us) -> Result<Vec<Due>, String> {
        let mut own = Vec::new();
        let full = {
            let mut inner = self.world.lock();
            let inner = &mut *inner;
            let mut next = (self.last_full + STRIDE).min(limit);
            next = inner.next_due().map_or(next, |due| due.min(next));
            if inner.poked.iter().any(|poked| *poked) {
                next = next.min(inner.now + 1000);
            }
            inner.now = next.max(inner.now + 1000);
            inner.now >= self.last_full + STRIDE
        };
        loop {
            let due = self.world.lock().pop_due();
            match due {
                None => break,
                Some(Due::Poke(process)) => self.world.lock().poke(process),
                Some(Due::Ready(tag)) => self.world.lock().hand_out(tag),
                Some(Due::Start(process)) => self.start(process)?,
                Some(Due::Resume(process)) => self.resume(process),
                Some(due @ (Due::Script(_) | Due::Client(_) | Due::Operator(_))) => own.push(due),
            }
        }
        self.step_all(full);
        Ok(own)
    }

    fn step_all(&mut self, full: bool) {
        let (now, order) = {
            let mut inner = self.world.lock();
            let mut order: Vec<usize> = (0..self.processes.len()).filter(|index| full || inner.poked[*index]).collect();
            for place in (1..order.len()).rev() {
                let other = usize::try_from(inner.adversary.choose(place as u64 + 1)).unwrap_or(0);
                order.swap(place, other);
            }
            (inner.now, order)
        };
        if full {
            self.last_full = now;
        }
        for index in order {
            self.step(index, now);
        }
    }

    fn step(&mut self, index: usize, to: Us) {
        self.world.lock().poked[index] = false;
        let process = &mut self.processes[index];
        if process.stopped {
            // It is poked when it goes on.
            return;
        }
        let Some(running) = &mut process.running else { return };
        let Some(until) = running.life.instant(to) else { return };
        running.life.enter();
        let life = running.life.clone();
        running.runtime.block_on(async {
            tokio::select! {
                biased;
                () = life.died.notified() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        });
        Life::leave();
        running.local = to;
        if running.life.is_dead() {
            self.kill(index, true);
        }
    }
}
