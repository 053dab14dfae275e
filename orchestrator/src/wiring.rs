//! The one place that names concrete technologies and puts the parts together.

pub mod critical_tasks;

use crate::api::Api;
use crate::api::admin::overview::memo::Memo;
use crate::api::client::SagaClient;
use crate::api::proxy::{Server, forward};
use crate::grpc_probe::Reached;
use crate::redact::Redactor;
use axum::Router;
use baton_courier::bus::{CommandBus, Destination};
use baton_courier::error::BusError;
use baton_engine::committer::{Committer, NewId};
use baton_engine::coord::Coord;
use baton_engine::driver::Engine;
use baton_engine::handle::EngineHandle;
use baton_engine::metrics::Metrics;
use baton_engine::notify::Notifier;
use baton_engine::pace::Pace;
use baton_engine::saga_cache::SagaCache;
use baton_engine::sagas::Registry;
use baton_engine::store::SagaStore;
use baton_engine::store::query::SagaQuery;
use baton_engine::under_way::UnderWay;
use baton_engine::workers::inbox::Inbox;
use baton_engine::workers::index::Index;
use baton_engine::workers::probe::Probe;
use baton_engine::workers::retention::{Policy, Retention};
use baton_engine::workers::waker::Waker;
use baton_operations::Operations;
use baton_operations::instances::Own;
use baton_operations::reason::SagaReason;
use baton_operations::workers::active_count::ActiveCount;
use baton_operations::workers::backlog_gauges::BacklogGauges;
use baton_operations::workers::dead_letters::Collector;
use baton_operations::workers::heartbeat::Heartbeat;
use baton_operations::workers::holds::Holds;
use baton_operations::workers::incidents::{Incidents, Webhook};
use baton_operations::workers::jobs::Jobs;
use baton_operations::workers::replays::Replays;
use baton_proto::baton::dev::v1::chaos_service_server;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminServiceServer;
use baton_proto::baton::saga::v1::saga_service_server::SagaServiceServer;
use baton_rpc::descriptors::Descriptors;
use critical_tasks::CriticalTasks;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use uuid::Uuid;

/// Bounds and pauses of one orchestrator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Inputs one transaction takes at most. Not below 1,024 in production: smaller batches cost throughput.
    pub max_batch: usize,
    /// Jobs that may wait for the engine.
    pub queue: usize,
    /// Starts and actions that may wait for their commit before callers get RESOURCE_EXHAUSTED.
    pub max_waiting_starts: usize,
    /// Sagas that may be under way, whoever drives them, before callers who start more get RESOURCE_EXHAUSTED.
    pub max_under_way: usize,
    /// Pause between two looks at sagas that have waited for a while.
    pub waker_pause: Duration,
    /// How long shutting down may take.
    pub drain: Duration,
    /// How long finished sagas are kept; `None` for ever.
    pub retention: Option<Policy>,
    /// The place of this process, which no other has at the same time; the next one there has replaced it. Empty if unknown.
    pub address: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_batch: 4096,
            queue: 16_384,
            max_waiting_starts: 8192,
            max_under_way: 2048,
            waker_pause: Duration::from_millis(100),
            drain: Duration::from_secs(10),
            retention: None,
            address: String::new(),
        }
    }
}

/// Everything an orchestrator is made of; each part behind its seam.
#[derive(Debug)]
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn SagaStore>,
    /// Answers about it.
    pub query: Arc<dyn SagaQuery>,
    /// What operators' own work is kept in; `None` leaves jobs, holds, dead letters and the audit out.
    pub operations: Option<Operations>,
    /// Who hears of stuck sagas, if anybody does; only with operations.
    pub webhook: Option<Arc<dyn Webhook>>,
    /// Commands out, replies in.
    pub bus: Arc<dyn CommandBus>,
    /// Hints between processes.
    pub coord: Arc<dyn Coord>,
    /// What participants know.
    pub probe: Arc<dyn Probe>,
    /// The sagas this build knows.
    pub registry: Registry,
    /// The messages that they and their participants speak.
    pub descriptors: Descriptors,
    /// Bounds and pauses.
    pub settings: Settings,
}

/// What an orchestrator does not decide itself: its message ids, and with them its jitter.
#[derive(Clone)]
pub struct Chance {
    /// Makes message ids: UUIDv7, unique for ever.
    pub new_id: NewId,
    /// Puts a defect in; see [`baton_engine::planted`].
    #[cfg(feature = "planted-bugs")]
    pub plant: Option<baton_engine::planted::Plant>,
}

impl Chance {
    /// Message ids from `new_id`, and no defect.
    #[must_use]
    pub fn of(new_id: NewId) -> Self {
        Self {
            new_id,
            #[cfg(feature = "planted-bugs")]
            plant: None,
        }
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::of(Arc::new(Uuid::now_v7))
    }
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

/// A running orchestrator.
#[derive(Debug)]
pub struct Orchestrator {
    api: Api,
    parts: Parts,
    stop: CancellationToken,
    closing: CancellationToken,
    critical_tasks: CriticalTasks,
    workers: Vec<JoinHandle<()>>,
    engine: JoinHandle<()>,
}

impl Orchestrator {
    /// Starts engine and workers. Whatever sagas the store holds go on from here: there is no recovery to run.
    pub fn start(parts: Parts, metrics: Arc<Metrics>) -> BoxFuture<'static, Result<Self, BusError>> {
        Self::start_with(parts, metrics, Chance::default())
    }

    /// The same with what is otherwise left to chance: a simulator hands in its own, so that a run can be repeated.
    pub fn start_with(
        parts: Parts,
        metrics: Arc<Metrics>,
        chance: Chance,
    ) -> BoxFuture<'static, Result<Self, BusError>> {
        // Boxed here: an async function is compiled in every crate that awaits it, with every task that it spawns.
        Self::started(parts, metrics, chance).boxed()
    }

    async fn started(parts: Parts, metrics: Arc<Metrics>, chance: Chance) -> Result<Self, BusError> {
        let settings = &parts.settings;
        let new_id = chance.new_id.clone();
        let under_way = UnderWay::new(settings.max_under_way);
        let (handle, queue) = EngineHandle::new(settings.queue, settings.max_waiting_starts, under_way.clone());
        let notifier = Notifier::new(parts.coord.clone(), metrics.clone());
        #[cfg(feature = "planted-bugs")]
        let planted = chance.plant.map(|plant| plant(&parts.bus));
        let pace = Arc::new(Pace::default());
        let committer = Committer {
            pace: pace.clone(),
            store: parts.store.clone(),
            registry: parts.registry.clone(),
            new_id: new_id.clone(),
            known: SagaCache::default(),
            holds: parts.operations.as_ref().map(|operations| operations.known_holds()).unwrap_or_default(),
            under_way: under_way.clone(),
            #[cfg(feature = "planted-bugs")]
            planted: planted.clone(),
        };
        let (stop, closing) = (CancellationToken::new(), CancellationToken::new());
        let engine =
            Engine::new(queue, committer, parts.bus.clone(), notifier.clone(), settings.max_batch, closing.clone());
        let consumer = parts.bus.consume(Destination::Replies).await?;
        let inbox = Inbox::new(consumer, handle.clone(), metrics.clone());
        let retention = settings.retention.map(|policy| Retention::new(parts.store.clone(), metrics.clone(), policy));
        let waker = Waker {
            pace,
            store: parts.store.clone(),
            engine: handle.clone(),
            registry: parts.registry.clone(),
            holds: parts.operations.as_ref().map(|operations| operations.known_holds()).unwrap_or_default(),
            bus: parts.bus.clone(),
            new_id: new_id.clone(),
            probe: parts.probe.clone(),
            metrics: metrics.clone(),
            pause: settings.waker_pause,
            #[cfg(feature = "planted-bugs")]
            planted,
        };
        let heartbeat = parts.operations.clone().map(|operations| {
            let (address, version) = (settings.address.clone(), env!("CARGO_PKG_VERSION"));
            Heartbeat::new(operations, metrics.clone(), Own { id: new_id(), address, version })
        });
        let backlog_gauges = parts.operations.clone().map(|operations| {
            BacklogGauges::new(operations, metrics.clone(), parts.registry.clone(), under_way.clone())
        });
        let incidents = parts.operations.clone().map(|operations| {
            let (store, registry) = (parts.store.clone(), parts.registry.clone());
            Incidents::new(operations, store, registry, metrics.clone(), parts.webhook.clone())
        });
        let index = Index::new(parts.store.clone(), parts.query.clone(), parts.registry.clone(), metrics.clone());
        let active_count = ActiveCount::new(parts.store.clone(), under_way, metrics);
        let critical_tasks = CriticalTasks::until(stop.clone());
        let workers = vec![
            critical_tasks.spawn("inbox", until(stop.clone(), inbox.run())),
            critical_tasks.spawn("waker", waker.run(stop.clone())),
            spawn(active_count.run(stop.clone())),
            spawn(index.run(stop.clone())),
            spawn(until(stop.clone(), notifier.clone().listen())),
        ];
        let retention = retention.map(|retention| spawn(retention.run(stop.clone())));
        let heartbeat = heartbeat.map(|heartbeat| spawn(heartbeat.run(stop.clone())));
        let backlog_gauges = backlog_gauges.map(|backlog_gauges| spawn(backlog_gauges.run(stop.clone())));
        let incidents = incidents.map(|incidents| spawn(incidents.run(stop.clone())));
        let collectors = parts.operations.iter().flat_map(|operations| {
            let commands = parts.registry.participants().into_iter().map(Destination::Commands);
            let destinations = commands.chain([Destination::Replies]);
            destinations
                .map(|destination| Collector::new(operations.clone(), parts.bus.clone(), destination, new_id.clone()))
        });
        let collectors = collectors.map(|collector| spawn(collector.run(stop.clone())));
        let replays = parts.operations.clone().map(|operations| {
            let replays = Replays::new(operations, parts.bus.clone());
            spawn(replays.run(stop.clone()))
        });
        let jobs = parts.operations.clone().map(|operations| {
            let (store, query, registry) = (parts.store.clone(), parts.query.clone(), parts.registry.clone());
            let jobs = Jobs::new(operations.clone(), query.clone(), handle.clone(), registry.clone(), new_id());
            let holds = Holds::new(operations, store, query, handle.clone(), registry, new_id());
            [spawn(jobs.run(stop.clone())), spawn(holds.run(stop.clone()))]
        });
        let workers = workers
            .into_iter()
            .chain(retention)
            .chain(collectors)
            .chain(heartbeat)
            .chain(backlog_gauges)
            .chain(incidents)
            .chain(replays)
            .chain(jobs.into_iter().flatten())
            .collect();
        let api = Api {
            engine: handle,
            store: parts.store.clone(),
            query: parts.query.clone(),
            operations: parts.operations.clone(),
            bus: parts.bus.clone(),
            new_id,
            overview: Memo::default(),
            probe: parts.probe.clone(),
            registry: parts.registry.clone(),
            shown: Redactor::new(&parts.descriptors),
            notifier,
            stop: stop.clone(),
        };
        let engine = critical_tasks.spawn("engine", engine.run());
        Ok(Self { api, parts, stop, closing, critical_tasks, workers, engine })
    }

    /// Its gRPC services.
    #[must_use]
    pub fn routes(&self) -> Routes {
        Routes::new(SagaServiceServer::new(self.api.clone())).add_service(SagaAdminServiceServer::new(self.api.clone()))
    }

    /// For services of one's own over the same sagas.
    #[must_use]
    pub fn client(&self) -> SagaClient {
        SagaClient::new(self.api.clone())
    }

    /// What the services work with; tests and the simulator put events in here.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Whether the tasks that drive sagas run.
    #[must_use]
    pub fn critical_tasks(&self) -> &CriticalTasks {
        &self.critical_tasks
    }

    /// Ok if sagas can be started and driven right now.
    pub fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        self.checked().boxed()
    }

    async fn checked(&self) -> Result<(), String> {
        if self.stop.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        self.critical_tasks.check()?;
        self.parts.store.ready().await.map_err(|error| error.to_string())?;
        self.parts.bus.health().map_err(|error| error.to_string())
    }

    /// Stops in order: no new starts, no new work from the bus, then what is in the queue is finished and sent. What
    /// remains after the drain time is as after a crash: another instance, or the next start, goes on with it.
    pub fn shutdown(self) -> BoxFuture<'static, ()> {
        self.stopped().boxed()
    }

    async fn stopped(self) {
        self.api.engine.stop_starts();
        self.stop.cancel();
        let drain = self.parts.settings.drain;
        let Self { parts, closing, workers, mut engine, .. } = self;
        let finished = async {
            for worker in workers {
                let _ = worker.await;
            }
            closing.cancel();
            let _ = (&mut engine).await;
        };
        if tokio::time::timeout(drain, finished).await.is_err() {
            tracing::warn!("drain time is over; the rest is left to another instance");
            engine.abort();
        }
        parts.bus.close().await;
    }
}

/// A task of its own. Boxed, since each type of future has the runtime's whole machinery compiled for itself.
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work.boxed())
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

const PARTICIPANT: Server = Server { name: "participant", away: SagaReason::ParticipantUnavailable };
const SUPERVISOR: Server = Server { name: "supervisor", away: SagaReason::SupervisorUnavailable };

/// The services that are passed on to each participant.
pub fn forwarded(participants: &BTreeMap<String, Reached>) -> Router {
    let own = participants.values().filter(|reached| !reached.service.is_empty());
    own.fold(Router::new(), |router, Reached { channel, service }| {
        router.merge(forward(&[service.as_str()], channel.clone(), PARTICIPANT))
    })
}

/// Killing and reviving on purpose, passed on to the supervisor of the processes.
pub fn chaos(channel: Channel) -> Router {
    forward(&[chaos_service_server::SERVICE_NAME], channel, SUPERVISOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_courier::local::{LocalBus, LocalConfig};
    use baton_engine::coord::local::LocalCoord;
    use baton_engine::workers::probe::NoProbe;
    use baton_store::memory::MemoryStore;
    use saga_core::time::Micros;

    #[tokio::test]
    async fn an_orchestrator_whose_engine_has_ended_is_not_ready() {
        let store = Arc::new(MemoryStore::new(Arc::new(|| Micros(1_700_000_000_000_000))));
        let parts = Parts {
            store: store.clone(),
            query: store,
            operations: None,
            webhook: None,
            bus: Arc::new(LocalBus::new(LocalConfig::default())),
            coord: Arc::new(LocalCoord::new()),
            probe: Arc::new(NoProbe),
            registry: Registry::default(),
            descriptors: Descriptors::engine(),
            settings: Settings::default(),
        };
        let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
        let orchestrator = Orchestrator::start(parts, metrics).await.expect("started");
        orchestrator.ready().await.expect("ready");
        orchestrator.engine.abort();
        orchestrator.critical_tasks().lost().await;
        let why = orchestrator.ready().await.expect_err("nothing moves any more");
        assert!(why.contains("engine"), "{why}");
        orchestrator.shutdown().await;
    }
}
