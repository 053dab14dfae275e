//! The model: what a store is, as plain lists. It shares no code with any store.

use super::step;
use baton_orchestrator::store::StateCode;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::purge::Forgotten;
use baton_orchestrator::store::query::ListQuery;
use baton_orchestrator::store::{Changes, Holder, Loaded, OutboxMessage, Record, StartKey};
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

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
    messages: Vec<OutboxMessage>,
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
        }
        for insert in &changes.inserts {
            if self.get(insert.record.saga.id).is_some() {
                return Err(Verdict::Conflict);
            }
            self.sagas.push(insert.record.clone());
        }
        for entry in &changes.journal {
            if self.entries.iter().any(|held| (held.saga, held.version) == (entry.saga, entry.version)) {
                return Err(Verdict::Conflict);
            }
            self.entries.push(entry.clone());
        }
        for message in &changes.outbox {
            if self.messages.iter().any(|held| held.id == message.id) {
                return Err(Verdict::Conflict);
            }
            self.messages.push(message.clone());
        }
        self.messages.retain(|message| !changes.confirmed.contains(&message.id));
        Ok(())
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

    /// Whether `page` is one of those that may be handed out: due, by deadline, and none left out whose deadline lies in an
    /// older second than that of one handed out.
    pub fn is_due_page(&self, known: &[DefinitionId], limit: u32, page: &[Record]) -> bool {
        let due: Vec<&Record> = self
            .sagas
            .iter()
            .filter(|record| known.contains(&record.saga.definition))
            .filter(|record| record.saga.wake_at().is_some_and(|at| at <= self.now))
            .collect();
        let seconds = |records: &[&Record]| {
            let mut seconds: Vec<i64> =
                records.iter().filter_map(|record| Some(record.saga.wake_at()?.0.div_euclid(1_000_000))).collect();
            seconds.sort_unstable();
            seconds
        };
        let mut oldest = seconds(&due);
        oldest.truncate(limit as usize);
        let deadline = |record: &Record| (record.saga.wake_at(), record.saga.id);
        page.iter().all(|record| due.contains(&record))
            && page.is_sorted_by(|a, b| deadline(a) < deadline(b))
            && seconds(&page.iter().collect::<Vec<_>>()) == oldest
    }

    pub fn under_way(&self, limit: u32) -> u64 {
        let active = self.sagas.iter().filter(|record| record.saga.wake_at().is_some());
        active.count().min(limit as usize) as u64
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

    pub fn unconfirmed(&self, age: Duration, after: Option<Uuid>, limit: u32) -> Vec<OutboxMessage> {
        let mut found = self.messages.clone();
        found.retain(|message| message.created_at.plus(age) <= self.now);
        found.retain(|message| after.is_none_or(|after| message.id > after));
        found.sort_by_key(|message| message.id);
        found.truncate(limit as usize);
        found
    }
}
