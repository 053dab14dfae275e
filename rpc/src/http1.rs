//! HTTP/1 for a router: so many connections at once, each with so much time for the head of a request.
//!
//! `axum::serve` bounds neither: whoever opens connections and says nothing, or half a head, would keep them for ever, and with
//! them the files that this process may have open.

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pause after a connection that could not be accepted, since the usual reason is that too many files are open.
const PAUSE: Duration = Duration::from_secs(1);

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long a head may take to arrive, from the first moment at which one can; between two requests, too. Answers and
    /// streams take what they take.
    pub head: Duration,
    /// Open at once; further ones wait until one is closed.
    pub connections: usize,
}

impl Default for Bounds {
    /// Room for as many streams as may be open (1,024), for calls and for probes.
    fn default() -> Self {
        Self { head: Duration::from_secs(20), connections: 2_048 }
    }
}

/// Serves until cancelled, and then until every request that is under way has been answered. Dropping it closes what is open.
pub fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) -> BoxFuture<'static, ()> {
    // Boxed, so that HTTP is compiled here and not in every crate that serves.
    served(listener, router, bounds, stop).boxed()
}

async fn served(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => {}
            stream = accepted(&listener), if open.len() < bounds.connections => {
                open.spawn(one(stream, builder.clone(), router.clone(), stop.clone()));
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn one(stream: TcpStream, builder: http1::Builder, router: Router, stop: CancellationToken) {
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use std::convert::Infallible;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, timeout};
    use tokio_stream::StreamExt as _;

    const HEAD: Duration = Duration::from_millis(300);
    const TICK: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_secs(20);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn server(connections: usize) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let ticks = || {
            let ticks = tokio_stream::iter(0..10).throttle(TICK);
            Body::from_stream(ticks.map(|tick| Ok::<_, Infallible>(Bytes::from(format!("tick {tick}\n")))))
        };
        let router = Router::new().route("/", get(async || "ok")).route("/ticks", get(async move || ticks()));
        let serving = tokio::spawn(serve(listener, router, Bounds { head: HEAD, connections }, stop.clone()));
        (address, stop, serving)
    }

    async fn saying(address: SocketAddr, said: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        stream
    }

    /// All that comes until the other side closes.
    async fn heard(stream: &mut TcpStream) -> String {
        let mut all = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it is closed").unwrap_or_default();
        String::from_utf8(all).unwrap()
    }

    #[tokio::test]
    async fn who_does_not_finish_a_head_is_closed_and_a_stream_goes_on() {
        let (address, ..) = server(9).await;
        let began = Instant::now();
        let mut silent = saying(address, b"").await;
        let mut half = saying(address, b"GET / HTTP/1.1\r\nhost:").await;
        let mut idle = saying(address, REQUEST).await;
        let mut streams = saying(address, b"GET /ticks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        for stream in [&mut silent, &mut half] {
            assert!(!heard(stream).await.contains("200 OK"));
        }
        assert!(heard(&mut idle).await.contains("200 OK"), "answered, and closed when nothing followed");
        assert!(began.elapsed() >= HEAD);
        let whole = heard(&mut streams).await;
        assert!(whole.contains("tick 9") && began.elapsed() > 2 * HEAD, "{whole}");
    }

    #[tokio::test]
    async fn whoever_finds_no_room_waits_for_it() {
        let (address, ..) = server(2).await;
        let _silent = [saying(address, b"").await, saying(address, b"").await];
        let began = Instant::now();
        let mut waits = saying(address, REQUEST).await;
        assert!(heard(&mut waits).await.contains("200 OK"));
        assert!(began.elapsed() >= HEAD, "it had to wait for the others to be closed");
    }

    #[tokio::test]
    async fn what_is_under_way_is_answered_when_it_stops() {
        let (address, stop, serving) = server(9).await;
        let mut streams = saying(address, b"GET /ticks HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut first = [0];
        streams.read_exact(&mut first).await.unwrap();
        stop.cancel();
        assert!(heard(&mut streams).await.contains("tick 9"));
        timeout(PATIENCE, serving).await.expect("it ends").unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
