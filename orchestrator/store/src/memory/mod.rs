//! The store in memory: ordered maps behind one lock. Deterministic, and the model the other stores are compared with.

pub mod tables;

use crate::memory::tables::Tables;
use async_trait::async_trait;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::indexing::Indexed;
use baton_engine::store::purge::{Candidate, Forgotten, Sweep, choose, first_id_at, is_finished};
use baton_engine::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery};
use baton_engine::store::{
    Changes, Decide, Holder, Loaded, NextLook, Record, SagaStore, StartKey, StateCode, StoreError,
};
use baton_query::sort::Cursor;
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, Saga, SagaId};
use saga_core::time::Micros;
use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// State that lasts as long as the process. For tests and the simulator.
pub struct MemoryStore {
    clock: Arc<dyn Fn() -> Micros + Send + Sync>,
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store on the caller's clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Fn() -> Micros + Send + Sync>) -> Self {
        Self { clock, tables: Mutex::new(Tables::default()) }
    }

    /// What is kept. Operations in memory share it, as those in SQL share the database: whoever has locked tables of its own
    /// may lock these, never the other way round.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing that may panic runs while the tables are half written: they are whole.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl SagaStore for MemoryStore {
    async fn commit(&self, ids: Vec<SagaId>, mut decide: Decide) -> Result<Changes, StoreError> {
        let mut tables = self.tables();
        let records = ids.iter().filter_map(|id| tables.sagas.get(id).map(|record| (*id, record.clone()))).collect();
        let loaded = Loaded { records, broken: Vec::new(), now: (self.clock)() };
        // Caught as a database's transaction catches it: a defect costs its batch, not the process.
        let decided = catch_unwind(AssertUnwindSafe(|| decide(&loaded)));
        let changes = decided.map_err(|panic| StoreError::Refused(panicked(panic.as_ref())))?;
        tables.check(&changes)?;
        tables.apply(&changes);
        Ok(changes)
    }

    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
        let keys: BTreeSet<StartKey> = keys.into_iter().collect();
        let tables = self.tables();
        Ok(keys.iter().filter_map(|key| tables.keys.get(key).copied()).collect())
    }

    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError> {
        Ok(self.tables().sagas.get(&id).cloned())
    }

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let tables = self.tables();
        let later = tables.journal.range((id, after.saturating_add(1))..=(id, u64::MAX));
        Ok(later.map(|(_, entry)| entry.clone()).take(limit as usize).collect())
    }

    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError> {
        let now = self.now();
        let far = now.plus(farthest);
        let mut tables = self.tables();
        let due = tables.looks.iter().filter(|(_, at)| **at <= now || **at > far).map(|(id, at)| (*at, *id));
        let mut due: Vec<(Micros, SagaId)> = due.collect();
        due.sort_unstable();
        let records = due.into_iter().filter_map(|(_, id)| tables.sagas.get(&id));
        let records = records.filter(|record| known.contains(&record.saga.definition));
        let records: Vec<Record> = records.take(limit as usize).cloned().collect();
        for record in &records {
            tables.looks.insert(record.saga.id, next(record, now));
        }
        Ok(records)
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        let tables = self.tables();
        Ok(tables.looks.len().min(limit as usize) as u64)
    }

    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError> {
        let now = self.now();
        let mut tables = self.tables();
        let (from, to) = (after.map_or(Bound::Unbounded, Bound::Excluded), first_id_at(before));
        let later = tables.sagas.range((from, Bound::Unbounded)).map(|(_, record)| &record.saga);
        let page: Vec<Candidate> = later.take_while(|saga| saga.id < to).take(limit as usize).map(candidate).collect();
        let (chosen, reached) = choose(&page, before, limit);
        for id in &chosen {
            tables.forget(*id, now);
        }
        Ok(Sweep { forgotten: chosen.len(), reached })
    }

    /// Searches look at every saga: there is no index.
    fn now(&self) -> Micros {
        (self.clock)()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl SagaQuery for MemoryStore {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        let wanted = |record: &&Record| {
            let saga = &record.saga;
            (query.states.is_empty() || query.states.contains(&StateCode::of(&saga.state)))
                && query.business_key.as_ref().is_none_or(|key| *key == record.business_key)
                && query.before.is_none_or(|before| saga.id < before)
        };
        Ok(self.tables().sagas.values().rev().filter(wanted).take(query.limit as usize).cloned().collect())
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        let tables = self.tables();
        let order = query.order;
        let behind = |cursor: &Cursor| query.after.is_none_or(|after| order.is_before(after, *cursor));
        let placed = tables.sagas.values().filter_map(|record| Some((order.cursor(&record.saga)?, record)));
        let mut ordered: Vec<_> = placed.filter(|(cursor, _)| behind(cursor)).collect();
        ordered.sort_by_key(|(cursor, _)| *cursor);
        if order.descending {
            ordered.reverse();
        }
        let limit = query.limit.max(1) as usize;
        let mut found = Found::default();
        let mut last = query.after;
        for (read, (cursor, record)) in ordered.into_iter().enumerate() {
            let matches = query.search.matches(record);
            if read >= query.max_rows.max(1) as usize || matches && found.records.len() == limit {
                found.next = last;
                break;
            }
            last = Some(cursor);
            found.records.extend(matches.then(|| record.clone()));
        }
        Ok(found)
    }

    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
        let tables = self.tables();
        let newest = tables.sagas.values().rev().take(max_rows as usize);
        let count = newest.filter(|record| search.matches(record)).take(limit as usize + 1).count() as u64;
        let limit = u64::from(limit);
        Ok(Counted { count: count.min(limit), exact: count <= limit && tables.sagas.len() <= max_rows as usize })
    }

    async fn index(&self, _registry: &Registry, _limit: u32) -> Result<Option<Indexed>, StoreError> {
        Ok(None)
    }

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        Ok(self.tables().forgotten.get(&id).copied())
    }
}

fn candidate(saga: &Saga) -> Candidate {
    let finished = is_finished(StateCode::of(&saga.state));
    Candidate { id: saga.id, finished, moved_at: saga.updated_at, entries: saga.version }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a decision panicked: {}", text.unwrap_or("no message"))
}
