//! Opening a service's database: waits for one that is away, refuses one whose schema is behind.

use crate::failure::Failure;
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a starting process waits for its database: a server that recovers from a crash needs some of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Opens a database, waiting for it while it is away.
///
/// # Errors
/// If it refuses, is away for two minutes, or `stop` is cancelled first.
pub async fn open(config: &DatabaseConfig, what: &str, stop: &CancellationToken) -> Result<Database, Failure> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match Database::open(config.clone()).await {
            Ok(database) => return Ok(database),
            Err(error) => wait(error, what, until, stop).await?,
        }
    }
}

/// Checks that every migration of this build is applied, waiting for a schema that is just being migrated.
///
/// # Errors
/// If one is missing for two minutes, or was applied with another text.
pub async fn check(
    database: &Database,
    migrations: &[Migration],
    what: &str,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let missing = match database.migration_status(migrations).await {
            Ok(found) => {
                if let Some(changed) = found.iter().find(|status| status.changed) {
                    let id = changed.id;
                    return Err(Failure::Other(format!("{what}: migration {id} was applied with another text")));
                }
                found.iter().filter(|status| status.applied_at.is_none()).count()
            }
            Err(error) => {
                wait(error, what, until, stop).await?;
                continue;
            }
        };
        if missing == 0 {
            return Ok(());
        }
        let why = format!("{missing} migrations are missing; run `baton migrate up`");
        wait(SqlError::Unavailable(why), what, until, stop).await?;
    }
}

/// Waits before another try; an error that no waiting heals ends it.
async fn wait(
    error: SqlError,
    what: &str,
    until: tokio::time::Instant,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if !matches!(error, SqlError::Unavailable(_)) {
        return Err(Failure::Other(format!("{what}: {error}")));
    }
    if tokio::time::Instant::now() >= until {
        return Err(Failure::Unreachable(format!("{what}: {error}")));
    }
    tracing::warn!(%error, "{what} is not there yet");
    tokio::select! {
        () = stop.cancelled() => Err(Failure::Interrupted),
        () = tokio::time::sleep(PAUSE) => Ok(()),
    }
}
