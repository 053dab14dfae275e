//! What the engine's tests share: a store that fails on order, a bus that remembers, an engine over both.

pub mod faulty;
pub mod office;

use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination, Message, Settle};
use baton_courier::error::BusError;
use baton_orchestrator::api::Api;
use baton_orchestrator::api::admin::overview::memo::Memo;
use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::engine::committer::Committer;
use baton_orchestrator::engine::driver::Engine;
use baton_orchestrator::engine::handle::EngineHandle;
use baton_orchestrator::engine::input::{NotSettled, Start, StartOutcome};
use baton_orchestrator::engine::planted::EngineBug;
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::notify::Notifier;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::redact::Redactor;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Fingerprint, StartKey};
use baton_orchestrator::workers::active_count::ActiveCount;
use baton_orchestrator::workers::probe::Probe;
use baton_orchestrator::workers::waker::{Couriers, Look, Waker};
use baton_proto::baton::participant::v1 as wire;
use baton_shop::saga::registry;
use baton_sql::database::DatabaseConfig;
use bytes::Bytes;
use faulty::FaultyStore;
use prost::Message as _;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use shop_proto::order::v1::{OrderLine, OrderSagaInput};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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

    /// As a time service does, or a person.
    pub fn set_back(&self, time: Duration) {
        self.0.fetch_sub(time.as_micros() as i64, Ordering::SeqCst);
    }
}

/// A bus that remembers what it was given, and carries and confirms it or not.
#[derive(Debug, Default)]
pub struct RecordingBus {
    /// What was sent and has got through.
    pub sent: Mutex<Vec<Message>>,
    pub published: Mutex<Vec<Message>>,
    /// It confirms nothing.
    pub mute: AtomicBool,
    /// It carries nothing, and says so.
    pub away: AtomicBool,
}

impl RecordingBus {
    /// Every command sent so far, in order.
    pub fn commands(&self) -> Vec<wire::Command> {
        let sent = self.sent.lock().unwrap();
        let batches = sent.iter().map(|m| wire::CommandBatch::decode(m.body.clone()).expect("our own bytes"));
        batches.flat_map(|batch| batch.commands).collect()
    }
}

#[async_trait]
impl CommandBus for RecordingBus {
    fn send(&self, messages: Vec<Message>) {
        if !self.away.load(Ordering::SeqCst) {
            self.sent.lock().unwrap().extend(messages);
        }
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let ids = messages.iter().map(|message| message.id).collect();
        self.published.lock().unwrap().extend(messages);
        if self.mute.load(Ordering::SeqCst) { Vec::new() } else { ids }
    }

    async fn consume(&self, _source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        Err(BusError::Closed)
    }

    fn health(&self) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) { Err(BusError::Unavailable("told to".into())) } else { Ok(()) }
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
    pub operations: Option<Operations>,
    pub sql: Option<Arc<SqlStore>>,
    pub bus: Arc<RecordingBus>,
    pub handle: EngineHandle,
    pub under_way: Arc<UnderWay>,
    pub active_count: ActiveCount,
    pub closing: CancellationToken,
    pub notifier: Arc<Notifier>,
    pub metrics: Arc<Metrics>,
    pub planted: Option<EngineBug>,
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

    pub fn with(planted: impl FnOnce(&Arc<RecordingBus>) -> Option<EngineBug>) -> Self {
        Self::made(1024, planted)
    }

    /// Over a database, with operations in it.
    pub async fn over(config: DatabaseConfig) -> Self {
        let clock = Clock::new();
        let own = clock.clone();
        let store = SqlStore::open_with_clock(config, Arc::new(move || own.now())).await.expect("open");
        store.migrate().await.expect("migrated");
        let store = Arc::new(store);
        let operations = Some(Operations::new(store.clone()));
        let bench = Self::on(clock, FaultyStore::over(store.clone()), operations, 1024, |_| None);
        Self { sql: Some(store), ..bench }
    }

    fn made(max_under_way: usize, planted: impl FnOnce(&Arc<RecordingBus>) -> Option<EngineBug>) -> Self {
        let clock = Clock::new();
        let store = FaultyStore::new(&clock);
        Self::on(clock, store, None, max_under_way, planted)
    }

    fn on(
        clock: Clock,
        store: Arc<FaultyStore>,
        operations: Option<Operations>,
        max_under_way: usize,
        planted: impl FnOnce(&Arc<RecordingBus>) -> Option<EngineBug>,
    ) -> Self {
        let bus = Arc::new(RecordingBus::default());
        let planted = planted(&bus);
        let under_way = UnderWay::new(max_under_way);
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let active_count = ActiveCount::new(store.clone(), under_way.clone(), metrics.clone());
        let notifier = Notifier::new(Arc::new(LocalCoord::new()), metrics.clone());
        let (handle, jobs) = EngineHandle::new(1024, 1024, under_way.clone());
        let committer = Committer {
            pace: Arc::default(),
            store: store.clone(),
            registry: registry(),
            new_id: Arc::new(Uuid::now_v7),
            known: baton_orchestrator::engine::saga_cache::SagaCache::default(),
            holds: operations.as_ref().map(Operations::known_holds).unwrap_or_default(),
            under_way: under_way.clone(),
            planted: planted.clone(),
        };
        let closing = CancellationToken::new();
        let engine = Engine::new(jobs, committer, bus.clone(), notifier.clone(), 4096, closing.clone());
        Self {
            clock,
            store,
            operations,
            sql: None,
            bus,
            handle,
            under_way,
            active_count,
            closing,
            notifier,
            metrics,
            planted,
            engine,
        }
    }

    /// What the services work with, over this bench; its engine is still the test's to run.
    pub fn api(&self, probe: Arc<dyn Probe>) -> Api {
        Api {
            engine: self.handle.clone(),
            bus: self.bus.clone(),
            new_id: Arc::new(Uuid::now_v7),
            overview: Memo::default(),
            store: self.store.clone(),
            query: self.store.clone(),
            operations: self.operations.clone(),
            probe,
            registry: registry(),
            shown: Redactor::new(&baton_shop::descriptors::descriptors()),
            notifier: self.notifier.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// A waker of this bench.
    pub fn waker(&self, probe: Arc<dyn Probe>) -> Waker {
        Waker {
            pace: Arc::default(),
            store: self.store.clone(),
            engine: self.handle.clone(),
            registry: registry(),
            holds: self.operations.as_ref().map(Operations::known_holds).unwrap_or_default(),
            bus: self.bus.clone(),
            new_id: Arc::new(Uuid::now_v7),
            probe,
            metrics: self.metrics.clone(),
            pause: Duration::from_millis(1),
            planted: self.planted.clone(),
        }
    }

    /// One look of a waker, with the engine at work until it is over.
    pub async fn look(&mut self, waker: &Waker, couriers: &mut Couriers) -> Look {
        let mut look = pin!(waker.look(couriers));
        loop {
            tokio::select! {
                biased;
                found = &mut look => return found.expect("the store is there"),
                goes_on = self.engine.run_once() => assert!(goes_on),
            }
        }
    }
}

/// Runs the engine until a task has ended, and no longer: it waits for work.
pub async fn drive<T>(engine: &mut Engine, task: &JoinHandle<T>) {
    let ended = async {
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    let running = async { while engine.run_once().await {} };
    tokio::select! {
        biased;
        () = ended => {}
        () = running => {}
    }
}

/// Starts the `n`-th order and runs the engine until it is answered.
pub async fn start(bench: &mut Bench, n: u8) -> Result<StartOutcome, NotSettled> {
    let handle = bench.handle.clone();
    let started = tokio::spawn(async move { handle.start(order_start(n)).await.expect("queued") });
    drive(&mut bench.engine, &started).await;
    started.await.expect("no panic")
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
        attributes: Vec::new(),
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
