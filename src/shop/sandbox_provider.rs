//! `baton sandbox-provider`: the sandbox payment provider as a process of its own.

use crate::config::Config;
use crate::failure::Failure;
use crate::shop::config::Provider;
use crate::{signals, telemetry, wiring};
use baton_sandbox::server::{Sandbox, SandboxConfig};
use baton_sql::database::DatabaseConfig;
use std::path::Path;

/// Seed of the faults' dice: the same faults in every run unless rules ask for others.
const SEED: u64 = 1;

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: &Config, provider: &Provider, colour: bool) -> Result<(), Failure> {
    let telemetry = telemetry::start(&config.telemetry, "baton-sandbox-provider", colour)?;
    let stop = signals::stopping()?;
    let sandbox = start(provider, &provider.ledger).await?;
    tracing::info!(listen = %sandbox.addr(), "sandbox provider is up");
    stop.cancelled().await;
    sandbox.shutdown().await;
    telemetry.close().await;
    Ok(())
}

/// Starts it with the account of the configuration and the given ledger file; none means memory.
///
/// # Errors
/// If the ledger or the listener is unusable.
pub async fn start(provider: &Provider, ledger: &Path) -> Result<Sandbox, Failure> {
    let database =
        if ledger.as_os_str().is_empty() { DatabaseConfig::SqliteMemory } else { DatabaseConfig::sqlite(ledger) };
    let config =
        SandboxConfig { database, imp_key: provider.key.clone(), imp_secret: provider.secret.clone(), seed: SEED };
    let listener = wiring::listener(provider.listen).await?;
    let broken = |error| Failure::Other(format!("{}: {}", ledger.display(), Failure::other(&error)));
    Sandbox::start(listener, config).await.map_err(broken)
}
