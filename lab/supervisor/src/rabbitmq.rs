//! A private RabbitMQ node with a port mapper (epmd) of its own, loopback only.
//!
//! The machine's epmd is left alone: a node that shares it could neither be cleaned up after nor be told apart from its
//! neighbours. Ours runs in its own group, on its own port, and ends with the node.

use crate::binary;
use crate::port;
use crate::process::{Lifetime, Probe, Process, loopback};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PACKAGE: &str = "rabbitmq-server";

/// A port chosen by us may be taken by somebody else before the broker binds it.
const START_ATTEMPTS: usize = 3;

/// A bound, not a wait: an Erlang machine that shares its cores with many others was seen to start for over a minute.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// A control command that takes longer hangs.
const CTL_WITHIN: Duration = Duration::from_secs(60);

/// Loopback only for the node's own protocol too. On a small machine that it shares: no spinning, and one scheduler, since
/// with more every message hops between cores, which costs the broker a third more CPU.
const ERLANG_OPTIONS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none";

const CONFIGURATION: &str =
    "disk_free_limit.absolute = 50MB\nheartbeat = 10\nlog.console = true\nlog.console.level = info\nlog.file = false\n";

/// How old a count of [`RabbitMq::ctl`]'s `list_queues` may be: quorum queues report theirs at intervals, by default of five
/// seconds, in which whoever waits for an empty queue may be told of one that was empty.
pub const COUNTED_EVERY: Duration = Duration::from_millis(500);

/// The ports of one node. They are part of its identity: a kept data directory must be used with the ports it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// AMQP.
    pub amqp: u16,
    /// Erlang distribution, used by `rabbitmqctl`.
    pub distribution: u16,
    /// The port mapper.
    pub mapper: u16,
}

/// A running (or killed) private broker.
#[derive(Debug)]
pub struct RabbitMq {
    dir: PathBuf,
    ports: Ports,
    // Dropped before the mapper.
    broker: Process,
    mapper: Process,
}

impl RabbitMq {
    /// A broker with its data under `dir/rabbitmq`, ready for use.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, None, Lifetime::Owned).await
    }

    /// As [`Self::start`], on given ports and with a given lifetime.
    pub async fn start_with(dir: &Path, fixed_ports: Option<Ports>, lifetime: Lifetime) -> Result<Self> {
        let dir = std::path::absolute(dir)?.join("rabbitmq");
        fs::create_dir_all(dir.join("home"))?;
        fs::write(dir.join("rabbitmq.conf"), CONFIGURATION)?;
        let counted_every = COUNTED_EVERY.as_millis();
        let advanced = format!("[{{rabbit, [{{quorum_tick_interval, {counted_every}}}]}}].\n");
        fs::write(dir.join("advanced.config"), advanced)?;
        fs::write(dir.join("enabled_plugins"), "[].\n")?;
        fs::write(dir.join("rabbitmq-env.conf"), "")?;
        let mut attempt = 1;
        loop {
            let ports = fixed_ports.map_or_else(choose_ports, Ok)?;
            match Self::try_start(&dir, ports, &lifetime).await {
                Ok(broker) => return Ok(broker),
                Err(error) if fixed_ports.is_some() || attempt == START_ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// One that somebody else started, with its data under `dir`.
    #[must_use]
    pub fn foreign(dir: PathBuf, ports: Ports) -> Self {
        Self { dir, ports, broker: Process::foreign("rabbitmq"), mapper: Process::foreign("epmd") }
    }

    /// Its own directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it speaks AMQP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// All ports of the node.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// A URL of the default virtual host.
    #[must_use]
    pub fn amqp_url(&self) -> String {
        self.vhost_url("%2f")
    }

    /// A URL of a virtual host, whose name must need no escaping.
    #[must_use]
    pub fn vhost_url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.ports.amqp)
    }

    /// Runs `rabbitmqctl` against this node and returns what it printed. Takes one to two seconds.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(binary::find("rabbitmqctl", PACKAGE)?);
        environment(&mut command, &self.dir, self.ports);
        command.arg("--quiet").args(arguments).stdin(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let output = tokio::time::timeout(CTL_WITHIN, command.output()).await;
        let output = output.with_context(|| format!("rabbitmqctl {arguments:?} hangs"))??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "rabbitmqctl {arguments:?} failed: {} {}", said.trim(), errors.trim());
        Ok(said)
    }

    /// Creates a virtual host that `guest` may use. In one call, since each call starts an Erlang machine.
    pub async fn create_vhost(&self, name: &str) -> Result<()> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        ensure!(!name.is_empty() && name.chars().all(allowed), "not a plain name: {name}");
        let expression = format!(
            "ok = rabbit_vhost:add(<<\"{name}\">>, <<\"baton\">>), rabbit_auth_backend_internal:set_permissions(\
             <<\"guest\">>, <<\"{name}\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"baton\">>)."
        );
        self.ctl(&["eval", &expression]).await.map(|_| ())
    }

    /// SIGKILL to the broker and its port mapper.
    pub fn kill(&self) -> Result<()> {
        self.broker.kill()?;
        self.mapper.kill()
    }

    /// SIGTERM and wait.
    pub fn stop(&self) -> Result<()> {
        self.broker.stop()?;
        self.mapper.kill()
    }

    /// SIGSTOP.
    pub fn pause(&self) -> Result<()> {
        self.broker.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.broker.resume()
    }

    /// Kills it if it runs, and starts it again with the same data and ports; returns when it is ready.
    pub async fn restart(&self) -> Result<()> {
        self.kill()?;
        self.mapper.start()?;
        self.mapper.wait_ready(&Probe::tcp(self.ports.mapper)).await?;
        self.broker.start()?;
        self.ready().await
    }

    /// The broker's process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.broker
    }

    /// The port mapper's process.
    #[must_use]
    pub fn mapper_process(&self) -> &Process {
        &self.mapper
    }

    async fn try_start(dir: &Path, ports: Ports, lifetime: &Lifetime) -> Result<Self> {
        let mut mapper = Command::new(binary::find("epmd", "erlang-base")?);
        mapper.args(["-port", &ports.mapper.to_string(), "-address", "127.0.0.1"]);
        // Only the broker's watchdog may erase the directory.
        let mapper_lifetime = if *lifetime == Lifetime::Detached { Lifetime::Detached } else { Lifetime::Owned };
        let mapper = Process::spawn_for(mapper, dir, "epmd", mapper_lifetime)?;
        // A node that finds no mapper starts one that outlives it, so ours must be there first.
        if let Err(error) = mapper.wait_ready(&Probe::tcp(ports.mapper)).await {
            mapper.kill()?;
            return Err(error);
        }
        let mut command = Command::new(binary::find("rabbitmq-server", PACKAGE)?);
        environment(&mut command, dir, ports);
        command.current_dir(dir);
        let broker = Process::spawn_for(command, dir, "rabbitmq", lifetime.clone())?;
        let node = Self { dir: dir.to_owned(), ports, broker, mapper };
        match node.ready().await {
            Ok(()) => Ok(node),
            Err(error) => {
                node.kill()?;
                Err(error)
            }
        }
    }

    async fn ready(&self) -> Result<()> {
        // The listener opens last in the boot sequence; its greeting lists its capabilities.
        let address = loopback(self.ports.amqp);
        let probe = Probe::Talk { address, send: b"AMQP\x00\x00\x09\x01", expect: b"publisher_confirms" };
        self.broker.wait_ready_within(&probe, READY_WITHIN).await
    }
}

fn choose_ports() -> Result<Ports> {
    let (amqp, distribution, mapper) = (port::free()?, port::free()?, port::free()?);
    ensure!(amqp != distribution && distribution != mapper && amqp != mapper, "the same free port came up twice");
    Ok(Ports { amqp, distribution, mapper })
}

/// What the scripts of RabbitMQ read. Every path that has a default outside of `dir` is set.
fn environment(command: &mut Command, dir: &Path, ports: Ports) {
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("RABBITMQ_")) {
        command.env_remove(name);
    }
    command
        .env("HOME", dir.join("home"))
        .env("ERL_EPMD_PORT", ports.mapper.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        // A node looks after its mapper every minute, by starting an Erlang machine that starts one as a daemon unless
        // told not to; killed at that moment, it would leave that daemon behind.
        .env("ERL_FLAGS", "-start_epmd false")
        .env("RABBITMQ_NODENAME", format!("baton{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", dir.join("advanced.config"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", dir.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_PID_FILE", dir.join("rabbitmq.pid"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_OPTIONS);
}
