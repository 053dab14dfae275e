//! The load driver: closed-loop gRPC load on a private real shape, latencies by histogram, ratios printed.

mod batching;
mod load;
mod prepare;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measures Baton on this machine, against servers and processes of its own.
#[derive(Debug, Parser)]
#[command(name = "baton-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The real shape with normal batching and with batch size 1, in one run; ends with `batching ratio N.N`.
    Batching(Batching),
}

/// How `batching` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Batching {
    /// Orders under way at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    concurrency: u32,
    /// Measured seconds of each side; two more before them warm up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Items the orders are spread over.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    items: u32,
    /// Orchestrators on each side.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    orchestrators: u8,
    /// The baton binary; by default the one beside this program.
    #[arg(long)]
    baton: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    // The one provider of the build graph; Err only says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Arguments::parse().command {
        Command::Batching(arguments) => batching::run(&arguments).await,
    }
}
