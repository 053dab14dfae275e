//! The embedded shape: orchestrator, participants and sandbox in one process, over SQLite files and bounded queues.

use crate::admin::{self, Admin};
use crate::client::endpoint;
use crate::config::Config;
use crate::failure::Failure;
use crate::orchestrator::ready;
use crate::wiring::{self, Made, ORCHESTRATOR_SERVICES, Work};
use crate::{databases, sandbox_provider};
use baton_bus::bus::CommandBus;
use baton_bus::local::{LocalBus, LocalConfig};
use baton_edge::server::{self, Health};
use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::engine::handle::EngineHandle;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::sagas::Registry as Sagas;
use baton_orchestrator::store::SagaStore;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::wiring::{Orchestrator, Parts};
use baton_orchestrator::workers::probe::GrpcProbe;
use baton_participant_kit::metrics::Metrics as ParticipantMetrics;
use baton_participant_kit::probe;
use baton_sandbox::server::Sandbox;
use baton_sql::database::{Database, DatabaseConfig};
use prometheus_client::registry::Registry;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const SERVICE: &str = "baton-embedded";

/// The whole of Baton in this process. Dropping it without [`Embedded::stop`] is a crash, which it is built for: the next
/// start on the same directory goes on where it was.
#[derive(Debug)]
pub struct Embedded {
    /// gRPC: every service.
    pub address: SocketAddr,
    /// HTTP: metrics and probes.
    pub admin_address: SocketAddr,
    /// Base URL of the sandbox provider.
    pub provider: String,
    orchestrator: Orchestrator,
    serving: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    admin: Admin,
    sandbox: Sandbox,
    stop: CancellationToken,
    admin_stop: CancellationToken,
    // Held for as long as the directory is ours.
    _lock: File,
}

impl Embedded {
    /// Starts everything on `directory`, which is created if it is missing. Listens where `server.listen`,
    /// `server.admin_listen` and `provider.listen` say; port 0 takes any. Sagas found in the directory go on.
    ///
    /// # Errors
    /// If another process holds the directory, or an address is taken, or a file cannot be opened.
    pub async fn start(config: &Config, directory: &Path) -> Result<Self, Failure> {
        let lock = lock(directory)?;
        let stop = CancellationToken::new();
        let mut config = config.clone();
        let sandbox = sandbox_provider::start(&config.provider, &directory.join("sandbox.db")).await?;
        config.provider.base_url = sandbox.url();
        let made = participants(&config, directory, &stop).await?;
        let listener = wiring::listener(config.server.listen).await?;
        let address = listener.local_addr()?;
        let bus = Arc::new(LocalBus::new(LocalConfig {
            confirm_deadline: config.bus.confirm_timeout,
            ..LocalConfig::default()
        }));
        let store = store(directory).await?;
        let mut registry = Registry::default();
        let parts = parts(&config, address, store.clone(), bus.clone())?;
        let metrics = Arc::new(Metrics::register(&mut registry));
        let orchestrator = Orchestrator::start(parts, metrics).await.map_err(|error| Failure::other(&error))?;
        let (routes, health) = one_port(&orchestrator, &made).await;
        let work = Work {
            bus: bus.clone(),
            metrics: ParticipantMetrics::register(&mut registry),
            max_commands: config.engine.max_batch,
            stop: CancellationToken::new(),
        };
        let workers = made.into_iter().map(|made| made.work(work.clone())).collect();
        let admin_stop = CancellationToken::new();
        let ready = ready(store, bus, stop.clone());
        let listen = config.server.admin_listen;
        let admin = admin::serve(listen, SERVICE, Arc::new(registry), ready, admin_stop.clone()).await?;
        let engine = orchestrator.api().engine.clone();
        let serving = tokio::spawn(serve(listener, routes, health, engine, stop.clone()));
        let (admin_address, provider) = (admin.address, sandbox.url());
        Ok(Self {
            address,
            admin_address,
            provider,
            orchestrator,
            serving,
            workers,
            admin,
            sandbox,
            stop,
            admin_stop,
            _lock: lock,
        })
    }

    /// Drains and stops: no new calls, what is in the queue committed and answered, workers last.
    pub async fn stop(self) {
        self.stop.cancel();
        // Tasks that neither panic nor are aborted.
        let _ = self.serving.await;
        // Closes the bus at the end, and with it the workers.
        self.orchestrator.shutdown().await;
        for worker in self.workers {
            let _ = worker.await;
        }
        self.sandbox.shutdown().await;
        self.admin_stop.cancel();
        self.admin.ended().await;
    }
}

/// Two processes on the same files would each believe they are the only writer.
fn lock(directory: &Path) -> Result<File, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(|error| wrong(&error))?;
    let path = directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|error| wrong(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(wrong(&"another baton runs on this directory")),
        Err(std::fs::TryLockError::Error(error)) => Err(wrong(&error)),
    }
}

async fn store(directory: &Path) -> Result<Arc<dyn SagaStore>, Failure> {
    let opened = SqlStore::open(DatabaseConfig::sqlite(directory.join("orchestrator.db"))).await;
    let store = opened.map_err(|error| Failure::other(&error))?;
    store.migrate().await.map_err(|error| Failure::other(&error))?;
    Ok(Arc::new(store))
}

/// The three participants, each on a file of its own, their schemas up to date.
async fn participants(config: &Config, directory: &Path, stop: &CancellationToken) -> Result<Vec<Made>, Failure> {
    let open = async |name: &str| -> Result<Database, Failure> {
        databases::open(&DatabaseConfig::sqlite(directory.join(format!("{name}.db"))), name, stop).await
    };
    let made = vec![
        wiring::order(open("order").await?),
        wiring::payment(open("payment").await?, &config.provider)?,
        wiring::stock(open("stock").await?),
    ];
    for one in &made {
        let migrated = one.database.migrate(&one.migrations).await;
        migrated.map_err(|error| Failure::Other(format!("{}: {error}", one.name)))?;
    }
    Ok(made)
}

/// Probing goes through the same port as everything: one shape of code for both shapes of process.
fn parts(
    config: &Config,
    address: SocketAddr,
    store: Arc<dyn SagaStore>,
    bus: Arc<dyn CommandBus>,
) -> Result<Parts, Failure> {
    let own = endpoint(&address.to_string())?.connect_lazy();
    let channels = ["order", "payment", "stock"].map(|name| (name.to_owned(), own.clone()));
    Ok(Parts {
        store,
        bus,
        coord: Arc::new(LocalCoord::new()),
        probe: Arc::new(GrpcProbe::new(channels.into_iter().collect())),
        registry: Sagas::standard(),
        settings: wiring::settings(config),
    })
}

/// All services on one port, with Probe over all ledgers.
async fn one_port(orchestrator: &Orchestrator, made: &[Made]) -> (Routes, Health) {
    let mut router = orchestrator.routes().into_axum_router();
    let mut names = probe::service_names(&ORCHESTRATOR_SERVICES);
    for one in made {
        // Only one of the merged routers may answer what nobody knows.
        router = router.merge(one.routes.clone().into_axum_router().reset_fallback());
        names.extend(one.services);
    }
    let ledgers = made.iter().map(|one| one.database.clone()).collect();
    server::with_health_and_reflection(probe::routes(Routes::from(router), ledgers), &names).await
}

async fn serve(
    listener: tokio::net::TcpListener,
    routes: Routes,
    health: Health,
    engine: EngineHandle,
    stop: CancellationToken,
) {
    let served = server::serve(listener, routes, async move {
        stop.cancelled().await;
        health.set(false).await;
        engine.stop_starts();
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "gRPC server ended");
    }
}
