//! The participants of a stack that outlived the command which started it: found by what it wrote down, and written down
//! anew whenever one is another process than before.

use crate::chaos::{revived, told};
use crate::daemon::{Daemon, State};
use crate::process::{Probe, Process};
use crate::stack::start_participant;
use anyhow::{Context as _, Result};
use baton_proto::baton::dev::v1::ChaosTarget;
use baton_rpc::chaos::Mortals;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Participants of the stack in a directory. Only one may be at work on a directory, and `down` stops it before all others:
/// in between, nobody else writes the state.
#[derive(Clone, Debug)]
pub struct Daemons {
    dir: PathBuf,
    baton: PathBuf,
    /// Those we started, by name: our children, whose ends have to be waited for.
    children: Arc<Mutex<BTreeMap<String, Arc<Process>>>>,
}

impl Daemons {
    /// Of the stack in `dir`; `baton` is the binary that is started again.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, baton: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), baton: baton.into(), children: Arc::default() }
    }

    fn state(&self) -> Result<State> {
        State::load(&self.dir)
    }

    fn end(&self, name: &str) -> Result<()> {
        let child = self.children.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(child) = child {
            child.kill()?;
        }
        let state = self.state()?;
        let known = state.daemons.iter().find(|daemon| daemon.name == name);
        known.map_or(Ok(()), Daemon::kill)
    }

    /// Starts it unless it runs, and writes down which process it is now. Nothing if it ran.
    fn begin(&self, name: &str) -> Result<Option<(Arc<Process>, Probe)>> {
        let mut state = self.state()?;
        let missing = || format!("{name} is not part of what runs from {}", self.dir.display());
        let ready = state.endpoints.as_ref().with_context(missing)?.participant_ready(name)?;
        if state.daemons.iter().find(|daemon| daemon.name == name).with_context(missing)?.is_running() {
            return Ok(None);
        }
        let process = start_participant(&self.dir, &self.baton, name)?;
        let written = Daemon::of(&process).and_then(|daemon| state.replace(&self.dir, daemon));
        if let Err(why) = written {
            // Nobody would ever stop it.
            process.kill()?;
            return Err(why.context(format!("its log ends with:\n{}", process.log_tail())));
        }
        let process = Arc::new(process);
        self.children.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), process.clone());
        Ok(Some((process, ready)))
    }

    /// What was begun is ended, also if this program is told to stop meanwhile: its runtime waits for it.
    async fn with<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Self, &str) -> Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let is_known = told(self.state())?.participants().any(|known| known == name);
        let (name, us) =
            (is_known.then(|| name.to_owned()).ok_or_else(|| format!("there is no {name}"))?, self.clone());
        told(tokio::task::spawn_blocking(move || work(&us, &name)).await.context("a task").flatten())
    }
}

#[tonic::async_trait]
impl Mortals for Daemons {
    fn list(&self) -> Result<Vec<ChaosTarget>, String> {
        let state = told(self.state())?;
        let runs = |name: &str| state.daemons.iter().any(|daemon| daemon.name == name && daemon.is_running());
        Ok(state.participants().map(|name| ChaosTarget { target: name.to_owned(), alive: runs(name) }).collect())
    }

    async fn kill(&self, name: &str) -> Result<(), String> {
        self.with(name, Self::end).await
    }

    async fn revive(&self, name: &str) -> Result<(), String> {
        match self.with(name, Self::begin).await? {
            Some((process, ready)) => told(revived(&process, &ready).await),
            None => Ok(()),
        }
    }
}
