//! MariaDB by sqlx: every transaction in a task of its own, every connection back in a known state or not at all.

mod codec;
mod migrate;
pub(crate) mod pool;
mod readiness;

use crate::error::{SqlError, panicked};
use crate::statement;
use crate::tx::{Body, Line, Returned, Session, Tx, Verdict};
use crate::value::{Row, Value};
use futures_util::FutureExt;
use pool::{Commits, Lease, Pool};
use sqlx::mysql::MySqlConnectOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// Runs of a body before a conflict is given up.
const TRIES: u32 = 5;
/// How long COMMIT may stay unanswered before its outcome counts as unknown.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(8);
/// Idle connections that may turn out dead before one transaction gives up.
const DEAD_CONNECTIONS: u32 = 3;

/// Least `max_allowed_packet`: the largest statement of several rows, and 1 MiB for what stands around its values and for
/// keys that are bound twice. A single row, which is never split, is smaller: bodies end at 256 KiB.
const LEAST_PACKET: i64 = statement::MAX_BYTES as i64 + 1024 * 1024;

/// A MariaDB schema. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct MariaDb {
    pub(crate) pool: Arc<Pool>,
}

/// How one run of a body ended, when not with a value.
enum Ended {
    Retry(SqlError),
    For(SqlError),
}

impl MariaDb {
    pub(crate) async fn open(url: &str, connections: u32, acquire_timeout: Duration) -> Result<Self, SqlError> {
        // The parser's message may quote the URL, which holds a password.
        let options: MySqlConnectOptions =
            url.parse().map_err(|_| SqlError::Refused("the database URL is not valid".to_owned()))?;
        let mariadb = Self { pool: Arc::new(Pool::new(options, connections, acquire_timeout)) };
        mariadb.check().await?;
        Ok(mariadb)
    }

    async fn check(&self) -> Result<(), SqlError> {
        let sql = "SELECT VERSION(), @@innodb_flush_log_at_trx_commit, CAST(@@max_allowed_packet AS SIGNED)";
        let rows = self.query(sql, Vec::new(), Line::Reads).await?;
        let row = rows.first().ok_or_else(|| SqlError::decode(0, "text", None))?;
        let (version, flush, packet) = (row.text(0)?, row.int(1)?, row.int(2)?);
        if !is_supported(version) {
            return Err(SqlError::Refused(format!("MariaDB 10.6 or newer is needed, this server is {version}")));
        }
        if flush != 1 {
            return Err(SqlError::Refused(format!(
                "innodb_flush_log_at_trx_commit is {flush}: commits could be lost in a crash; set it to 1"
            )));
        }
        if packet < LEAST_PACKET {
            return Err(SqlError::Refused(format!(
                "max_allowed_packet is {packet}: a full batch would be refused for ever; set it to {LEAST_PACKET} or more"
            )));
        }
        Ok(())
    }

    pub(crate) async fn query(&self, sql: &str, args: Vec<Value>, line: Line) -> Result<Vec<Row>, SqlError> {
        let (pool, sql) = (Arc::clone(&self.pool), sql.to_owned());
        detached(async move {
            for _ in 0..DEAD_CONNECTIONS {
                let mut lease = match line {
                    Line::Reads => pool.acquire_for_read().await?,
                    Line::Transactions => pool.acquire(Commits::Each).await?,
                };
                let result = match lease.commit(Commits::Each, pool.acquire_timeout()).await {
                    Ok(_) => lease.query(&sql, args.clone()).await,
                    Err(failure) => Err(SqlError::Unavailable(codec::reason(&failure.error))),
                };
                if lease.failure().is_some_and(codec::Failure::is_dead_connection) && !lease.is_fresh() {
                    pool.forget_idle();
                    continue;
                }
                lease.give_back();
                return result;
            }
            Err(SqlError::Unavailable("every connection was closed by the server".to_owned()))
        })
        .await
    }

    /// A connection for statements that are not one transaction: migrations. Never cancelled: run it in [`detached`].
    pub(crate) async fn lease(&self) -> Result<Lease, SqlError> {
        leased(&self.pool, Commits::Each).await
    }

    pub(crate) async fn transaction(&self, mut body: Body) -> Result<Returned, SqlError> {
        let mariadb = self.clone();
        detached(async move {
            let mut tries = 1;
            loop {
                match attempt(&mariadb.pool, &mut body).await {
                    Ok(value) => return Ok(value),
                    Err(Ended::For(SqlError::Refused(why))) => return Err(mariadb.judged(why).await),
                    Err(Ended::For(error)) => return Err(error),
                    Err(Ended::Retry(error)) if tries >= TRIES => return Err(error),
                    Err(Ended::Retry(error)) => tracing::debug!(%error, tries, "transaction runs again"),
                }
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
            }
        })
        .await
    }
}

/// Runs `work` in a task of its own, so that dropping the caller's future cannot stop it between two round trips.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, SqlError>> + Send + 'static,
) -> Result<T, SqlError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(panicked(error.into_panic().as_ref())),
        Err(_) => Err(SqlError::UnknownOutcome("the runtime shut down".to_owned())),
    }
}

/// One run of a body: the body, COMMIT or ROLLBACK.
async fn attempt(pool: &Arc<Pool>, body: &mut Body) -> Result<Returned, Ended> {
    let mut tx = Tx { session: leased(pool, Commits::Together).await.map_err(Ended::For)?.into() };
    let outcome = AssertUnwindSafe(async { body(&mut tx).await }).catch_unwind().await;
    let Session::MariaDb(lease) = tx.session else {
        return Err(Ended::For(SqlError::Refused("a transaction body replaced its transaction".to_owned())));
    };
    if let Some(failure) = lease.failure() {
        // Whatever the body made of it, the transaction is gone.
        let error = failure.error();
        let ended = if failure.retry { Ended::Retry(error) } else { Ended::For(error) };
        rollback(lease).await;
        return Err(match outcome {
            Err(panic) => Ended::For(panicked(panic.as_ref())),
            Ok(Err(error)) if matches!(ended, Ended::For(_)) => Ended::For(error),
            Ok(_) => ended,
        });
    }
    match outcome {
        Ok(Ok(Verdict::Commit(value))) => commit(lease).await.map(|()| value),
        Ok(Ok(Verdict::Rollback(value))) => {
            rollback(lease).await;
            Ok(value)
        }
        Ok(Err(error)) => {
            rollback(lease).await;
            Err(Ended::For(error))
        }
        Err(panic) => {
            rollback(lease).await;
            Err(Ended::For(panicked(panic.as_ref())))
        }
    }
}

/// A connection that commits as wanted, and answers: one that was idle for a while is asked, and replaced if the server has closed it.
/// What has happened to one that answered just now, its next statement finds out.
async fn leased(pool: &Arc<Pool>, commits: Commits) -> Result<Lease, SqlError> {
    for _ in 0..DEAD_CONNECTIONS {
        let mut lease = pool.acquire(commits).await?;
        let ready = match lease.commit(commits, pool.acquire_timeout()).await {
            Ok(false) if !lease.is_trusted() => lease.plain("DO 0", pool.acquire_timeout()).await,
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        match ready {
            Ok(()) => return Ok(lease),
            Err(failure) if failure.is_dead_connection() && !lease.is_fresh() => pool.forget_idle(),
            // Whatever the server says, nothing of the caller's has been asked yet.
            Err(failure) => return Err(SqlError::Unavailable(codec::reason(&failure.error))),
        }
    }
    Err(SqlError::Unavailable("every connection was closed by the server".to_owned()))
}

async fn commit(mut lease: Lease) -> Result<(), Ended> {
    match lease.plain("COMMIT", COMMIT_TIMEOUT).await {
        Ok(()) => {
            lease.give_back();
            Ok(())
        }
        // Nothing was written: the connection was dead before.
        Err(failure) if failure.is_dead_connection() && !lease.is_fresh() && lease.is_unanswered() => {
            Err(Ended::Retry(failure.error))
        }
        Err(failure) if failure.retry && !failure.lost => {
            rollback(lease).await;
            Err(Ended::Retry(failure.error))
        }
        // Refused or cut off: the server may have written its commit record before the answer got lost.
        Err(failure) => Err(Ended::For(SqlError::UnknownOutcome(codec::reason(&failure.error)))),
    }
}

/// Gives the connection back only if the server acknowledges; otherwise the drop closes it and the server rolls back.
async fn rollback(mut lease: Lease) {
    if lease.failure().is_some_and(|failure| failure.lost) {
        return;
    }
    if lease.plain("ROLLBACK", COMMIT_TIMEOUT).await.is_ok() {
        lease.give_back();
    }
}

/// Before run `tries + 1`: 2, 4, 8, 16 ms and up to as much again by chance, so that two rivals part.
fn pause(tries: u32) -> Duration {
    let base_us = 1_000_u64 << tries.min(10);
    let chance = RandomState::new().build_hasher().finish();
    Duration::from_micros(base_us + chance % base_us)
}

/// `10.11.19-MariaDB-0+deb12u1` is; MySQL and MariaDB before 10.6 are not.
fn is_supported(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else { return false };
    version.to_ascii_lowercase().contains("mariadb") && (major, minor) >= (10, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_versions() {
        assert!(is_supported("10.11.19-MariaDB-0+deb12u1"));
        assert!(is_supported("10.6.0-MariaDB"));
        assert!(is_supported("11.4.2-MariaDB-ubu2404"));
        assert!(!is_supported("10.5.23-MariaDB"));
        assert!(!is_supported("8.0.36"));
        assert!(!is_supported("rubbish"));
    }

    #[test]
    fn pauses_grow_and_stay_small() {
        assert!((1..TRIES).all(|tries| pause(tries) < Duration::from_millis(64)));
    }
}
