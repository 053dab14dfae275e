//! The embedded shape: orchestrator and participants in one process, over SQLite files and bounded queues.
//!
//! | file | what it holds |
//! |---|---|
//! | here | everything started and stopped in order |
//! | [`restartable`] | a participant that can be killed and started again |
//! | [`chaos`] | how it is done, and what the port says of it |

pub mod chaos;
pub mod restartable;

use crate::admin::{self, Admin};
use crate::config::Config;
use crate::embedded::chaos::Cast;
use crate::embedded::restartable::Restartable;
use crate::failure::Failure;
use crate::linked::Linked;
use crate::orchestrator::{ready, serving, wind_down};
use crate::wiring::{self, Work};
use baton_console::guard::Guard;
use baton_courier::bus::CommandBus;
use baton_courier::local::{LocalBus, LocalConfig};
use baton_orchestrator::api::Api;
use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::grpc_probe::{GrpcProbe, Reached};
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::store::StoreError;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::wiring::critical_tasks::CriticalTasks;
use baton_orchestrator::wiring::{Orchestrator, Parts, Settings};
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::probe;
use baton_proto::baton::participant::v1::participant_service_server::ParticipantServiceServer;
use baton_rpc::chaos::Chaos;
use baton_rpc::server::{self, Health};
use baton_sql::database::DatabaseConfig;
use prometheus_client::registry::Registry;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const SERVICE: &str = "baton-embedded";

/// Whether participants can be killed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChaosAccess {
    /// Nobody can.
    No,
    /// Whoever reaches the port can, provided that only this machine reaches it.
    OnLoopback,
}

/// A directory for the state, which no other process has: two on the same files would each believe they are the only writer.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    // Held for as long as the directory is ours.
    _lock: File,
}

impl Directory {
    /// Takes a directory, which is created if it is missing.
    ///
    /// # Errors
    /// If another process holds it.
    pub fn lock(path: &Path) -> Result<Self, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", path.display()));
        std::fs::create_dir_all(path).map_err(|error| wrong(&error))?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(|error| wrong(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(wrong(&"another baton runs on this directory")),
            Err(std::fs::TryLockError::Error(error)) => Err(wrong(&error)),
        }
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Orchestrator and participants in this process. Dropping it without [`Embedded::stop`] is a crash, which it is built for: the next
/// start on the same directory goes on where it was.
#[derive(Debug)]
pub struct Embedded {
    /// gRPC: every service.
    pub address: SocketAddr,
    /// HTTP: metrics and probes.
    pub admin_address: SocketAddr,
    orchestrator: Orchestrator,
    serving: JoinHandle<()>,
    cast: Cast,
    admin: Admin,
    stop: CancellationToken,
    admin_stop: CancellationToken,
    _directory: Directory,
}

impl Embedded {
    /// Starts everything that is linked in on `directory`. Listens where `server.listen` and `server.admin_listen` say; port 0
    /// takes any. Sagas found in the directory go on.
    ///
    /// # Errors
    /// If an address is taken, or a file cannot be opened.
    pub async fn start(
        config: &Config,
        linked: &Linked,
        directory: Directory,
        chaos: ChaosAccess,
    ) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let cast = Cast::new(Restartable::all(linked, &directory.path).await?);
        let listener = wiring::listener(config.server.listen).await?;
        let address = listener.local_addr()?;
        let bus = Arc::new(LocalBus::new(LocalConfig {
            confirm_deadline: config.bus.confirm_timeout,
            ..LocalConfig::default()
        }));
        let store = store(&directory.file("orchestrator.db")).await?;
        let mut registry = Registry::default();
        let webhook = crate::webhook::configured(&config.incidents)?;
        let parts = Parts { webhook, ..parts(config, linked, &cast, store.clone(), bus.clone()) };
        let metrics = Arc::new(Metrics::register(&mut registry));
        let orchestrator = Orchestrator::start(parts, metrics).await.map_err(|error| Failure::other(&error))?;
        let chaos = chaos == ChaosAccess::OnLoopback && only_this_machine(config);
        let (routes, health) = one_port(&orchestrator, linked, &cast, chaos, &stop).await;
        linked.participants.iter().for_each(|participant| participant.register(&mut registry));
        let work = Work {
            bus: bus.clone(),
            metrics: ParticipantMetrics::register(&mut registry),
            max_commands: config.engine.max_batch,
            stop: CancellationToken::new(),
        };
        for participant in &cast.participants {
            participant.work(work.clone()).await?;
        }
        let admin_stop = CancellationToken::new();
        let ready = ready(store, bus, stop.clone(), orchestrator.critical_tasks().clone());
        let listen = config.server.admin_listen;
        let console = baton_console::routes(&routes.clone().into_axum_router(), linked.table()?, Guard::new(listen));
        let admin = admin::serve(listen, SERVICE, Arc::new(registry), ready, console, admin_stop.clone()).await?;
        let (api, critical_tasks) = (orchestrator.api().clone(), orchestrator.critical_tasks().clone());
        let serving = tokio::spawn(serve(listener, routes, health, (api, critical_tasks), stop.clone()));
        Ok(Self {
            address,
            admin_address: admin.address,
            orchestrator,
            serving,
            cast,
            admin,
            stop,
            admin_stop,
            _directory: directory,
        })
    }

    /// Drains and stops: no new calls, what is in the queue committed and answered, workers last.
    pub async fn stop(self) {
        self.stop.cancel();
        // Tasks that neither panic nor are aborted.
        let _ = self.serving.await;
        // Closes the bus at the end, and with it the workers.
        self.orchestrator.shutdown().await;
        for participant in &self.cast.participants {
            participant.ended().await;
        }
        self.admin_stop.cancel();
        self.admin.ended().await;
    }
}

async fn store(path: &Path) -> Result<Arc<SqlStore>, Failure> {
    let broken = |error: StoreError| Failure::Other(format!("orchestrator: {}: {error}", path.display()));
    let store = SqlStore::open(DatabaseConfig::sqlite(path)).await.map_err(broken)?;
    store.migrate().await.map_err(broken)?;
    Ok(Arc::new(store))
}

/// Probes ask each participant's own services, so that one who is dead is not answered for by the others.
fn parts(config: &Config, linked: &Linked, cast: &Cast, store: Arc<SqlStore>, bus: Arc<dyn CommandBus>) -> Parts {
    let own = cast.participants.iter().map(|participant| {
        let service = participant.services.first().map_or_else(String::new, |service| (*service).to_owned());
        (participant.name.to_owned(), Reached { channel: participant.own(), service })
    });
    Parts {
        operations: Some(Operations::new(store.clone())),
        webhook: None,
        query: store.clone(),
        store,
        bus,
        coord: Arc::new(LocalCoord::new()),
        probe: Arc::new(GrpcProbe::new(own.collect())),
        registry: linked.sagas.clone(),
        descriptors: linked.descriptors.clone(),
        // The files have one process at a time, wherever it listens.
        settings: Settings { address: SERVICE.to_owned(), ..wiring::settings(config) },
    }
}

/// All services on one port, with Probe over all ledgers.
async fn one_port(
    orchestrator: &Orchestrator,
    linked: &Linked,
    cast: &Cast,
    chaos: bool,
    stop: &CancellationToken,
) -> (Routes, Health) {
    let mut router = linked.routes(orchestrator).into_axum_router();
    let mut names = probe::service_names(&linked.orchestrator_services());
    for participant in &cast.participants {
        router = router.merge(participant.business());
        names.extend(participant.services);
    }
    let mut routes = Routes::from(router).add_service(ParticipantServiceServer::new(cast.clone()));
    if chaos {
        routes = routes.add_service(Chaos::service(Arc::new(cast.clone())));
    }
    let (routes, health) = server::with_health_and_reflection(routes, &names, &linked.descriptors).await;
    cast.report_to(health.clone(), stop.clone());
    (routes, health)
}

/// Whoever reaches the port may kill; from elsewhere nobody shall.
fn only_this_machine(config: &Config) -> bool {
    let reached = [config.server.listen, config.server.admin_listen];
    let open = reached.into_iter().find(|listen| !listen.ip().is_loopback());
    if let Some(open) = open {
        tracing::warn!(%open, "reached from other machines too: nobody can be killed on purpose here");
    }
    open.is_none()
}

async fn serve(
    listener: tokio::net::TcpListener,
    routes: Routes,
    health: Health,
    (api, critical_tasks): (Api, CriticalTasks),
    stop: CancellationToken,
) {
    let served = server::serve(listener, routes, async move {
        serving(&health, &critical_tasks, &stop).await;
        wind_down(&health, &api).await;
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "gRPC server ended");
    }
}
