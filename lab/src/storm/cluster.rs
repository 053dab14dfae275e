//! The whole installation as real processes: servers, provider, two of each program, a proxy between every two.

use super::courier::Courier;
use super::links::{Links, Pair};
use super::node::{Node, ProcessKind, Recipe, command};
use super::setup::{Secrets, configure, migrate};
use super::tmpfs::Tmpfs;
use super::wiring::Wiring;
use anyhow::{Context as _, Result, ensure};
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::{Lifetime, MariaDb, Probe, Process, RabbitMq, Redis, mariadb};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Instances of each program.
const INSTANCES: usize = 2;

/// Connections of our own to each schema; not through any proxy.
const OWN_CONNECTIONS: u32 = 2;

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The `baton` binary.
    pub baton: PathBuf,
    /// Seed of every proxy.
    pub seed: u64,
    /// Configuration keys over the defaults, for every node.
    pub set: Vec<(String, String)>,
    /// What carries commands.
    pub courier: Courier,
    /// Put the database on a file system of its own of so many MiB.
    pub database_mib: Option<u32>,
}

/// A running installation. Everything ends with it.
#[derive(Debug)]
pub struct Cluster {
    /// Where it lives.
    pub dir: PathBuf,
    /// Between every two.
    pub links: Links,
    /// The database.
    pub mariadb: MariaDb,
    /// The broker; `None` if commands go over streams.
    pub rabbitmq: Option<RabbitMq>,
    /// The hints.
    pub redis: Redis,
    /// The sandbox payment provider.
    pub provider: Process,
    provider_port: u16,
    /// Orchestrators, then participants.
    pub nodes: Vec<Node>,
    /// Ports of the proxies before the orchestrators.
    pub client_ports: Vec<u16>,
    /// The orchestrators' schema.
    pub sagas: Database,
    /// The stock participants' schema.
    pub stock: Database,
    /// Every schema, by the kind of program that owns it.
    pub schemas: BTreeMap<&'static str, Database>,
    /// What must stay secret.
    pub secrets: Secrets,
    // Last: unmounted when the database is gone.
    tmpfs: Option<Tmpfs>,
}

impl Cluster {
    /// Starts everything and waits until all of it is ready; about ten seconds.
    ///
    /// # Errors
    /// If any part does not start; what did start ends.
    pub async fn start(dir: &Path, options: &ClusterOptions) -> Result<Self> {
        ensure!(options.baton.is_file(), "there is no baton binary at {}", options.baton.display());
        let dir = std::path::absolute(dir)?;
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let tmpfs = options.database_mib.map(|mib| Tmpfs::mount(&dir.join("mariadb"), mib)).transpose()?;
        let settings = mariadb::Settings { buffer_pool_mib: 256, ..mariadb::Settings::default() };
        let (mariadb, rabbitmq, redis) = tokio::try_join!(
            MariaDb::start_with(&dir, &settings),
            start_broker(&dir, options.courier),
            Redis::start(&dir),
        )?;
        let made_up = || format!("storm{}", uuid::Uuid::new_v4().simple());
        let secrets = Secrets { database: made_up(), provider: made_up() };
        let mut links = Links::default();
        let provider_port = links.promise()?;
        let config = configure(&dir, &mariadb, &secrets, provider_port, options.courier)?;
        migrate(&dir, &options.baton, &mariadb, &config).await?;
        let logs = dir.join("log");
        let mut provider_command = command(&options.baton, &config);
        provider_command.arg("sandbox-provider");
        let provider = Process::spawn(provider_command, &logs, "sandbox-provider")?;

        let mut ports = Vec::new();
        for kind in ProcessKind::ALL {
            for number in 1..=INSTANCES {
                ports.push((kind, number, (links.promise()?, links.promise()?)));
            }
        }
        let grpc_of = |wanted: ProcessKind| -> Vec<u16> {
            ports.iter().filter(|(kind, ..)| *kind == wanted).map(|(_, _, (grpc, _))| *grpc).collect()
        };
        let mut client_ports = Vec::new();
        for (number, grpc) in grpc_of(ProcessKind::Orchestrator).into_iter().enumerate() {
            let to = format!("orchestrator-{}", number + 1);
            let link = links.add(Pair::ClientOrchestrator, "client", &to, &[grpc], options.seed).await?;
            client_ports.push(link);
        }
        let mut nodes = Vec::new();
        for (kind, number, own_ports) in &ports {
            let wiring = Wiring {
                kind: *kind,
                name: format!("{}-{number}", kind.name()),
                ports: *own_ports,
                mariadb: mariadb.port(),
                rabbitmq: rabbitmq.as_ref().map(RabbitMq::port),
                redis: redis.port(),
                provider: provider_port,
                database_password: &secrets.database,
                seed: options.seed,
            };
            let environment = wiring.environment(&mut links, &grpc_of).await?;
            let recipe = Recipe {
                baton: options.baton.clone(),
                config: config.clone(),
                logs: logs.clone(),
                set: options.set.clone(),
                environment,
            };
            nodes.push(Node::launch(*kind, *number, *own_ports, recipe)?);
        }
        let mut schemas = BTreeMap::new();
        for kind in ProcessKind::ALL {
            schemas.insert(kind.name(), open(&mariadb, &format!("baton_{}", kind.name())).await?);
        }
        let [sagas, stock] = [ProcessKind::Orchestrator, ProcessKind::Stock].map(|kind| schemas[kind.name()].clone());
        let cluster = Self {
            dir,
            links,
            mariadb,
            rabbitmq,
            redis,
            provider,
            provider_port,
            nodes,
            client_ports,
            sagas,
            stock,
            schemas,
            secrets,
            tmpfs,
        };
        cluster.ready().await?;
        Ok(cluster)
    }

    /// What carries commands.
    #[must_use]
    pub fn courier(&self) -> Courier {
        if self.rabbitmq.is_some() { Courier::Rabbitmq } else { Courier::Grpc }
    }

    /// The broker.
    ///
    /// # Errors
    /// If there is none.
    pub fn broker(&self) -> Result<&RabbitMq> {
        self.rabbitmq.as_ref().context("commands go over streams: there is no broker")
    }

    /// Nodes of one kind.
    #[must_use]
    pub fn of(&self, kind: ProcessKind) -> Vec<&Node> {
        self.nodes.iter().filter(|node| node.kind == kind).collect()
    }

    /// The sandbox provider's base URL, not through any proxy.
    #[must_use]
    pub fn provider_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.provider_port)
    }

    /// The file system of the database, if it has one of its own.
    #[must_use]
    pub fn tmpfs(&self) -> Option<&Tmpfs> {
        self.tmpfs.as_ref()
    }

    /// Waits until every process says it can work.
    ///
    /// # Errors
    /// If one does not within a minute.
    pub async fn ready(&self) -> Result<()> {
        self.provider.wait_ready(&Probe::tcp(self.provider_port)).await?;
        for node in &self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    /// Ends every fault: proxies, alarms, frozen and dead processes. Returns who had died by itself, with the end of its
    /// log. Does not wait until all is ready again.
    ///
    /// # Errors
    /// If a server or process cannot be started again.
    pub async fn heal(&self) -> Result<Vec<String>> {
        self.links.heal();
        if let Some(tmpfs) = &self.tmpfs {
            tmpfs.empty()?;
        }
        let broker = self.rabbitmq.as_ref();
        let servers = [self.mariadb.process(), self.redis.process(), &self.provider];
        let servers = servers.into_iter().chain(broker.map(RabbitMq::process));
        for process in servers.filter(|process| process.is_running()) {
            process.resume()?;
        }
        if !self.mariadb.process().is_running() {
            self.mariadb.restart().await?;
        }
        if let Some(broker) = broker.filter(|broker| !broker.process().is_running()) {
            broker.restart().await?;
        }
        if !self.redis.process().is_running() {
            self.redis.restart().await?;
        }
        if !self.provider.is_running() {
            self.provider.restart()?;
        }
        let mut dead = Vec::new();
        for node in &self.nodes {
            if node.died_by_itself() {
                dead.push(format!("{} ended by itself; its log ends with: {}", node.name, node.process().log_tail()));
            }
            if node.process().is_running() {
                node.process().resume()?;
            } else {
                node.start()?;
            }
        }
        Ok(dead)
    }

    /// Every log file of Baton's own processes.
    #[must_use]
    pub fn logs(&self) -> Vec<PathBuf> {
        let own = self.nodes.iter().map(Node::log);
        own.chain([self.provider.log_path().to_owned()]).collect()
    }
}

async fn start_broker(dir: &Path, courier: Courier) -> Result<Option<RabbitMq>> {
    match courier {
        Courier::Rabbitmq => RabbitMq::start_with(dir, None, Lifetime::Owned).await.map(Some),
        Courier::Grpc => Ok(None),
    }
}

/// Our own look into a schema, as the administrator.
async fn open(mariadb: &MariaDb, schema: &str) -> Result<Database> {
    let config = DatabaseConfig::MariaDb {
        url: mariadb.root_url(schema),
        connections: OWN_CONNECTIONS,
        acquire_timeout: Duration::from_secs(5),
    };
    Database::open(config).await.with_context(|| format!("open {schema}"))
}
