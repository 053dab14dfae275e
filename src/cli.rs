//! The command line as types; nothing is done here.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;
use uuid::Uuid;

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

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "BATON_CONFIG", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Set one configuration key, for example engine.max_batch=1; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Global options")]
    pub set: Vec<(String, String)>,
    /// gRPC address that client commands talk to [default: from the configuration]
    #[arg(long, global = true, value_name = "ADDR", env = "BATON_SERVER", help_heading = "Global options")]
    pub server: Option<String>,
    /// How data is printed on standard output
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        env = "BATON_OUTPUT",
        help_heading = "Global options"
    )]
    pub output: Output,
    /// Print the configuration with the origin of each value, secrets masked, and exit
    #[arg(long, global = true, help_heading = "Global options")]
    pub print_config: bool,
    /// No colours (NO_COLOR in the environment does the same)
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say nothing on standard error but errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in this process, with its state in a directory that is kept between runs
    Dev(Dev),
    /// Send 1,000 concurrent orders for 800 units, then audit every order, unit and cent
    Demo(Demo),
    /// Run real processes under load, let faults loose on them one after the other, and audit after each
    Storm(Storm),
    /// Audit an installation by its databases: every saga, journal, ledger, unit and cent
    Verify(Verify),
    /// Simulate whole runs in virtual time, with faults drawn from seeds, and check every promise
    Sim(Sim),
    /// Try every crash, outcome and duplicate at every step of a saga
    Check(Check),
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
    /// Sagas and their journals
    #[command(subcommand)]
    Sagas(Sagas),
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

/// Arguments of `baton demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// gRPC address of running processes to drive; without it everything runs in here, in a temporary directory
    #[arg(long, value_name = "ADDR", requires = "provider")]
    pub target: Option<String>,
    /// Base URL of the sandbox payment provider those processes use
    #[arg(long, value_name = "URL")]
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

/// `baton items`.
#[derive(Clone, Debug, Subcommand)]
pub enum Items {
    /// Create an item; the same again with the same content is fine
    Create {
        /// Its id: 1 to 64 of A-Z a-z 0-9 _ -
        id: String,
        /// Price of one unit in minor units (cents, whole won)
        #[arg(long, allow_negative_numbers = true)]
        price: i64,
        /// Units in stock at first
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        stock: i64,
        /// ISO 4217 code
        #[arg(long, default_value = "KRW")]
        currency: String,
        /// For people
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Show one item
    Get {
        /// Its id
        id: String,
    },
    /// List items by id
    List(Page),
    /// Put units into stock
    Restock {
        /// Its id
        id: String,
        /// Units to add
        #[arg(long, allow_negative_numbers = true)]
        quantity: i64,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
}

/// A page of a list.
#[derive(Args, Clone, Debug)]
pub struct Page {
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// `baton orders`.
#[derive(Clone, Debug, Subcommand)]
pub enum Orders {
    /// Create an order: prints its number and the amount to pay
    Create {
        /// ITEM=QUANTITY, at today's price, or ITEM=QUANTITY@PRICE; may be repeated
        #[arg(long = "line", required = true, value_name = "ITEM=QUANTITY[@PRICE]", value_parser = line)]
        lines: Vec<Line>,
        /// Who orders
        #[arg(long, default_value = "customer-1")]
        customer: String,
        /// ISO 4217 code [default: that of the first item]
        #[arg(long)]
        currency: Option<String>,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// Place a paid order; prints how far it got
    Place {
        /// Its number, from `orders create`
        #[arg(long, value_name = "NUMBER")]
        order: String,
        /// The provider's payment id (imp_uid)
        #[arg(long, value_name = "ID")]
        payment: String,
        /// Return as soon as the order is accepted instead of waiting for its end
        #[arg(long)]
        no_wait: bool,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// Show one order
    Get {
        /// Its number
        order: String,
    },
    /// List orders, newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<OrderStateArg>,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Follow an order to its end
    Watch {
        /// Its number
        order: String,
    },
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Item id.
    pub item: String,
    /// Units; the server says which numbers are fine.
    pub quantity: i64,
    /// Price of one unit, if the customer insists on one.
    pub price: Option<i64>,
}

/// An order's state on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderStateArg {
    /// Created, not yet placed.
    PaymentPending,
    /// Placed, at work.
    PaymentConfirm,
    /// Completed.
    PaymentSuccess,
    /// Undone: stock or price.
    PaymentOutOfStock,
    /// Undone: payment.
    PaymentNoPaymentInfo,
    /// Undone: another reason.
    Cancelled,
}

/// A saga's state on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SagaStateArg {
    /// Working through its steps.
    Running,
    /// Undoing.
    Compensating,
    /// Needs an operator.
    Stuck,
    /// Halted by an operator.
    Paused,
    /// Ended well.
    Completed,
    /// Ended undone.
    Compensated,
}

/// `baton sagas`.
#[derive(Clone, Debug, Subcommand)]
pub enum Sagas {
    /// Start a saga of any registered definition
    Start {
        /// Name of the definition
        definition: String,
        /// File with the definition's encoded input message; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// Makes a repetition harmless [default: a new one]
        #[arg(long)]
        request_id: Option<Uuid>,
    },
    /// List sagas, newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<SagaStateArg>,
        /// Only those of this business key, for example an order number
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Show one saga
    Get {
        /// Its id
        saga: String,
    },
    /// Show the journal of one saga, oldest first
    Events {
        /// Its id
        saga: String,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Follow a saga to its end
    Watch {
        /// Its id
        saga: String,
    },
}

/// `baton config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read all layers, check every value, say what is wrong
    Check,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    if (0.5..=500.0).contains(&rate) { Ok(rate) } else { Err("0.5 to 500".to_owned()) }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

fn line(text: &str) -> Result<Line, String> {
    let shape = || "write it as ITEM=QUANTITY or ITEM=QUANTITY@PRICE".to_owned();
    let (item, rest) = text.split_once('=').ok_or_else(shape)?;
    let (quantity, price) = match rest.split_once('@') {
        Some((quantity, price)) => (quantity, Some(price.parse().map_err(|_| shape())?)),
        None => (rest, None),
    };
    Ok(Line { item: item.to_owned(), quantity: quantity.parse().map_err(|_| shape())?, price })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lines() {
        assert_eq!(line("sku-1=2"), Ok(Line { item: "sku-1".to_owned(), quantity: 2, price: None }));
        assert_eq!(line("a=1@500"), Ok(Line { item: "a".to_owned(), quantity: 1, price: Some(500) }));
        for wrong in ["a", "a=", "a=x", "a=1@", "a=1@x"] {
            assert!(line(wrong).is_err(), "{wrong}");
        }
    }
}
