//! One gRPC port: its services, health and reflection, and the bounds of every call.

use crate::descriptors::Descriptors;
use crate::error_details::Explain;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Error, Server};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Longest request or answer. A page of 1,000 sagas is about 1 MiB.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// HTTP/2 streams of one connection, and calls at work on it; more wait. Calls that wait for their saga to end are among them and cost
/// next to nothing, so that a lower bound for calls would let them hold up the quick ones.
const MAX_STREAMS: u32 = 1_024;
/// Longest head of a request.
const MAX_HEADERS: u32 = 16 * 1024;
/// Streams a client may reset before they were accepted; more closes its connection (rapid reset).
const MAX_PENDING_RESETS: usize = 64;
/// How long a call may take if the caller sets no shorter deadline. Waiting calls of the orchestrator take up to 30 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(35);
/// How long calls may go on after the shutdown began: enough for those at work, while a stream could hold the process for
/// as long as its caller watches.
const DRAIN: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Adds health and reflection (v1, and v1alpha for old tools) once all services of the port are known. `services` are
/// the names that report health beside the server as a whole; `descriptors` are what reflection tells.
pub fn with_health_and_reflection<'a>(
    routes: Routes,
    services: &'a [&'a str],
    descriptors: &'a Descriptors,
) -> BoxFuture<'a, (Routes, Health)> {
    // Boxed, as in `serve`.
    with_both(routes, services, descriptors).boxed()
}

async fn with_both(routes: Routes, services: &[&str], descriptors: &Descriptors) -> (Routes, Health) {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health { reporter, services: services.iter().map(|name| (*name).to_owned()).collect() };
    health.set(true).await;
    let mut routes = routes.add_service(health_service);
    let reflection = || {
        let sets = descriptors.sets().iter().copied().chain([tonic_health::pb::FILE_DESCRIPTOR_SET]);
        sets.fold(tonic_reflection::server::Builder::configure(), |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
    };
    match (reflection().build_v1(), reflection().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes = routes.add_service(v1).add_service(v1alpha),
        // Descriptors decode once they are handed in, so that only a broken build comes here; the services work without.
        (Err(error), _) | (_, Err(error)) => tracing::error!(%error, "no reflection"),
    }
    (routes, health)
}

/// What `grpc.health.v1` says of this port. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: Vec<String>,
}

impl Health {
    /// Says whether the server, and each of its services, takes calls.
    pub async fn set(&self, serving: bool) {
        for name in self.services.iter().map(String::as_str).chain([""]) {
            self.set_service(name, serving).await;
        }
    }

    /// Says whether one service takes calls: for a port whose services do not live and die together.
    pub async fn set_service(&self, name: &str, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(name, status).await;
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("services", &self.services).finish_non_exhaustive()
    }
}

/// Serves until `shutdown`, then lets calls end for at most 2 s. The same for every process of Baton. A call beyond its
/// deadline or 35 s is answered `DEADLINE_EXCEEDED`; streams that have begun have no such bound. What is still open at the
/// end, streams above all, ends with the process: its caller sees a broken connection and asks again elsewhere.
pub fn serve(
    listener: TcpListener,
    routes: Routes,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, Result<(), Error>> {
    serving(listener, routes, shutdown.boxed())
}

/// Boxed, and for one type of future, so that the whole of HTTP/2 is compiled here and not in every crate that serves.
fn serving(
    listener: TcpListener,
    routes: Routes,
    shutdown: BoxFuture<'static, ()>,
) -> BoxFuture<'static, Result<(), Error>> {
    served(listener, routes, shutdown).boxed()
}

async fn served(listener: TcpListener, routes: Routes, shutdown: BoxFuture<'static, ()>) -> Result<(), Error> {
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let signal = async move {
        shutdown.await;
        // The receiver is gone only when serving has ended already.
        let _ = stopping.send(());
    };
    let serving = Server::builder()
        .layer(Explain { call_timeout: CALL_TIMEOUT })
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), signal);
    let overdue = async move {
        match stopped.await {
            Ok(()) => tokio::time::sleep(DRAIN).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = serving => ended,
        () = overdue => {
            tracing::warn!("stopped with calls still open");
            Ok(())
        }
    }
}
