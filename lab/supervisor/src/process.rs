//! One process in a group of its own: log file, signals, readiness, and a death that cannot be missed.
//!
//! An owned process is killed with its whole group when its [`Process`] is dropped. Destructors do not run for statics,
//! on `exit` or on SIGKILL, so a watchdog stands beside it: a shell that blocks reading a pipe whose other end only we
//! hold. When we end, for whatever reason, the kernel closes the pipe and the shell kills the group.

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server that is not ready after this long will not become ready.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server that ignores SIGTERM for this long is killed.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How much of the log an error message quotes, in bytes.
const TAIL_BYTES: u64 = 2_048;

/// How long a frozen process is waited for; one in the middle of a disk write stops behind it.
const FREEZE_WITHIN: Duration = Duration::from_secs(1);

/// Between two looks at something that has no event to wait for.
const POLL: Duration = Duration::from_millis(20);

/// Kills the group `$1` and erases the directory `$2`, if given, once its standard input ends without a line.
const WATCHDOG: &str = r#"read -r released || { kill -s KILL -- "-$1"; [ -z "$2" ] || rm -rf -- "$2"; }"#;

/// How long a process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is dropped or the starting process ends.
    Owned,
    /// As `Owned`, and if the starting process ends without dropping it, this directory goes too.
    OwnedWithDirectory(PathBuf),
    /// Until somebody stops it: a daemon.
    Detached,
    /// As long as whoever started it likes: we only use it.
    Foreign,
}

/// How to tell that a server is ready.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Something accepts connections at this address.
    Tcp(SocketAddr),
    /// `GET path` at this address answers with a 2xx status.
    Http(SocketAddr, String),
    /// After `send`, the first bytes of the answer contain `expect`.
    Talk {
        /// Where.
        address: SocketAddr,
        /// What to say first; may be empty.
        send: &'static [u8],
        /// What a ready server's first bytes contain.
        expect: &'static [u8],
    },
}

/// A child process with everything needed to kill, freeze and start it again.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    lifetime: Lifetime,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    command: Command,
    /// Set by [`Process::detach`], or from the start.
    detached: bool,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    watchdog: Option<Child>,
}

impl Process {
    /// Starts `command` as an owned process; its output is appended to `dir/name.log`.
    pub fn spawn(command: Command, dir: &Path, name: &str) -> Result<Self> {
        Self::spawn_for(command, dir, name, Lifetime::Owned)
    }

    /// Starts `command` with the given lifetime; its output is appended to `dir/name.log`.
    pub fn spawn_for(mut command: Command, dir: &Path, name: &str, lifetime: Lifetime) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        // Servers take stack traces on the way down if they inherit this, which can cost minutes after a kill.
        command.env_remove("RUST_BACKTRACE").env_remove("NOTIFY_SOCKET");
        let inner = Inner { command, detached: lifetime == Lifetime::Detached, running: None };
        let log = dir.join(format!("{name}.log"));
        let process = Self { name: name.to_owned(), log, lifetime, inner: Mutex::new(inner) };
        process.start()?;
        Ok(process)
    }

    /// One that somebody else started; it can be neither started nor killed by us.
    #[must_use]
    pub fn foreign(name: &str) -> Self {
        let inner = Inner { command: Command::new("false"), detached: true, running: None };
        Self { name: name.to_owned(), log: PathBuf::new(), lifetime: Lifetime::Foreign, inner: Mutex::new(inner) }
    }

    /// Whether somebody else runs it, if anybody does.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self.lifetime, Lifetime::Foreign)
    }

    /// Starts it again after [`Self::kill`], [`Self::stop`] or its own end. An error if it is still running.
    pub fn start(&self) -> Result<()> {
        self.is_ours()?;
        let mut inner = self.lock();
        if let Some(running) = &mut inner.running {
            if running.child.try_wait()?.is_none() {
                bail!("{} is already running as {}", self.name, running.child.id());
            }
            release(inner.running.take());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("open {}", self.log.display()))?;
        let errors = log.try_clone()?;
        inner.command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let child = inner.command.spawn().with_context(|| format!("start {}", self.name))?;
        let mut running = Running { child, watchdog: None };
        if !inner.detached {
            match watchdog(&running.child, &self.lifetime) {
                Ok(watchdog) => running.watchdog = Some(watchdog),
                Err(error) => {
                    inner.running = Some(running);
                    drop(inner);
                    self.kill()?;
                    return Err(error);
                }
            }
        }
        inner.running = Some(running);
        Ok(())
    }

    /// SIGKILL to the whole group; returns when nothing of it is left. Fine if it is not running.
    pub fn kill(&self) -> Result<()> {
        self.is_ours()?;
        let mut inner = self.lock();
        let Some(mut running) = inner.running.take() else { return Ok(()) };
        let group = group_of(&running.child);
        signal_group(group, Signal::SIGKILL)?;
        running.child.wait().with_context(|| format!("wait for {}", self.name))?;
        let deadline = Instant::now() + STOP_WITHIN;
        while group_is_alive(group) {
            if Instant::now() > deadline {
                bail!("{}: group {group} survived SIGKILL", self.name);
            }
            thread::sleep(POLL);
        }
        release(Some(running));
        Ok(())
    }

    /// SIGTERM and wait; after 30 s, or if it leaves children behind, SIGKILL to the group.
    pub fn stop(&self) -> Result<Option<ExitStatus>> {
        let mut status = None;
        if let Some(running) = &mut self.lock().running {
            // A frozen process would not see SIGTERM before it is continued.
            signal_group(group_of(&running.child), Signal::SIGCONT)?;
            signal_one(&running.child, Signal::SIGTERM)?;
            let deadline = Instant::now() + STOP_WITHIN;
            while status.is_none() && Instant::now() < deadline {
                status = running.child.try_wait()?;
                thread::sleep(POLL);
            }
        }
        self.kill()?;
        Ok(status)
    }

    /// Freezes the whole group (SIGSTOP). When it returns no thread of the process runs any more: the signal alone says
    /// only that they will stop, and one that is at work on another core may answer a question first.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let Some(pid) = self.pid() else { return Ok(()) };
        let asked = Instant::now();
        while asked.elapsed() < FREEZE_WITHIN && !is_frozen(pid) {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Continues a frozen group (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Kills it if it still runs and starts it again; it is not ready yet.
    pub fn restart(&self) -> Result<()> {
        self.kill()?;
        self.start()
    }

    /// Lets it live on as a daemon: from now on neither a drop nor our own end kills it.
    pub fn detach(&self) {
        let mut inner = self.lock();
        inner.detached = true;
        if let Some(running) = &mut inner.running {
            dismiss(running.watchdog.take());
        }
    }

    /// Its name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id while it runs; also the id of its group.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lock().running.as_ref().map(|running| running.child.id())
    }

    /// False once it has ended or was killed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.lock().running.as_mut().is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The end of its log, for error messages.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// Waits until `probe` succeeds, at most 60 s. The error quotes the end of the log.
    pub async fn wait_ready(&self, probe: &Probe) -> Result<()> {
        self.wait_ready_within(probe, READY_WITHIN).await
    }

    /// The same with another bound.
    pub async fn wait_ready_within(&self, probe: &Probe, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            if !self.is_running() {
                bail!("{} ended while starting; its log ends with:\n{}", self.name, self.log_tail());
            }
            if matches!(tokio::time::timeout(Duration::from_secs(2), probe.succeeds()).await, Ok(Ok(true))) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let seconds = within.as_secs();
                bail!("{} is not ready after {seconds} s; its log ends with:\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn is_ours(&self) -> Result<()> {
        ensure!(self.lifetime != Lifetime::Foreign, "{} is not ours to start or kill: others use it", self.name);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let inner = self.lock();
        let Some(running) = &inner.running else { bail!("{} is not running", self.name) };
        signal_group(group_of(&running.child), signal)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every write is one assignment, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.lock().detached {
            return;
        }
        if let Err(error) = self.kill() {
            tracing::warn!(process = %self.name, %error, "could not kill a process");
        }
    }
}

impl Probe {
    /// A TCP connect to `port` on loopback.
    #[must_use]
    pub fn tcp(port: u16) -> Self {
        Self::Tcp(loopback(port))
    }

    /// `GET path` at `port` on loopback.
    #[must_use]
    pub fn http(port: u16, path: &str) -> Self {
        Self::Http(loopback(port), path.to_owned())
    }

    /// One try, unbounded in time.
    async fn succeeds(&self) -> std::io::Result<bool> {
        match self {
            Self::Tcp(address) => TcpStream::connect(address).await.map(|_| true),
            Self::Http(address, path) => {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                let answer = talk(*address, request.as_bytes()).await?;
                Ok(answer.starts_with(b"HTTP/1.1 2"))
            }
            Self::Talk { address, send, expect } => {
                let answer = talk(*address, send).await?;
                Ok(answer.windows(expect.len()).any(|window| window == *expect))
            }
        }
    }
}

/// `port` on 127.0.0.1.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Sends `request` and returns the first bytes of the answer.
async fn talk(address: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut buffer = vec![0; 512];
    let length = stream.read(&mut buffer).await?;
    buffer.truncate(length);
    Ok(buffer)
}

fn watchdog(child: &Child, lifetime: &Lifetime) -> Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHDOG, "baton-watchdog"]).arg(child.id().to_string());
    command.arg(match lifetime {
        Lifetime::OwnedWithDirectory(directory) => directory.as_path(),
        Lifetime::Owned | Lifetime::Detached | Lifetime::Foreign => Path::new(""),
    });
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().context("start the watchdog")
}

fn release(running: Option<Running>) {
    dismiss(running.and_then(|running| running.watchdog));
}

/// Sends the watchdog home: a line on its input means that there is nothing left to kill.
fn dismiss(watchdog: Option<Child>) {
    let Some(mut watchdog) = watchdog else { return };
    if let Some(mut stdin) = watchdog.stdin.take() {
        // A watchdog that is gone cannot be told, and need not be.
        let _ = stdin.write_all(b"released\n");
    }
    let _ = watchdog.wait();
}

fn group_of(child: &Child) -> Pid {
    // Linux process ids fit into 22 bits.
    Pid::from_raw(child.id().cast_signed())
}

fn signal_group(group: Pid, signal: Signal) -> Result<()> {
    match killpg(group, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("send {signal} to group {group}")),
    }
}

fn signal_one(child: &Child, signal: Signal) -> Result<()> {
    match nix::sys::signal::kill(group_of(child), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("send {signal} to {}", child.id())),
    }
}

/// True if every thread of the process is stopped, or it is gone.
fn is_frozen(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name before it may hold anything but ends with the last parenthesis.
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']))
    })
}

/// True while a process of the group lives. Zombies do not count: who reaps them is not our business.
#[must_use]
pub fn group_is_alive(group: Pid) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| {
        let is_process = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        is_process
            && fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| {
                // "pid (name) state parent group ...": the name may hold anything, so count from its last bracket.
                let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
                let mut fields = rest.split_whitespace();
                let state = fields.next().unwrap_or("Z");
                let in_group = fields.nth(1) == Some(group.to_string().as_str());
                in_group && !matches!(state, "Z" | "X")
            })
    })
}

/// The last bytes of a file, from the start of a line.
pub(crate) fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
