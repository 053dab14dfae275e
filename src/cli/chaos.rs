//! `baton verify` and `baton chaos`: an installation audited, and participants killed on purpose.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `baton chaos`.
#[derive(Clone, Debug, Subcommand)]
pub enum ChaosCommand {
    /// List what can be killed, and who is alive
    List,
    /// Kill a participant at once, as SIGKILL would
    Kill {
        /// Whom: the name of a participant
        target: String,
    },
    /// Start it again on what it left behind
    Revive {
        /// Whom
        target: String,
    },
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

fn audit_head(text: &str) -> Result<[u8; 32], String> {
    baton_orchestrator::store::audit::from_hex(text).ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
}
