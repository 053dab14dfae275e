//! The designs as processes: how each is started, killed and reached.

use crate::site::{self, Shelf, Site};
use anyhow::{Context as _, Result, ensure};
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::port;
use baton_supervisor::process::{Lifetime, Probe, Process};
use baton_supervisor::stack::Stack;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Schemas of the designs: a monolith's own, then those of the three services.
const SCHEMAS: [&str; 4] = ["document_monolith", "document_order", "document_payment", "document_stock"];

/// How long a caller of the designs with events waits for an end; some never come. Far above what a burst takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Orchestrated sagas.
    Baton,
    /// One transaction with a row lock.
    RowLock,
    /// A lock in Redis around the stock.
    RedisLock,
    /// No engine: the steps' transactions one after the other.
    Bare,
    /// Services and events.
    Events,
    /// The same with compensating events.
    Choreography,
}

impl Design {
    /// Baton first, since its processes run when the servers have been started; then as in the document.
    pub const ALL: [Self; 5] = [Self::Baton, Self::RowLock, Self::RedisLock, Self::Events, Self::Choreography];

    /// For tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Baton => "Baton",
            Self::RowLock => "(a) one transaction, row lock",
            Self::RedisLock => "(b) Redis pub/sub lock",
            Self::Bare => "no engine",
            Self::Events => "(c) services and events",
            Self::Choreography => "(d) choreography",
        }
    }

    /// Schemas of orders, payments and stock.
    #[must_use]
    pub fn schemas(self) -> [&'static str; 3] {
        match self {
            Self::Baton => ["baton_order", "baton_payment", "baton_stock"],
            Self::RowLock | Self::RedisLock | Self::Bare => [SCHEMAS[0]; 3],
            Self::Events | Self::Choreography => [SCHEMAS[1], SCHEMAS[2], SCHEMAS[3]],
        }
    }
}

impl fmt::Display for Design {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Creates the designs' schemas and tables.
pub fn prepare(stack: &Stack, document: &Path) -> Result<()> {
    ensure!(document.is_file(), "there is no baton-document at {}; build it first", document.display());
    for schema in SCHEMAS {
        stack.mariadb.create_schema(schema)?;
    }
    let output = command(stack, document, &["migrate"]).output().context("run baton-document migrate")?;
    ensure!(output.status.success(), "baton-document migrate: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn command(stack: &Stack, document: &Path, role: &[&str]) -> Command {
    let mut command = Command::new(document);
    command.args(["--mariadb", &format!("mysql://root@127.0.0.1:{}", stack.mariadb.port())]);
    command.args(["--rabbitmq", &stack.rabbitmq.amqp_url(), "--redis", &stack.redis.url()]);
    command.args(["--provider", &stack.provider_url()]).args(role);
    command
}

/// A process of a design, and how to see that it is ready.
struct Member {
    name: &'static str,
    process: Process,
    ready: Probe,
}

/// A design that runs.
pub struct Installed<'a> {
    /// Which.
    pub design: Design,
    stack: &'a Stack,
    door: String,
    /// Empty for Baton, whose processes are the stack's.
    members: Vec<Member>,
}

impl<'a> Installed<'a> {
    /// Starts its processes. Baton's run already; those of any other take their place.
    pub async fn start(design: Design, dir: &Path, stack: &'a Stack, document: &Path) -> Result<Self> {
        if design == Design::Baton {
            let door = stack.address(0);
            ensure!(stack.orchestrators[0].is_running(), "Baton must come first");
            return Ok(Self { design, stack, door, members: Vec::new() });
        }
        for (_, process) in stack.processes() {
            process.stop()?;
        }
        let door = port::free()?;
        let listen = format!("127.0.0.1:{door}");
        let mut members = Vec::new();
        let mut member = |name: &'static str, ready: u16, role: &[&str]| -> Result<()> {
            let log = dir.join("log").join(format!("document-{design}"));
            let process = Process::spawn_for(command(stack, document, role), &log, name, Lifetime::Owned)?;
            members.push(Member { name, process, ready: Probe::tcp(ready) });
            Ok(())
        };
        match design {
            Design::Baton => {}
            Design::RowLock => member("monolith", door, &["monolith", "--listen", &listen, "--lock", "database"])?,
            Design::RedisLock => member("monolith", door, &["monolith", "--listen", &listen, "--lock", "redis"])?,
            Design::Bare => member("monolith", door, &["monolith", "--listen", &listen, "--lock", "none"])?,
            Design::Events | Design::Choreography => {
                let compensate = (design == Design::Choreography).then_some("--compensate");
                for name in ["payment", "stock"] {
                    let ready = port::free()?;
                    let address = format!("127.0.0.1:{ready}");
                    let role: Vec<&str> = [name, "--ready", &address].into_iter().chain(compensate).collect();
                    member(name, ready, &role)?;
                }
                let ready = port::free()?;
                let (address, patience) = (format!("127.0.0.1:{ready}"), PATIENCE.as_millis().to_string());
                let role = ["order", "--listen", &listen, "--ready", &address, "--patience-ms", &patience];
                member("order", ready, &role)?;
            }
        }
        for member in &members {
            member.process.wait_ready(&member.ready).await?;
        }
        Ok(Self { design, stack, door: listen, members })
    }

    /// As what is measured.
    pub async fn site(&self) -> Result<Site<'a>> {
        if self.design == Design::Baton {
            return Site::real(self.stack).await;
        }
        let mut processes = site::servers(self.stack);
        for member in &self.members {
            processes.push(site::group(member.name, &member.process)?);
        }
        let stock = self.design.schemas()[2];
        let shelf = Database::open(DatabaseConfig::mariadb(self.stack.mariadb.root_url(stock))).await?;
        Ok(Site {
            name: self.design.title().to_owned(),
            doors: vec![self.door.clone()],
            provider: self.stack.provider_url(),
            processes,
            mariadb: Some(site::administrator(self.stack).await?),
            broker: Some(&self.stack.rabbitmq),
            shelf: Shelf::Table(shelf),
        })
    }

    /// The stock service, or the only process there is.
    pub fn participant(&self) -> Result<(&Process, Probe)> {
        if self.design == Design::Baton {
            let (process, ports) = (&self.stack.participants["stock"], self.stack.endpoints.participants["stock"]);
            return Ok((process, Probe::http(ports.1, "/readyz")));
        }
        self.member("stock")
    }

    /// The process that takes the orders.
    pub fn door(&self) -> Result<(&Process, Probe)> {
        if self.design == Design::Baton {
            let ports = self.stack.endpoints.orchestrators[0];
            return Ok((&self.stack.orchestrators[0], Probe::http(ports.1, "/readyz")));
        }
        self.member("order")
    }

    fn member(&self, name: &str) -> Result<(&Process, Probe)> {
        let found = self.members.iter().find(|member| member.name == name).or_else(|| self.members.first());
        let member = found.context("a design without processes")?;
        Ok((&member.process, member.ready.clone()))
    }

    /// Ends its processes; Baton's end with the servers or with the next design.
    pub fn stop(&self) -> Result<()> {
        for member in &self.members {
            member.process.stop()?;
        }
        Ok(())
    }
}
