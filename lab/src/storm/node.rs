//! One process of Baton's, which can be killed, frozen and started again, with a crash point armed or without.

use anyhow::Result;
use baton_crash_point::{Point, VARIABLE};
use baton_supervisor::{Lifetime, Probe, Process};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What kind of process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessKind {
    /// `baton orchestrator`
    Orchestrator,
    /// `baton participant order`
    Order,
    /// `baton participant payment`
    Payment,
    /// `baton participant stock`
    Stock,
}

impl ProcessKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Orchestrator, Self::Order, Self::Payment, Self::Stock];
    /// The participants.
    pub const PARTICIPANTS: [Self; 3] = [Self::Order, Self::Payment, Self::Stock];

    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Stock => "stock",
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Orchestrator => vec!["orchestrator"],
            Self::Order | Self::Payment | Self::Stock => vec!["participant", self.name()],
        }
    }
}

/// How to start it.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The binary.
    pub baton: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Where its log goes.
    pub logs: PathBuf,
    /// Configuration keys set on the command line of every node.
    pub set: Vec<(String, String)>,
    /// What differs from the others.
    pub environment: Vec<(String, String)>,
}

/// A process with its ports.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub kind: ProcessKind,
    /// `stock-2`.
    pub name: String,
    /// gRPC.
    pub grpc: u16,
    /// Metrics and probes.
    pub admin: u16,
    recipe: Recipe,
    process: Mutex<Arc<Process>>,
    /// It is down because we wanted that.
    is_down: AtomicBool,
}

impl Node {
    /// Starts it; it is not ready yet.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn launch(kind: ProcessKind, number: usize, ports: (u16, u16), recipe: Recipe) -> Result<Self> {
        let name = format!("{}-{number}", kind.name());
        let process = Arc::new(spawn(kind, &name, &recipe, None)?);
        let (grpc, admin) = ports;
        Ok(Self { kind, name, grpc, admin, recipe, process: Mutex::new(process), is_down: AtomicBool::new(false) })
    }

    /// The process as it is now.
    #[must_use]
    pub fn process(&self) -> Arc<Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// If it survives.
    pub fn kill(&self) -> Result<()> {
        self.is_down.store(true, Ordering::Relaxed);
        self.process().kill()
    }

    /// SIGTERM and wait.
    ///
    /// # Errors
    /// If it survives.
    pub async fn stop(&self) -> Result<()> {
        self.is_down.store(true, Ordering::Relaxed);
        let process = self.process();
        tokio::task::spawn_blocking(move || process.stop()).await??;
        Ok(())
    }

    /// Starts it again if it does not run, without any crash point.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self) -> Result<()> {
        self.replace(None)
    }

    /// Kills it and starts it with a crash point armed, to die at the n-th hit.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn arm(&self, point: Point, nth: u32) -> Result<()> {
        self.kill()?;
        self.replace(Some((point, nth)))?;
        // It will go down, and we want that.
        self.is_down.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn replace(&self, point: Option<(Point, u32)>) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if !process.is_running() {
            process.kill()?;
            *process = Arc::new(spawn(self.kind, &self.name, &self.recipe, point)?);
        }
        self.is_down.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether it ended although nobody wanted that.
    #[must_use]
    pub fn died_by_itself(&self) -> bool {
        !self.is_down.load(Ordering::Relaxed) && !self.process().is_running()
    }

    /// Waits until it says that it can work.
    ///
    /// # Errors
    /// If it does not within a minute.
    pub async fn ready(&self) -> Result<()> {
        self.process().wait_ready(&Probe::http(self.admin, "/readyz")).await
    }

    /// Its log; it goes on over restarts.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.recipe.logs.join(format!("{}.log", self.name))
    }
}

fn spawn(kind: ProcessKind, name: &str, recipe: &Recipe, point: Option<(Point, u32)>) -> Result<Process> {
    let mut command = command(&recipe.baton, &recipe.config);
    for (key, value) in &recipe.set {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command.args(kind.arguments()).envs(recipe.environment.iter().cloned());
    if let Some((point, nth)) = point {
        command.env(VARIABLE, format!("{}:{nth}", point.name()));
    }
    Process::spawn_for(command, &recipe.logs, name, Lifetime::Owned)
}

/// `baton --config FILE`, and nothing of our own environment that it would read.
pub(super) fn command(baton: &Path, config: &Path) -> Command {
    let mut command = Command::new(baton);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BATON_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(config);
    command
}
