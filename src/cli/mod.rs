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
//! | [`page`] | how much of a list |
//! | [`crate::shop::cli`] | what the shop adds |

pub mod audit;
pub mod chaos;
pub mod global;
pub mod installation;
pub mod jobs;
pub mod letters;
pub mod page;
pub mod sagas;

pub use audit::Audit;
pub use chaos::{ChaosCommand, Verify};
pub use global::{Global, Output};
pub use installation::Definitions;
pub use jobs::{Holds, Jobs};
pub use letters::DeadLetters;
pub use page::Page;
pub use sagas::{Act, Filter, Sagas};

use crate::shop::cli::ShopCommand;
use clap::{Args, Parser, Subcommand};
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
    /// Audit an installation by its databases: every saga, journal, ledger, unit and cent
    Verify(Verify),
    /// Run an orchestrator
    Orchestrator(Listen),
    /// Run a participant
    Participant {
        /// Which one
        name: String,
        /// Its listeners.
        #[command(flatten)]
        listen: Listen,
    },
    /// Bring database schemas up to date, or say how far they are
    #[command(subcommand)]
    Migrate(Migrate),
    /// What the shop adds.
    #[command(flatten)]
    Shop(ShopCommand),
    /// Sagas: find them, learn why they stand where they stand, set them right
    #[command(subcommand)]
    Sagas(Sagas),
    /// One action for every saga that a filter selects
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
    Chaos(ChaosCommand),
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

/// Every schema, for `baton migrate`.
pub const ALL: &str = "all";

/// `baton migrate`.
#[derive(Clone, Debug, Subcommand)]
pub enum Migrate {
    /// Apply what is missing; safe to repeat and to run twice at once
    Up {
        /// Whose schema
        #[arg(default_value = ALL)]
        service: String,
    },
    /// Say what is applied and what is missing
    Status {
        /// Whose schema
        #[arg(default_value = ALL)]
        service: String,
    },
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
