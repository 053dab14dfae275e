//! `baton orchestrator`: one of any number of orchestrators over the same database and broker.

use crate::admin::{self, Ready};
use crate::client::endpoint;
use crate::config::Config;
use crate::config::participants::ParticipantConfig;
use crate::failure::Failure;
use crate::linked::Linked;
use crate::{databases, signals, telemetry, webhook, wiring};
use baton_console::guard::Guard;
use baton_courier::bus::CommandBus;
use baton_orchestrator::api::Api;
use baton_orchestrator::grpc_probe::{GrpcProbe, Reached};
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::store::SagaStore;
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::wiring::critical_tasks::CriticalTasks;
use baton_orchestrator::wiring::{Orchestrator, Parts, chaos, forwarded};
use baton_rpc::server::{self, Health};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const SERVICE: &str = "baton-orchestrator";

/// How long calls may go on waiting for their sagas once the process stops; half of what the port is given to end its calls.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or Ctrl-C, then drains: not ready, no new calls, what is in the queue committed and sent.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config, linked: &Linked, colour: bool) -> Result<(), Failure> {
    let telemetry = telemetry::start(&config.telemetry, SERVICE, colour)?;
    let stop = signals::stopping()?;
    let participants = participants(&config, linked)?;
    let bus = wiring::couriers(&config, SERVICE, &participants)?;
    let store = open(&config, &stop).await?;
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::register(&mut registry));
    let parts = Parts {
        store: store.clone(),
        query: store.clone(),
        operations: Some(Operations::new(store.clone())),
        webhook: webhook::configured(&config.incidents)?,
        bus: bus.clone(),
        coord: wiring::coord(&config.coord)?,
        probe: Arc::new(GrpcProbe::new(participants.clone())),
        registry: linked.sagas.clone(),
        descriptors: linked.descriptors.clone(),
        settings: wiring::settings(&config),
    };
    let orchestrator = Orchestrator::start(parts, metrics).await.map_err(|error| Failure::other(&error))?;
    let mut all = linked.routes(&orchestrator).into_axum_router().merge(forwarded(&participants));
    if let Some(supervisor) = config.dev.chaos_endpoint {
        all = all.merge(chaos(endpoint(&supervisor.to_string())?.connect_lazy()));
    }
    let names = linked.orchestrator_services();
    let (routes, health) = server::with_health_and_reflection(Routes::from(all), &names, &linked.descriptors).await;
    let server = &config.server;
    let guard = Guard::new(server.admin_listen).behind(&server.allowed_hosts, &server.allowed_origins);
    let console = baton_console::routes(&routes.clone().into_axum_router(), linked.table()?, guard);
    let listener = wiring::listener(config.server.listen).await?;
    let admin_stop = CancellationToken::new();
    let ready = ready(store, bus, stop.clone(), orchestrator.critical_tasks().clone());
    let listen = config.server.admin_listen;
    let admin = admin::serve(listen, SERVICE, Arc::new(registry), ready, console, admin_stop.clone()).await?;
    tracing::info!(listen = %listener.local_addr()?, admin = %admin.address, "orchestrator is up");
    let (signal, api, critical_tasks) =
        (stop.clone(), orchestrator.api().clone(), orchestrator.critical_tasks().clone());
    let delay = config.server.shutdown_delay;
    let served = server::serve(listener, routes, async move {
        serving(&health, &critical_tasks, &signal).await;
        // Unready from here on, and served on, until nobody sends any more.
        health.set(false).await;
        tokio::time::sleep(delay).await;
        wind_down(&health, &api).await;
    });
    let served = served.await;
    orchestrator.shutdown().await;
    admin_stop.cancel();
    admin.ended().await;
    tracing::info!("orchestrator is down");
    telemetry.close().await;
    served.map_err(|error| Failure::other(&error))
}

/// The store, once its database is there and its schema is this build's.
async fn open(config: &Config, stop: &CancellationToken) -> Result<Arc<SqlStore>, Failure> {
    let database = wiring::database(&config.store)?;
    let probe = databases::open(&database, SERVICE, stop).await?;
    databases::check(&probe, MIGRATIONS, SERVICE, stop).await?;
    drop(probe);
    Ok(Arc::new(SqlStore::open(database).await.map_err(|error| Failure::other(&error))?))
}

/// Participants by name, as the configuration has them; they are connected to when they are needed and again when they break.
fn participants(config: &Config, linked: &Linked) -> Result<BTreeMap<String, Reached>, Failure> {
    let reached = |(name, participant): (&String, &ParticipantConfig)| {
        let service = participant.service.clone();
        if linked.orchestrator_services().contains(&service.as_str()) {
            return Err(Failure::Usage(format!("participants.{name}.service: {service} is the orchestrator's own")));
        }
        Ok((name.clone(), Reached { channel: endpoint(&participant.endpoint)?.connect_lazy(), service }))
    };
    config.participants.iter().map(reached).collect()
}

/// Serves until `stop`; without the tasks that drive sagas it is there, but not healthy.
pub async fn serving(health: &Health, critical_tasks: &CriticalTasks, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = critical_tasks.lost() => {
            health.set(false).await;
            stop.cancelled().await;
        }
    }
}

/// How a stop begins: not ready, no new starts; and whoever still waits for a saga is told after a second, while the
/// connection is there to tell it on.
pub async fn wind_down(health: &Health, api: &Api) {
    health.set(false).await;
    api.engine.stop_starts();
    let stop = api.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        stop.cancel();
    });
}

/// Ready while the store can commit and the tasks run that drive sagas.
pub fn ready(
    store: Arc<dyn SagaStore>,
    bus: Arc<dyn CommandBus>,
    stop: CancellationToken,
    critical_tasks: CriticalTasks,
) -> Ready {
    Arc::new(move || {
        let (store, bus, stop, critical_tasks) = (store.clone(), bus.clone(), stop.clone(), critical_tasks.clone());
        Box::pin(async move {
            if stop.is_cancelled() {
                return Err("shutting down".to_owned());
            }
            critical_tasks.check()?;
            store.ready().await.map_err(|error| error.to_string())?;
            Ok(admin::carrying(bus.health()))
        })
    })
}
