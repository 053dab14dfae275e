//! Migrations on MariaDB: one process at a time, each statement noted once it is done.

use super::pool::Lease;
use super::{MariaDb, detached};
use crate::error::SqlError;
use crate::migration::{INSERT, Migration, SELECT, applied, named, note, pending};
use crate::tx::{Dialect, Line};
use std::time::{Duration, Instant};

/// How long another process's migration is waited for.
const LOCK_WAIT_SECONDS: i64 = 10;
/// How long one DDL statement may take, its waits for a lock included.
const DDL_TIMEOUT: Duration = Duration::from_secs(600);
/// How long it may wait for a lock at a time: whoever comes after it waits as long, for whatever it is about to alter.
const LOCK_WAIT: &str = "SET SESSION lock_wait_timeout = 3, SESSION innodb_lock_wait_timeout = 3";
/// Between two such waits others get their turn.
const PAUSE: Duration = Duration::from_secs(2);
/// The oldest transaction of others. Whether the account may ask this, the server decides.
const OLDEST: &str = "SELECT CONCAT('connection ', p.ID, ' of ', p.USER, ' at ', p.HOST, ', open since ', t.trx_started) \
    FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
    WHERE p.ID <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 1";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS baton_migration (\
    id VARCHAR(64) NOT NULL, checksum BINARY(32) NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (id)\
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

impl MariaDb {
    /// Applies those that are missing; returns their ids.
    pub(crate) async fn migrate(&self, migrations: Vec<Migration>) -> Result<Vec<&'static str>, SqlError> {
        let mariadb = self.clone();
        detached(async move { locked(&mariadb, &migrations).await }).await
    }
}

async fn locked(mariadb: &MariaDb, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    let mut lease = mariadb.lease().await?;
    lease.execute_within("SET SESSION max_statement_time = 0", DDL_TIMEOUT).await?;
    lease.execute_within(LOCK_WAIT, DDL_TIMEOUT).await?;
    // The lock belongs to the connection: should anything below fail, the lease is dropped, its connection closed and
    // the lock with it. Lock names are server-wide, hence the schema in it, hashed because names are short.
    let sql = "SELECT GET_LOCK(CONCAT('baton.', SHA1(DATABASE())), ?)";
    let locked = lease.query_within(sql, vec![LOCK_WAIT_SECONDS.into()], DDL_TIMEOUT).await?;
    if locked.first().map(|row| row.opt_int(0)).transpose()?.flatten() != Some(1) {
        return Err(SqlError::Unavailable("another process migrates this schema; try later".to_owned()));
    }
    let done = apply(mariadb, &mut lease, migrations).await;
    if done.is_ok() {
        lease.query("SELECT RELEASE_LOCK(CONCAT('baton.', SHA1(DATABASE())))", Vec::new()).await?;
    }
    // Not given back: its statement bounds are lifted.
    done
}

async fn apply(mariadb: &MariaDb, lease: &mut Lease, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    lease.execute_within(TABLE, DDL_TIMEOUT).await?;
    let applied = applied(&lease.query(SELECT, Vec::new()).await?)?;
    let mut ids = Vec::new();
    for migration in pending(migrations, &applied, Dialect::MariaDb)? {
        patiently(mariadb, lease, &migration).await.map_err(|error| named(&migration, error))?;
        lease.execute(INSERT, note(&migration, Dialect::MariaDb)).await?;
        ids.push(migration.id);
    }
    Ok(ids)
}

/// Runs one migration. As long as somebody else's transaction holds what it needs, it steps aside and tries again.
async fn patiently(mariadb: &MariaDb, lease: &mut Lease, migration: &Migration) -> Result<(), SqlError> {
    let (begun, mut waits) = (Instant::now(), 0_u32);
    loop {
        let error = match lease.execute_within(migration.mariadb, DDL_TIMEOUT).await {
            Err(SqlError::Conflict(error)) => error,
            done => return done,
        };
        let holder = holder(mariadb).await;
        if begun.elapsed() >= DDL_TIMEOUT {
            return Err(SqlError::Conflict(format!("{error}; {holder}")));
        }
        waits += 1;
        // The first and then ever fewer: a wait is one event, not hundreds.
        if waits.is_power_of_two() {
            tracing::warn!(migration = migration.id, holder, waits, "a migration waits for a transaction to end");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Who has a transaction open, as far as the account may know.
async fn holder(mariadb: &MariaDb) -> String {
    match mariadb.query(OLDEST, Vec::new(), Line::Transactions).await {
        Ok(rows) => rows.first().and_then(|row| row.text(0).ok()).unwrap_or("nobody's transaction is seen").to_owned(),
        Err(_) => "an account with the privilege PROCESS sees in information_schema.INNODB_TRX who it is".to_owned(),
    }
}
