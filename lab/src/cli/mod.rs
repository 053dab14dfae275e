//! `baton-lab sim | check | storm`: the command line, and the commands over what this crate is made of.

pub mod check;
pub mod sim;
pub mod storm;

use crate::storm::courier::Courier;
use baton::cli::Output;
use baton::failure::Failure;
use baton::show::Printer;
use baton::{output, tls};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What proves Baton: simulated runs, every crash at every step, and real processes under faults.
#[derive(Debug, Parser)]
#[command(name = "baton-lab", version, about, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 ok, 1 a promise was broken or an error, 2 usage, 130 interrupt.")]
pub struct Cli {
    /// Set one configuration key of the processes of a storm, for example engine.max_batch=1; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = baton::cli::global::key_value)]
    pub set: Vec<(String, String)>,
    /// How data is printed on standard output
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub output: Output,
    /// Say nothing on standard error but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate whole runs in virtual time, with faults drawn from seeds, and check every promise
    Sim(Sim),
    /// Try every crash, outcome and duplicate at every step of a saga
    Check(Check),
    /// Run real processes under load, let faults loose on them one after the other, and audit after each
    Storm(StormArgs),
}

/// Arguments of `baton-lab storm`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It needs MariaDB, Redis and (unless over gRPC) RabbitMQ installed, and starts private ones. Crash points need a \
binary built with --features crash-points. A nemesis that never fired fails the run; one that cannot run here is counted as not run."
)]
pub struct StormArgs {
    /// Nemesis to run; may be repeated [default: those of --ci]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ci", "full", "all"])]
    pub nemesis: Vec<String>,
    /// List every nemesis
    #[arg(long)]
    pub list: bool,
    /// What carries commands; nemeses that need what is not there are not run
    #[arg(long, value_enum, default_value_t)]
    pub courier: Courier,
    /// The short storm over this courier: a few nemeses of 45 s
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
    /// The baton binary under test [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub baton: Option<PathBuf>,
    /// Where processes keep data and logs [default: a temporary directory, kept if something failed]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Arguments of `baton-lab sim`.
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

/// Arguments of `baton-lab check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The saga's name, for example `order`
    pub saga: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Everything the binary does.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(&baton::cli::Global {
        output: Some(cli.output),
        quiet: cli.quiet,
        ..baton::cli::Global::default()
    });
    let done = run(cli, printer).and_then(|()| output::written());
    done.map_or_else(
        |failure| {
            output::talk(&format!("error: {failure}"));
            ExitCode::from(failure.exit() as u8)
        },
        |()| ExitCode::SUCCESS,
    )
}

fn run(cli: Cli, printer: Printer) -> Result<(), Failure> {
    match cli.command {
        // Simulations bring their own runtimes, which must not run inside another one.
        Command::Sim(args) => sim::start(&args, printer),
        Command::Check(args) => check::start(&args, printer),
        Command::Storm(args) => {
            tls::install();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(storm::run(&args, cli.set, printer))
        }
    }
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
