//! A TCP proxy that does to connections what networks do, on request and from a seed.
//!
//! One [`Proxy`] stands between one client and one or more servers. Its [`faults::Faults`] are switched while it runs and
//! hold for every connection, old and new. What it did is counted: a fault that touched nothing proves nothing.
//! The idea is Shopify's Toxiproxy; this one lives in the process of whoever uses it, and knows what a COMMIT looks like.
//!
//! - [`faults`]: what can be wrong. [`counts`]: what was. `connection`: one connection. `pump`: one direction of it.
//!   `flags`: what the two directions share. [`commit`]: finds COMMIT in MariaDB's protocol.

pub mod commit;
mod connection;
pub mod counts;
pub mod faults;
mod flags;
mod pump;

use counts::Counts;
use faults::Faults;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Connections of one proxy at once; more are refused.
const MAX_CONNECTIONS: usize = 1_024;

/// A listening proxy. Dropping it closes the port and resets every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What all connections of a proxy share.
#[derive(Debug)]
pub(crate) struct Shared {
    targets: Vec<SocketAddr>,
    next: AtomicUsize,
    faults: watch::Sender<Faults>,
    resets: watch::Sender<u64>,
    strandings: watch::Sender<u64>,
    seed: u64,
    serial: AtomicU64,
    counts: Counts,
}

impl Proxy {
    /// Listens on `port` of loopback (0 takes any) and forwards each connection to the next of `targets` that accepts it.
    /// The same seed and the same bytes meet the same faults.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(port: u16, targets: Vec<SocketAddr>, seed: u64) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            targets,
            next: AtomicUsize::new(0),
            faults: watch::Sender::new(Faults::default()),
            resets: watch::Sender::new(0),
            strandings: watch::Sender::new(0),
            seed,
            serial: AtomicU64::new(0),
            counts: Counts::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on these faults, for open connections too. A connection that lost bytes is reset as soon as no more are
    /// to be lost, since a TCP stream cannot go on without them.
    pub fn set(&self, faults: Faults) {
        self.shared.faults.send_replace(faults);
    }

    /// The faults as they are.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared.faults.borrow().clone()
    }

    /// No faults any more.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// Resets (RST) every open connection, on both sides.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|generation| *generation += 1);
    }

    /// Strands every open connection: nothing passes any more, ever, and neither side is told, as when a router has
    /// forgotten them. New ones are not touched. A reset frees the sockets, and so does the client 20 s
    /// after it has given up: by then a server's keep-alive has found out.
    pub fn strand(&self) {
        self.shared.strandings.send_modify(|generation| *generation += 1);
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        // Out of descriptors: others are about to be given back.
        let Ok((client, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let is_refused = shared.faults.borrow().refuse;
        if is_refused || open.len() >= MAX_CONNECTIONS {
            Counts::add(&shared.counts.refused, 1);
            // Without lingering the close is a reset.
            let _ = client.set_zero_linger();
            continue;
        }
        Counts::add(&shared.counts.accepted, 1);
        let serial = shared.serial.fetch_add(1, Ordering::Relaxed);
        open.spawn(connection::run(shared.clone(), client, serial));
    }
}
