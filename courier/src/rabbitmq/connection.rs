//! Connections that are rebuilt with jittered backoff, and what they add up to: the health of the bus.

use crate::error::BusError;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Seconds between heartbeats: a peer that vanished is noticed within about twice that.
const HEARTBEAT_SECONDS: u16 = 10;
/// A broker that does not finish the handshake within this is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A clean close is a courtesy; a broker that does not answer is left.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// An idle connection is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const GONE: &str = "the connection is gone";
/// First and longest pause between attempts to connect, or to open what needs the connection.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// One virtual host of one broker, and every connection to it.
pub(super) struct Broker {
    uri: AMQPUri,
    name: String,
    closed: CancellationToken,
    slots: Mutex<Vec<Weak<Slot>>>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the URI: it holds the password.
        f.debug_struct("Broker").field("name", &self.name).field("slots", &lock(&self.slots).len()).finish()
    }
}

impl Broker {
    pub(super) fn new(mut uri: AMQPUri, name: String) -> Arc<Self> {
        uri.query.heartbeat = Some(HEARTBEAT_SECONDS);
        uri.query.connection_timeout = Some(CONNECT_WITHIN.as_millis().try_into().unwrap_or(u64::MAX));
        Arc::new(Self { uri, name, closed: CancellationToken::new(), slots: Mutex::default() })
    }

    /// A place for one connection, which counts for the health as long as it is held.
    pub(super) fn slot(self: &Arc<Self>, role: &'static str) -> Arc<Slot> {
        let state =
            ConnectionState { connection: None, failures: 0, reason: "not connected yet".to_owned(), stalled: None };
        let slot = Slot { role, broker: self.clone(), state: Mutex::new(state), connecting: Semaphore::new(1) };
        let slot = Arc::new(slot);
        tokio::spawn(keep(Arc::downgrade(&slot), self.clone()));
        let mut slots = lock(&self.slots);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Closes the bus when dropped; connections end with their slots.
    pub(super) fn close_on_drop(&self) -> DropGuard {
        self.closed.clone().drop_guard()
    }

    /// Completes once the bus is closed.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub(super) fn health(&self) -> Result<(), BusError> {
        if self.is_closed() {
            return Err(BusError::Closed);
        }
        self.live_slots().iter().try_for_each(|slot| slot.health())
    }

    pub(super) async fn close(&self) {
        self.closed.cancel();
        for slot in self.live_slots() {
            if let Some(connection) = slot.take("closed") {
                close_politely(&connection).await;
            }
        }
    }

    fn live_slots(&self) -> Vec<Arc<Slot>> {
        lock(&self.slots).iter().filter_map(Weak::upgrade).collect()
    }

    async fn connect(&self, role: &str, after_failure: bool) -> Result<Connection, String> {
        if after_failure {
            // The library cannot give up a handshake that hangs: its thread would stay. So ask first.
            timeout(CONNECT_WITHIN, self.greets()).await.map_err(|_| "the broker does not answer".to_owned())??;
        }
        let name = format!("{} {role}", self.name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        let connected = timeout(CONNECT_WITHIN, connecting).await.map_err(|_| "the handshake hangs".to_owned())?;
        connected.map_err(|error| error.to_string())
    }

    /// True words from the broker's side of the handshake, or at least (with TLS) an open port.
    async fn greets(&self) -> Result<(), String> {
        let address = (self.uri.authority.host.as_str(), self.uri.authority.port);
        let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        if self.uri.scheme == AMQPScheme::AMQP {
            stream.write_all(b"AMQP\x00\x00\x09\x01").await.map_err(|error| error.to_string())?;
            stream.read_u8().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// The place of one connection: empty, or connected as far as anybody knows.
pub(super) struct Slot {
    role: &'static str,
    broker: Arc<Broker>,
    state: Mutex<ConnectionState>,
    /// One permit, held by the one who connects.
    connecting: Semaphore,
}

struct ConnectionState {
    connection: Option<Arc<Connection>>,
    /// Failures in a row; [`Slot::worked`] ends the row.
    failures: u32,
    /// Why there is no connection.
    reason: String,
    /// Why the connection is of no use although it is there.
    stalled: Option<String>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("role", &self.role).field("health", &self.health()).finish()
    }
}

impl Slot {
    /// The live connection, or a new one, however long that takes; an error only once the bus is closed. Cancel-safe.
    pub(super) async fn connected(&self) -> Result<Arc<Connection>, BusError> {
        let _one_at_a_time = self.connecting.acquire().await.map_err(|_| BusError::Closed)?;
        loop {
            if self.broker.is_closed() {
                return Err(BusError::Closed);
            }
            let current = lock(&self.state).connection.clone();
            match current {
                Some(connection) if connection.status().connected() => return Ok(connection),
                Some(connection) => self.failed(&connection, GONE),
                None => self.try_connect().await,
            }
        }
    }

    /// Something on this connection failed: drop it, unless that has happened already.
    pub(super) fn failed(&self, connection: &Arc<Connection>, reason: &str) {
        let is_current = lock(&self.state).connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection));
        if self.broker.is_closed() || !is_current {
            return;
        }
        tracing::warn!(role = self.role, reason, "bus connection dropped");
        if let Some(connection) = self.take(reason) {
            // In the background: a broker that does not answer must not delay the next attempt.
            tokio::spawn(async move { close_politely(&connection).await });
        }
    }

    /// Something on this connection worked, so the next failure is the first of its row.
    pub(super) fn worked(&self) {
        let mut state = lock(&self.state);
        state.failures = 0;
        state.stalled = None;
    }

    /// What the connection is for does not come about although it is there; until something works on it, it is not healthy.
    pub(super) fn stalled(&self, reason: &str) {
        lock(&self.state).stalled = Some(reason.to_owned());
    }

    /// True while the broker holds this connection back because it is short of memory or disk.
    pub(super) fn is_blocked(&self) -> bool {
        lock(&self.state).connection.as_ref().is_some_and(|connection| connection.status().blocked())
    }

    /// Whether this connection carries.
    pub(super) fn health(&self) -> Result<(), BusError> {
        let state = lock(&self.state);
        let reason = match &state.connection {
            Some(connection) if connection.status().blocked() => "the broker is short of memory or disk",
            Some(connection) if connection.status().connected() => match &state.stalled {
                Some(reason) => reason,
                None => return Ok(()),
            },
            Some(_) => GONE,
            None => &state.reason,
        };
        Err(BusError::Unavailable(format!("{}: {reason}", self.role)))
    }

    fn take(&self, reason: &str) -> Option<Arc<Connection>> {
        let mut state = lock(&self.state);
        reason.clone_into(&mut state.reason);
        state.failures = state.failures.saturating_add(1);
        state.connection.take()
    }

    async fn try_connect(&self) {
        let failures = lock(&self.state).failures;
        let attempt = async {
            if failures > 0 {
                tokio::time::sleep(backoff(failures)).await;
            }
            self.broker.connect(self.role, failures > 0).await
        };
        let outcome = tokio::select! {
            outcome = attempt => outcome,
            () = self.broker.closed() => return,
        };
        match outcome {
            Ok(connection) => {
                tracing::info!(role = self.role, "bus connected");
                lock(&self.state).connection = Some(Arc::new(connection));
            }
            Err(reason) => {
                // The first and then ever fewer: an outage is one event, not thousands.
                let failures = failures.saturating_add(1);
                if failures.is_power_of_two() {
                    tracing::warn!(role = self.role, reason, failures, "bus connection failed");
                }
                drop(self.take(&reason));
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The broker gives unacknowledged deliveries to others as soon as it knows; acks that are still queued in the
        // library go out first.
        if let (Some(connection), Ok(runtime)) = (self.take("dropped"), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { close_politely(&connection).await });
        }
    }
}

/// Completes when a connection is lost. The library tells whoever uses a connection, but not who idles on it.
pub(super) async fn lost(connection: &Connection) {
    while connection.status().connected() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Rebuilds the connection of an idle slot, so that whoever needs it next finds it, and its health tells the truth.
async fn keep(slot: Weak<Slot>, broker: Arc<Broker>) {
    while let Some(slot) = slot.upgrade() {
        let Ok(connection) = slot.connected().await else { return };
        drop(slot);
        tokio::select! {
            () = lost(&connection) => {}
            () = broker.closed() => return,
        }
    }
}

async fn close_politely(connection: &Connection) {
    // A connection that is gone already, or a broker that does not answer, needs nothing more from us.
    let _ = timeout(CLOSE_WITHIN, connection.close(200, "done".into())).await;
}

/// Doubles from 100 ms to 5 s; the random half keeps a fleet from returning in step.
pub(super) fn backoff(failures: u32) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_BACKOFF);
    doubled.mul_f64(rand::random_range(0.5..=1.0))
}

/// No code panics while it holds one of these locks; if it did, the data would still be whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_within_its_bounds() {
        for failures in [1, 2, 3, 7, 40, u32::MAX] {
            let pause = backoff(failures);
            assert!(pause >= FIRST_BACKOFF / 2 && pause <= LONGEST_BACKOFF, "{failures}: {pause:?}");
        }
        assert!(backoff(1) <= FIRST_BACKOFF && backoff(10) >= LONGEST_BACKOFF / 2);
    }
}
