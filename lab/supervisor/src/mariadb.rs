//! A private MariaDB: one server, loopback only, every commit on disk before it is answered.

use crate::binary;
use crate::port;
use crate::process::{Lifetime, Probe, Process, loopback};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = "mariadb-server";

/// A port chosen by us may be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 3;

/// What may differ between instances.
#[derive(Clone, Debug)]
pub struct Settings {
    /// InnoDB buffer pool, in MiB.
    pub buffer_pool_mib: u32,
    /// InnoDB redo log, in MiB. A small one makes the server write pages out all the time while it is loaded.
    pub redo_log_mib: u32,
    /// Keep a binary log, in the mixed form.
    pub binary_log: bool,
    /// Listen here; `None` picks a free port.
    pub port: Option<u16>,
    /// When it ends.
    pub lifetime: Lifetime,
}

impl Default for Settings {
    fn default() -> Self {
        Self { buffer_pool_mib: 256, redo_log_mib: 96, binary_log: false, port: None, lifetime: Lifetime::Owned }
    }
}

/// A running (or killed) private server. `root` has no password and may connect from this machine only.
#[derive(Debug)]
pub struct MariaDb {
    port: u16,
    process: Process,
}

impl MariaDb {
    /// A server with its data under `dir/mariadb`, ready for use. Data that is there already is kept.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, &Settings::default()).await
    }

    /// As [`Self::start`], with settings.
    pub async fn start_with(dir: &Path, settings: &Settings) -> Result<Self> {
        let dir = std::path::absolute(dir)?.join("mariadb");
        let data = dir.join("data");
        if !data.join("mysql").is_dir() {
            let (dir, data) = (dir.clone(), data.clone());
            tokio::task::spawn_blocking(move || install(&dir, &data)).await??;
        }
        let mut attempt = 1;
        loop {
            let port = settings.port.map_or_else(port::free, Ok)?;
            let command = server(&dir, &data, port, settings)?;
            let process = Process::spawn_for(command, &dir, "mariadbd", settings.lifetime.clone())?;
            let server = Self { port, process };
            match server.ready().await {
                Ok(()) => return Ok(server),
                Err(error) => {
                    server.kill()?;
                    if settings.port.is_some() || attempt == START_ATTEMPTS {
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
        Self { port, process: Process::foreign("mariadbd") }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL for its administrator.
    #[must_use]
    pub fn root_url(&self, schema: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{schema}", self.port)
    }

    /// A URL for a user made by [`Self::create_user`]. The password must need no escaping in a URL.
    #[must_use]
    pub fn url(&self, user: &str, password: &str, schema: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/{schema}", self.port)
    }

    /// Creates a schema if it is not there.
    pub fn create_schema(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.execute(&format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"))
    }

    /// Creates a user who may connect from loopback and has `privileges` (for example `SELECT, INSERT`) on one schema.
    pub fn create_user(&self, user: &str, password: &str, schema: &str, privileges: &str) -> Result<()> {
        check_name(user)?;
        check_name(schema)?;
        let letters = |c: char| c.is_ascii_alphabetic() || matches!(c, ' ' | ',');
        ensure!(!privileges.is_empty() && privileges.chars().all(letters), "not a list of privileges: {privileges}");
        let password = password.replace('\\', "\\\\").replace('\'', "\\'");
        self.execute(&format!(
            "CREATE OR REPLACE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT {privileges} ON `{schema}`.* TO '{user}'@'127.0.0.1';"
        ))
    }

    /// Runs SQL as the administrator. The SQL goes through a pipe: no password shows up in a list of processes.
    pub fn execute(&self, sql: &str) -> Result<()> {
        let mut client = Command::new(binary::find("mariadb", "mariadb-client")?)
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root"])
            .arg(format!("--port={}", self.port))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("start the MariaDB client")?;
        let Some(mut stdin) = client.stdin.take() else { bail!("the MariaDB client has no standard input") };
        let written = stdin.write_all(sql.as_bytes());
        drop(stdin);
        let output = client.wait_with_output()?;
        ensure!(output.status.success(), "MariaDB refused: {}", String::from_utf8_lossy(&output.stderr).trim());
        written.context("write to the MariaDB client")
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

    /// Kills it if it runs, and starts it again with the same data and port; returns when it is ready.
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
        // The greeting of a server that takes logins names its authentication plugin.
        let expect = b"mysql_native_password";
        self.process.wait_ready(&Probe::Talk { address: loopback(self.port), send: b"", expect }).await
    }
}

fn install(dir: &Path, data: &Path) -> Result<()> {
    let scratch = scratch(dir)?;
    let output = Command::new(binary::find("mariadb-install-db", PACKAGE)?)
        .env("TMPDIR", &scratch)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        // Forced: it would look this machine's own name up, which a fresh machine need not have anywhere, and no use is made of it.
        .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--force"])
        .args(user_option())
        .stdin(Stdio::null())
        .output()
        .context("run mariadb-install-db")?;
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "mariadb-install-db failed: {}", said().trim());
    Ok(())
}

fn server(dir: &Path, data: &Path, port: u16, settings: &Settings) -> Result<Command> {
    let init = dir.join("init.sql");
    // The server resolves no names, so "localhost" in the grant tables does not match a TCP connection from here.
    let root = "CREATE USER IF NOT EXISTS root@'127.0.0.1';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
    fs::write(&init, root)?;
    let mut command = Command::new(binary::find("mariadbd", PACKAGE)?);
    command
        .arg("--no-defaults")
        .args(user_option())
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", scratch(dir)?.display()))
        .arg(format!("--port={port}"))
        .arg(format!("--init-file={}", init.display()))
        .arg(format!("--pid-file={}", dir.join("mariadbd.pid").display()))
        .arg(format!("--innodb-buffer-pool-size={}M", settings.buffer_pool_mib))
        .arg(format!("--innodb-log-file-size={}M", settings.redo_log_mib))
        // Relative to the data directory: a full path could be longer than a socket address may be.
        .arg("--socket=mariadb.sock")
        .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=300"])
        .args(if settings.binary_log {
            ["--log-bin=binary", "--binlog-format=MIXED"].as_slice()
        } else {
            &["--skip-log-bin"]
        })
        .args(["--innodb-flush-log-at-trx-commit=1", "--transaction-isolation=READ-COMMITTED"])
        .args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--default-time-zone=+00:00"])
        .current_dir(dir);
    Ok(command)
}

/// A place of its own for temporary tables: servers that share one remove each other's as they start.
fn scratch(dir: &Path) -> Result<PathBuf> {
    let scratch = dir.join("tmp");
    fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;
    Ok(scratch)
}

/// The server refuses to run as root unless told so.
fn user_option() -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    is_root.then_some("--user=root")
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    ensure!(!name.is_empty() && name.len() <= 64 && name.chars().all(allowed), "not a plain name: {name}");
    Ok(())
}
