//! What a random history consists of, in numbers small enough to collide often.

use baton_orchestrator::sagas::attributes;
use baton_orchestrator::store::StateCode;
use baton_orchestrator::store::conformance::sample::{self, Labelled};
use baton_orchestrator::store::query::ListQuery;
use baton_orchestrator::store::row::data_value;
use baton_orchestrator::store::{Changes, Fingerprint, Insert, Loaded, Record, Update};
use baton_query::filter::Attribute;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use saga_core::event::{Entry, Event, JournalRecord};
use saga_core::saga::{Cause, DefinitionId, SagaId, State, Wait};
use saga_core::time::Micros;

pub const SAGAS: u32 = 6;
pub const KEYS: u32 = 5;

/// Business keys that a careless comparison takes for each other, and one that is too long.
const BUSINESS_KEYS: [&str; 6] = ["a", "A", "a ", "ä", "", "\u{ac00}"];

/// Definitions that it takes for each other.
const DEFINITIONS: [(&str, u32); 4] = [("sample", 3), ("sample", 4), ("Sample", 3), ("sample ", 3)];

/// Inputs of the one definition that declares attributes.
const INPUTS: [&str; 5] =
    ["", "region=a", "region=A\nlabel=a", "region=a \nlabel=a\nlabel=b", "label=b\nregion=\u{e4}"];

/// What is looked for in them.
pub const ATTRIBUTES: [(&str, &str); 6] =
    [("region", "a"), ("region", "A"), ("region", "a "), ("region", "\u{e4}"), ("label", "a"), ("label", "b")];

const CODES: [StateCode; 6] = [
    StateCode::Running,
    StateCode::Compensating,
    StateCode::Stuck,
    StateCode::Paused,
    StateCode::Completed,
    StateCode::Compensated,
];

/// A state of the samples, and where its deadline lies from now.
type AnyState = (usize, i64);

#[derive(Clone, Debug)]
pub struct Start {
    saga: u32,
    state: AnyState,
    keys: Vec<u32>,
    business_key: usize,
    too_long: bool,
    input: usize,
    definition: usize,
    deadline: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Move {
    saga: u32,
    /// One version each.
    states: Vec<AnyState>,
    output: Option<u8>,
    /// Whether its newest attempt failed.
    fails: bool,
    /// What is wrong with the version it names; mostly nothing.
    version_off: i64,
    data_changed: bool,
}

#[derive(Clone, Debug)]
pub struct Batch {
    asked: Vec<u32>,
    starts: Vec<Start>,
    moves: Vec<Move>,
    strays: Vec<(u32, u64)>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Pass(i64),
    Commit(Batch),
    Get(u32),
    FindKeys(Vec<u32>),
    List(ListQuery),
    Journal(u32, u64, u32),
    /// Of these definitions, at so many sagas, each of which is put off by so many grains of time.
    Look(Vec<DefinitionId>, u32, i64),
    /// What ended so many microseconds ago, the saga to go on after, how many to look at.
    Forget(i64, Option<u32>, u32),
    /// One step of the index, over so many sagas.
    Index(u32),
}

/// Histories of one to two dozen steps.
pub fn history() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..24)
}

fn step() -> impl Strategy<Value = Step> {
    let query = (vec(0..CODES.len(), 0..3), option::of(0..BUSINESS_KEYS.len()), option::of(0..SAGAS), 0..5_u32);
    let query = query.prop_map(|(states, key, before, limit)| ListQuery {
        states: states.into_iter().map(|code| CODES[code]).collect(),
        business_key: key.map(|key| BUSINESS_KEYS[key].to_owned()),
        before: before.map(id),
        limit,
    });
    let known = vec(0..DEFINITIONS.len(), 0..3).prop_map(|known| known.into_iter().map(definition).collect());
    prop_oneof![
        // Microseconds mostly; enough, too, to come into another second.
        2 => prop_oneof![3 => 0..4_i64, 1 => Just(600_000)].prop_map(Step::Pass),
        8 => batch().prop_map(Step::Commit),
        1 => (0..SAGAS).prop_map(Step::Get),
        1 => vec(0..KEYS, 0..4).prop_map(Step::FindKeys),
        2 => query.prop_map(Step::List),
        1 => (0..SAGAS, prop_oneof![0..4_u64, Just(u64::MAX)], 0..4_u32).prop_map(|(s, a, l)| Step::Journal(s, a, l)),
        4 => (known, 0..4_u32, 1..4_i64).prop_map(|(known, limit, put_off)| Step::Look(known, limit, put_off)),
        // What ended this very microsecond mostly: it is not old yet, and a careless comparison takes it for old.
        3 => (prop_oneof![3 => Just(0), 3 => -1..4_i64, 1 => Just(600_000)], option::of(0..SAGAS), 0..=SAGAS)
            .prop_map(|(us, after, limit)| Step::Forget(us, after, limit)),
        3 => (1..=SAGAS).prop_map(Step::Index),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let saga = 0..SAGAS;
    (
        vec(saga.clone(), 0..2 * SAGAS as usize),
        vec(start(), 0..3),
        vec(mover(), 0..4),
        prop_oneof![9 => Just(Vec::new()), 1 => vec((saga, 1..4_u64), 1..2)],
    )
        .prop_map(|(asked, starts, moves, strays)| Batch { asked, starts, moves, strays })
}

fn any_state() -> impl Strategy<Value = AnyState> {
    (0..sample::every_state().len(), -3..6_i64)
}

fn start() -> impl Strategy<Value = Start> {
    (
        0..SAGAS,
        any_state(),
        vec(0..KEYS, 0..2),
        0..BUSINESS_KEYS.len(),
        prop::bool::weighted(0.03),
        0..INPUTS.len(),
        0..DEFINITIONS.len(),
        option::of(-3..9_i64),
    )
        .prop_map(|(saga, state, keys, business_key, too_long, input, definition, deadline)| Start {
            saga,
            state,
            keys,
            business_key,
            too_long,
            input,
            definition,
            deadline,
        })
}

fn mover() -> impl Strategy<Value = Move> {
    let version_off = prop_oneof![12 => Just(0_i64), 1 => Just(1), 1 => Just(-1)];
    (0..SAGAS, vec(any_state(), 1..3), option::of(0..4_u8), any::<bool>(), version_off, any::<bool>()).prop_map(
        |(saga, states, output, fails, version_off, data_changed)| Move {
            saga,
            states,
            output,
            fails,
            version_off,
            data_changed,
        },
    )
}

pub fn id(number: u32) -> SagaId {
    sample::id(1, number)
}

fn definition(number: usize) -> DefinitionId {
    let (name, version) = DEFINITIONS[number];
    DefinitionId { name: name.to_owned(), version }
}

/// The first of the definitions; nobody here knows the others.
pub fn labelled() -> Labelled {
    let (name, version) = DEFINITIONS[0];
    Labelled::new(name, version)
}

/// Every definition of the histories.
pub fn definitions() -> Vec<DefinitionId> {
    (0..DEFINITIONS.len()).map(definition).collect()
}

/// Every business key of the histories.
pub fn business_keys() -> impl Iterator<Item = String> {
    BUSINESS_KEYS.iter().map(|key| (*key).to_owned())
}

fn state_of((number, offset): AnyState, now: Micros) -> State {
    let at = Micros(now.0 + offset);
    let moved = |wait| match wait {
        Wait::Reply { attempt, last, .. } => Wait::Reply { attempt, last, until: at },
        Wait::Backoff { attempt, last, .. } => Wait::Backoff { attempt, last, until: at },
    };
    match sample::every_state().swap_remove(number).1 {
        State::Running { step, wait } => State::Running { step, wait: moved(wait) },
        State::Compensating { step, wait, cause } => State::Compensating { step, wait: moved(wait), cause },
        resting => resting,
    }
}

impl Batch {
    /// The sagas asked for, as a caller asks: in any order, some twice.
    pub fn asked(&self) -> Vec<SagaId> {
        self.asked.iter().map(|saga| id(*saga)).collect()
    }

    /// The same without starts of sagas that have been forgotten: no id is ever given twice.
    pub fn without(&self, forgotten: impl Fn(SagaId) -> bool) -> Self {
        let mut batch = self.clone();
        batch.starts.retain(|start| !forgotten(id(start.saga)));
        batch
    }

    /// What the batch writes, given what is there.
    pub fn decide(&self, loaded: &Loaded) -> Changes {
        let mut changes = Changes::default();
        for start in &self.starts {
            changes.journal.push(sample::started(&start.record(loaded.now).saga));
            changes.inserts.push(start.insert(loaded.now));
        }
        let mut moved = Vec::new();
        for step in &self.moves {
            if self.asked.contains(&step.saga) && !moved.contains(&step.saga) {
                moved.push(step.saga);
                step.write(&mut changes, loaded);
            }
        }
        for (saga, version) in &self.strays {
            let record = JournalRecord::Moved(Event::Wake);
            changes.journal.push(Entry { saga: id(*saga), version: *version, at: loaded.now, record });
        }
        changes
    }
}

impl Start {
    fn record(&self, now: Micros) -> Record {
        let mut record = sample::record(id(self.saga), state_of(self.state, now));
        record.saga.updated_at = now;
        record.saga.definition = definition(self.definition);
        record.saga.input = Bytes::from_static(INPUTS[self.input].as_bytes());
        record.saga.deadline = self.deadline.map(|offset| Micros(now.0 + offset));
        record.business_key = BUSINESS_KEYS[self.business_key].to_owned();
        if self.too_long {
            record.business_key = "\u{ac00}".repeat(43);
        }
        record
    }

    fn attributes(&self) -> Vec<Attribute> {
        match self.definition {
            0 => attributes::bounded(&labelled(), INPUTS[self.input].as_bytes()),
            _ => Vec::new(),
        }
    }

    fn insert(&self, now: Micros) -> Insert {
        let keys = self.keys.iter().map(|key| sample::key(1, *key)).collect();
        let fingerprint = Fingerprint([self.saga as u8; 32]);
        let record = self.record(now);
        let look_at = record.saga.wake_at();
        Insert { record, keys, fingerprint, look_at, attributes: self.attributes() }
    }
}

impl Move {
    /// An asked saga that is not there is moved all the same: as if it had been deleted under us.
    fn write(&self, changes: &mut Changes, loaded: &Loaded) {
        let there = loaded.records.get(&id(self.saga)).cloned();
        let before = there.unwrap_or_else(|| sample::record(id(self.saga), State::Completed));
        let mut saga = before.saga.clone();
        for state in &self.states {
            saga.version += 1;
            saga.updated_at = saga.updated_at.max(loaded.now);
            saga.state = state_of(*state, loaded.now);
            let record = JournalRecord::Moved(Event::Wake);
            changes.journal.push(Entry { saga: saga.id, version: saga.version, at: saga.updated_at, record });
        }
        if let Some(step) = self.output
            && saga.outputs.iter().all(|(held, _)| *held != step)
        {
            saga.outputs.push((step, Bytes::from(vec![step; 3])));
            saga.outputs.sort_by_key(|(step, _)| *step);
        }
        let last_failure = self.fails.then(|| sample::cause(1, "AWAY"));
        let data = |saga, failure: &Option<Cause>| data_value(saga, failure.as_ref(), &before.skipped);
        let differs = data(&saga, &last_failure) != data(&before.saga, &before.last_failure);
        let loaded_version = before.saga.version.saturating_add_signed(self.version_off);
        let data_changed = self.data_changed || differs;
        let look_at = saga.wake_at();
        let skipped = before.skipped.clone();
        changes.updates.push(Update { saga, last_failure, skipped, loaded_version, look_at, data_changed });
    }
}
