//! The configuration as types: parsed once, handed out in small pieces.
//!
//! The defaults are `deploy/baton.example.toml`, compiled in; there is no second list of them. Whoever builds on the engine
//! adds sections of their own, with defaults of their own: see [`layers::Sections`].

pub mod dev;
pub mod human;
pub mod incidents;
pub mod key;
pub mod layers;
pub mod participants;
pub mod print;
pub mod retention;

use dev::DevConfig;
use incidents::IncidentsConfig;
use participants::ParticipantConfig;
use retention::RetentionConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Shortest pause or patience of the background workers: below it a look at the database becomes a busy loop, and a
/// message counts as lost before it can have arrived.
const SHORTEST: Duration = Duration::from_millis(10);

/// Everything of the engine that can be set. Unknown keys are found before it is read.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The orchestrator's listeners.
    pub server: ServerConfig,
    /// What the client commands talk to.
    pub client: ClientConfig,
    /// The orchestrator's database.
    pub store: StoreConfig,
    /// Commands and replies.
    pub bus: BusConfig,
    /// Hints between orchestrators.
    pub coord: CoordConfig,
    /// Participants by name.
    #[serde(default)]
    pub participants: BTreeMap<String, ParticipantConfig>,
    /// The engine's bounds.
    pub engine: EngineConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// Admission.
    pub limits: LimitsConfig,
    /// Who hears of stuck sagas.
    pub incidents: IncidentsConfig,
    /// How long finished sagas are kept.
    pub retention: RetentionConfig,
    /// What is there for developers only.
    pub dev: DevConfig,
}

/// The orchestrator's listeners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// gRPC.
    pub listen: SocketAddr,
    /// HTTP: metrics and probes.
    pub admin_listen: SocketAddr,
    /// How long to drain on SIGTERM; 100 ms to 10 min.
    #[serde(deserialize_with = "human::between::<100, 600_000, _>")]
    pub shutdown_timeout: Duration,
    /// How long to serve on after SIGTERM, unready, so that balancers stop sending before connections are refused; up to 5 min, 0 if none
    /// stands in front.
    #[serde(deserialize_with = "human::between::<0, 300_000, _>")]
    pub shutdown_delay: Duration,
    /// Names that a proxy in front of the HTTP address passes on as `Host`, beside loopback's, for example `baton.example`; with a port
    /// only if the proxy passes it on. On an address that is not loopback every name is answered to.
    #[serde(deserialize_with = "human::list")]
    pub allowed_hosts: Vec<String>,
    /// Origins of pages, as browsers send them, that may change something although `Host` says another name, for example
    /// `https://baton.example`.
    #[serde(deserialize_with = "human::list")]
    pub allowed_origins: Vec<String>,
}

/// What the client commands talk to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// `host:port`, or a URL.
    pub server: String,
    /// Deadline of one call; 100 ms to 10 min.
    #[serde(deserialize_with = "human::between::<100, 600_000, _>")]
    pub timeout: Duration,
}

/// A database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `mysql://…` or `sqlite:PATH`; may hold a password.
    pub url: SecretString,
    /// Connections in the pool, at least 2.
    pub connections: u32,
    /// How long to wait for one; 100 ms to a minute.
    #[serde(deserialize_with = "human::between::<100, 60_000, _>")]
    pub acquire_timeout: Duration,
}

/// Where a [`StoreConfig`] points, told by its URL.
pub enum StoreUrl<'a> {
    /// A MariaDB schema; the URL is handed on as it is.
    MariaDb(&'a str),
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl fmt::Debug for StoreUrl<'_> {
    /// Leaves MariaDB's URL out: it holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MariaDb(_) => f.debug_tuple("MariaDb").finish_non_exhaustive(),
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
        }
    }
}

impl StoreConfig {
    /// Tells MariaDB from SQLite.
    ///
    /// # Errors
    /// A sentence without the URL, which may hold a password.
    pub fn parsed(&self) -> Result<StoreUrl<'_>, String> {
        let url = self.url.expose_secret();
        if url.starts_with("mysql://") {
            return Ok(StoreUrl::MariaDb(url));
        }
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(StoreUrl::Sqlite(PathBuf::from(path.trim_start_matches("//")))),
            _ => Err("a store url begins with mysql:// or sqlite:".to_owned()),
        }
    }
}

/// Which bus.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// Bounded channels in this process.
    Local,
    /// A RabbitMQ broker.
    Rabbitmq,
}

/// Commands and replies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusConfig {
    /// Which one.
    pub kind: BusKind,
    /// `amqp://…`; may hold a password.
    pub url: SecretString,
    /// Unacknowledged messages a consumer holds.
    pub prefetch: u16,
    /// How long to wait for confirms, 10 ms or more; 100 ms to a minute.
    #[serde(deserialize_with = "human::between::<100, 60_000, _>")]
    pub confirm_timeout: Duration,
}

/// Which coordination.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum CoordKind {
    /// Within this process.
    Local,
    /// Redis pub/sub.
    Redis,
}

/// Hints between orchestrators.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordConfig {
    /// Which one.
    pub kind: CoordKind,
    /// `redis://…`; may hold a password.
    pub url: SecretString,
}

/// The engine's bounds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Events in one transaction, 1 or more.
    pub max_batch: usize,
    /// Events that may wait.
    pub queue: usize,
    /// Pause between two looks at sagas that have waited for a while, 10 ms or more; 10 ms to a day.
    #[serde(deserialize_with = "human::between::<10, 86_400_000, _>")]
    pub waker_pause: Duration,
}

/// How logs look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs and traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// How logs look.
    pub log: LogFormat,
    /// A level or a filter.
    pub level: String,
    /// OTLP endpoint; empty means off.
    pub otlp_endpoint: String,
}

/// Admission.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Starts and actions that may wait for their commit.
    pub waiting_starts: usize,
    /// Sagas that may be under way, whoever drives them, before more are started.
    pub sagas_under_way: usize,
}

impl Config {
    /// Rules that span fields or ranges.
    ///
    /// # Errors
    /// The first broken rule, naming its key and never its value if that is a secret.
    pub fn validate(&self) -> Result<(), String> {
        self.store.parsed().map_err(|why| format!("store.url: {why}"))?;
        within("store.connections", self.store.connections as usize, 2, 1_000)?;
        participants::validate(&self.participants)?;
        within("engine.max_batch", self.engine.max_batch, 1, 65_536)?;
        within("engine.queue", self.engine.queue, 1, 1_048_576)?;
        within("bus.prefetch", usize::from(self.bus.prefetch), 1, 65_535)?;
        at_least("bus.confirm_timeout", self.bus.confirm_timeout, SHORTEST)?;
        at_least("engine.waker_pause", self.engine.waker_pause, SHORTEST)?;
        within("limits.waiting_starts", self.limits.waiting_starts, 1, 1_048_576)?;
        within("limits.sagas_under_way", self.limits.sagas_under_way, 1, 1_048_576)?;
        if self.bus.kind == BusKind::Rabbitmq && !self.bus.url.expose_secret().starts_with("amqp") {
            return Err("bus.url: an AMQP url begins with amqp:// or amqps://".to_owned());
        }
        if self.coord.kind == CoordKind::Redis && !self.coord.url.expose_secret().starts_with("redis") {
            return Err("coord.url: a Redis url begins with redis:// or rediss://".to_owned());
        }
        self.incidents.validate()?;
        self.dev.validate(&self.server)?;
        self.retention
            .validate(&[("bus.confirm_timeout", self.bus.confirm_timeout), ("client.timeout", self.client.timeout)])
    }
}

/// Refuses a number outside its range.
fn within(key: &str, value: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{key}: {value} is not within {least} to {most}"))
    }
}

/// Refuses a duration below its least.
fn at_least(key: &str, value: Duration, least: Duration) -> Result<(), String> {
    if value >= least {
        Ok(())
    } else {
        Err(format!("{key}: {} us is too short, {} ms is the least", value.as_micros(), least.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_url_shows_no_password() {
        let store = |url: &str| StoreConfig {
            url: SecretString::from(url.to_owned()),
            connections: 2,
            acquire_timeout: Duration::from_secs(1),
        };
        let mariadb = store("mysql://baton:hunter2@db:3306/baton");
        assert_eq!(format!("{:?}", mariadb.parsed()), "Ok(MariaDb(..))");
        assert_eq!(format!("{:?}", store("sqlite:a.db").parsed()), "Ok(Sqlite(\"a.db\"))");
    }
}
