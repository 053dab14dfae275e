//! The load driver: gRPC load on private installations, what it costs by process, and the same on other designs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`shop`] | items, and orders paid for in advance |
//! | [`load`] | one call and its outcome; closed loop, bursts, open loop |
//! | [`site`] | what is measured: doors, processes, shelf |
//! | [`machine`] | CPU, memory and disk by process; the servers' counters; the machine's raw figures |
//! | [`workload`], [`measure`] | how orders come; one run: prepare, load, weigh |
//! | [`audit`] | the end of every run |
//! | [`suite`], [`targets`] | `all`: every workload, and the table against the targets |
//! | [`weather`], [`growth`], [`batching`], [`browse`], [`search`] | runs of their own kind |
//! | [`document`] | the document's designs beside Baton |
//! | [`report`] | tables, JSON, pictures |

mod audit;
mod batching;
mod browse;
mod cli;
mod document;
mod growth;
mod load;
mod machine;
mod measure;
mod report;
mod search;
mod shop;
mod site;
mod suite;
mod targets;
mod weather;
mod workload;

use anyhow::Result;
use clap::Parser as _;
use cli::{Arguments, Command};

#[tokio::main]
async fn main() -> Result<()> {
    // The one provider of the build graph; Err only says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Arguments::parse().command {
        Command::All(arguments) => suite::all(&arguments).await,
        Command::Run(arguments) => suite::one(&arguments).await,
        Command::Weather(arguments) => suite::weather(&arguments).await,
        Command::Growth(arguments) => growth::run(&arguments).await,
        Command::Document(arguments) => document::run(&arguments).await,
        Command::Browse(arguments) => browse::run(&arguments).await,
        Command::Search(arguments) => search::run(&arguments).await,
        Command::Batching(arguments) => batching::run(&arguments).await,
    }
}
