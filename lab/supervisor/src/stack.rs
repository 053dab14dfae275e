//! The whole real shape: private servers, and Baton's processes as separate processes of one binary.

use crate::port;
use crate::process::{Lifetime, Probe, Process, loopback};
use crate::{MariaDb, RabbitMq, Redis, mariadb, rabbitmq};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The participants that are linked into the binary `baton`, in the order they are started unless a stack is told otherwise.
pub const SHOP: [&str; 3] = ["order", "payment", "stock"];

/// What may differ between stacks.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The `baton` binary.
    pub baton: PathBuf,
    /// How many orchestrators.
    pub orchestrators: usize,
    /// Participants of the binary, in the order they are started.
    pub participants: Vec<String>,
    /// Whether there is a broker. Without one commands go over streams to the participants.
    pub broker: bool,
    /// How long everything lives.
    pub lifetime: Lifetime,
    /// Ports to use again; `None` picks free ones.
    pub endpoints: Option<Endpoints>,
    /// InnoDB buffer pool, in MiB.
    pub buffer_pool_mib: u32,
    /// InnoDB redo log, in MiB.
    pub redo_log_mib: u32,
    /// `BATON_…` variables of every process, over the configuration file.
    pub environment: Vec<(String, String)>,
    /// Whether orchestrators pass on to [`crate::chaos`], at a port of the stack's; it is served by whoever owns the stack.
    pub chaos: bool,
}

impl StackOptions {
    /// Two orchestrators and the shop's participants that live as long as the caller, and no chaos.
    #[must_use]
    pub fn new(baton: impl Into<PathBuf>) -> Self {
        Self {
            baton: baton.into(),
            orchestrators: 2,
            participants: SHOP.map(str::to_owned).to_vec(),
            broker: true,
            lifetime: Lifetime::Owned,
            endpoints: None,
            buffer_pool_mib: 512,
            redo_log_mib: 512,
            environment: Vec::new(),
            chaos: false,
        }
    }
}

/// Every port of a stack, all on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// MariaDB.
    pub mariadb: u16,
    /// RabbitMQ, AMQP.
    pub rabbitmq: u16,
    /// RabbitMQ, Erlang distribution.
    pub rabbitmq_dist: u16,
    /// RabbitMQ, its port mapper.
    pub rabbitmq_mapper: u16,
    /// Redis.
    pub redis: u16,
    /// The sandbox provider, HTTP.
    pub provider: u16,
    /// Participants: gRPC and admin HTTP.
    pub participants: BTreeMap<String, (u16, u16)>,
    /// Orchestrators: gRPC and admin HTTP.
    pub orchestrators: Vec<(u16, u16)>,
    /// Killing and reviving on purpose, gRPC, if the stack was started for it.
    #[serde(default)]
    pub chaos: Option<u16>,
}

impl Endpoints {
    /// How to tell that a participant is ready. An error if there is none of this name.
    pub fn participant_ready(&self, name: &str) -> Result<Probe> {
        let (_, admin) = self.participants.get(name).with_context(|| format!("there is no participant {name}"))?;
        Ok(Probe::http(*admin, "/readyz"))
    }
}

/// A running stack. Every part can be killed, frozen and started again on its own.
#[derive(Debug)]
pub struct Stack {
    /// Where everything listens.
    pub endpoints: Endpoints,
    /// The database.
    pub mariadb: MariaDb,
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// The hints.
    pub redis: Redis,
    /// The sandbox provider.
    pub provider: Process,
    /// By name.
    pub participants: BTreeMap<String, Process>,
    /// In order.
    pub orchestrators: Vec<Process>,
    /// The configuration file every process reads.
    pub config: PathBuf,
}

impl Stack {
    /// Starts servers, migrates, starts every process and waits until all are ready. Data under `dir` is kept.
    pub async fn start(dir: &Path, options: &StackOptions) -> Result<Self> {
        // Processes run in other directories than ours.
        let options = &StackOptions { baton: std::path::absolute(&options.baton)?, ..options.clone() };
        ensure!(options.baton.is_file(), "there is no baton binary at {}; build it first", options.baton.display());
        let dir = std::path::absolute(dir)?;
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let known = options.endpoints.as_ref();
        let settings = mariadb::Settings {
            buffer_pool_mib: options.buffer_pool_mib,
            redo_log_mib: options.redo_log_mib,
            port: known.map(|endpoints| endpoints.mariadb),
            lifetime: options.lifetime.clone(),
            ..mariadb::Settings::default()
        };
        let broker_ports = known.map(|endpoints| rabbitmq::Ports {
            amqp: endpoints.rabbitmq,
            distribution: endpoints.rabbitmq_dist,
            mapper: endpoints.rabbitmq_mapper,
        });
        let redis_port = known.map(|endpoints| endpoints.redis);
        let (mariadb, rabbitmq, redis) = tokio::try_join!(
            MariaDb::start_with(&dir, &settings),
            broker(&dir, options, broker_ports),
            Redis::start_with(&dir, redis_port, options.lifetime.clone()),
        )?;
        let ports = rabbitmq.ports();
        let known_chaos = known.and_then(|endpoints| endpoints.chaos);
        let chaos = if options.chaos { Some(known_chaos.map_or_else(port::free, Ok)?) } else { None };
        let endpoints = match known {
            Some(endpoints) => Endpoints { chaos, ..endpoints.clone() },
            None => Endpoints {
                mariadb: mariadb.port(),
                rabbitmq: ports.amqp,
                rabbitmq_dist: ports.distribution,
                rabbitmq_mapper: ports.mapper,
                redis: redis.port(),
                provider: port::free()?,
                participants: options
                    .participants
                    .iter()
                    .map(|name| Ok((name.clone(), pair()?)))
                    .collect::<Result<_>>()?,
                orchestrators: (0..options.orchestrators).map(|_| pair()).collect::<Result<_>>()?,
                chaos,
            },
        };
        let config = configure(&dir, options, &mariadb, &rabbitmq, &redis, &endpoints)?;
        migrate(&dir, options, &mariadb, &config)?;
        let launch = Launch { dir: &dir, options, config: &config };
        let provider = launch.process("sandbox-provider", &["sandbox-provider"], &[])?;
        let mut participants = BTreeMap::new();
        for name in &options.participants {
            participants.insert(name.clone(), launch.process(name, &["participant", name], &[])?);
        }
        let mut orchestrators = Vec::new();
        for (index, (grpc, admin)) in endpoints.orchestrators.iter().enumerate() {
            let own = [
                ("BATON_SERVER__LISTEN".to_owned(), format!("127.0.0.1:{grpc}")),
                ("BATON_SERVER__ADMIN_LISTEN".to_owned(), format!("127.0.0.1:{admin}")),
            ];
            orchestrators.push(launch.process(&format!("orchestrator-{}", index + 1), &["orchestrator"], &own)?);
        }
        let stack = Self { endpoints, mariadb, rabbitmq, redis, provider, participants, orchestrators, config };
        stack.wait_ready().await?;
        Ok(stack)
    }

    /// Waits until every Baton process says it is ready.
    pub async fn wait_ready(&self) -> Result<()> {
        self.provider.wait_ready(&Probe::tcp(self.endpoints.provider)).await?;
        for (name, process) in &self.participants {
            process.wait_ready(&self.endpoints.participant_ready(name)?).await?;
        }
        for (process, (_, admin)) in self.orchestrators.iter().zip(&self.endpoints.orchestrators) {
            process.wait_ready(&Probe::http(*admin, "/readyz")).await?;
        }
        Ok(())
    }

    /// The gRPC address of one orchestrator.
    #[must_use]
    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.endpoints.orchestrators[index].0)
    }

    /// The base URL of the sandbox provider.
    #[must_use]
    pub fn provider_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.endpoints.provider)
    }

    /// Every Baton process by name, for tests that kill each in turn.
    pub fn processes(&self) -> impl Iterator<Item = (String, &Process)> {
        let orchestrators = self.orchestrators.iter().enumerate();
        let named = orchestrators.map(|(index, process)| (format!("orchestrator-{}", index + 1), process));
        named.chain(self.participants.iter().map(|(name, process)| (name.clone(), process)))
    }

    /// Stops everything with SIGTERM, Baton first.
    pub fn stop(&self) -> Result<()> {
        for (_, process) in self.processes() {
            process.stop()?;
        }
        self.provider.stop()?;
        self.redis.stop()?;
        if !self.rabbitmq.process().is_foreign() {
            self.rabbitmq.stop()?;
        }
        self.mariadb.stop()
    }
}

/// The broker, or one that never runs in its place.
async fn broker(dir: &Path, options: &StackOptions, ports: Option<rabbitmq::Ports>) -> Result<RabbitMq> {
    if options.broker {
        return RabbitMq::start_with(dir, ports, options.lifetime.clone()).await;
    }
    let free = || Ok(rabbitmq::Ports { amqp: port::free()?, distribution: port::free()?, mapper: port::free()? });
    Ok(RabbitMq::foreign(dir.join("rabbitmq"), ports.map_or_else(free, anyhow::Ok)?))
}

struct Launch<'a> {
    dir: &'a Path,
    options: &'a StackOptions,
    config: &'a Path,
}

impl Launch<'_> {
    fn process(&self, name: &str, arguments: &[&str], own: &[(String, String)]) -> Result<Process> {
        let mut command = baton(&self.options.baton, self.config, arguments);
        command.envs(self.options.environment.iter().cloned()).envs(own.iter().cloned());
        Process::spawn_for(command, &logs(self.dir), name, self.options.lifetime.clone())
    }
}

fn baton(binary: &Path, config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.arg("--config").arg(config).args(arguments);
    command
}

fn logs(dir: &Path) -> PathBuf {
    dir.join("log")
}

fn config(dir: &Path) -> PathBuf {
    dir.join("baton.toml")
}

/// Starts a participant of a stack in `dir` again, as a daemon. It is not ready yet.
pub fn start_participant(dir: &Path, binary: &Path, name: &str) -> Result<Process> {
    let command = baton(binary, &config(dir), &["participant", name]);
    Process::spawn_for(command, &logs(dir), name, Lifetime::Detached)
}

fn pair() -> Result<(u16, u16)> {
    Ok((port::free()?, port::free()?))
}

/// The schema of a service, and its user.
fn schema(service: &str) -> String {
    format!("baton_{}", service.replace('-', "_"))
}

/// One schema and one least-privileged user per service, and the file that names them all.
fn configure(
    dir: &Path,
    options: &StackOptions,
    mariadb: &MariaDb,
    rabbitmq: &RabbitMq,
    redis: &Redis,
    endpoints: &Endpoints,
) -> Result<PathBuf> {
    let url = |service: &str| {
        let name = schema(service);
        mariadb.create_schema(&name)?;
        // Loopback only, and gone with the data directory: the password guards nothing that the machine does not.
        mariadb.create_user(&name, "private", &name, "SELECT, INSERT, UPDATE, DELETE")?;
        anyhow::Ok(mariadb.url(&name, "private", &name))
    };
    let mut text = format!(
        "[store]\nurl = \"{}\"\n\n[bus]\nkind = \"rabbitmq\"\nurl = \"{}\"\n\n[coord]\nkind = \"redis\"\nurl = \"{}\"\n\n\
         [provider]\nbase_url = \"http://127.0.0.1:{provider}\"\nlisten = \"127.0.0.1:{provider}\"\nledger = \"{}\"\n\n\
         [client]\nserver = \"127.0.0.1:{}\"\n",
        url("orchestrator")?,
        rabbitmq.amqp_url(),
        redis.url(),
        dir.join("sandbox-ledger.db").display(),
        endpoints.orchestrators.first().map_or(0, |(grpc, _)| *grpc),
        provider = endpoints.provider,
    );
    for (name, (grpc, admin)) in &endpoints.participants {
        text.push_str(&format!(
            "\n[participants.{name}]\nendpoint = \"127.0.0.1:{grpc}\"\nlisten = \"127.0.0.1:{grpc}\"\n\
             admin_listen = \"127.0.0.1:{admin}\"\ncourier = \"{}\"\n[participants.{name}.store]\nurl = \"{}\"\n",
            if options.broker { "rabbitmq" } else { "grpc" },
            url(name)?
        ));
    }
    if let Some(chaos) = endpoints.chaos {
        text.push_str(&format!("\n[dev]\nchaos_endpoint = \"{}\"\n", loopback(chaos)));
    }
    let path = config(dir);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// Runs `baton migrate up` as the administrator: the services' own users may not change tables.
fn migrate(dir: &Path, options: &StackOptions, mariadb: &MariaDb, config: &Path) -> Result<()> {
    let mut command = Command::new(&options.baton);
    command.arg("--config").arg(config).args(["migrate", "up"]).current_dir(dir);
    command.env("BATON_STORE__URL", mariadb.root_url(&schema("orchestrator")));
    for name in &options.participants {
        let key = format!("BATON_PARTICIPANTS__{}__STORE__URL", name.to_uppercase().replace('-', "_"));
        command.env(key, mariadb.root_url(&schema(name)));
    }
    let output = command.output().context("run baton migrate up")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "baton migrate up failed:\n{}", said.trim());
    Ok(())
}
