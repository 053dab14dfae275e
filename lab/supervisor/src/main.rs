//! `baton-supervisor up|down|status`: the whole real shape on this machine, as daemons; `chaos` is one of them. `serve` runs
//! tests over servers that they share.

use anyhow::{Context, Result, bail};
use baton_supervisor::chaos::{self, daemons::Daemons};
use baton_supervisor::daemon::State;
use baton_supervisor::stack::{Endpoints, Stack, StackOptions};
use baton_supervisor::{Probe, Process, shared};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Starts private MariaDB, RabbitMQ and Redis with Baton's processes, all on loopback, and stops them again.
#[derive(Debug, Parser)]
#[command(name = "baton-supervisor", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything; data, ports and logs are kept in the directory
    Up {
        #[command(flatten)]
        place: Place,
        /// The baton binary [default: the one beside this program]
        #[arg(long, value_name = "PATH")]
        baton: Option<PathBuf>,
        /// Number of orchestrators, when the directory is new
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
        orchestrators: u8,
        /// What carries commands: a broker, or streams to the participants, without one
        #[arg(long, value_enum, default_value_t = Courier::Rabbitmq)]
        courier: Courier,
    },
    /// Stop everything that `up` started; the data stays
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Show what runs and where; exits 1 if anything is missing
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Run a command, for example a test runner, with one private server of each kind that its tests share
    Serve {
        /// The command with its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Kill and revive participants for orchestrators that pass `baton chaos` on; `up` starts it, `down` stops it
    Chaos {
        #[command(flatten)]
        place: Place,
        /// The baton binary [default: the one beside this program]
        #[arg(long, value_name = "PATH")]
        baton: Option<PathBuf>,
        /// Port on loopback
        #[arg(long)]
        port: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Courier {
    Rabbitmq,
    Grpc,
}

#[derive(Debug, Args)]
struct Place {
    /// Directory of the data, the logs and the state
    #[arg(long, value_name = "DIR", default_value = ".local")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Up { place, baton, orchestrators, courier } => {
            up(&place.dir, baton, usize::from(orchestrators), courier).await
        }
        Command::Down { place } => down(&place.dir),
        Command::Status { place } => status(&place.dir),
        Command::Serve { command } => serve(&command).await,
        Command::Chaos { place, baton, port } => kill_on_purpose(&place.dir, baton, port).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up(dir: &Path, baton: Option<PathBuf>, orchestrators: usize, courier: Courier) -> Result<ExitCode> {
    let dir = std::path::absolute(dir)?;
    let baton = baton.map_or_else(beside_us, Ok)?;
    let mut state = State::load(&dir)?;
    if !state.daemons.is_empty() && state.daemons.iter().all(|daemon| daemon.is_running()) {
        eprintln!("already running");
        print(&dir, &state, &baton);
        return Ok(ExitCode::SUCCESS);
    }
    // Leftovers of a stack that died in part hold its ports and data.
    state.stop(&dir)?;
    eprintln!("starting; this takes about half a minute");
    let endpoints = state.endpoints.take();
    let broker = courier == Courier::Rabbitmq;
    let options = StackOptions { orchestrators, broker, endpoints, chaos: true, ..StackOptions::new(&baton) };
    // Owned until it is complete: an error or Ctrl-C on the way leaves nothing behind.
    let (stack, chaos) = tokio::select! {
        started = start(&dir, &options) => started?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let state = State::adopt(&dir, &stack, &chaos)?;
    print(&dir, &state, &baton);
    Ok(ExitCode::SUCCESS)
}

/// The stack, and ourselves once more as the one who kills in it.
async fn start(dir: &Path, options: &StackOptions) -> Result<(Stack, Process)> {
    let stack = Stack::start(dir, options).await?;
    let port = stack.endpoints.chaos.context("the stack has no port for chaos")?;
    let mut command = std::process::Command::new(std::env::current_exe().context("find this program")?);
    command.arg("chaos").arg("--dir").arg(dir).arg("--baton").arg(&options.baton).args(["--port", &port.to_string()]);
    let chaos = Process::spawn(command, &dir.join("log"), "chaos")?;
    chaos.wait_ready(&Probe::tcp(port)).await?;
    Ok((stack, chaos))
}

/// Runs the command and ends with its exit code; the servers go when this process does, however it ends.
async fn serve(command: &[String]) -> Result<ExitCode> {
    let servers = tokio::select! {
        started = shared::serve() => started?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).env(shared::VARIABLE, serde_json::to_string(&servers)?);
    // Ctrl-C reaches it as well; its end is ours.
    let status = child.status().await.with_context(|| format!("run {program}"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn kill_on_purpose(dir: &Path, baton: Option<PathBuf>, port: u16) -> Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let (dir, baton) = (std::path::absolute(dir)?, std::path::absolute(baton.map_or_else(beside_us, Ok)?)?);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    chaos::serve(port, Arc::new(Daemons::new(dir, baton)), stop).await?;
    Ok(ExitCode::SUCCESS)
}

fn down(dir: &Path) -> Result<ExitCode> {
    let dir = std::path::absolute(dir)?;
    let mut state = State::load(&dir)?;
    let stopped = state.stop(&dir)?;
    eprintln!("stopped {stopped} processes; the data stays in {}", dir.display());
    Ok(ExitCode::SUCCESS)
}

fn status(dir: &Path) -> Result<ExitCode> {
    let dir = std::path::absolute(dir)?;
    let state = State::load(&dir)?;
    if state.daemons.is_empty() {
        println!("nothing runs from {}", dir.display());
        return Ok(ExitCode::FAILURE);
    }
    print(&dir, &state, &beside_us().unwrap_or_else(|_| "baton".into()));
    let complete = state.daemons.iter().all(|daemon| daemon.is_running());
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn beside_us() -> Result<PathBuf> {
    let us = std::env::current_exe().context("find this program")?;
    Ok(us.with_file_name("baton"))
}

/// What runs, where, and what to type next.
fn print(dir: &Path, state: &State, baton: &Path) {
    println!("{:<18} {:>8}  {:<7}  {:<42} LOG", "PROCESS", "PID", "STATE", "ENDPOINT");
    for daemon in &state.daemons {
        let what = if daemon.is_running() { "running" } else { "ended" };
        let endpoint = state.endpoints.as_ref().map(|endpoints| endpoint(endpoints, &daemon.name)).unwrap_or_default();
        println!("{:<18} {:>8}  {what:<7}  {endpoint:<42} {}", daemon.name, daemon.pid, daemon.log.display());
    }
    let Some(endpoints) = &state.endpoints else { return };
    let Some((grpc, _)) = endpoints.orchestrators.first() else { return };
    let baton = format!("{} --config {}", baton.display(), dir.join("baton.toml").display());
    println!("\nNext:");
    println!("  {baton} demo --target 127.0.0.1:{grpc} --provider http://127.0.0.1:{}", endpoints.provider);
    println!("  {baton} sagas list");
    println!("  {} down --dir {}", std::env::args().next().unwrap_or_default(), dir.display());
}

fn endpoint(endpoints: &Endpoints, name: &str) -> String {
    let grpc_and_admin = |(grpc, admin): (u16, u16)| format!("grpc 127.0.0.1:{grpc} http 127.0.0.1:{admin}");
    match name {
        "mariadbd" => format!("mysql://127.0.0.1:{}", endpoints.mariadb),
        "rabbitmq" => format!("amqp://127.0.0.1:{}", endpoints.rabbitmq),
        "epmd" => format!("127.0.0.1:{}", endpoints.rabbitmq_mapper),
        "redis" => format!("redis://127.0.0.1:{}", endpoints.redis),
        "sandbox-provider" => format!("http://127.0.0.1:{}", endpoints.provider),
        "chaos" => endpoints.chaos.map(|port| format!("grpc 127.0.0.1:{port}")).unwrap_or_default(),
        name => {
            let orchestrator = name.strip_prefix("orchestrator-").and_then(|index| index.parse::<usize>().ok());
            let listed = orchestrator.and_then(|index| endpoints.orchestrators.get(index.checked_sub(1)?));
            listed.or_else(|| endpoints.participants.get(name)).copied().map(grpc_and_admin).unwrap_or_default()
        }
    }
}
