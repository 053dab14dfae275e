//! The orchestrators' store with faults around every commit, and the database hook of the participants.

use super::adversary::{Fate, Place};
use super::life::Life;
use super::messages::named;
use super::plant::AdapterBug;
use super::world::World;
use async_trait::async_trait;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::indexing::Indexed;
use baton_orchestrator::store::purge::{Forgotten, Sweep};
use baton_orchestrator::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery, WholeStore};
use baton_orchestrator::store::{
    Changes, Decide, Holder, Loaded, NextLook, Record, SagaStore, StartKey, StoreError, commit_with,
};
use baton_participant_kit::participant::CommandKey;
use baton_sql::error::SqlError;
use baton_sql::faults::{Faults, Point};
use futures_util::future::BoxFuture;
use saga_core::event::{Entry, Event, JournalRecord, Reply};
use saga_core::saga::{CommandId, DefinitionId, SagaId};
use saga_core::time::Micros;
use saga_core::transition::Command;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A store as one incarnation of an orchestrator sees it.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn WholeStore>,
    world: World,
    life: Arc<Life>,
    /// Sagas that this incarnation has moved; kept for [`AdapterBug::LooksAtItsOwn`] only.
    own: Mutex<BTreeSet<SagaId>>,
}

impl FaultyStore {
    /// A store.
    #[must_use]
    pub fn new(inner: Arc<dyn WholeStore>, world: World, life: Arc<Life>) -> Self {
        Self { inner, world, life, own: Mutex::default() }
    }

    async fn read(&self) -> Result<(), StoreError> {
        match self.world.place(&self.life, Place::StoreRead, &[]).await {
            Fate::Go | Fate::Crash | Fate::Lost => Ok(()),
            Fate::Unavailable | Fate::Conflict | Fate::Unknown => Err(away()),
        }
    }

    fn planted(&self) -> Option<AdapterBug> {
        self.world.lock().plant
    }

    /// Reads first, decides later, writes blindly: what a store without row locks and version checks does.
    async fn lost_update<R>(
        &self,
        ids: Vec<SagaId>,
        mut decide: impl FnMut(&Loaded) -> (Changes, R) + Send,
    ) -> Result<(Changes, R), StoreError> {
        let mut loaded = Loaded { now: self.inner.now(), ..Loaded::default() };
        for id in &ids {
            if let Some(record) = self.inner.get(*id).await? {
                loaded.records.insert(*id, record);
            }
        }
        self.world.sleep(&self.life, 5_000).await;
        let (decided, outcome) = decide(&loaded);
        let mut changes = decided.clone();
        for update in &mut changes.updates {
            if let Some(record) = self.inner.get(update.saga.id).await? {
                update.loaded_version = record.saga.version;
            }
        }
        let mut journal = Vec::new();
        for entry in changes.journal {
            if self.inner.journal(entry.saga, entry.version - 1, 1).await?.is_empty() {
                journal.push(entry);
            }
        }
        changes.journal = journal;
        self.inner.commit(ids, Box::new(move |_| changes.clone())).await?;
        Ok((decided, outcome))
    }

    /// One transaction between its two places.
    async fn committed(&self, ids: Vec<SagaId>, mut decide: Decide) -> Result<(Changes, Fate), StoreError> {
        let (world, life) = (self.world.clone(), self.life.clone());
        let decide = move |loaded: &Loaded| {
            let changes = decide(loaded);
            let mut inner = world.lock();
            let keys = if inner.adversary.wants_keys() { touched(&changes) } else { Vec::new() };
            let now = life.now();
            let fate = inner.adversary.at(now, life.process, life.role, Place::CommitBefore, &keys);
            if fate != Fate::Go {
                inner.trace.note(now, "fault", &[life.process as u64, fate as u64], || {
                    format!("process {} CommitBefore {fate:?}", life.process)
                });
            }
            // What is decided and not committed is nothing.
            (if fate == Fate::Go { changes } else { Changes::default() }, fate)
        };
        if self.planted() == Some(AdapterBug::LostUpdate) {
            self.lost_update(ids, decide).await
        } else {
            commit_with(&*self.inner, ids, decide).await
        }
    }

    /// What a broken database does to a commit.
    fn spoil(&self, decide: Decide, bug: Option<AdapterBug>) -> (Decide, Arc<Mutex<Option<Changes>>>) {
        let kept = Arc::new(Mutex::new(None));
        let (keep, world, mut decide) = (kept.clone(), self.world.clone(), decide);
        let spoilt: Decide = Box::new(move |loaded| {
            let mut changes = decide(loaded);
            if bug.is_some() {
                *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(changes.clone());
            }
            match bug {
                Some(AdapterBug::StartKeysIgnored) => changes.inserts.iter_mut().for_each(|one| one.keys.clear()),
                Some(AdapterBug::DroppedBegin) if world.lock().adversary.choose(20) == 0 => {
                    changes = Changes::default()
                }
                Some(AdapterBug::LookForgotten) if world.lock().adversary.choose(20) == 0 => {
                    changes.inserts.iter_mut().for_each(|one| one.look_at = None);
                    changes.updates.iter_mut().for_each(|one| one.look_at = None);
                }
                Some(AdapterBug::JournalForgotten) if world.lock().adversary.choose(20) == 0 => {
                    changes.journal.truncate(1);
                }
                _ => {}
            }
            changes
        });
        (spoilt, kept)
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("simulated".to_owned())
}

/// The commands a commit is about: those it orders and those whose answers it writes down.
fn touched(changes: &Changes) -> Vec<CommandKey> {
    let moved = changes.updates.iter().map(|update| &update.saga);
    let sagas = changes.inserts.iter().map(|insert| &insert.record.saga).chain(moved);
    let ordered = sagas.filter_map(|saga| Some(named(&Command::awaited_by(saga)?).0));
    let answered = changes.journal.iter().filter_map(|entry| match &entry.record {
        JournalRecord::Moved(Event::Reply(Reply { step, direction, attempt, .. })) => {
            let id = CommandId { saga: entry.saga, step: *step, direction: *direction };
            Some(named(&Command { id, attempt: *attempt, deadline: None }).0)
        }
        _ => None,
    });
    // The answers come first: a script tells them from what is ordered by their place.
    answered.chain(ordered).collect()
}

#[async_trait]
impl SagaStore for FaultyStore {
    async fn commit(&self, ids: Vec<SagaId>, decide: Decide) -> Result<Changes, StoreError> {
        self.life.alive().await;
        let bug = self.planted();
        let (decide, kept) = self.spoil(decide, bug);
        let (changes, fate) = self.committed(ids, decide).await?;
        match fate {
            Fate::Go | Fate::Lost => {}
            Fate::Crash => self.life.die().await,
            Fate::Unavailable => return Err(away()),
            Fate::Conflict => return Err(StoreError::Conflict("simulated".to_owned())),
            Fate::Unknown => {
                let decided = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
                return match (bug, decided) {
                    (Some(AdapterBug::UnknownIsSuccess), Some(decided)) => Ok(decided),
                    (Some(AdapterBug::UnknownIsFailure), _) => Err(away()),
                    _ => Err(StoreError::UnknownOutcome("simulated".to_owned())),
                };
            }
        }
        let keys = {
            let mut inner = self.world.lock();
            let inner = &mut *inner;
            let now = self.life.now();
            let fields = [self.life.process as u64, changes.inserts.len() as u64, changes.updates.len() as u64];
            inner.trace.note(now, "commit", &fields, || describe(self.life.process, &changes));
            inner.seen.committed(&changes, inner.links[self.life.process]);
            if bug == Some(AdapterBug::LooksAtItsOwn) {
                let moved = changes.updates.iter().map(|update| update.saga.id);
                let moved = changes.inserts.iter().map(|insert| insert.record.saga.id).chain(moved);
                self.own.lock().unwrap_or_else(PoisonError::into_inner).extend(moved);
            }
            if inner.adversary.wants_keys() { touched(&changes) } else { Vec::new() }
        };
        match self.world.place(&self.life, Place::CommitAfter, &keys).await {
            Fate::Unknown if bug == Some(AdapterBug::UnknownIsFailure) => return Err(away()),
            Fate::Unknown if bug == Some(AdapterBug::UnknownIsSuccess) => {}
            Fate::Unknown => return Err(StoreError::UnknownOutcome("simulated".to_owned())),
            _ => {}
        }
        let decided = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(if bug.is_some() { decided.unwrap_or(changes) } else { changes })
    }

    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
        self.read().await?;
        self.inner.find_keys(keys).await
    }

    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError> {
        self.read().await?;
        self.inner.get(id).await
    }

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read().await?;
        self.inner.journal(id, after, limit).await
    }

    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError> {
        self.read().await?;
        let mut records = self.inner.look(known, limit, farthest, next).await?;
        if self.planted() == Some(AdapterBug::LooksAtItsOwn) {
            let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            records.retain(|record| own.contains(&record.saga.id));
        }
        let mut inner = self.world.lock();
        if !inner.has_held {
            inner.seen.looked(self.life.number, &records, self.inner.now());
        }
        Ok(records)
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        self.read().await?;
        self.inner.under_way(limit).await
    }

    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError> {
        self.read().await?;
        self.inner.forget(before, after, limit).await
    }

    fn now(&self) -> Micros {
        self.inner.now()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.read().await
    }
}

#[async_trait]
impl SagaQuery for FaultyStore {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        self.read().await?;
        self.inner.list(query).await
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        self.read().await?;
        self.inner.search(query).await
    }

    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
        self.read().await?;
        self.inner.count(search, limit, max_rows).await
    }

    async fn index(&self, registry: &Registry, limit: u32) -> Result<Option<Indexed>, StoreError> {
        self.inner.index(registry, limit).await
    }

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        self.read().await?;
        self.inner.forgotten(id).await
    }
}

fn describe(process: usize, changes: &Changes) -> String {
    let moved = changes.updates.iter().map(|update| &update.saga);
    let sagas = changes.inserts.iter().map(|insert| &insert.record.saga).chain(moved);
    let shown: Vec<String> = sagas
        .map(|saga| {
            let id = saga.id.to_string();
            format!("{} v{} {:?}", &id[id.len() - 4..], saga.version, saga.state)
        })
        .collect();
    format!("process {process}: {}", shown.join("; "))
}

/// Faults around a database, or what stands for one.
#[derive(Debug)]
pub struct EffectFaults {
    world: World,
    life: Arc<Life>,
    /// Where a read, a transaction's begin and its end are.
    places: [Place; 3],
}

impl EffectFaults {
    /// Faults of one incarnation of a participant.
    #[must_use]
    pub fn new(world: World, life: Arc<Life>) -> Arc<Self> {
        Arc::new(Self { world, life, places: [Place::EffectRead, Place::EffectBefore, Place::EffectAfter] })
    }

    /// Faults of operators' work, as one incarnation of an orchestrator sees it.
    #[must_use]
    pub fn of_operations(world: World, life: Arc<Life>) -> Arc<Self> {
        let places = [Place::OperationsRead, Place::OperationsBefore, Place::OperationsAfter];
        Arc::new(Self { world, life, places })
    }
}

impl Faults for EffectFaults {
    fn at(&self, point: Point) -> BoxFuture<'static, Result<(), SqlError>> {
        let (world, life) = (self.world.clone(), self.life.clone());
        let [read, before, after] = self.places;
        let place = match point {
            Point::Read => read,
            Point::Begin => before,
            Point::Committed => after,
        };
        Box::pin(async move {
            match world.place(&life, place, &[]).await {
                Fate::Go | Fate::Crash | Fate::Lost => Ok(()),
                Fate::Unavailable => Err(SqlError::Unavailable("simulated".to_owned())),
                Fate::Conflict => Err(SqlError::Conflict("simulated".to_owned())),
                Fate::Unknown => Err(SqlError::UnknownOutcome("simulated".to_owned())),
            }
        })
    }
}
