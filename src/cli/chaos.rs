//! `baton storm`, `baton verify`, `baton sim`, `baton check`, `baton chaos`: what shows that the promises hold.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `baton chaos`.
#[derive(Clone, Debug, Subcommand)]
pub enum Chaos {
    /// List what can be killed, and who is alive
    List,
    /// Kill a participant at once, as SIGKILL would
    Kill {
        /// Whom: order, payment or stock
        target: String,
    },
    /// Start it again on what it left behind
    Revive {
        /// Whom
        target: String,
    },
}

/// Arguments of `baton storm`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It needs MariaDB, RabbitMQ and Redis installed, and starts private ones. Crash points need a binary built \
with --features crash-points. A nemesis that never fired fails the run; one that cannot run here is counted as not run."
)]
pub struct Storm {
    /// Nemesis to run; may be repeated [default: those of --ci]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ci", "full", "all"])]
    pub nemesis: Vec<String>,
    /// List every nemesis
    #[arg(long)]
    pub list: bool,
    /// The short storm: 12 nemeses of 45 s
    #[arg(long, conflicts_with_all = ["full", "all"])]
    pub ci: bool,
    /// The full storm: every kind of fault, every pair of programs, every crash point, 180 s each
    #[arg(long, conflicts_with = "all")]
    pub full: bool,
    /// Every nemesis there is, every single fault of every pair on its own
    #[arg(long)]
    pub all: bool,
    /// Measure how fast what was killed moves again; nothing else unless nemeses are named
    #[arg(long)]
    pub recovery: bool,
    /// Seconds of load for each nemesis [default: 45, with --full 180]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=3600))]
    pub seconds: Option<u64>,
    /// Orders begun in a second
    #[arg(long, default_value_t = 30.0, value_parser = rate)]
    pub rate: f64,
    /// Replays a run's choices [default: a new one, which is printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where the report goes; the same with .json beside it
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Where processes keep data and logs [default: a temporary directory, kept if something failed]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Arguments of `baton verify`.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// Check only what holds while orders move; without it the installation must be at rest
    #[arg(long)]
    pub live: bool,
    /// Data directory of `baton dev`; without it the databases of the configuration are read
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Base URL of the sandbox payment provider, if its ledger file is not on this machine; only at rest
    #[arg(long, value_name = "URL", conflicts_with = "live")]
    pub provider: Option<String>,
    /// What clients asked and were told, one JSON line for each beginning and each end of a call
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Logs to search for card numbers, tokens, configured secrets and panics
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Check only what operators did: that nobody has changed or removed any of it since, running or at rest
    #[arg(long, conflicts_with_all = ["live", "provider", "history", "logs"])]
    pub audit: bool,
    /// A head of the audit that was noted earlier: it must still be part of it
    #[arg(long, value_name = "HASH", requires = "audit", value_parser = audit_head)]
    pub head: Option<[u8; 32]>,
}

/// Arguments of `baton sim`.
#[derive(Args, Clone, Debug)]
pub struct Sim {
    /// Seeds to run, the last one not included
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = seeds, conflicts_with = "seed")]
    pub seeds: (u64, u64),
    /// One seed, with its audit
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print everything that happens, line by line
    #[arg(long, requires = "seed")]
    pub trace: bool,
    /// Kinds of faults to leave out, by name
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub without: Vec<String>,
    /// At most so many orders
    #[arg(long, value_name = "N")]
    pub orders: Option<usize>,
    /// At most so many orchestrators
    #[arg(long, value_name = "N")]
    pub orchestrators: Option<usize>,
    /// At most so many processes of each participant
    #[arg(long, value_name = "N")]
    pub copies: Option<usize>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Append the totals to this table
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Show that every planted defect is noticed
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    pub planted: bool,
}

/// Arguments of `baton check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The saga's name, for example `order`
    pub saga: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Parses `A..B`, at least one seed and at most ten million.
fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, end) = text.split_once("..").ok_or("must be A..B, for example 0..1000")?;
    let number = |part: &str| part.parse::<u64>().map_err(|_| format!("{part:?} is no number"));
    let (first, end) = (number(first)?, number(end)?);
    if (1..=10_000_000).contains(&end.saturating_sub(first)) {
        Ok((first, end))
    } else {
        Err("must be between one and ten million seeds".to_owned())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    if (0.5..=500.0).contains(&rate) { Ok(rate) } else { Err("0.5 to 500".to_owned()) }
}

fn audit_head(text: &str) -> Result<[u8; 32], String> {
    baton_orchestrator::store::audit::from_hex(text).ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
}
