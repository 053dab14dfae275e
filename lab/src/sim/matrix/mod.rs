//! The crash matrix: for one saga every half-step, every crash boundary on its path, every outcome and every duplicate,
//! enumerated, not sampled; each runs through the real engine and the real kit.
//!
//! The participants are stand-ins that record their effects ([`crate::sim::cast::Stand`]), so that any definition can be
//! checked, also one whose participants are written in another language.

pub mod cases;
pub mod script;

use super::cast::{Actor, Stand};
use super::effects;
use super::gathered::of_engine;
use super::seen::Violation;
use super::stage::{Cast, Stage};
use super::trace::Trace;
use super::verdict;
use super::world::World;
use baton_orchestrator::engine::input::Start;
use baton_orchestrator::sagas::{Accepted, PayloadError, Registry, SagaType};
use baton_orchestrator::store::query::ListQuery;
use baton_orchestrator::store::{Fingerprint, Record, StartKey};
use baton_orchestrator::wiring::Settings;
use baton_participant_kit::plan::Rules;
use baton_rpc::errors::Violations;
use baton_verify::coverage::Mode;
use bytes::Bytes;
use cases::{Boundary, Case, End, cases};
use futures_util::FutureExt as _;
use saga_core::definition::Definition;
use saga_core::saga::{Direction, Saga, SagaId, State, StepIndex};
use script::{Answers, Script};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Virtual time in which a case must come to rest: a participant that never answers costs a pivot eight attempts of five
/// seconds and their pauses; everything else is far below.
const REST: u64 = 300_000_000;

/// The one saga of a case.
const SAGA: SagaId = SagaId([7; 16]);

/// A case that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which.
    pub case: Case,
    /// Why.
    pub violations: Vec<Violation>,
    /// What happened, readable.
    pub lines: Vec<String>,
}

/// One line of the matrix: a half-step with an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Cases run.
    pub run: usize,
    /// Cases whose crash boundary was reached; those without one count.
    pub reached: usize,
    /// Cases that failed.
    pub failed: usize,
}

/// What a check came to.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// By step, direction and outcome.
    pub counts: BTreeMap<(StepIndex, Direction, cases::Outcome), Count>,
    /// Boundaries by how often they were reached.
    pub boundaries: BTreeMap<Boundary, usize>,
    /// The failures.
    pub failed: Vec<Failed>,
}

impl Matrix {
    /// All counts together.
    #[must_use]
    pub fn total(&self) -> Count {
        self.counts.values().fold(Count::default(), |sum, one| Count {
            run: sum.run + one.run,
            reached: sum.reached + one.reached,
            failed: sum.failed + one.failed,
        })
    }
}

/// A definition without a shell: any input, empty payloads.
struct Bare(Definition);

impl SagaType for Bare {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn accept(&self, _input: &[u8]) -> Result<Accepted, Violations> {
        Ok(Accepted { business_key: String::new(), exclusive: false })
    }

    fn payload(&self, _saga: &Saga, _step: StepIndex, _direction: Direction) -> Result<Bytes, PayloadError> {
        Ok(Bytes::new())
    }
}

/// Checks a definition: every case, on `jobs` threads. `progress` hears how many are done, of how many.
///
/// # Errors
/// If a simulation cannot be set up.
pub fn check(definition: &Definition, jobs: usize, mut progress: impl FnMut(usize, usize)) -> Result<Matrix, String> {
    let all = cases(definition);
    let stands = Stand::cast(definition);
    let next = AtomicUsize::new(0);
    let mut matrix = Matrix::default();
    std::thread::scope(|scope| {
        // Bounded: a thread that is ahead waits for the one that counts.
        let (done, finished) = std::sync::mpsc::sync_channel(64);
        for _ in 0..jobs.max(1) {
            let (done, all, next, stands) = (done.clone(), &all, &next, &stands);
            scope.spawn(move || {
                while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if done.send((case, one(definition, stands, case, false))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut count = 0;
        for (case, ran) in finished {
            let (reached, violations) = ran?;
            count += 1;
            progress(count, all.len());
            let key = (case.half.step, case.half.direction, case.outcome);
            let line = matrix.counts.entry(key).or_default();
            line.run += 1;
            line.reached += usize::from(reached);
            *matrix.boundaries.entry(case.boundary).or_default() += usize::from(reached);
            if !violations.is_empty() {
                line.failed += 1;
                let lines = if matrix.failed.len() < 3 { readable(definition, &stands, case) } else { Vec::new() };
                matrix.failed.push(Failed { case: case.clone(), violations, lines });
            }
        }
        Ok(matrix)
    })
}

/// One case: whether its boundary was reached, and what broke.
fn one(
    definition: &Definition,
    stands: &[Stand],
    case: &Case,
    readable: bool,
) -> Result<(bool, Vec<Violation>), String> {
    let (fired, mut violations, _) = play(definition, stands, case, readable)?;
    violations.sort_by(|a, b| a.invariant.cmp(b.invariant));
    Ok((fired, violations))
}

fn readable(definition: &Definition, stands: &[Stand], case: &Case) -> Vec<String> {
    play(definition, stands, case, true).map(|(_, _, lines)| lines).unwrap_or_default()
}

fn play(
    definition: &Definition,
    stands: &[Stand],
    case: &Case,
    readable: bool,
) -> Result<(bool, Vec<Violation>, Vec<String>), String> {
    let fired = Arc::new(AtomicBool::new(case.boundary == Boundary::None));
    let world = World::new(Box::new(Script::new(case.clone(), fired.clone())), Trace::new(readable));
    let answers: Arc<Answers> = Arc::new(Answers(case.clone()));
    let actors = stands.iter().map(|stand| Arc::new(stand.twisted(answers.clone())) as Arc<dyn Actor>);
    let cast = Cast {
        registry: Registry::default().with(Bare(definition.clone())),
        actors: actors.collect(),
        orchestrators: 1,
        copies: vec![1; stands.len()],
        settings: Settings { waker_pause: Duration::from_millis(500), ..Settings::default() },
        sql_store: false,
        operates: false,
        defect: None,
        rules: Rules::default(),
        #[cfg(feature = "planted-bugs")]
        plant: None,
    };
    let mut stage = Stage::new(world, cast, 0)?;
    let mut asked_at = None;
    let mut rested_at = None;
    loop {
        let now = stage.world.lock().now;
        if now > REST || rested_at.is_some_and(|at: u64| now > at + 4_000_000) {
            break;
        }
        if record(&stage).is_none() && asked_at.is_none_or(|at: u64| now > at + 2_000_000) {
            asked_at = Some(now);
            start(&mut stage, definition);
        }
        stage.round(now + 1_000_000)?;
        // Duplicates arrive up to three seconds later: they must change nothing.
        if rested_at.is_none() && at_rest(&stage) {
            rested_at = Some(now);
        }
    }
    let mut violations = Vec::new();
    judge(&stage, definition, case, rested_at.is_some(), &mut violations);
    for process in 0..stage.count() {
        stage.kill(process, false);
    }
    let mut inner = stage.world.lock();
    violations.append(&mut inner.seen.violations);
    let lines = std::mem::take(&mut inner.trace).into_lines();
    Ok((fired.load(Ordering::Relaxed), violations, lines))
}

fn start(stage: &mut Stage, definition: &Definition) {
    let Some(process) = stage.orchestrators_up().first().copied() else { return };
    let start = Start {
        id: SAGA,
        definition: definition.id().clone(),
        input: Bytes::new(),
        business_key: String::new(),
        traceparent: String::new(),
        keys: vec![StartKey([1; 32])],
        fingerprint: Fingerprint([1; 32]),
        attributes: Vec::new(),
    };
    stage.call(process, move |api, _, _| async move {
        // Asked again until the saga is there: a start that is lost with its process never was.
        let _ = api.engine.start(start).await;
    });
}

fn record(stage: &Stage) -> Option<Record> {
    stage.store.get(SAGA).now_or_never().and_then(Result::ok).flatten()
}

fn at_rest(stage: &Stage) -> bool {
    record(stage).is_some_and(|record| record.saga.wake_at().is_none())
}

fn judge(stage: &Stage, definition: &Definition, case: &Case, rested: bool, violations: &mut Vec<Violation>) {
    let mut add = |invariant, what: String| violations.push(Violation { invariant, what });
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let records = stage.store.list(query).now_or_never().and_then(Result::ok).unwrap_or_default();
    let Some(record) = records.first() else {
        add("I1", "the saga was never started".to_owned());
        return;
    };
    let end = match record.saga.state {
        State::Completed => Some(End::Completed),
        State::Compensated { .. } => Some(End::Compensated),
        State::Stuck { .. } => Some(End::Stuck),
        State::Running { .. } | State::Compensating { .. } | State::Paused { .. } => None,
    };
    if !rested || end.is_none() {
        add("I17", format!("the saga is {:?} after {} s", record.saga.state, REST / 1_000_000));
    } else if end != Some(case.end(definition)) {
        add("I10", format!("the saga is {:?}, it should be {:?}", record.saga.state, case.end(definition)));
    }
    effects::judge(stage, &records, violations);
    verdict::histories(stage, &records, violations);
    verdict::audited(stage, of_engine(stage, &records, Mode::AtRest), &[], violations);
}
