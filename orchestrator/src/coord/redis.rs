//! Hints between processes over Redis pub/sub: lossy by nature, and never in anybody's way.
//!
//! Redis may be away at the start, die, be flushed or freeze: hints are dropped meanwhile, publishing never waits for
//! it, and receivers in this process hear each other all the same.

use crate::coord::packing::{MAX_HINTS, pack, unpack};
use async_trait::async_trait;
use baton_engine::coord::{Coord, Hint};
use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use fred::types::config::{Config, Options, ReconnectPolicy};
use fred::types::{Message, Value};
use std::fmt;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

/// The one channel; its version changes with the packing.
const CHANNEL: &str = "baton.hints.v1";

/// Hints a slow receiver may lag behind; beyond that it polls.
const RECEIVER_CAPACITY: usize = 4_096;
/// Batches of hints that wait for Redis; beyond that they are dropped.
const QUEUE: usize = 1_024;

/// Redis answers within this or does not matter.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that owes an answer for this long is replaced.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(3);
/// Subscribing again is harmless, heals a subscription that got lost, and shows that the connection lives.
const SUBSCRIBE_EVERY: Duration = Duration::from_secs(5);

/// Hints between the processes that share a Redis.
pub struct RedisCoord {
    hints: broadcast::Sender<Hint>,
    outgoing: mpsc::Sender<Vec<Hint>>,
    publisher: Client,
    subscriber: SubscriberClient,
    /// Ends with this value.
    _tasks: JoinSet<()>,
}

impl fmt::Debug for RedisCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the clients: they know the password.
        f.debug_struct("RedisCoord").field("receivers", &self.hints.receiver_count()).finish_non_exhaustive()
    }
}

/// The URL cannot be understood. It is not repeated, since it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("not a Redis URL")]
pub struct InvalidRedisUrl;

impl RedisCoord {
    /// Starts connecting in the background; Redis may be away. Must be called inside a tokio runtime. The URL is
    /// secret: `redis://user:password@host:port/database`.
    pub fn start(url: &str) -> Result<Self, InvalidRedisUrl> {
        let mut config = Config::from_url(url).map_err(|_| InvalidRedisUrl)?;
        // Redis may come later than we do.
        config.fail_fast = false;
        let mut builder = Builder::from_config(config);
        builder.set_policy(ReconnectPolicy::new_exponential(0, 100, 5_000, 2));
        builder.with_connection_config(|connection| {
            connection.connection_timeout = CONNECT_TIMEOUT;
            connection.internal_command_timeout = CONNECT_TIMEOUT;
            connection.max_command_attempts = 1;
            connection.max_command_buffer_len = QUEUE;
            connection.unresponsive.max_timeout = Some(UNRESPONSIVE_AFTER);
        });
        builder.with_performance_config(|performance| {
            performance.default_command_timeout = COMMAND_TIMEOUT;
            performance.broadcast_channel_capacity = QUEUE;
        });
        let publisher = builder.build().map_err(|_| InvalidRedisUrl)?;
        let subscriber = builder.build_subscriber_client().map_err(|_| InvalidRedisUrl)?;

        let hints = broadcast::Sender::new(RECEIVER_CAPACITY);
        let (outgoing, waiting) = mpsc::channel(QUEUE);
        let origin = Uuid::new_v4();
        let mut tasks = JoinSet::new();
        tasks.spawn(send(publisher.clone(), origin, waiting));
        tasks.spawn(receive(subscriber.clone(), origin, hints.clone()));
        Ok(Self { hints, outgoing, publisher, subscriber, _tasks: tasks })
    }
}

/// How long nothing is sent once nobody else has heard a hint. Whoever comes meanwhile misses hints for so long, which costs its
/// watchers one look.
const ALONE: Duration = Duration::from_secs(1);

#[async_trait]
impl Coord for RedisCoord {
    async fn publish(&self, hints: Vec<Hint>) {
        for hint in &hints {
            // No receiver is no failure.
            let _ = self.hints.send(*hint);
        }
        for chunk in hints.chunks(MAX_HINTS) {
            // Full: Redis is too slow or away, and these hints are lost, as hints may be.
            let _ = self.outgoing.try_send(chunk.to_vec());
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}

impl Drop for RedisCoord {
    fn drop(&mut self) {
        let (publisher, subscriber) = (self.publisher.clone(), self.subscriber.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // A courtesy: the connections end with the process anyway.
                let _ = tokio::join!(publisher.quit(), subscriber.quit());
            });
        }
    }
}

/// Sends whatever waits, as few messages as it takes.
async fn send(publisher: Client, origin: Uuid, mut waiting: mpsc::Receiver<Vec<Hint>>) {
    drop(publisher.connect());
    // At once or not at all: a hint that waits for a reconnect is stale.
    let options = Options { fail_fast: true, max_attempts: Some(1), ..Options::default() };
    let mut failures: u64 = 0;
    let mut alone_until = Instant::now();
    while let Some(mut hints) = waiting.recv().await {
        while hints.len() < MAX_HINTS
            && let Ok(more) = waiting.try_recv()
        {
            hints.extend(more);
        }
        if Instant::now() < alone_until {
            continue;
        }
        for chunk in hints.chunks(MAX_HINTS) {
            let client = publisher.with_options(&options);
            let sending = client.publish::<i64, _, _>(CHANNEL, Value::Bytes(pack(origin, chunk).into()));
            if let Ok(Ok(heard)) = timeout(COMMAND_TIMEOUT, sending).await {
                failures = 0;
                // We hear ourselves.
                if heard <= 1 {
                    alone_until = Instant::now() + ALONE;
                }
                continue;
            }
            failures += 1;
            // The first and then ever fewer: an outage is one event, not thousands.
            if failures.is_power_of_two() {
                tracing::debug!(failures, "hints not sent");
            }
        }
    }
}

/// The server's version, for who looks at an installation; connects for this question alone.
///
/// # Errors
/// A sentence without the URL, which may hold a password; after `patience` at the latest.
pub async fn version(url: &str, patience: Duration) -> Result<String, String> {
    let config = Config::from_url(url).map_err(|_| InvalidRedisUrl.to_string())?;
    let client = Builder::from_config(config).build().map_err(|_| InvalidRedisUrl.to_string())?;
    let connected = timeout(patience, client.init()).await;
    let connected = connected.map_err(|_| "Redis does not answer".to_owned())?;
    connected.map_err(|error| error.details().to_owned())?;
    let version = client.server_version();
    // The answer is there; a polite goodbye that fails changes nothing.
    let _ = client.quit().await;
    Ok(version.map_or_else(|| "of unknown version".to_owned(), |version| version.to_string()))
}

/// Hears the other processes and keeps the subscription alive.
async fn receive(subscriber: SubscriberClient, origin: Uuid, hints: broadcast::Sender<Hint>) {
    drop(subscriber.connect());
    let mut messages = subscriber.message_rx();
    let mut connected = subscriber.reconnect_rx();
    let mut again = interval(SUBSCRIBE_EVERY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => deliver(&message, origin, &hints),
                Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "hints missed"),
                Err(RecvError::Closed) => return,
            },
            event = connected.recv() => match event {
                Ok(_) | Err(RecvError::Lagged(_)) => subscribe(&subscriber).await,
                Err(RecvError::Closed) => return,
            },
            _ = again.tick() => subscribe(&subscriber).await,
        }
    }
}

async fn subscribe(subscriber: &SubscriberClient) {
    // Bounded here too: the client may hold a command back while it reconnects. A failure is tried again at the next
    // connection or tick.
    let _ = timeout(COMMAND_TIMEOUT, subscriber.subscribe(CHANNEL)).await;
}

fn deliver(message: &Message, origin: Uuid, hints: &broadcast::Sender<Hint>) {
    let Some(bytes) = message.value.as_bytes() else { return };
    for hint in unpack(origin, bytes) {
        let _ = hints.send(hint);
    }
}
