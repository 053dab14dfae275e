//! What the engine's tests share: a store that fails on order, a bus that remembers, an engine over both.

#![allow(dead_code)]

pub mod office;

use async_trait::async_trait;
use baton_bus::bus::{CommandBus, Consumer, Delivery, Destination, Message, Settle};
use baton_bus::error::BusError;
use baton_orchestrator::api::Api;
use baton_orchestrator::api::admin::overview::Memo;
use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::desk::Desk;
use baton_orchestrator::engine::attempt::Committer;
use baton_orchestrator::engine::driver::Engine;
use baton_orchestrator::engine::handle::EngineHandle;
use baton_orchestrator::engine::input::Start;
use baton_orchestrator::engine::planted::Planted;
use baton_orchestrator::engine::sender::Sender;
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::notify::Notifier;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::forgetting::{Forgotten, Sweep};
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{
    Changes, Counted, Decide, Fingerprint, Found, Holder, ListQuery, Loaded, OutboxMessage, Record, SagaStore,
    SearchQuery, StartKey, StoreError, Update,
};
use baton_orchestrator::workers::census::Census;
use baton_orchestrator::workers::probe::Probe;
use baton_proto::baton::participant::v1 as wire;
use baton_proto::shop::order::v1::{OrderLine, OrderSagaInput};
use baton_sql::database::DatabaseConfig;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::Entry;
use saga_core::saga::{DefinitionId, SagaId, State};
use saga_core::time::Micros;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    pub inner: Arc<dyn SagaStore>,
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

    pub fn over(inner: Arc<dyn SagaStore>) -> Arc<Self> {
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
            Changes {
                updates: vec![Update { saga, last_failure: None, loaded_version, data_changed: false }],
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
            Changes {
                updates: vec![Update { saga, last_failure: None, loaded_version, data_changed: false }],
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
            Changes {
                updates: vec![Update { saga, last_failure: None, loaded_version, data_changed: false }],
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
        let was_refused = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let tell = was_refused.clone();
        let judged = Box::new(move |loaded: &Loaded| {
            let mut loaded = loaded.clone();
            for id in &garbled {
                loaded.records.remove(id);
                loaded.broken.push((*id, "garbled".to_owned()));
            }
            let changes = decide(&loaded);
            let is_refused = changes.updates.iter().any(|update| Some(update.saga.id) == refused);
            tell.store(is_refused, Ordering::SeqCst);
            if is_refused { Changes::default() } else { changes }
        });
        let written = self.inner.commit(ids, judged).await?;
        if was_refused.load(Ordering::SeqCst) { Err(StoreError::Refused("told to".into())) } else { Ok(written) }
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

    async fn journal(&self, id: SagaId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.inner.journal(id, after, limit).await
    }

    async fn due(&self, known: Vec<DefinitionId>, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.inner.due(known, limit).await
    }

    async fn under_way(&self, limit: u32) -> Result<u64, StoreError> {
        self.inner.under_way(limit).await
    }

    async fn unconfirmed(
        &self,
        age: Duration,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        self.inner.unconfirmed(age, after, limit).await
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

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        self.inner.forgotten(id).await
    }

    fn now(&self) -> Micros {
        self.inner.now()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.ready().await
    }
}

/// A clock that moves on order.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000_000)))
    }

    pub fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }

    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_micros() as i64, Ordering::SeqCst);
    }
}

/// A bus that remembers what it was given, and confirms it or not.
#[derive(Debug, Default)]
pub struct RecordingBus {
    pub published: Mutex<Vec<Message>>,
    pub mute: std::sync::atomic::AtomicBool,
}

impl RecordingBus {
    /// Every command published so far, in order.
    pub fn commands(&self) -> Vec<wire::Command> {
        let published = self.published.lock().unwrap();
        let batches = published.iter().map(|m| wire::CommandBatch::decode(m.body.clone()).expect("our own bytes"));
        batches.flat_map(|batch| batch.commands).collect()
    }
}

#[async_trait]
impl CommandBus for RecordingBus {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let ids = messages.iter().map(|message| message.id).collect();
        self.published.lock().unwrap().extend(messages);
        if self.mute.load(Ordering::SeqCst) { Vec::new() } else { ids }
    }

    async fn consume(&self, _source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        Err(BusError::Closed)
    }

    fn health(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn close(&self) {}
}

/// How a delivery was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    Acked,
    DeadLettered,
    Released,
}

/// A delivery whose settlement can be read.
pub fn delivery() -> (Delivery, Arc<Mutex<Vec<Settlement>>>) {
    #[derive(Debug)]
    struct Remember(Arc<Mutex<Vec<Settlement>>>);
    #[async_trait]
    impl Settle for Remember {
        async fn ack(self: Box<Self>) {
            self.0.lock().unwrap().push(Settlement::Acked);
        }
        async fn dead_letter(self: Box<Self>, _body: Bytes, _reason: &str) {
            self.0.lock().unwrap().push(Settlement::DeadLettered);
        }
        async fn release(self: Box<Self>) {
            self.0.lock().unwrap().push(Settlement::Released);
        }
    }
    let settlements = Arc::new(Mutex::new(Vec::new()));
    (Delivery::new(Bytes::new(), None, false, Box::new(Remember(settlements.clone()))), settlements)
}

/// An engine over a faulty store and a recording bus, stepped or run by the test.
pub struct Bench {
    pub clock: Clock,
    pub store: Arc<FaultyStore>,
    pub desk: Option<Desk>,
    pub sql: Option<Arc<SqlStore>>,
    pub bus: Arc<RecordingBus>,
    pub sender: Arc<Sender>,
    pub handle: EngineHandle,
    pub under_way: Arc<UnderWay>,
    pub census: Census,
    pub closing: CancellationToken,
    pub notifier: Arc<Notifier>,
    pub engine: Engine,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| None)
    }

    /// At most so many sagas may be under way.
    pub fn bounded(max: usize) -> Self {
        Self::made(max, |_| None)
    }

    pub fn with(planted: impl FnOnce(&Arc<Sender>) -> Option<Planted>) -> Self {
        Self::made(1024, planted)
    }

    /// Over a database, with a desk in it.
    pub async fn over(config: DatabaseConfig) -> Self {
        let clock = Clock::new();
        let own = clock.clone();
        let store = SqlStore::open_with_clock(config, Arc::new(move || own.now())).await.expect("open");
        store.migrate().await.expect("migrated");
        let store = Arc::new(store);
        let desk = Some(Desk::new(store.clone()));
        let bench = Self::on(clock, FaultyStore::over(store.clone()), desk, 1024, |_| None);
        Self { sql: Some(store), ..bench }
    }

    fn made(max_under_way: usize, planted: impl FnOnce(&Arc<Sender>) -> Option<Planted>) -> Self {
        let clock = Clock::new();
        let store = FaultyStore::new(&clock);
        Self::on(clock, store, None, max_under_way, planted)
    }

    fn on(
        clock: Clock,
        store: Arc<FaultyStore>,
        desk: Option<Desk>,
        max_under_way: usize,
        planted: impl FnOnce(&Arc<Sender>) -> Option<Planted>,
    ) -> Self {
        let bus = Arc::new(RecordingBus::default());
        let sender = Sender::new(bus.clone());
        let under_way = UnderWay::new(max_under_way);
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let census = Census::new(store.clone(), under_way.clone(), metrics.clone());
        let notifier = Notifier::new(Arc::new(LocalCoord::new()), metrics);
        let (handle, jobs) = EngineHandle::new(1024, 1024, under_way.clone());
        let committer = Committer {
            store: store.clone(),
            registry: Registry::standard(),
            new_id: Arc::new(Uuid::now_v7),
            known: baton_orchestrator::engine::known::Known::default(),
            holds: desk.as_ref().map(Desk::known_holds).unwrap_or_default(),
            under_way: under_way.clone(),
            planted: planted(&sender),
        };
        let closing = CancellationToken::new();
        let engine = Engine::new(jobs, committer, sender.clone(), notifier.clone(), 4096, closing.clone());
        Self { clock, store, desk, sql: None, bus, sender, handle, under_way, census, closing, notifier, engine }
    }

    /// What the services work with, over this bench; its engine is still the test's to run.
    pub fn api(&self, probe: Arc<dyn Probe>) -> Api {
        Api {
            engine: self.handle.clone(),
            bus: self.bus.clone(),
            overview: Memo::default(),
            store: self.store.clone(),
            desk: self.desk.clone(),
            probe,
            registry: Registry::standard(),
            notifier: self.notifier.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// Waits until everything that is being published is settled.
    pub async fn published(&self) {
        wait_for("publishing to settle", || self.sender.in_flight() == 0).await;
    }
}

/// Waits for a condition, at most ten seconds.
pub async fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(tokio::time::Instant::now() < patience, "waited too long for {what}");
        tokio::task::yield_now().await;
    }
}

/// A start of the order saga; `n` makes it another order.
pub fn order_start(n: u8) -> Start {
    let input = OrderSagaInput {
        order_number: Uuid::from_bytes([n; 16]).to_string(),
        payment_id: format!("imp_{n}"),
        customer_id: "alice".into(),
        currency_code: "KRW".into(),
        lines: vec![OrderLine { item_id: "apple".into(), quantity: 2, unit_price_minor_units: 500 }],
    };
    Start {
        id: SagaId([n; 16]),
        definition: DefinitionId { name: "order".into(), version: 1 },
        business_key: input.order_number.clone(),
        input: input.encode_to_vec().into(),
        traceparent: String::new(),
        keys: vec![StartKey([n; 32])],
        fingerprint: Fingerprint([n; 32]),
    }
}

/// Waits for what has to be asked for, at most a minute.
pub async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(tokio::time::Instant::now() < until, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
