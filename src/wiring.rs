//! From configuration to databases, buses, hints, workers: the one place of the binary that names them.

use crate::config::participants::CourierKind;
use crate::config::{BusConfig, BusKind, Config, CoordConfig, CoordKind, StoreConfig, StoreUrl};
use crate::failure::Failure;
use baton_courier::bus::CommandBus;
use baton_courier::couriers::Couriers;
use baton_courier::grpc::GrpcCourier;
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_orchestrator::coord::Coord;
use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::grpc_probe::Reached;
use baton_orchestrator::wiring::Settings;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::Participant;
use baton_participant_kit::worker::{Worker, WorkerOptions};
use baton_participant_kit::{ledger, probe};
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::migration::Migration;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;

/// Names of the engine's own services, for health.
pub const ORCHESTRATOR_SERVICES: [&str; 2] = ["baton.saga.v1.SagaService", "baton.saga.v1.SagaAdminService"];

/// The database a section names.
///
/// # Errors
/// If its URL is neither MariaDB nor SQLite.
pub fn database(store: &StoreConfig) -> Result<DatabaseConfig, Failure> {
    Ok(match store.parsed().map_err(Failure::Usage)? {
        StoreUrl::MariaDb(url) => DatabaseConfig::MariaDb {
            url: url.to_owned(),
            connections: store.connections,
            acquire_timeout: store.acquire_timeout,
        },
        StoreUrl::Sqlite(path) => DatabaseConfig::SqliteFile { path },
    })
}

/// The bus between processes. It connects in the background; a broker that is away is waited for.
///
/// # Errors
/// If the URL cannot be understood, or the bus cannot leave this process.
pub fn bus(bus: &BusConfig, program: &str) -> Result<Arc<dyn CommandBus>, Failure> {
    match bus.kind {
        BusKind::Rabbitmq => Ok(Arc::new(rabbitmq(bus, program)?)),
        BusKind::Local => {
            let why = "bus.kind: \"local\" reaches no other process; use `baton dev`, or \"rabbitmq\" here";
            Err(Failure::Usage(why.to_owned()))
        }
    }
}

/// What carries an orchestrator's commands: the broker, streams to participants, or some of each. Without a participant that
/// has the broker there is none.
///
/// # Errors
/// As [`bus`].
pub fn couriers(
    config: &Config,
    program: &str,
    participants: &BTreeMap<String, Reached>,
) -> Result<Arc<dyn CommandBus>, Failure> {
    let by_stream = |name: &String| config.participants.get(name).is_some_and(|it| it.courier == CourierKind::Grpc);
    let streams: BTreeMap<String, Channel> = participants
        .iter()
        .filter(|(name, _)| by_stream(name))
        .map(|(name, reached)| (name.clone(), reached.channel.clone()))
        .collect();
    if streams.is_empty() {
        return bus(&config.bus, program);
    }
    let is_whole = streams.len() == participants.len();
    let routes = streams.keys().map(|name| (name.clone(), usize::from(!is_whole))).collect();
    let grpc: Arc<dyn CommandBus> = Arc::new(GrpcCourier::start(streams));
    let all = if is_whole { vec![grpc] } else { vec![bus(&config.bus, program)?, grpc] };
    Ok(Arc::new(Couriers::new(all, routes)))
}

/// The broker of a section, whatever kind the section says: for who looks at it from outside.
///
/// # Errors
/// If its URL cannot be understood.
pub fn rabbitmq(bus: &BusConfig, program: &str) -> Result<RabbitBus, Failure> {
    let config = RabbitConfig {
        name: program.to_owned(),
        prefetch: bus.prefetch,
        confirm_deadline: bus.confirm_timeout,
        ..RabbitConfig::new(bus.url.expose_secret())
    };
    RabbitBus::start(&config).map_err(|error| Failure::other(&error))
}

/// The hints between orchestrators. Redis is connected to in the background; while it is away, watchers poll.
///
/// # Errors
/// If the URL cannot be understood.
pub fn coord(coord: &CoordConfig) -> Result<Arc<dyn Coord>, Failure> {
    match coord.kind {
        CoordKind::Local => Ok(Arc::new(LocalCoord::new())),
        CoordKind::Redis => redis(coord),
    }
}

#[cfg(feature = "redis")]
fn redis(coord: &CoordConfig) -> Result<Arc<dyn Coord>, Failure> {
    match baton_orchestrator::coord::redis::RedisCoord::start(coord.url.expose_secret()) {
        Ok(coord) => Ok(Arc::new(coord)),
        Err(error) => Err(Failure::Usage(format!("coord.url: {error}"))),
    }
}

#[cfg(not(feature = "redis"))]
fn redis(_coord: &CoordConfig) -> Result<Arc<dyn Coord>, Failure> {
    let why = "coord.kind: this build knows no \"redis\": it was made without the feature `redis`; \"local\" is there";
    Err(Failure::Usage(why.to_owned()))
}

/// The engine's bounds.
#[must_use]
pub fn settings(config: &Config) -> Settings {
    Settings {
        max_batch: config.engine.max_batch,
        queue: config.engine.queue,
        max_waiting_starts: config.limits.waiting_starts,
        max_under_way: config.limits.sagas_under_way,
        waker_pause: config.engine.waker_pause,
        drain: config.server.shutdown_timeout,
        retention: config.retention.policy(),
        address: place(config.server.listen),
    }
}

/// Where a process of this machine listens: nobody else does at the same time. Empty where the system does not say which
/// machine it is, or the port is any.
fn place(listen: std::net::SocketAddr) -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) if listen.port() != 0 => format!("{} {listen}", host.trim()),
        _ => String::new(),
    }
}

/// A participant that is made but does not work yet.
pub struct Made {
    /// Its name.
    pub name: &'static str,
    /// Its business services.
    pub routes: Routes,
    /// Their names, for health.
    pub services: &'static [&'static str],
    /// What its schema needs.
    pub migrations: Vec<Migration>,
    /// Its database.
    pub database: Database,
    start: Box<dyn FnOnce(Work) -> BoxFuture<'static, ()> + Send>,
    beside: Option<Beside>,
}

/// What a participant does beside its commands, until it is told to end.
type Beside = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a worker is given.
#[derive(Clone, Debug)]
pub struct Work {
    /// Where commands come from.
    pub bus: Arc<dyn CommandBus>,
    /// Counts.
    pub metrics: ParticipantMetrics,
    /// Commands in one transaction.
    pub max_commands: usize,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Made {
    /// With work of its own beside its commands: it begins with the worker and is told to end when that stops or has ended.
    #[must_use]
    pub fn beside(mut self, work: impl FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send + 'static) -> Self {
        self.beside = Some(Box::new(work));
        self
    }

    /// Starts its worker, and what it does beside; the task ends after `stop`, or with the bus.
    pub fn work(self, work: Work) -> JoinHandle<()> {
        let over = work.stop.child_token();
        let (worker, beside) = ((self.start)(work), self.beside);
        // One task, so that whoever is killed on purpose dies as a whole.
        tokio::spawn(async move {
            let beside = beside.map(|beside| beside(over.clone()));
            let worker = async {
                worker.await;
                over.cancel();
            };
            tokio::join!(worker, async {
                if let Some(beside) = beside {
                    beside.await;
                }
            });
        })
    }

    /// Its business services with Probe, as its own process serves them.
    #[must_use]
    pub fn own_routes(&self) -> Routes {
        probe::routes(self.routes.clone(), vec![self.database.clone()])
    }
}

/// A participant with its business services, over its database.
pub fn made<P: Participant>(
    participant: P,
    routes: Routes,
    services: &'static [&'static str],
    database: Database,
) -> Made {
    let (name, migrations) = (participant.name(), ledger::migrations(&participant));
    let own = database.clone();
    let start = Box::new(move |work: Work| {
        let options = WorkerOptions { max_commands: work.max_commands, ..WorkerOptions::default() };
        let worker = Worker::new(Arc::new(participant), own.clone(), work.bus, Clock::of(&own), work.metrics, options);
        let work = async move {
            // It only ever ends because it was told to, or because the bus was closed, which tells it the same.
            if let Err(error) = worker.run(work.stop).await {
                tracing::debug!(participant = name, %error, "worker ended");
            }
        };
        work.boxed()
    });
    Made { name, routes, services, migrations, database, start, beside: None }
}

/// Binds a gRPC listener; port 0 takes any.
///
/// # Errors
/// If the address is taken or not ours.
pub async fn listener(listen: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| Failure::Other(format!("cannot listen on {listen}: {error}")))
}
