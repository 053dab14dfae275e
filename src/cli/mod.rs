//! The command line as types; nothing is done here.
//!
//! | file | what it holds |
//! |---|---|
//! | here | the command, Baton's own processes |
//! | [`global`] | flags of every command |
//! | [`installation`] | overview and definitions |
//! | [`chaos`] | audit, kills on purpose |
//! | [`letters`] | messages that could not be processed |
//! | [`jobs`] | bulk jobs and holds |
//! | [`sagas`] | sagas: list, explain, act |
//! | [`crate::shop::cli`] | items and orders |

pub mod audit;
pub mod chaos;
pub mod global;
pub mod installation;
pub mod jobs;
pub mod letters;
pub mod sagas;

pub use crate::shop::cli::{Items, Line, OrderStateArg, Orders};
pub use audit::Audit;
pub use chaos::{Chaos, Verify};
pub use global::{Global, Output};
pub use installation::Definitions;
pub use jobs::{Holds, Jobs};
pub use letters::DeadLetters;
pub use sagas::{Act, Filter, Sagas};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An orchestrated saga engine: every order ends either completed or fully undone, whatever crashes in between.
#[derive(Debug, Parser)]
#[command(name = "baton", version, about, max_term_width = 110)]
#[command(after_help = "Start here: `baton demo` shows it at work, `baton dev` runs it on this machine.\n\
Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 conflict or precondition, 5 unavailable or timeout, 130 interrupt.")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in this process, with its state in a directory that is kept between runs
    Dev(Dev),
    /// Send 1,000 concurrent orders for 800 units, then audit every order, unit and cent
    Demo(Demo),
    /// Audit an installation by its databases: every saga, journal, ledger, unit and cent
    Verify(Verify),
    /// Run an orchestrator
    Orchestrator(Listen),
    /// Run a participant
    Participant {
        /// Which one
        #[arg(value_enum)]
        name: ParticipantName,
        /// Its listeners.
        #[command(flatten)]
        listen: Listen,
    },
    /// Run the sandbox payment provider
    SandboxProvider {
        /// HTTP address to listen on [default: from the configuration]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Bring database schemas up to date, or say how far they are
    #[command(subcommand)]
    Migrate(Migrate),
    /// Items of the catalogue and their stock
    #[command(subcommand)]
    Items(Items),
    /// Orders: create, pay elsewhere, place, follow
    #[command(subcommand)]
    Orders(Orders),
    /// Sagas: find them, learn why they stand where they stand, set them right
    #[command(subcommand)]
    Sagas(Sagas),
    /// One order for every saga that a filter selects
    #[command(subcommand)]
    Jobs(Jobs),
    /// Definitions and participants that are halted
    #[command(subcommand)]
    Holds(Holds),
    /// What operators did
    #[command(subcommand)]
    Audit(Audit),
    /// How the installation is doing: rates, latencies, states, queues, who is alive
    Overview,
    /// Definitions: what there is, and whether a new version fits the sagas under way
    #[command(subcommand)]
    Definitions(Definitions),
    /// Messages that could not be processed: read, replay or drop them
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Look at an installation and say what must be mended: versions, durable settings, schemas, queues, clocks, rights
    Doctor(Doctor),
    /// Kill participants on purpose and revive them (`baton dev`, `make up`), to watch what becomes of sagas
    #[command(subcommand)]
    Chaos(Chaos),
    /// Ask a server whether it is healthy; for containers
    Health {
        /// Service to ask about; the whole server if left out
        #[arg(default_value = "")]
        service: String,
    },
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script, for example `baton completions bash > /etc/bash_completion.d/baton`
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Arguments of `baton dev`.
#[derive(Args, Clone, Debug)]
pub struct Dev {
    /// Where the state lives
    #[arg(long, value_name = "DIR", default_value = "baton-data", env = "BATON_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Where to listen.
    #[command(flatten)]
    pub listen: Listen,
    /// HTTP address of the sandbox payment provider [default: from the configuration]
    #[arg(long, value_name = "ADDR")]
    pub provider_listen: Option<SocketAddr>,
}

/// Arguments of `baton doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// Directory of a `baton dev`, running or stopped; without it the configuration says where everything is
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Arguments of `baton demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// gRPC address of running processes to drive; without it everything runs in here, in a temporary directory
    #[arg(long, value_name = "ADDR")]
    pub target: Option<String>,
    /// Base URL of the sandbox payment provider those processes use [default: provider.base_url of the configuration]
    #[arg(long, value_name = "URL", requires = "target")]
    pub provider: Option<String>,
    /// Orders to place at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub orders: u32,
    /// Units in stock
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub stock: u32,
    /// Orders among them that pay a wrong amount
    #[arg(long, default_value_t = 50)]
    pub wrong_amount: u32,
    /// Orders among them that name a payment nobody made
    #[arg(long, default_value_t = 50)]
    pub unknown_payment: u32,
    /// Calls in progress at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// How long to wait for the last saga before the audit fails, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub settle: u64,
}

/// Where a process listens.
#[derive(Args, Clone, Debug, Default)]
pub struct Listen {
    /// gRPC address to listen on [default: from the configuration]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// HTTP address for metrics and probes [default: from the configuration]
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<SocketAddr>,
}

/// Which participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParticipantName {
    /// Orders.
    Order,
    /// Payments.
    Payment,
    /// Items and stock.
    Stock,
}

impl ParticipantName {
    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Stock => "stock",
        }
    }
}

/// Whose schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// Every one.
    #[default]
    All,
    /// The orchestrator's.
    Orchestrator,
    /// The order participant's.
    Order,
    /// The payment participant's.
    Payment,
    /// The stock participant's.
    Stock,
}

/// `baton migrate`.
#[derive(Clone, Debug, Subcommand)]
pub enum Migrate {
    /// Apply what is missing; safe to repeat and to run twice at once
    Up {
        /// Whose schema
        #[arg(value_enum, default_value_t)]
        service: Service,
    },
    /// Say what is applied and what is missing
    Status {
        /// Whose schema
        #[arg(value_enum, default_value_t)]
        service: Service,
    },
}

/// A page of a list.
#[derive(Args, Clone, Debug)]
pub struct Page {
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// `baton config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read all layers, check every value, say what is wrong
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
