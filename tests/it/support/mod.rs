//! What the end-to-end tests share: the built binary, an embedded process, runs of the demo, and waiting.

pub mod browser;
pub mod hostile;
pub mod stuck;

use baton_supervisor::{Probe, Process, port};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// Longest wait for anything; a debug build on two busy cores is slow, a hang is longer.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// `baton dev` as a process of its own, on a data directory and ports of its own.
pub struct Dev {
    pub process: Process,
    pub grpc: u16,
    pub admin: u16,
    pub provider: u16,
}

impl Dev {
    /// Starts it and waits until it is ready.
    pub async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[]).await
    }

    /// The same with `BATON_…` variables.
    pub async fn start_with(dir: &Path, environment: &[(&str, &str)]) -> Self {
        for _ in 0..2 {
            let dev = Self::spawn(dir, environment);
            match dev.process.wait_ready(&Probe::http(dev.admin, "/readyz")).await {
                Ok(()) => return dev,
                // A port that was free when it was chosen.
                Err(error) if error.to_string().contains("already in use") => {}
                Err(error) => panic!("baton dev becomes ready: {error:?}"),
            }
        }
        let dev = Self::spawn(dir, environment);
        dev.ready().await;
        dev
    }

    fn spawn(dir: &Path, environment: &[(&str, &str)]) -> Self {
        let (grpc, admin, provider) = (free(), free(), free());
        let mut command = Command::new(BATON);
        command.arg("dev").arg("--data-dir").arg(dir.join("data"));
        command.args(["--listen", &format!("127.0.0.1:{grpc}"), "--admin-listen", &format!("127.0.0.1:{admin}")]);
        command.args(["--provider-listen", &format!("127.0.0.1:{provider}")]);
        command.envs(environment.iter().copied());
        let process = Process::spawn(command, dir, "dev").expect("baton dev starts");
        Self { process, grpc, admin, provider }
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        self.process.wait_ready(&Probe::http(self.admin, "/readyz")).await.expect("baton dev becomes ready");
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.grpc)
    }

    pub fn provider_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.provider)
    }
}

fn free() -> u16 {
    port::free().expect("a free port")
}

/// A run of `baton demo` against separate processes, in the background.
pub struct Demo {
    process: Process,
}

impl Demo {
    /// Starts it. `name` names its log.
    pub fn start(dir: &Path, name: &str, address: &str, provider: &str, orders: u32, concurrency: u32) -> Self {
        let mut command = Command::new(BATON);
        command.args(["demo", "--target", address, "--provider", provider]);
        command.args(["--orders", &orders.to_string(), "--stock", &(orders * 8 / 10).to_string()]);
        command.args(["--concurrency", &concurrency.to_string(), "--settle", "170"]);
        Self { process: Process::spawn(command, dir, name).expect("baton demo starts") }
    }

    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Waits for its end and demands a clean audit.
    pub async fn expect_clean(self, what: &str) {
        wait_for(&format!("the demo to end: {what}"), async || !self.process.is_running()).await;
        let status = self.process.stop().expect("its status can be read");
        let log = std::fs::read_to_string(self.process.log_path()).unwrap_or_default();
        assert!(status.is_some_and(|status| status.success()), "{what}: the demo failed ({status:?}):\n{log}");
        assert!(!log.contains("FAIL"), "{what}: the audit failed:\n{log}");
    }
}

/// Waits for a condition, at most [`PATIENCE`].
pub async fn wait_for(what: &str, condition: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < until, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of a counter on a process's metrics page; 0 if it cannot be read.
pub async fn counter(admin: u16, name: &str) -> u64 {
    baton::tls::install();
    let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{admin}/metrics")).await else { return 0 };
    let text = answer.text().await.unwrap_or_default();
    let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).sum::<f64>() as u64
}

/// Demands that `baton verify` finds the installation in order, from inside, as soon as it is at rest.
pub fn expect_in_order(what: &str, arguments: &[&str]) {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = Command::new(BATON).arg("verify").args(arguments).stdin(Stdio::null()).output().expect("it runs");
        if output.status.success() {
            return;
        }
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(Instant::now() < until, "{what}: baton verify {arguments:?} ({:?}):\n{out}\n{err}", output.status);
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Runs the binary to its end and returns what it printed, demanding success.
pub fn baton(arguments: &[&str]) -> String {
    let output = Command::new(BATON).args(arguments).stdin(Stdio::null()).output().expect("baton runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "baton {arguments:?} failed ({:?}):\n{out}\n{err}", output.status);
    out.into_owned()
}
