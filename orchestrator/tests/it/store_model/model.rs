//! The model: what a store is, as plain lists. It shares no code with any store.

use super::step;
use baton_orchestrator::store::StateCode;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::purge::Forgotten;
use baton_orchestrator::store::query::ListQuery;
use baton_orchestrator::store::{Changes, Holder, Loaded, Record, StartKey};
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Longest business key, bytes.
const MAX_BUSINESS_KEY: usize = 128;

/// What a commit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Committed,
    Refused,
    DuplicateKey,
    Conflict,
}

/// Everything a store holds, in no order.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now: Micros,
    sagas: Vec<Record>,
    holders: Vec<Holder>,
    entries: Vec<Entry>,
    /// When sagas are to be looked at.
    looks: BTreeMap<SagaId, Micros>,
    forgotten: Vec<(SagaId, Forgotten)>,
}

impl Model {
    /// An empty store.
    pub fn at(now: Micros) -> Self {
        Self { now, ..Self::default() }
    }

    /// What a decision about `ids` is made on.
    pub fn load(&self, ids: &[SagaId]) -> Loaded {
        let asked = self.sagas.iter().filter(|record| ids.contains(&record.saga.id));
        let records = asked.map(|record| (record.saga.id, record.clone())).collect();
        Loaded { records, broken: Vec::new(), now: self.now }
    }

    /// All of it or nothing.
    pub fn commit(&mut self, changes: &Changes) -> Verdict {
        let mut next = self.clone();
        match next.write(changes) {
            Ok(()) => {
                *self = next;
                Verdict::Committed
            }
            Err(verdict) => verdict,
        }
    }

    fn write(&mut self, changes: &Changes) -> Result<(), Verdict> {
        if changes.inserts.iter().any(|insert| insert.record.business_key.len() > MAX_BUSINESS_KEY) {
            return Err(Verdict::Refused);
        }
        for insert in &changes.inserts {
            for key in &insert.keys {
                if self.holders.iter().any(|holder| holder.key == *key) {
                    return Err(Verdict::DuplicateKey);
                }
                let saga = insert.record.saga.id;
                self.holders.push(Holder { key: *key, saga, fingerprint: insert.fingerprint });
            }
        }
        for update in &changes.updates {
            let held = self.sagas.iter_mut().find(|record| record.saga.id == update.saga.id);
            let held = held.filter(|record| record.saga.version == update.loaded_version).ok_or(Verdict::Conflict)?;
            held.saga = update.saga.clone();
            held.last_failure = update.last_failure.clone();
            held.skipped = update.skipped.clone();
            self.look_by(update.saga.id, update.look_at);
        }
        for insert in &changes.inserts {
            if self.get(insert.record.saga.id).is_some() {
                return Err(Verdict::Conflict);
            }
            self.sagas.push(insert.record.clone());
            self.look_by(insert.record.saga.id, insert.look_at);
        }
        for entry in &changes.journal {
            if self.entries.iter().any(|held| (held.saga, held.version) == (entry.saga, entry.version)) {
                return Err(Verdict::Conflict);
            }
            self.entries.push(entry.clone());
        }
        Ok(())
    }

    /// A look that is due before stays; at rest there is none.
    fn look_by(&mut self, saga: SagaId, at: Option<Micros>) {
        let before = self.looks.remove(&saga);
        if let Some(at) = at {
            self.looks.insert(saga, before.map_or(at, |before| before.min(at)));
        }
    }

    pub fn get(&self, id: SagaId) -> Option<Record> {
        self.sagas.iter().find(|record| record.saga.id == id).cloned()
    }

    pub fn find_keys(&self, keys: &[StartKey]) -> Vec<Holder> {
        let mut found: Vec<Holder> = self.holders.iter().filter(|holder| keys.contains(&holder.key)).copied().collect();
        found.sort_by_key(|holder| holder.key);
        found
    }

    pub fn list(&self, query: &ListQuery) -> Vec<Record> {
        let mut found = self.sagas.clone();
        if !query.states.is_empty() {
            found.retain(|record| query.states.contains(&StateCode::of(&record.saga.state)));
        }
        if let Some(key) = &query.business_key {
            found.retain(|record| record.business_key.as_bytes() == key.as_bytes());
        }
        if let Some(before) = query.before {
            found.retain(|record| record.saga.id < before);
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.saga.id));
        found.truncate(query.limit as usize);
        found
    }

    /// Sagas of the definition that declares attributes whose inputs have this line, newest first.
    pub fn found_by(&self, name: &str, value: &str) -> Vec<Record> {
        let line = format!("{name}={value}");
        let has = |record: &&Record| {
            let input = std::str::from_utf8(&record.saga.input).expect("inputs are text");
            record.saga.definition == step::definitions()[0] && input.split('\n').any(|other| other == line)
        };
        let mut found: Vec<Record> = self.sagas.iter().filter(has).cloned().collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.saga.id));
        found
    }

    pub fn journal(&self, id: SagaId, after: u64, limit: u32) -> Vec<Entry> {
        let mut found = self.entries.clone();
        found.retain(|entry| entry.saga == id && entry.version > after);
        found.sort_by_key(|entry| entry.version);
        found.truncate(limit as usize);
        found
    }

    /// Whether `page` is one of those that a look may take: due, the longest due first, and none left out that is due for longer
    /// than one of them. If so, they are put off.
    pub fn looked_at(&mut self, known: &[DefinitionId], limit: u32, page: &[Record], next: Micros) -> bool {
        let due = |record: &Record| self.looks.get(&record.saga.id).copied().filter(|at| *at <= self.now);
        let known = self.sagas.iter().filter(|record| known.contains(&record.saga.definition));
        let mut oldest: Vec<Micros> = known.clone().filter_map(due).collect();
        oldest.sort_unstable();
        oldest.truncate(limit as usize);
        let known: Vec<&Record> = known.collect();
        let taken: BTreeSet<SagaId> = page.iter().map(|record| record.saga.id).collect();
        let is_right = taken.len() == page.len()
            && page.iter().all(|record| known.contains(&record))
            && page.iter().filter_map(due).collect::<Vec<_>>() == oldest;
        self.looks.extend(taken.into_iter().map(|id| (id, next)));
        is_right
    }

    pub fn under_way(&self, limit: u32) -> u64 {
        self.looks.len().min(limit as usize) as u64
    }

    /// Forgets; returns how many, and up to where it looked if there may be more.
    pub fn forget(&mut self, before: Micros, after: Option<SagaId>, limit: u32) -> (usize, Option<SagaId>) {
        let mut ids: Vec<SagaId> = self.sagas.iter().map(|record| record.saga.id).collect();
        ids.sort_unstable();
        // Every id of a history carries the same millisecond.
        ids.retain(|id| after.is_none_or(|after| *id > after) && before.0 / 1_000 > sample::START.0 / 1_000);
        ids.truncate(limit as usize);
        let reached = ids.last().filter(|_| ids.len() == limit as usize).copied();
        let old = |record: &Record| {
            let ended = matches!(StateCode::of(&record.saga.state), StateCode::Completed | StateCode::Compensated);
            ids.contains(&record.saga.id) && ended && record.saga.updated_at < before
        };
        let gone: Vec<Record> = self.sagas.iter().filter(|record| old(record)).cloned().collect();
        self.sagas.retain(|record| !gone.contains(record));
        self.entries.retain(|entry| gone.iter().all(|record| record.saga.id != entry.saga));
        for Record { saga, .. } in &gone {
            let left =
                Forgotten { state: StateCode::of(&saga.state), ended_at: saga.updated_at, forgotten_at: self.now };
            self.forgotten.push((saga.id, left));
        }
        (gone.len(), reached)
    }

    pub fn forgotten(&self, id: SagaId) -> Option<Forgotten> {
        self.forgotten.iter().find(|(of, _)| *of == id).map(|(_, left)| *left)
    }
}
