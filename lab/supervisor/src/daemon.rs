//! A stack that outlives the command that started it: what runs is written down, and found and stopped again by it.

use crate::process::{Process, group_is_alive};
use crate::stack::{Endpoints, Stack};
use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A process that ignores SIGTERM for this long is killed.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// A killed group that is still there after this is stuck in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at a process that is not our child and so has no event to wait for.
const POLL: Duration = Duration::from_millis(50);

/// One process, told apart from a later one with the same id by its start time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// What it is.
    pub name: String,
    /// Its id and its group's.
    pub pid: u32,
    /// Clock ticks between the machine's boot and its start.
    pub started: u64,
    /// Where its output goes.
    pub log: PathBuf,
}

/// What `up` leaves for `status`, `down` and the next `up`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The ports; kept after `down`, since the data directories belong to them.
    pub endpoints: Option<Endpoints>,
    /// What runs, in the order of stopping.
    pub daemons: Vec<Daemon>,
}

impl State {
    /// What was left in `dir`; nothing if nothing was.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = path(dir);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Writes it whole or not at all.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let (path, new) = (path(dir), dir.join("state.json.new"));
        fs::write(&new, serde_json::to_vec_pretty(self)?).with_context(|| format!("write {}", new.display()))?;
        fs::rename(&new, &path).with_context(|| format!("write {}", path.display()))
    }

    /// Names of the participants of what was written down.
    pub fn participants(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().flat_map(|endpoints| endpoints.participants.keys().map(String::as_str))
    }

    /// Writes a whole stack down and who kills in it on purpose, then lets them live on. If this fails, they still end with
    /// their owner.
    pub fn adopt(dir: &Path, stack: &Stack, chaos: &Process) -> Result<Self> {
        let baton = stack.orchestrators.iter().chain(stack.participants.values()).chain([&stack.provider]);
        let servers =
            [stack.redis.process(), stack.rabbitmq.process(), stack.rabbitmq.mapper_process(), stack.mariadb.process()];
        // First whoever starts others: nobody may come after those that were stopped.
        let servers = servers.into_iter().filter(|server| !server.is_foreign());
        let processes: Vec<_> = std::iter::once(chaos).chain(baton).chain(servers).collect();
        let daemons = processes.iter().map(|process| Daemon::of(process));
        let state = Self { endpoints: Some(stack.endpoints.clone()), daemons: daemons.collect::<Result<_>>()? };
        state.save(dir)?;
        for process in processes {
            process.detach();
        }
        Ok(state)
    }

    /// Writes down that the part of this name is another process now; the order stays.
    pub fn replace(&mut self, dir: &Path, daemon: Daemon) -> Result<()> {
        self.daemons.iter_mut().filter(|known| known.name == daemon.name).for_each(|known| *known = daemon.clone());
        self.save(dir)
    }

    /// Stops what still runs, in order, and forgets it. The ports are kept.
    pub fn stop(&mut self, dir: &Path) -> Result<usize> {
        let mut stopped = 0;
        while let Some(daemon) = self.daemons.first() {
            stopped += usize::from(daemon.stop()?);
            let name = daemon.name.clone();
            // The one that was stopped may have written down another process until its end.
            *self = Self::load(dir)?;
            self.daemons.retain(|daemon| daemon.name != name);
            self.save(dir)?;
        }
        Ok(stopped)
    }
}

impl Daemon {
    /// A process as it is written down. An error if it has ended.
    pub fn of(process: &Process) -> Result<Self> {
        let pid = process.pid().with_context(|| format!("{} has ended", process.name()))?;
        let started = started(pid).with_context(|| format!("{} has ended", process.name()))?;
        Ok(Self { name: process.name().to_owned(), pid, started, log: process.log_path().to_owned() })
    }

    /// True while this very process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// SIGTERM, then SIGKILL to what is left of its group. False if it had ended.
    fn stop(&self) -> Result<bool> {
        // Another process may have got the id; then the group is not ours either.
        if !self.is_running() {
            return Ok(false);
        }
        let pid = Pid::from_raw(self.pid.cast_signed());
        // A frozen process would not see SIGTERM before it is continued.
        ignore_gone(killpg(pid, Signal::SIGCONT))?;
        ignore_gone(kill(pid, Signal::SIGTERM))?;
        let deadline = Instant::now() + STOP_WITHIN;
        while self.is_running() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.end_group()?;
        Ok(true)
    }

    /// SIGKILL to its whole group; returns when nothing of it is left, at most 10 s later. Nothing if it had ended.
    pub fn kill(&self) -> Result<()> {
        if self.is_running() { self.end_group() } else { Ok(()) }
    }

    fn end_group(&self) -> Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed());
        ignore_gone(killpg(pid, Signal::SIGKILL))?;
        let deadline = Instant::now() + GONE_WITHIN;
        while group_is_alive(pid) {
            ensure!(Instant::now() < deadline, "{}: group {pid} survived SIGKILL", self.name);
            thread::sleep(POLL);
        }
        Ok(())
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("state.json")
}

fn ignore_gone(outcome: nix::Result<()>) -> Result<()> {
    match outcome {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// When a process started, in clock ticks since boot; nothing if it has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "pid (name) state …": the name may hold anything, so count from its last bracket; the state is field 3.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    fn sleeper() -> (Child, Daemon) {
        let mut command = Command::new("sleep");
        command.arg("600");
        daemon("sleeper", command)
    }

    fn daemon(name: &str, mut command: Command) -> (Child, Daemon) {
        use std::os::unix::process::CommandExt as _;
        let child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let (pid, log) = (child.id(), PathBuf::new());
        (child, Daemon { name: name.into(), pid, started: started(pid).unwrap(), log })
    }

    #[test]
    fn only_the_very_process_is_stopped() {
        let (mut child, daemon) = sleeper();
        let namesake = Daemon { started: daemon.started + 1, ..daemon.clone() };
        assert!(!namesake.stop().unwrap(), "another process with this id");
        assert!(daemon.is_running());
        assert!(daemon.stop().unwrap());
        child.wait().unwrap();
        assert!(!daemon.is_running() && !daemon.stop().unwrap());
    }

    #[test]
    fn state_is_kept_and_forgets_what_was_stopped() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), State::default());
        let (mut child, daemon) = sleeper();
        State { endpoints: None, daemons: vec![daemon] }.save(dir.path()).unwrap();
        let mut state = State::load(dir.path()).unwrap();
        assert_eq!(state.stop(dir.path()).unwrap(), 1);
        child.wait().unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), State::default());
    }

    #[test]
    fn what_one_writes_down_until_its_end_is_stopped_too() {
        let dir = tempfile::tempdir().unwrap();
        let ((mut old, before), (mut new, after)) = (sleeper(), sleeper());
        // Says when it listens, and on its way out puts another process in the place of the one that was known.
        let mut command = Command::new("sh");
        let script = "trap 'mv later state.json; exit' TERM; echo ready; while :; do sleep 0.01; done";
        command.args(["-c", script]).current_dir(dir.path());
        let (mut writer, first) = daemon("chaos", command);
        BufReader::new(writer.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let state = |sleeper: &Daemon| State { endpoints: None, daemons: vec![first.clone(), sleeper.clone()] };
        state(&after).save(dir.path()).unwrap();
        fs::rename(path(dir.path()), dir.path().join("later")).unwrap();
        state(&before).save(dir.path()).unwrap();
        old.kill().unwrap();
        old.wait().unwrap();

        assert_eq!(State::load(dir.path()).unwrap().stop(dir.path()).unwrap(), 2);
        assert!(!after.is_running());
        writer.wait().unwrap();
        new.wait().unwrap();
    }
}
