//! The command line.

use crate::document::design::Design;
use crate::load::call::Follow;
use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Baton on this machine, against servers and processes of its own.
#[derive(Debug, Parser)]
#[command(name = "baton-bench", version)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every workload in both shapes, bad weather, and a table against the targets (about 10 minutes)
    All(All),
    /// One workload in one shape
    Run(RunOne),
    /// More orders than can be carried, then fewer
    Weather(WeatherArguments),
    /// Sagas per second while the tables grow
    Growth(Growth),
    /// The document's designs beside Baton: time, cost, correctness, and what is left after kills
    Document(Document),
    /// Orders at a steady rate while operators look at the page and at lists: how long their looks take
    Browse(Browse),
    /// Operators' questions to a million sagas, on SQLite and on MariaDB
    Search(SearchArguments),
    /// The real shape with normal batching and with batch size 1, in one run; ends with `batching ratio N.N`
    Batching(Batching),
}

/// Where programs are.
#[derive(Clone, Debug, clap::Args)]
pub struct Binary {
    /// Directory of the programs under test [default: the one of this program]
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
    /// The baton binary [default: in the same directory]
    #[arg(long, value_name = "PATH")]
    pub baton: Option<PathBuf>,
}

impl Binary {
    /// The path of one program.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        if let (Some(path), "baton") = (&self.baton, name) {
            return Ok(path.clone());
        }
        let own = std::env::current_exe()?;
        let dir = match &self.programs {
            Some(dir) => dir.clone(),
            None => own.parent().context("this program has no directory")?.to_owned(),
        };
        Ok(dir.join(name))
    }
}

/// How `all` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct All {
    /// Where tables, JSON and pictures go
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// Measured seconds of each closed loop
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub seconds: u64,
    /// Seconds of bad weather; 0 leaves it out
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub storm: u64,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// Shapes of Baton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Separate processes over MariaDB, RabbitMQ and Redis.
    Real,
    /// One process over SQLite.
    Embedded,
    /// No engine: the steps' transactions one after the other, behind the same door.
    Bare,
}

/// Couriers of the real shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Courier {
    /// The broker.
    Rabbitmq,
    /// A stream from each orchestrator to each participant.
    Grpc,
}

/// How `run` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct RunOne {
    /// Shape
    #[arg(long, value_enum, default_value_t = Shape::Real)]
    pub shape: Shape,
    /// What carries commands in the real shape
    #[arg(long, value_enum, default_value_t = Courier::Rabbitmq)]
    pub courier: Courier,
    /// Orchestrators of the real shape
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub orchestrators: u8,
    /// A burst of so many orders at once, in place of callers
    #[arg(long, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..=8_000))]
    pub burst: Option<u32>,
    /// Arrivals at this rate, in place of callers; latency counts from when an order was to arrive
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "burst", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
    /// Callers, each with one order under way
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub concurrency: u32,
    /// Measured seconds; two more before them warm up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub seconds: u64,
    /// Items the orders are spread over
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub items: u32,
    /// Units of each item [default: plenty]; with too few, orders may end for want of stock
    #[arg(long)]
    pub stock: Option<i64>,
    /// Lines of each order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub lines: u8,
    /// 5 % out of stock and 5 % with a wrong amount
    #[arg(long)]
    pub failures: bool,
    /// How callers learn of the end
    #[arg(long, value_enum, default_value_t = Follow::Wait)]
    pub follow: Follow,
    /// Times the workload runs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub repeats: u32,
    /// Print the figures as JSON instead of tables
    #[arg(long)]
    pub json: bool,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// How `weather` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct WeatherArguments {
    /// Seconds at 150 %
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub storm: u64,
    /// Seconds at 80 % after them
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub calm: u64,
    /// Where the picture goes
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// How `growth` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Growth {
    /// Sagas to finish
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub sagas: u64,
    /// Callers
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub concurrency: u32,
    /// Where the picture goes
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// How `document` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Document {
    /// Designs, in this order
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Design::ALL)]
    pub designs: Vec<Design>,
    /// Measured seconds of the closed loop
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub seconds: u64,
    /// Callers of the closed loop
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub concurrency: u32,
    /// Where tables, JSON and pictures go
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// How `browse` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Browse {
    /// Shape
    #[arg(long, value_enum, default_value_t = Shape::Real)]
    pub shape: Shape,
    /// Orders that arrive each second
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Seconds without operators, and as many with
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub seconds: u64,
    /// Operators, each looking again every half second
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub operators: u8,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}

/// How `search` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct SearchArguments {
    /// Sagas in the table
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub sagas: u64,
    /// Times each question is asked
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub times: u32,
}

/// How `batching` measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Batching {
    /// Orders under way at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub concurrency: u32,
    /// Measured seconds of a round; two more before them warm up
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub seconds: u64,
    /// Rounds of each side, in turns; the medians count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: u32,
    /// Items the orders are spread over
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub items: u32,
    /// Orchestrators on each side
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub orchestrators: u8,
    /// Programs.
    #[command(flatten)]
    pub binary: Binary,
}
