//! Stores with one defect each, planted in front of a good one: the comparison must notice every one of them.

use async_trait::async_trait;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::indexing::Indexed;
use baton_orchestrator::store::purge::{Forgotten, Sweep};
use baton_orchestrator::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery, WholeStore};
use baton_orchestrator::store::{
    Changes, Decide, Holder, Loaded, NextLook, Record, SagaStore, StartKey, StoreError, commit_with,
};
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;

/// What is written in place of what was decided.
pub type Spoil = fn(Changes, &Loaded) -> Changes;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug)]
pub enum Defect {
    /// It writes something else than was decided.
    Writes(Spoil),
    /// It finds all sagas but the last.
    LosesASaga,
    /// It compares business keys without their case.
    FoldsCase,
    /// It puts off nothing.
    NeverPutsOff,
    /// It knows every definition.
    LooksAtStrangers,
    /// It counts sagas at rest as under way.
    CountsAll,
    /// Its journal's pages begin one entry too late.
    SkipsAnEntry,
    /// It finds all keys but the last.
    LosesAHolder,
    /// It loads all sagas but the last.
    LoadsTooFew,
    /// It forgets sagas a microsecond too early.
    ForgetsEarly,
    /// Its steps of forgetting begin at the beginning.
    NeverGetsOn,
}

/// Every defect with its name.
pub const DEFECTS: &[(&str, Defect)] = &[
    ("ignores versions", Defect::Writes(ignore_versions)),
    ("forgets a key", Defect::Writes(forget_a_key)),
    ("forgets a fingerprint", Defect::Writes(forget_a_fingerprint)),
    ("forgets an entry", Defect::Writes(forget_an_entry)),
    ("never looks", Defect::Writes(never_look)),
    ("looks early", Defect::Writes(look_early)),
    ("looks late", Defect::Writes(look_late)),
    ("looks at what rests", Defect::Writes(look_for_ever)),
    ("loses outputs and causes", Defect::Writes(lose_data)),
    ("loses the last failure", Defect::Writes(lose_failures)),
    ("writes half a batch", Defect::Writes(write_half)),
    ("forgets the saga's deadline", Defect::Writes(forget_deadlines)),
    ("loses a saga", Defect::LosesASaga),
    ("folds case", Defect::FoldsCase),
    ("never puts off", Defect::NeverPutsOff),
    ("looks at strangers", Defect::LooksAtStrangers),
    ("counts all", Defect::CountsAll),
    ("skips an entry", Defect::SkipsAnEntry),
    ("loses a holder", Defect::LosesAHolder),
    ("loads too few", Defect::LoadsTooFew),
    ("forgets early", Defect::ForgetsEarly),
    ("never gets on", Defect::NeverGetsOn),
];

fn ignore_versions(mut changes: Changes, loaded: &Loaded) -> Changes {
    for update in &mut changes.updates {
        if let Some(record) = loaded.records.get(&update.saga.id) {
            update.loaded_version = record.saga.version;
        }
    }
    changes
}

fn forget_a_key(mut changes: Changes, _: &Loaded) -> Changes {
    changes.inserts.iter_mut().for_each(|insert| insert.keys.truncate(insert.keys.len().saturating_sub(1)));
    changes
}

fn forget_a_fingerprint(mut changes: Changes, _: &Loaded) -> Changes {
    changes.inserts.iter_mut().for_each(|insert| insert.fingerprint.0 = [0xff; 32]);
    changes
}

fn forget_an_entry(mut changes: Changes, _: &Loaded) -> Changes {
    changes.journal.pop();
    changes
}

fn never_look(mut changes: Changes, _: &Loaded) -> Changes {
    changes.inserts.iter_mut().for_each(|insert| insert.look_at = None);
    changes
}

fn look_early(mut changes: Changes, _: &Loaded) -> Changes {
    changes.inserts.iter_mut().filter_map(|insert| insert.look_at.as_mut()).for_each(|at| at.0 -= 1);
    changes
}

fn look_late(mut changes: Changes, _: &Loaded) -> Changes {
    changes.updates.iter_mut().filter_map(|update| update.look_at.as_mut()).for_each(|at| at.0 += 3_600_000_000);
    changes
}

fn look_for_ever(mut changes: Changes, loaded: &Loaded) -> Changes {
    changes.updates.iter_mut().for_each(|update| update.look_at = update.look_at.or(Some(loaded.now)));
    changes
}

fn lose_data(mut changes: Changes, _: &Loaded) -> Changes {
    changes.updates.iter_mut().for_each(|update| update.saga.outputs.clear());
    changes
}

fn lose_failures(mut changes: Changes, _: &Loaded) -> Changes {
    changes.updates.iter_mut().for_each(|update| update.last_failure = None);
    changes
}

fn write_half(mut changes: Changes, _: &Loaded) -> Changes {
    changes.updates.truncate(1);
    changes
}

fn forget_deadlines(mut changes: Changes, _: &Loaded) -> Changes {
    changes.inserts.iter_mut().for_each(|insert| insert.record.saga.deadline = None);
    changes
}

/// A store with a defect.
#[derive(Debug)]
pub struct Defective<S> {
    pub inner: S,
    pub defect: Defect,
}

impl<S: WholeStore> Defective<S> {
    /// Writes the spoiled changes and claims to have written the others.
    async fn spoiled(&self, ids: Vec<SagaId>, mut decide: Decide, spoil: Spoil) -> Result<Changes, StoreError> {
        let wrong = move |loaded: &Loaded| {
            let decided = decide(loaded);
            (spoil(decided.clone(), loaded), decided)
        };
        commit_with(&self.inner, ids, wrong).await.map(|(_, claimed)| claimed)
    }
}

#[async_trait]
impl<S: WholeStore> SagaStore for Defective<S> {
    async fn commit(&self, mut ids: Vec<SagaId>, decide: Decide) -> Result<Changes, StoreError> {
        match self.defect {
            Defect::Writes(spoil) => self.spoiled(ids, decide, spoil).await,
            Defect::LoadsTooFew => {
                ids.sort_unstable();
                ids.dedup();
                ids.pop();
                self.inner.commit(ids, decide).await
            }
            _ => self.inner.commit(ids, decide).await,
        }
    }

    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
        let mut found = self.inner.find_keys(keys).await?;
        if matches!(self.defect, Defect::LosesAHolder) {
            found.pop();
        }
        Ok(found)
    }

    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError> {
        self.inner.get(id).await
    }

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let skipped = u64::from(matches!(self.defect, Defect::SkipsAnEntry));
        self.inner.journal(id, after.saturating_add(skipped), limit).await
    }

    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError> {
        match self.defect {
            Defect::LooksAtStrangers => self.inner.look(super::step::definitions(), limit, farthest, next).await,
            Defect::NeverPutsOff => self.inner.look(known, limit, farthest, Arc::new(|_, now| now)).await,
            _ => self.inner.look(known, limit, farthest, next).await,
        }
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        match self.defect {
            Defect::CountsAll => Ok(self.inner.list(ListQuery { limit, ..ListQuery::default() }).await?.len() as u64),
            _ => self.inner.under_way(limit).await,
        }
    }

    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError> {
        let before = if matches!(self.defect, Defect::ForgetsEarly) { Micros(before.0 + 1) } else { before };
        let after = after.filter(|_| !matches!(self.defect, Defect::NeverGetsOn));
        self.inner.forget(before, after, limit).await
    }

    fn now(&self) -> Micros {
        self.inner.now()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.inner.ready().await
    }
}

#[async_trait]
impl<S: WholeStore> SagaQuery for Defective<S> {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        if !matches!(self.defect, Defect::FoldsCase) {
            return self.inner.list(query).await;
        }
        let all = ListQuery { business_key: None, limit: u32::MAX, ..query.clone() };
        let mut found = self.inner.list(all).await?;
        if let Some(key) = query.business_key {
            found.retain(|record| record.business_key.eq_ignore_ascii_case(&key));
        }
        found.truncate(query.limit as usize);
        Ok(found)
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        let mut found = self.inner.search(query).await?;
        if matches!(self.defect, Defect::LosesASaga) {
            found.records.pop();
        }
        Ok(found)
    }

    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
        self.inner.count(search, limit, max_rows).await
    }

    async fn index(&self, registry: &Registry, limit: u32) -> Result<Option<Indexed>, StoreError> {
        self.inner.index(registry, limit).await
    }

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        self.inner.forgotten(id).await
    }
}
