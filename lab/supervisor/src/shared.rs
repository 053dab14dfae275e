//! One server of each kind per test process, started when first asked for and gone when the process ends.

use crate::mariadb::{MariaDb, Settings};
use crate::process::Lifetime;
use crate::rabbitmq::RabbitMq;
use crate::redis::Redis;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

static MARIADB: OnceCell<MariaDb> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();
static REDIS: OnceCell<Redis> = OnceCell::const_new();
static NAMES: AtomicU64 = AtomicU64::new(1);

/// The MariaDB of this process. Do not kill it: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn mariadb() -> &'static MariaDb {
    let start = || async {
        let (dir, lifetime) = directory()?;
        MariaDb::start_with(&dir, &Settings { lifetime, ..Settings::default() }).await
    };
    MARIADB.get_or_try_init(start).await.unwrap_or_else(|error| panic!("no MariaDB: {error:#}"))
}

/// The RabbitMQ of this process. Do not kill it: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn rabbitmq() -> &'static RabbitMq {
    let start = || async {
        let (dir, lifetime) = directory()?;
        RabbitMq::start_with(&dir, None, lifetime).await
    };
    RABBITMQ.get_or_try_init(start).await.unwrap_or_else(|error| panic!("no RabbitMQ: {error:#}"))
}

/// The Redis of this process. Do not kill it: other tests use it.
///
/// # Panics
/// If it cannot be started; the message says why.
pub async fn redis() -> &'static Redis {
    let start = || async {
        let (dir, lifetime) = directory()?;
        Redis::start_with(&dir, None, lifetime).await
    };
    REDIS.get_or_try_init(start).await.unwrap_or_else(|error| panic!("no Redis: {error:#}"))
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
