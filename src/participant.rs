//! `baton participant NAME`: one participant as a process of its own.

use crate::admin::{self, Ready};
use crate::config::Config;
use crate::config::participants::CourierKind;
use crate::failure::Failure;
use crate::linked::Linked;
use crate::wiring::{self, Work};
use crate::{databases, signals, telemetry};
use axum::Router;
use baton_courier::bus::CommandBus;
use baton_courier::grpc::GrpcEnd;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::probe;
use baton_rpc::server;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs until SIGTERM or Ctrl-C, then drains: no new calls, the batch in hand is answered, its replies confirmed.
///
/// # Errors
/// If it cannot start.
pub async fn run(name: &str, config: Config, linked: &Linked, colour: bool) -> Result<(), Failure> {
    let participant = linked.participant(name)?;
    let own = config.own(name).map_err(Failure::Usage)?;
    let service = format!("baton-{name}");
    let telemetry = telemetry::start(&config.telemetry, &service, colour)?;
    let stop = signals::stopping()?;
    let end = (own.courier == CourierKind::Grpc).then(|| GrpcEnd::new(name));
    let bus: Arc<dyn CommandBus> = match &end {
        Some(end) => Arc::new(end.clone()),
        None => wiring::bus(&config.bus, &service)?,
    };
    let database = databases::open(&wiring::database(own.store)?, &service, &stop).await?;
    let made = participant.make(database.clone())?;
    databases::check(&database, &made.migrations, &service, &stop).await?;
    let mut registry = Registry::default();
    let metrics = ParticipantMetrics::register(&mut registry);
    participant.register(&mut registry);
    let (routes, health) = server::with_health_and_reflection(
        match end {
            Some(end) => made.own_routes().add_service(end.service()),
            None => made.own_routes(),
        },
        &probe::service_names(made.services),
        &linked.descriptors,
    )
    .await;
    let listener = wiring::listener(own.listen).await?;
    let (asked, broker, stopping) = (database.clone(), bus.clone(), stop.clone());
    let ready: Ready = Arc::new(move || {
        let (database, bus, stopping) = (asked.clone(), broker.clone(), stopping.clone());
        Box::pin(async move {
            if stopping.is_cancelled() {
                return Err("shutting down".to_owned());
            }
            database.ready("ledger").await.map_err(|error| error.to_string())?;
            Ok(admin::carrying(bus.health()))
        })
    });
    let admin_stop = CancellationToken::new();
    let admin =
        admin::serve(own.admin_listen, &service, Arc::new(registry), ready, Router::new(), admin_stop.clone()).await?;
    let work = Work { bus: bus.clone(), metrics, max_commands: config.engine.max_batch, stop: stop.clone() };
    let worker = made.work(work);
    tracing::info!(listen = %listener.local_addr()?, admin = %admin.address, "{service} is up");
    // The batch in hand is answered before the bus is closed, and streams of orchestrators end with the bus, which serving waits for.
    let (signal, wound_down) = (stop.clone(), CancellationToken::new());
    let delay = config.server.shutdown_delay;
    let winding = tokio::spawn({
        let wound_down = wound_down.clone();
        async move {
            signal.cancelled().await;
            health.set(false).await;
            tokio::time::sleep(delay).await;
            // The worker's task neither panics nor is aborted.
            let _ = worker.await;
            bus.close().await;
            wound_down.cancel();
        }
    });
    let served = server::serve(listener, routes, wound_down.cancelled_owned()).await;
    // Serving ends before the signal only if it failed; then the worker must not go on alone.
    stop.cancel();
    let _ = winding.await;
    admin_stop.cancel();
    admin.ended().await;
    tracing::info!("{service} is down");
    telemetry.close().await;
    served.map_err(|error| Failure::other(&error))
}
