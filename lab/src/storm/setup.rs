//! What is there before the first process starts: schemas, users, and the file that all processes read.

use super::courier::Courier;
use super::node::{ProcessKind, command};
use anyhow::{Context as _, Result, ensure};
use baton_supervisor::MariaDb;
use std::fs;
use std::path::{Path, PathBuf};

/// Passwords that must never show up in a log. Made up for each cluster, so that a find is a find.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Of every database user.
    pub database: String,
    /// Of the account at the provider.
    pub provider: String,
}

/// Schemas, least-privileged users, and what all processes share.
pub(super) fn configure(
    dir: &Path,
    mariadb: &MariaDb,
    secrets: &Secrets,
    provider: u16,
    courier: Courier,
) -> Result<PathBuf> {
    for kind in ProcessKind::ALL {
        let name = format!("baton_{}", kind.name());
        mariadb.create_schema(&name)?;
        mariadb.create_user(&name, &secrets.database, &name, "SELECT, INSERT, UPDATE, DELETE")?;
    }
    let mut text = format!(
        "[bus]\nkind = \"rabbitmq\"\n\n[coord]\nkind = \"redis\"\n\n[provider]\nlisten = \"127.0.0.1:{provider}\"\n\
         base_url = \"http://127.0.0.1:{provider}\"\nledger = \"{}\"\nsecret = \"{}\"\n",
        dir.join("sandbox-ledger.db").display(),
        secrets.provider,
    );
    for kind in ProcessKind::PARTICIPANTS {
        text.push_str(&format!("\n[participants.{}]\ncourier = \"{}\"\n", kind.name(), courier.name()));
    }
    let path = dir.join("baton.toml");
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// Runs `baton migrate up` as the administrator.
pub(super) async fn migrate(dir: &Path, baton: &Path, mariadb: &MariaDb, config: &Path) -> Result<()> {
    let mut migrating = command(baton, config);
    migrating.args(["migrate", "up"]).current_dir(dir);
    migrating.env("BATON_STORE__URL", mariadb.root_url("baton_orchestrator"));
    for kind in ProcessKind::PARTICIPANTS {
        let key = format!("BATON_PARTICIPANTS__{}__STORE__URL", kind.name().to_uppercase());
        migrating.env(key, mariadb.root_url(&format!("baton_{}", kind.name())));
    }
    let output = tokio::process::Command::from(migrating).output().await.context("run baton migrate up")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "baton migrate up failed:\n{}", said.trim());
    Ok(())
}
