//! What every process is told about its surroundings, and how it says that it is ready.

use anyhow::{Context as _, Result};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_sql::database::{Database, DatabaseConfig};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// Connections of a process. Measured on two cores: more make a hot row slower, fewer leave the disk idle.
const CONNECTIONS: u32 = 32;

/// A thousand callers at once queue for those connections; none of them is to be refused for it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the servers are. Loopback only: no secrets.
#[derive(Clone, Debug, clap::Args)]
pub struct Surroundings {
    /// MariaDB, without a schema: mysql://user@host:port
    #[arg(long, global = true, default_value = "mysql://root@127.0.0.1:3306")]
    pub mariadb: String,
    /// RabbitMQ, used by the designs with events
    #[arg(long, global = true, default_value = "amqp://127.0.0.1:5672/%2f")]
    pub rabbitmq: String,
    /// Redis, used by the design with a lock in it
    #[arg(long, global = true, default_value = "redis://127.0.0.1:6379")]
    pub redis: String,
    /// The payment provider
    #[arg(long, global = true, default_value = "http://127.0.0.1:7480")]
    pub provider: String,
}

impl Surroundings {
    /// One service's schema.
    pub async fn database(&self, schema: &str) -> Result<Database> {
        let config = DatabaseConfig::MariaDb {
            url: format!("{}/{schema}", self.mariadb),
            connections: CONNECTIONS,
            acquire_timeout: ACQUIRE_TIMEOUT,
        };
        Database::open(config).await.with_context(|| format!("open {schema}"))
    }

    /// The broker.
    pub fn bus(&self, name: &str) -> Result<RabbitBus> {
        let config = RabbitConfig { name: format!("document-{name}"), ..RabbitConfig::new(&self.rabbitmq) };
        Ok(RabbitBus::start(&config)?)
    }
}

/// Takes the address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

/// Accepts connections at `address` from now on, which is how the starter sees that the process is ready.
pub async fn say_ready(address: SocketAddr) -> Result<()> {
    let listener = listen(address).await?;
    tokio::spawn(async move {
        loop {
            // Whoever connects has seen enough.
            let _ = listener.accept().await;
        }
    });
    Ok(())
}
