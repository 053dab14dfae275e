//! A private Redis: loopback only, nothing on disk, since it carries hints only.

use crate::binary;
use crate::port;
use crate::process::{Lifetime, Probe, Process, loopback};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// A port chosen by us may be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 3;

/// A running (or killed) private server.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    process: Process,
}

impl Redis {
    /// A server with its log under `dir/redis`, ready for use.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, None, Lifetime::Owned).await
    }

    /// As [`Self::start`], on a given port and with a given lifetime.
    pub async fn start_with(dir: &Path, fixed_port: Option<u16>, lifetime: Lifetime) -> Result<Self> {
        let dir = std::path::absolute(dir)?.join("redis");
        let mut attempt = 1;
        loop {
            let port = fixed_port.map_or_else(port::free, Ok)?;
            std::fs::create_dir_all(&dir)?;
            let mut command = Command::new(binary::find("redis-server", "redis-server")?);
            command
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .args(["--daemonize", "no", "--maxmemory", "64mb", "--dir"])
                .arg(&dir)
                .current_dir(&dir);
            let process = Process::spawn_for(command, &dir, "redis", lifetime.clone())?;
            let server = Self { port, process };
            match server.ready().await {
                Ok(()) => return Ok(server),
                Err(error) => {
                    server.kill()?;
                    if fixed_port.is_some() || attempt == START_ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// One that somebody else started.
    #[must_use]
    pub fn foreign(port: u16) -> Self {
        Self { port, process: Process::foreign("redis") }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM and wait.
    pub fn stop(&self) -> Result<()> {
        self.process.stop().map(|_| ())
    }

    /// SIGSTOP.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    /// Kills it if it runs, and starts it again on the same port, empty; returns when it is ready.
    pub async fn restart(&self) -> Result<()> {
        self.process.restart()?;
        self.ready().await
    }

    /// The process itself.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    async fn ready(&self) -> Result<()> {
        let probe = Probe::Talk { address: loopback(self.port), send: b"PING\r\n", expect: b"+PONG" };
        self.process.wait_ready(&probe).await
    }
}
