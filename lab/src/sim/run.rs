//! One seed: a safety phase under faults, then everything is healed and must come to rest within a bound.

use super::cast::{NoTwist, Shop, Twist};
use super::client::Clients;
use super::finished_run::FinishedRun;
use super::life::Us;
use super::operations;
use super::operators::Operators;
use super::plant::AdapterBug;
use super::rng::Rng;
use super::seen::Violation;
use super::stage::{Cast, Stage};
use super::swarm::{Limits, Swarm};
use super::trace::Trace;
use super::trip::{Trip, Trips};
use super::verdict;
use super::workload::{OrderCase, Workload};
use super::world::{Due, World};
use baton_orchestrator::hold_policy::Held;
use baton_orchestrator::operations::memory::defect::Defect;
use baton_orchestrator::store::Record;
use baton_orchestrator::store::query::ListQuery;
use baton_orchestrator::wiring::Settings;
use baton_participant_kit::plan::Rules;
use baton_shop::saga::registry;
use futures_util::FutureExt as _;
use saga_core::saga::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// After the heal an active saga is at rest within: longest step timeout 10 s (a trip's), twice the longest pause 10 s, 25 s
/// for the steps behind it, each of which takes milliseconds, and the operator who resumes what an operator has paused, and
/// 25 s for what is held: `HELD` and the lease of 10 s that a dead worker leaves behind.
pub const HEALED_WITHIN: Us = 80_000_000;

/// After the heal a payment that came too late has gone back within: the looks of the participant's watch list up to five minutes
/// after its saga gave up, and a lease that a dead participant leaves behind.
const LATE_MONEY_WITHIN: Us = 480_000_000;

/// What is held at the heal stays so for so long, and the last [`QUIET`] of it nothing may be sent to it: by then every
/// orchestrator, which looks for holds each half second, knows of it.
const HELD: Us = 10_000_000;

/// See [`HELD`].
const QUIET: Us = 4_000_000;

/// Rounds of one run at most: about a hundred times what the longest healthy run takes.
const MAX_ROUNDS: u64 = 2_000_000;

/// How a run is set up beside its seed.
#[derive(Clone)]
pub struct Options {
    /// What is left out.
    pub limits: Limits,
    /// True to keep readable lines.
    pub trace: bool,
    /// A defect of an adapter.
    pub adapter: Option<AdapterBug>,
    /// Which ledger rules hold.
    pub rules: Rules,
    /// A defect of the participants.
    pub twist: Arc<dyn Twist>,
    /// A defect of what operators' work is kept in.
    pub defect: Option<Defect>,
    /// Bounds and pauses of the orchestrators; `None` as the seed draws.
    pub settings: Option<Settings>,
    /// A defect of the engine.
    #[cfg(feature = "planted-bugs")]
    pub engine: Option<baton_orchestrator::engine::planted::Plant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            trace: false,
            adapter: None,
            rules: Rules::default(),
            twist: Arc::new(NoTwist),
            defect: None,
            settings: None,
            #[cfg(feature = "planted-bugs")]
            engine: None,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// The seed.
    pub seed: u64,
    /// Digest of everything that happened: the same seed, options and build give the same.
    pub digest: u64,
    /// What must never be. Empty if the run passed.
    pub failures: Vec<Violation>,
    /// Sagas by the name of their last state.
    pub sagas: BTreeMap<&'static str, u64>,
    /// Virtual time, microseconds.
    pub lived: Us,
    /// Virtual time from the heal until everything rested.
    pub healing: Us,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Kinds of faults that were on.
    pub kinds: Vec<&'static str>,
    /// Processes: orchestrators, and of each participant.
    pub processes: (usize, Vec<usize>),
    /// Orders in the workload.
    pub orders: usize,
    /// Commits of the orchestrators' store.
    pub commits: u64,
    /// Rounds of the harness.
    pub rounds: u64,
    /// The audit's findings, for people.
    pub audit: Option<baton_verify::report::Report>,
    /// Readable lines, if wanted.
    pub lines: Vec<String>,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> RunOutcome {
    match Run::new(seed, options).and_then(|mut run| run.through().map(|()| run)) {
        Ok(run) => run.outcome(seed),
        Err(why) => {
            RunOutcome { seed, failures: vec![Violation { invariant: "SIM", what: why }], ..RunOutcome::default() }
        }
    }
}

/// A run under way.
pub(super) struct Run {
    pub(super) stage: Stage,
    pub(super) workload: Workload,
    trips: Trips,
    pub(super) clients: Clients,
    pub(super) operators: Operators,
    pub(super) schedule: Vec<(Us, &'static str, u64)>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) processes: (usize, Vec<usize>),
    pub(super) rng: Rng,
    pub(super) healed_at: Us,
    pub(super) rested_at: Option<Us>,
    pub(super) corrupt: u64,
    pub(super) rounds: u64,
}

impl Run {
    fn new(seed: u64, options: &Options) -> Result<Self, String> {
        let mut draw = Rng::new(seed, "shape");
        let limits = &options.limits;
        let orchestrators = usize::try_from(draw.between(1, 3)).unwrap_or(1).min(limits.orchestrators.unwrap_or(3));
        let copies: Vec<usize> =
            (0..3).map(|_| draw.between(1, 2) as usize).map(|n| n.min(limits.copies.unwrap_or(2))).collect();
        let drawn = Settings {
            // Batches of one cost the most and are drawn the least.
            max_batch: [4096, 4096, 4096, 4096, 64, 64, 64, 1][draw.index(8)],
            waker_pause: Duration::from_millis(draw.between(100, 1000)),
            ..Settings::default()
        };
        let sql_store = draw.chance(50_000);
        let mut swarm = Swarm::new(seed, limits);
        let workload = Workload::new(seed, limits.orders);
        let span = workload.span + draw.between(5_000_000, 60_000_000);
        let schedule = swarm.schedule(span);
        let kinds: Vec<&'static str> = swarm.on().collect();
        let trips = Trips::new(seed, workload.span, limits.orders);
        let mut actors = Shop::cast(&options.twist);
        let strangers = trips.cast();
        let all = copies.iter().copied().chain(strangers.iter().map(|_| copies[0])).collect();
        actors.extend(strangers);
        let world = World::new(Box::new(swarm), Trace::new(options.trace));
        world.lock().plant = options.adapter;
        let cast = Cast {
            registry: registry().with(Trip::new()),
            actors,
            orchestrators,
            copies: all,
            settings: options.settings.clone().unwrap_or(drawn),
            sql_store: sql_store && options.defect.is_none(),
            operates: true,
            defect: options.defect,
            rules: options.rules,
            #[cfg(feature = "planted-bugs")]
            plant: options.engine,
        };
        let mut stage = Stage::new(world, cast, seed)?;
        stage.downtime = draw.between(1_000, 8_000_000);
        workload.set_up(&stage)?;
        let clients = Clients::new(seed, &workload);
        {
            let mut inner = stage.world.lock();
            for (number, planned) in workload.orders.iter().enumerate() {
                inner.at(planned.at, Due::Script(number));
            }
            let restocks = workload.orders.len();
            for (number, (at, ..)) in workload.restocks.iter().enumerate() {
                inner.at(*at, Due::Script(restocks + number));
            }
            let faults = restocks + workload.restocks.len();
            for (number, (at, ..)) in schedule.iter().enumerate() {
                inner.at(*at, Due::Script(faults + number));
            }
            let starts = faults + schedule.len();
            for (number, (at, _)) in trips.planned.iter().enumerate() {
                inner.at(*at, Due::Script(starts + number));
            }
        }
        Ok(Self {
            stage,
            workload,
            trips,
            clients,
            operators: Operators::new(seed),
            schedule,
            kinds,
            processes: (orchestrators, copies),
            rng: Rng::new(seed, "run"),
            healed_at: span,
            rested_at: None,
            corrupt: 0,
            rounds: 0,
        })
    }

    fn through(&mut self) -> Result<(), String> {
        self.until(self.healed_at)?;
        self.heal()?;
        self.keep_held()?;
        let limit = self.healed_at + HEALED_WITHIN;
        while self.rested_at.is_none() && self.now() < limit {
            self.operate();
            self.until(self.now() + 1_000_000)?;
            if self.at_rest() {
                self.rested_at = Some(self.now());
            }
        }
        // What was paid too late goes back at a later look.
        let limit = self.healed_at + LATE_MONEY_WITHIN;
        while self.rested_at.is_some() && !self.late_money_is_back() && self.now() < limit {
            self.until(self.now() + 5_000_000)?;
        }
        // What was still under way arrives now: a late message must change nothing. Whoever is handed one settles it.
        self.stage.world.lock().hurry(100_000);
        self.until(self.now() + 8_000_000)
    }

    /// What is held stays so for a while, and nothing may be sent to it.
    fn keep_held(&mut self) -> Result<(), String> {
        let early = self.standing();
        if early.is_empty() {
            return Ok(());
        }
        self.until(self.healed_at + HELD - QUIET)?;
        let held = self.standing().into_iter().filter(|held| early.contains(held)).collect();
        self.stage.world.lock().held = held;
        self.until(self.healed_at + HELD)?;
        self.stage.world.lock().held.clear();
        Ok(())
    }

    fn standing(&self) -> Vec<Held> {
        let holds = self.stage.operations().holds().now_or_never().and_then(Result::ok).unwrap_or_default();
        holds.into_iter().filter(|hold| hold.release.is_none()).map(|hold| hold.held).collect()
    }

    pub(super) fn now(&self) -> Us {
        self.stage.world.lock().now
    }

    fn until(&mut self, limit: Us) -> Result<(), String> {
        while self.now() < limit {
            self.rounds += 1;
            if self.rounds > MAX_ROUNDS {
                return Err(format!("no end in sight after {MAX_ROUNDS} rounds"));
            }
            if self.stage.world.lock().plant == Some(AdapterBug::LedgerForgets) {
                self.stage.forget_answers()?;
            }
            for due in self.stage.round(limit)? {
                match due {
                    Due::Script(number) if number < self.workload.orders.len() => {
                        self.clients.place(&mut self.stage, &self.workload, number);
                    }
                    Due::Script(number) => self.act(number)?,
                    Due::Client(number) => self.clients.due(&mut self.stage, &self.workload, number),
                    Due::Operator(number) => self.operators.due(&mut self.stage, number),
                    _ => {}
                }
            }
            self.clients.heard(&mut self.stage, &self.workload);
            self.operators.heard(&mut self.stage);
        }
        Ok(())
    }

    /// Item `number` of the script, in which orders come first, then restocks, faults and trips.
    fn act(&mut self, number: usize) -> Result<(), String> {
        let restock = number - self.workload.orders.len();
        let Some(fault) = restock.checked_sub(self.workload.restocks.len()) else {
            return self.workload.restock(&self.stage, restock);
        };
        match fault.checked_sub(self.schedule.len()) {
            Some(trip) => self.trips.start(&mut self.stage, trip, Due::Script(number)),
            None => self.strike(fault),
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        {
            let mut inner = self.stage.world.lock();
            let now = inner.now;
            inner.adversary.heal();
            inner.broker_away_until = 0;
            inner.throttled_until = 0;
            inner.links.iter_mut().for_each(|link| link.away_until = 0);
            inner.queues_missing_until = 0;
            inner.trace.note(now, "heal", &[], || "all faults end".to_owned());
        }
        self.stage.skew_store(0);
        for process in 0..self.stage.count() {
            self.stage.skew(process, 0);
            self.stage.resume(process);
            self.stage.start(process)?;
        }
        Ok(())
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let query = ListQuery { limit: 100_000, ..ListQuery::default() };
        self.stage.store.list(query).now_or_never().and_then(Result::ok).unwrap_or_default()
    }

    /// Every saga has ended, every client has its answer, and operators have nothing left to do.
    fn at_rest(&self) -> bool {
        self.trips.are_started(&self.stage)
            && self.records().iter().all(|record| record.saga.has_ended())
            && self.clients.calls.iter().all(|call| call.outcome.is_some())
            && self.operators.are_at_rest(&self.stage)
    }

    /// Of orders that were undone nothing is kept that was paid after they had waited for it.
    fn late_money_is_back(&self) -> bool {
        let undone: BTreeSet<String> = self
            .records()
            .into_iter()
            .filter(|record| matches!(record.saga.state, State::Compensated { .. }))
            .map(|record| record.business_key)
            .collect();
        let inner = self.stage.world.lock();
        let late = self.workload.orders.iter().filter(|planned| planned.case == OrderCase::PaidLate);
        late.filter(|planned| undone.contains(&planned.number.to_string()))
            .filter_map(|planned| inner.provider.payments.get(&planned.payment_id))
            .all(|payment| payment.refunded == payment.paid)
    }

    fn outcome(mut self, seed: u64) -> RunOutcome {
        let records = self.records();
        let healing = self.rested_at.unwrap_or(self.now()) - self.healed_at;
        let finished = FinishedRun {
            stage: &self.stage,
            workload: &self.workload,
            clients: &self.clients,
            records: &records,
            rested: self.rested_at.is_some(),
            corrupt: self.corrupt,
        };
        let (audit, mut failures) = verdict::judge(&finished);
        operations::judge(&self.stage, &self.operators, &records, &mut failures);
        let mut sagas = BTreeMap::new();
        for record in &records {
            *sagas.entry(record.saga.state.name()).or_default() += 1;
        }
        for process in 0..self.stage.count() {
            self.stage.kill(process, false);
        }
        let mut inner = self.stage.world.lock();
        failures.extend(std::mem::take(&mut inner.seen.violations));
        failures.sort_by(|a, b| a.invariant.cmp(b.invariant));
        let trace = std::mem::take(&mut inner.trace);
        RunOutcome {
            seed,
            digest: trace.digest(),
            failures,
            sagas,
            lived: inner.now,
            healing,
            faults: inner.adversary.counts(),
            kinds: self.kinds,
            processes: self.processes,
            orders: self.workload.orders.len(),
            commits: inner.seen.commits,
            rounds: self.rounds,
            audit: Some(audit),
            lines: trace.into_lines(),
        }
    }
}
