//! A store that fails on order.

use super::Clock;
use async_trait::async_trait;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::indexing::Indexed;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::purge::{Forgotten, Sweep};
use baton_orchestrator::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery, WholeStore};
use baton_orchestrator::store::{
    Changes, Decide, Holder, Loaded, NextLook, Record, SagaStore, StartKey, StoreError, Update, commit_with,
};
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId, State};
use saga_core::time::Micros;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the next commits do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Away,
    /// Everything is written, the answer is lost.
    DoneButUnanswered,
    /// Nothing is written, and nobody knows.
    NotDoneAndUnanswered,
    /// Nothing is written: somebody else was faster.
    Conflict,
    /// Nothing is written: the database refuses it.
    Refused,
    /// Nothing is written: a start key is taken, and given back before anybody can ask whose it is.
    DuplicateKey,
}

/// A store, in memory unless the test says otherwise, that fails on order.
#[derive(Debug)]
pub struct FaultyStore {
    pub inner: Arc<dyn WholeStore>,
    faults: Mutex<Vec<Fault>>,
    /// No move of this saga is ever taken.
    refused: Mutex<Option<SagaId>>,
    /// Nothing that comes across this saga's row can be read.
    sick: Mutex<Option<SagaId>>,
    /// Rows of the next commits that do not decode when they are read.
    garbled: Mutex<Vec<SagaId>>,
    pub commits: AtomicUsize,
    /// How many sagas the last commit read.
    pub read: AtomicUsize,
    /// How often it was asked whether it is there.
    pub looks: AtomicUsize,
}

impl FaultyStore {
    pub fn new(clock: &Clock) -> Arc<Self> {
        let clock = clock.clone();
        Self::over(Arc::new(MemoryStore::new(Arc::new(move || clock.now()))))
    }

    pub fn over(inner: Arc<dyn WholeStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: Mutex::default(),
            refused: Mutex::default(),
            sick: Mutex::default(),
            garbled: Mutex::default(),
            commits: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
        })
    }

    /// From now on the database refuses every move of this saga.
    pub fn refuse(&self, id: SagaId) {
        *self.refused.lock().unwrap() = Some(id);
    }

    /// From now on the database refuses to read whatever comes across this saga's row.
    pub fn sicken(&self, id: Option<SagaId>) {
        *self.sick.lock().unwrap() = id;
    }

    fn healthy(&self, id: SagaId) -> Result<(), StoreError> {
        if *self.sick.lock().unwrap() == Some(id) { Err(StoreError::Refused("told to".into())) } else { Ok(()) }
    }

    /// The saga's row comes garbled from the database when it is read next; it is whole in its table.
    pub fn garble_next(&self, id: SagaId) {
        self.garbled.lock().unwrap().push(id);
    }

    /// The next commits fail like this, in this order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Moves a saga to a step its definition does not have, past every rule.
    pub async fn damage(&self, id: SagaId, to: u8) {
        let decide = Box::new(move |loaded: &Loaded| {
            let mut saga = loaded.records[&id].saga.clone();
            let loaded_version = saga.version;
            saga.version += 1;
            if let State::Running { step, .. } = &mut saga.state {
                *step = to;
            }
            let look_at = saga.wake_at();
            Changes {
                updates: vec![Update {
                    saga,
                    last_failure: None,
                    skipped: Vec::new(),
                    loaded_version,
                    look_at,
                    data_changed: false,
                }],
                ..Changes::default()
            }
        });
        self.inner.commit(vec![id], decide).await.expect("damaged");
    }

    /// Moves a saga to where it is, under its next version.
    pub async fn touch(&self, id: SagaId) {
        let decide = Box::new(move |loaded: &Loaded| {
            let mut saga = loaded.records[&id].saga.clone();
            let loaded_version = saga.version;
            saga.version += 1;
            let look_at = saga.wake_at();
            Changes {
                updates: vec![Update {
                    saga,
                    last_failure: None,
                    skipped: Vec::new(),
                    loaded_version,
                    look_at,
                    data_changed: false,
                }],
                ..Changes::default()
            }
        });
        self.inner.commit(vec![id], decide).await.expect("touched");
    }

    /// Ends a saga, as another orchestrator would.
    pub async fn end(&self, id: SagaId) {
        let decide = Box::new(move |loaded: &Loaded| {
            let mut saga = loaded.records[&id].saga.clone();
            let loaded_version = saga.version;
            saga.version += 1;
            saga.state = State::Completed;
            let look_at = None;
            Changes {
                updates: vec![Update {
                    saga,
                    last_failure: None,
                    skipped: Vec::new(),
                    loaded_version,
                    look_at,
                    data_changed: false,
                }],
                ..Changes::default()
            }
        });
        self.inner.commit(vec![id], decide).await.expect("ended");
    }

    /// Lets the decision be made and writes nothing of it, as a database does that fails at COMMIT.
    async fn roll_back(&self, ids: Vec<SagaId>, mut decide: Decide) -> Result<(), StoreError> {
        let look = Box::new(move |loaded: &Loaded| {
            decide(loaded);
            Changes::default()
        });
        self.inner.commit(ids, look).await.map(|_| ())
    }

    /// Writes what the database takes of it, which is all or nothing.
    async fn write(&self, ids: Vec<SagaId>, mut decide: Decide) -> Result<Changes, StoreError> {
        let refused = *self.refused.lock().unwrap();
        let garbled = {
            let mut garbled = self.garbled.lock().unwrap();
            let now = garbled.iter().copied().filter(|id| ids.contains(id)).collect::<Vec<_>>();
            garbled.retain(|id| !now.contains(id));
            now
        };
        let judged = move |loaded: &Loaded| {
            let mut loaded = loaded.clone();
            for id in &garbled {
                loaded.records.remove(id);
                loaded.broken.push((*id, "garbled".to_owned()));
            }
            let changes = decide(&loaded);
            let is_refused = changes.updates.iter().any(|update| Some(update.saga.id) == refused);
            (if is_refused { Changes::default() } else { changes }, is_refused)
        };
        let (written, was_refused) = commit_with(&*self.inner, ids, judged).await?;
        if was_refused { Err(StoreError::Refused("told to".into())) } else { Ok(written) }
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        if faults.is_empty() { None } else { Some(faults.remove(0)) }
    }
}

#[async_trait]
impl SagaStore for FaultyStore {
    async fn commit(&self, ids: Vec<SagaId>, decide: Decide) -> Result<Changes, StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.read.store(ids.len(), Ordering::SeqCst);
        match self.next_fault() {
            None => self.write(ids, decide).await,
            Some(Fault::Away) => {
                self.roll_back(ids, decide).await?;
                Err(StoreError::Unavailable("told to".into()))
            }
            Some(Fault::NotDoneAndUnanswered) => {
                self.roll_back(ids, decide).await?;
                Err(StoreError::UnknownOutcome("told to".into()))
            }
            Some(Fault::DoneButUnanswered) => {
                self.inner.commit(ids, decide).await?;
                Err(StoreError::UnknownOutcome("told to".into()))
            }
            Some(Fault::Conflict) => {
                self.roll_back(ids, decide).await?;
                Err(StoreError::Conflict("told to".into()))
            }
            Some(Fault::Refused) => {
                self.roll_back(ids, decide).await?;
                Err(StoreError::Refused("told to".into()))
            }
            Some(Fault::DuplicateKey) => {
                self.roll_back(ids, decide).await?;
                Err(StoreError::DuplicateKey)
            }
        }
    }

    async fn find_keys(&self, keys: Vec<StartKey>) -> Result<Vec<Holder>, StoreError> {
        self.inner.find_keys(keys).await
    }

    async fn get(&self, id: SagaId) -> Result<Option<Record>, StoreError> {
        self.healthy(id)?;
        self.inner.get(id).await
    }

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.inner.journal(id, after, limit).await
    }

    async fn look(
        &self,
        known: Vec<DefinitionId>,
        limit: u32,
        farthest: Duration,
        next: NextLook,
    ) -> Result<Vec<Record>, StoreError> {
        self.inner.look(known, limit, farthest, next).await
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        self.inner.under_way(limit).await
    }

    async fn forget(&self, before: Micros, after: Option<SagaId>, limit: u32) -> Result<Sweep, StoreError> {
        match self.next_fault() {
            None => self.inner.forget(before, after, limit).await,
            Some(Fault::Away) => Err(StoreError::Unavailable("told to".into())),
            Some(Fault::NotDoneAndUnanswered) => Err(StoreError::UnknownOutcome("told to".into())),
            Some(Fault::DoneButUnanswered) => {
                self.inner.forget(before, after, limit).await?;
                Err(StoreError::UnknownOutcome("told to".into()))
            }
            Some(Fault::Conflict) => Err(StoreError::Conflict("told to".into())),
            Some(Fault::Refused) => Err(StoreError::Refused("told to".into())),
            Some(Fault::DuplicateKey) => Err(StoreError::DuplicateKey),
        }
    }

    fn now(&self) -> Micros {
        self.inner.now()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.ready().await
    }
}

#[async_trait]
impl SagaQuery for FaultyStore {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        self.inner.list(query).await
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        let sick = *self.sick.lock().unwrap();
        if let Some(id) = sick
            && let Some(record) = self.inner.get(id).await?
            && query.search.matches(&record)
        {
            self.healthy(id)?;
        }
        self.inner.search(query).await
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
