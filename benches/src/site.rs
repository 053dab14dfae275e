//! What is measured: where its doors are, which processes belong to it, and how items get onto its shelf.

use crate::machine::processes::Watched;
use crate::shop::{self, Items, PRICE};
use anyhow::{Context as _, Result};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_stock::item::ITEM_COLUMNS;
use baton_supervisor::process::{Lifetime, Probe, Process};
use baton_supervisor::stack::Stack;
use baton_supervisor::{RabbitMq, port};
use std::path::{Path, PathBuf};
use std::process::Command;
use tonic::transport::Channel;

/// Connections of the driver to a site. The server works at 256 calls of a connection at once; the most callers of a
/// workload are 4,096.
const CHANNELS: usize = 16;

/// One installation under load.
#[derive(Debug)]
pub struct Site<'a> {
    /// For tables.
    pub name: String,
    /// Addresses of the gRPC services that place orders.
    pub doors: Vec<String>,
    /// Base URL of the payment provider.
    pub provider: String,
    /// The processes of it, without the driver.
    pub processes: Vec<Watched>,
    /// The administrator's access to its MariaDB, if it has one.
    pub mariadb: Option<Database>,
    /// Its broker, if it has one.
    pub broker: Option<&'a RabbitMq>,
    /// How items are created.
    pub shelf: Shelf,
}

/// How items are created.
#[derive(Debug)]
pub enum Shelf {
    /// Through Baton's own service.
    Service,
    /// As rows.
    Table(Database),
}

impl<'a> Site<'a> {
    /// A real shape.
    pub async fn real(stack: &'a Stack) -> Result<Self> {
        let mut processes = servers(stack);
        for (name, process) in stack.processes() {
            processes.push(group(&name, process)?);
        }
        Ok(Self {
            name: format!("real, {} orchestrator(s)", stack.orchestrators.len()),
            doors: (0..stack.orchestrators.len()).map(|index| stack.address(index)).collect(),
            provider: stack.provider_url(),
            processes,
            mariadb: Some(administrator(stack).await?),
            broker: Some(&stack.rabbitmq),
            shelf: Shelf::Service,
        })
    }

    /// Connections over which the driver spreads its calls, as those of many clients would be.
    pub fn channels(&self) -> Result<Vec<Channel>> {
        self.channels_of(CHANNELS)
    }

    /// The same with another number of connections.
    pub fn channels_of(&self, count: usize) -> Result<Vec<Channel>> {
        let mut channels = Vec::new();
        for door in &self.doors {
            channels.extend(shop::channels(door, count / self.doors.len())?);
        }
        Ok(channels)
    }

    /// Creates the items.
    pub async fn shelve(&self, channel: &Channel, items: &Items, stock: i64) -> Result<()> {
        match &self.shelf {
            Shelf::Service => shop::create(channel, items, stock).await,
            Shelf::Table(database) => insert(database, items, stock).await,
        }
    }
}

/// MariaDB, RabbitMQ, Redis and the provider of a stack.
pub fn servers(stack: &Stack) -> Vec<Watched> {
    let named = [
        ("mariadb", stack.mariadb.process()),
        ("rabbitmq", stack.rabbitmq.process()),
        ("redis", stack.redis.process()),
        ("provider", &stack.provider),
    ];
    named.into_iter().filter_map(|(name, process)| group(name, process).ok()).collect()
}

/// A process of ours, measured with its whole group.
pub fn group(name: &str, process: &Process) -> Result<Watched> {
    let pid = process.pid().with_context(|| format!("{name} does not run"))?;
    Ok(Watched { name: name.to_owned(), pid, group: true })
}

/// The administrator's access to a stack's MariaDB.
pub async fn administrator(stack: &Stack) -> Result<Database> {
    Ok(Database::open(DatabaseConfig::mariadb(stack.mariadb.root_url("mysql"))).await?)
}

async fn insert(database: &Database, items: &Items, stock: i64) -> Result<()> {
    let row = |(item, stock): (std::sync::Arc<str>, i64)| {
        let text = [&*item, "bench", "KRW"].map(Into::into);
        let numbers = [PRICE, stock, 0, stock, stock, 0, 0].map(Into::into);
        text.into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<_>> = items.with_stock(stock).map(row).collect();
    let inserted = database.transaction(move |tx| {
        let rows = rows.clone();
        Box::pin(async move {
            tx.insert_many("item", &ITEM_COLUMNS, rows).await?;
            Ok(Verdict::Commit(()))
        })
    });
    inserted.await.context("create items")
}

/// An embedded Baton as a process of its own.
#[derive(Debug)]
pub struct Embedded {
    process: Process,
    address: String,
    provider: String,
    /// Where its databases are.
    pub data: PathBuf,
    /// Port of its page and its HTTP interface.
    pub admin: u16,
}

impl Embedded {
    /// Starts `baton dev` with its state under `dir`.
    pub async fn start(dir: &Path, baton: &Path) -> Result<Self> {
        let (grpc, admin, provider) = (port::free()?, port::free()?, port::free()?);
        let data = dir.join("embedded");
        let mut command = Command::new(std::path::absolute(baton)?);
        command.arg("dev").arg("--data-dir").arg(&data).current_dir(dir);
        command.env("BATON_SERVER__LISTEN", format!("127.0.0.1:{grpc}"));
        command.env("BATON_SERVER__ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
        command.env("BATON_PROVIDER__LISTEN", format!("127.0.0.1:{provider}"));
        let process = Process::spawn_for(command, &dir.join("log"), "embedded", Lifetime::Owned)?;
        process.wait_ready(&Probe::http(admin, "/readyz")).await?;
        let provider = format!("http://127.0.0.1:{provider}");
        Ok(Self { process, address: format!("127.0.0.1:{grpc}"), provider, data, admin })
    }

    /// As what is measured.
    pub fn site(&self) -> Result<Site<'_>> {
        Ok(Site {
            name: "embedded".to_owned(),
            doors: vec![self.address.clone()],
            provider: self.provider.clone(),
            processes: vec![group("baton", &self.process)?],
            mariadb: None,
            broker: None,
            shelf: Shelf::Service,
        })
    }

    /// Stops it.
    pub fn stop(&self) -> Result<()> {
        self.process.stop().map(|_| ())
    }
}
