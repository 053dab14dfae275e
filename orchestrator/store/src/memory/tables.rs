//! What the store in memory keeps, and what a database's keys and versions would refuse.

use crate::row::{self, journal::encode};
use baton_engine::hold_policy::{Held, Mark};
use baton_engine::store::audit::{AuditRow, Digest, Head, JournalDigest, NOTHING_BEFORE, NewAudit, RequestTaken};
use baton_engine::store::purge::Forgotten;
use baton_engine::store::{Changes, Holder, Record, StartKey, StateCode, StoreError};
use saga_core::event::Entry;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Everything that a database would keep in tables.
#[derive(Debug)]
pub struct Tables {
    pub sagas: BTreeMap<SagaId, Record>,
    pub(super) keys: BTreeMap<StartKey, Holder>,
    pub(super) journal: BTreeMap<(SagaId, u64), Entry>,
    /// When sagas under way are to be looked at.
    pub looks: BTreeMap<SagaId, Micros>,
    pub(super) forgotten: BTreeMap<SagaId, Forgotten>,
    /// Holds that stand: they are there, and nobody releases them.
    pub standing: BTreeSet<Held>,
    /// Sagas that holds have paused, with the versions they had before.
    pub marks: BTreeMap<(Held, SagaId), u64>,
    /// Acts of operators, in order.
    pub audit: Vec<AuditRow>,
    /// Their request ids, with their places in it.
    pub requests: BTreeMap<Uuid, usize>,
    head: Head,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            sagas: BTreeMap::new(),
            keys: BTreeMap::new(),
            journal: BTreeMap::new(),
            looks: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            standing: BTreeSet::new(),
            marks: BTreeMap::new(),
            audit: Vec::new(),
            requests: BTreeMap::new(),
            head: Head { number: 0, hash: NOTHING_BEFORE },
        }
    }
}

impl Tables {
    /// Everything a database's keys and versions would refuse.
    pub(super) fn check(&self, changes: &Changes) -> Result<(), StoreError> {
        if let Some(reason) = changes.inserts.iter().find_map(|insert| row::check_insert(insert).err()) {
            return Err(StoreError::Refused(reason));
        }
        let mut keys = BTreeSet::new();
        for key in changes.inserts.iter().flat_map(|insert| &insert.keys) {
            if self.keys.contains_key(key) || !keys.insert(*key) {
                return Err(StoreError::DuplicateKey);
            }
        }
        let conflict = |what: String| Err(StoreError::Conflict(what));
        let mut ids = BTreeSet::new();
        for update in &changes.updates {
            let id = update.saga.id;
            let held = self.sagas.get(&id).map(|record| record.saga.version);
            if held != Some(update.loaded_version) || !ids.insert(id) {
                return conflict(format!("saga {id} has another version"));
            }
        }
        for insert in &changes.inserts {
            let id = insert.record.saga.id;
            if self.sagas.contains_key(&id) || !ids.insert(id) {
                return conflict(format!("saga {id} exists"));
            }
        }
        let mut entries = BTreeSet::new();
        for entry in &changes.journal {
            let key = (entry.saga, entry.version);
            if self.journal.contains_key(&key) || !entries.insert(key) {
                return conflict(format!("journal entry {} of saga {} exists", key.1, key.0));
            }
        }
        let marked: BTreeSet<&Held> = changes.marks.iter().map(|mark| &mark.held).collect();
        let lifted: Vec<Held> = marked.into_iter().filter(|held| !self.standing.contains(held)).cloned().collect();
        if !lifted.is_empty() {
            return Err(StoreError::HoldLifted(lifted));
        }
        self.untaken(&changes.audits).map_err(|RequestTaken| StoreError::RequestTaken)
    }

    pub(super) fn apply(&mut self, changes: &Changes) {
        for insert in &changes.inserts {
            let saga = insert.record.saga.id;
            for key in &insert.keys {
                self.keys.insert(*key, Holder { key: *key, saga, fingerprint: insert.fingerprint });
            }
            self.sagas.insert(saga, insert.record.clone());
            self.look_by(saga, insert.look_at);
        }
        for update in &changes.updates {
            if let Some(record) = self.sagas.get_mut(&update.saga.id) {
                record.saga = update.saga.clone();
                record.last_failure = update.last_failure.clone();
                record.skipped = update.skipped.clone();
            }
            self.look_by(update.saga.id, update.look_at);
        }
        self.journal.extend(changes.journal.iter().map(|entry| ((entry.saga, entry.version), entry.clone())));
        for Mark { held, saga, seen } in &changes.marks {
            self.mark(held, *saga, *seen);
        }
        self.append(&changes.audits);
    }

    pub(super) fn forget(&mut self, id: SagaId, now: Micros) {
        let Some(Record { saga, .. }) = self.sagas.remove(&id) else { return };
        let entries: Vec<_> = self.journal.range((id, 0)..=(id, u64::MAX)).map(|(key, _)| *key).collect();
        for entry in entries {
            self.journal.remove(&entry);
        }
        let state = StateCode::of(&saga.state);
        self.forgotten.insert(id, Forgotten { state, ended_at: saga.updated_at, forgotten_at: now });
    }

    /// A look that is due before stays.
    fn look_by(&mut self, saga: SagaId, at: Option<Micros>) {
        match at {
            Some(at) => {
                let look = self.looks.entry(saga).or_insert(at);
                *look = at.min(*look);
            }
            None => {
                self.looks.remove(&saga);
            }
        }
    }

    /// Marks a saga that a hold pauses. A mark with a later version stays: another pause has come with it.
    fn mark(&mut self, held: &Held, saga: SagaId, seen: u64) {
        let marked = self.marks.entry((held.clone(), saga)).or_insert(seen);
        *marked = seen.max(*marked);
    }

    /// Whether the request ids of these acts are all free.
    pub fn untaken(&self, audits: &[NewAudit]) -> Result<(), RequestTaken> {
        let mut requests = BTreeSet::new();
        let mut asked = audits.iter().filter_map(|audit| audit.request);
        if asked.all(|request| !self.requests.contains_key(&request) && requests.insert(request)) {
            Ok(())
        } else {
            Err(RequestTaken)
        }
    }

    /// Appends acts to the chain, whose request ids are free. What they speak of has been written before.
    pub fn append(&mut self, audits: &[NewAudit]) {
        for audit in audits {
            let journal = audit.saga.map(|saga| self.journal_digest(saga, audit.version));
            let row = self.head.next(audit.clone(), journal);
            if let Some(request) = audit.request {
                self.requests.insert(request, self.audit.len());
            }
            self.audit.push(row);
        }
    }

    /// Digest of a saga's journal up to a version, over the same bytes that a database would keep.
    pub fn journal_digest(&self, saga: SagaId, version: u64) -> Digest {
        let input = self.sagas.get(&saga).map(|record| record.saga.input.clone()).unwrap_or_default();
        let mut digest = JournalDigest::new(saga);
        for (_, entry) in self.journal.range((saga, 0)..=(saga, version)) {
            digest.add(row::version_value(entry.version), entry.at.0, &encode(&entry.record, &input));
        }
        digest.value()
    }
}
