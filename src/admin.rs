//! The admin HTTP server of every process: /metrics, /livez, /readyz, /version; an orchestrator's has the console too.

use crate::failure::Failure;
use crate::footprint;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, routing::get};
use baton_courier::error::BusError;
use baton_rpc::http1::{self, Bounds};
use futures_util::future::BoxFuture;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long requests may go on after the shutdown began; a watcher's stream could hold the process for as long as it likes.
const DRAIN: Duration = Duration::from_secs(2);

/// Ok if the process can serve callers right now, with a word where it cannot do all of its work: what carries commands may be away
/// while orders are taken, listed and explained, so that a balancer must not take every instance out for it. Otherwise why not, without
/// secrets.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<String>, String>> + Send + Sync>;

/// What readiness says of what carries commands.
pub fn carrying(health: Result<(), BusError>) -> Option<String> {
    health.err().map(|error| format!("commands are not carried, and what is begun waits: {error}"))
}

#[derive(Clone)]
struct Shared {
    service: Arc<str>,
    metrics: Arc<Registry>,
    ready: Ready,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A running admin server.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens; the real port if 0 was asked for.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Admin {
    /// Waits until the server has ended, which it does once its token is cancelled.
    pub async fn ended(self) {
        // The task neither panics nor is aborted; if it were, there would be nothing left to wait for.
        let _ = self.task.await;
    }
}

/// Starts the server with `console`'s routes beside its own; it stops when `stop` is cancelled.
///
/// # Errors
/// If the address cannot be bound.
pub async fn serve(
    listen: SocketAddr,
    service: &str,
    metrics: Arc<Registry>,
    ready: Ready,
    console: Router,
    stop: CancellationToken,
) -> Result<Admin, Failure> {
    let bound = TcpListener::bind(listen).await;
    let listener = bound.map_err(|error| Failure::Other(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr()?;
    let router = routes(Shared { service: Arc::from(service), metrics, ready }).merge(console);
    let task = tokio::spawn(async move {
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            () = http1::serve(listener, router, Bounds::default(), stop.clone()) => {}
            () = overdue => tracing::warn!("admin server stopped with requests still open"),
        }
    });
    Ok(Admin { address, task })
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/version", get(version))
        .with_state(shared)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut text = String::new();
    let encoded = encode_registry(&mut text, &shared.metrics)
        .and_then(|()| encode_registry(&mut text, &footprint::registry()))
        .and_then(|()| encode_eof(&mut text));
    match encoded {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn readyz(State(shared): State<Shared>) -> Response {
    match (shared.ready)().await {
        Ok(None) => "ok\n".into_response(),
        Ok(Some(but)) => format!("ok, but {but}\n").into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn version(State(shared): State<Shared>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "service": &*shared.service, "version": env!("CARGO_PKG_VERSION") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn it_answers_probes_and_metrics_and_stops() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        registry.register("saga_started", "Sagas started", counter.clone());
        counter.inc();
        let well = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&well);
        let ready: Ready = Arc::new(move || {
            let answer = if asked.load(Ordering::SeqCst) {
                Ok(Some("the broker is away".to_owned()))
            } else {
                Err("store away".to_owned())
            };
            Box::pin(async move { answer })
        });
        let stop = CancellationToken::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let admin = serve(listen, "test", Arc::new(registry), ready, Router::new(), stop.clone()).await.unwrap();
        let url = format!("http://{}", admin.address);
        crate::tls::install();
        let get = async |path: &str| {
            let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(get("/livez").await.0, 200);
        assert_eq!(get("/readyz").await, (200, "ok, but the broker is away\n".to_owned()));
        well.store(false, Ordering::SeqCst);
        assert_eq!(get("/readyz").await, (503, "store away\n".to_owned()));
        let metrics = get("/metrics").await.1;
        assert!(metrics.contains("saga_started_total 1") && metrics.contains("process_tasks "), "{metrics}");
        assert!(metrics.ends_with("# EOF\n") && metrics.matches("# EOF").count() == 1, "{metrics}");
        assert!(get("/version").await.1.contains("\"version\""));
        stop.cancel();
        admin.ended().await;
    }
}
