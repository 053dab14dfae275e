//! A fault proxy between every two programs that speak to each other.

use crate::proxy::Proxy;
use anyhow::{Context as _, Result};
use baton_supervisor::port;
use baton_supervisor::process::loopback;
use std::collections::BTreeSet;

/// Tries to find a port that is nobody's.
const TRIES: usize = 20;

/// Who speaks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pair {
    /// Orchestrators and MariaDB.
    OrchestratorDatabase,
    /// Orchestrators and RabbitMQ.
    OrchestratorBroker,
    /// Orchestrators and Redis.
    OrchestratorHints,
    /// Orchestrators and participants, gRPC: probes, forwarded calls, and the streams of the courier without a broker.
    OrchestratorParticipant,
    /// Participants and MariaDB.
    ParticipantDatabase,
    /// Participants and RabbitMQ.
    ParticipantBroker,
    /// The payment participant and the payment provider.
    PaymentProvider,
    /// Clients and orchestrators.
    ClientOrchestrator,
}

impl Pair {
    /// Every pair.
    pub const ALL: [Self; 8] = [
        Self::OrchestratorDatabase,
        Self::OrchestratorBroker,
        Self::OrchestratorHints,
        Self::OrchestratorParticipant,
        Self::ParticipantDatabase,
        Self::ParticipantBroker,
        Self::PaymentProvider,
        Self::ClientOrchestrator,
    ];

    /// As in the names of nemeses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrchestratorDatabase => "orchestrator-database",
            Self::OrchestratorBroker => "orchestrator-broker",
            Self::OrchestratorHints => "orchestrator-hints",
            Self::OrchestratorParticipant => "orchestrator-participant",
            Self::ParticipantDatabase => "participant-database",
            Self::ParticipantBroker => "participant-broker",
            Self::PaymentProvider => "payment-provider",
            Self::ClientOrchestrator => "client-orchestrator",
        }
    }

    /// Whether its server is RabbitMQ.
    #[must_use]
    pub fn is_broker(self) -> bool {
        matches!(self, Self::OrchestratorBroker | Self::ParticipantBroker)
    }

    /// Whether its server is MariaDB, whose COMMITs can be told.
    #[must_use]
    pub fn is_database(self) -> bool {
        matches!(self, Self::OrchestratorDatabase | Self::ParticipantDatabase)
    }
}

/// One proxy with its place.
#[derive(Debug)]
pub struct Link {
    /// Between which kinds.
    pub pair: Pair,
    /// The one that connects, for example `stock-2`.
    pub from: String,
    /// The one that listens, for example `mariadb`.
    pub to: String,
    /// What stands between.
    pub proxy: Proxy,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Links {
    links: Vec<Link>,
    /// Ports that are promised to somebody who has not bound them yet.
    promised: BTreeSet<u16>,
}

impl Links {
    /// Starts a proxy before the ports `to_ports`; returns where it listens.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn add(&mut self, pair: Pair, from: &str, to: &str, to_ports: &[u16], seed: u64) -> Result<u16> {
        let targets = to_ports.iter().map(|port| loopback(*port)).collect::<Vec<_>>();
        let own_seed = seed.wrapping_add(self.links.len() as u64);
        // Somebody may take the port between the look and the bind.
        for _ in 0..TRIES {
            let listen = self.promise()?;
            if let Ok(proxy) = Proxy::start(listen, targets.clone(), own_seed).await {
                self.links.push(Link { pair, from: from.to_owned(), to: to.to_owned(), proxy });
                return Ok(listen);
            }
        }
        anyhow::bail!("no port for the proxy between {from} and {to}")
    }

    /// A free port that was not promised before.
    ///
    /// # Errors
    /// If there is none.
    pub fn promise(&mut self) -> Result<u16> {
        for _ in 0..TRIES {
            let port = port::free()?;
            if self.promised.insert(port) {
                return Ok(port);
            }
        }
        anyhow::bail!("the same free ports come up again and again")
    }

    /// All links.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// The links of a pair.
    pub fn of(&self, pair: Pair) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.pair == pair)
    }

    /// The link of one program to a pair's other side.
    ///
    /// # Errors
    /// If there is none.
    pub fn from(&self, pair: Pair, from: &str) -> Result<&Link> {
        self.of(pair).find(|link| link.from == from).with_context(|| format!("{from} has no {} link", pair.name()))
    }

    /// Switches every fault off.
    pub fn heal(&self) {
        self.links.iter().for_each(|link| link.proxy.heal());
    }

    /// How often any fault of the pair's proxies touched anything.
    #[must_use]
    pub fn faults(&self, pair: Pair) -> u64 {
        self.of(pair).map(|link| link.proxy.counts().faults()).sum()
    }
}
