//! One server of each kind for all tests of a run, or, if nobody runs them together, of a process.
//!
//! `baton-supervisor serve COMMAND` starts the servers once and tells its command where they are by [`VARIABLE`]; a test binary
//! that was started by itself starts its own when first asked for one, and they are gone when the process ends. Either way a
//! test works in a schema or virtual host of its own, whose name holds the process id.

use crate::mariadb::{MariaDb, Settings};
use crate::process::Lifetime;
use crate::rabbitmq::{Ports, RabbitMq};
use crate::redis::Redis;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

/// Holds [`Servers`] as JSON while a run shares them.
pub const VARIABLE: &str = "BATON_TEST_SERVERS";

static GIVEN: LazyLock<Option<Servers>> = LazyLock::new(|| {
    let json = std::env::var(VARIABLE).ok()?;
    Some(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{VARIABLE} is not what it should be: {error}")))
});
static MARIADB: OnceCell<MariaDb> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();
static REDIS: OnceCell<Redis> = OnceCell::const_new();
static NAMES: AtomicU64 = AtomicU64::new(1);

/// Where the servers of a run are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Servers {
    mariadb: u16,
    rabbitmq: Ports,
    rabbitmq_dir: PathBuf,
    redis: u16,
}

/// Starts one server of each kind, at once, for whoever is told of them.
///
/// # Errors
/// If one of them cannot be started.
pub async fn serve() -> Result<Servers> {
    let (mariadb, rabbitmq, redis) = tokio::try_join!(
        MARIADB.get_or_try_init(start_mariadb),
        RABBITMQ.get_or_try_init(start_rabbitmq),
        REDIS.get_or_try_init(start_redis)
    )?;
    Ok(Servers {
        mariadb: mariadb.port(),
        rabbitmq: rabbitmq.ports(),
        rabbitmq_dir: rabbitmq.dir().to_owned(),
        redis: redis.port(),
    })
}

/// The MariaDB to test with. It cannot be killed: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn mariadb() -> &'static MariaDb {
    MARIADB.get_or_try_init(start_mariadb).await.unwrap_or_else(|error| panic!("no MariaDB: {error:#}"))
}

/// The RabbitMQ to test with. It cannot be killed: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn rabbitmq() -> &'static RabbitMq {
    RABBITMQ.get_or_try_init(start_rabbitmq).await.unwrap_or_else(|error| panic!("no RabbitMQ: {error:#}"))
}

/// The Redis to test with. It cannot be killed: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn redis() -> &'static Redis {
    REDIS.get_or_try_init(start_redis).await.unwrap_or_else(|error| panic!("no Redis: {error:#}"))
}

async fn start_mariadb() -> Result<MariaDb> {
    if let Some(given) = &*GIVEN {
        return Ok(MariaDb::foreign(given.mariadb));
    }
    let (dir, lifetime) = directory()?;
    MariaDb::start_with(&dir, &Settings { lifetime, ..Settings::default() }).await
}

async fn start_rabbitmq() -> Result<RabbitMq> {
    if let Some(given) = &*GIVEN {
        return Ok(RabbitMq::foreign(given.rabbitmq_dir.clone(), given.rabbitmq));
    }
    let (dir, lifetime) = directory()?;
    RabbitMq::start_with(&dir, None, lifetime).await
}

async fn start_redis() -> Result<Redis> {
    if let Some(given) = &*GIVEN {
        return Ok(Redis::foreign(given.redis));
    }
    let (dir, lifetime) = directory()?;
    Redis::start_with(&dir, None, lifetime).await
}

/// Creates a schema of its own for one test and returns the administrator's URL of it.
///
/// # Panics
/// If the server refuses.
#[must_use]
pub fn fresh_schema(server: &MariaDb) -> String {
    let name = fresh_name();
    server.create_schema(&name).unwrap_or_else(|error| panic!("no schema: {error:#}"));
    server.root_url(&name)
}

/// Creates a virtual host of its own for one test and returns its URL. The name is the URL's last part.
///
/// # Panics
/// If the broker refuses.
pub async fn fresh_vhost(broker: &RabbitMq) -> String {
    let name = fresh_name();
    broker.create_vhost(&name).await.unwrap_or_else(|error| panic!("no virtual host: {error:#}"));
    broker.vhost_url(&name)
}

fn fresh_name() -> String {
    format!("test_{}_{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

/// A directory that the server's watchdog erases: statics are never dropped.
fn directory() -> Result<(PathBuf, Lifetime)> {
    let dir = tempfile::Builder::new().prefix("baton-test-").tempdir().context("make a directory")?.keep();
    Ok((dir.clone(), Lifetime::OwnedWithDirectory(dir)))
}
