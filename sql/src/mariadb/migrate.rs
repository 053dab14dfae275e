//! Migrations on MariaDB: one process at a time, each statement noted once it is done.

use super::pool::Lease;
use super::{MariaDb, detached};
use crate::error::SqlError;
use crate::migration::{INSERT, Migration, SELECT, applied, named, note, pending};
use crate::tx::Dialect;
use std::time::Duration;

/// How long another process's migration is waited for.
const LOCK_WAIT_SECONDS: i64 = 10;
/// How long one DDL statement may take.
const DDL_TIMEOUT: Duration = Duration::from_secs(600);

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
    // The lock belongs to the connection: should anything below fail, the lease is dropped, its connection closed and
    // the lock with it. Lock names are server-wide, hence the schema in it, hashed because names are short.
    let sql = "SELECT GET_LOCK(CONCAT('baton.', SHA1(DATABASE())), ?)";
    let locked = lease.query_within(sql, vec![LOCK_WAIT_SECONDS.into()], DDL_TIMEOUT).await?;
    if locked.first().map(|row| row.opt_int(0)).transpose()?.flatten() != Some(1) {
        return Err(SqlError::Unavailable("another process migrates this schema; try later".to_owned()));
    }
    let done = apply(&mut lease, migrations).await;
    if done.is_ok() {
        lease.query("SELECT RELEASE_LOCK(CONCAT('baton.', SHA1(DATABASE())))", Vec::new()).await?;
    }
    // Not given back: its statement bounds are lifted.
    done
}

async fn apply(lease: &mut Lease, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    lease.execute_within(TABLE, DDL_TIMEOUT).await?;
    let applied = applied(&lease.query(SELECT, Vec::new()).await?)?;
    let mut ids = Vec::new();
    for migration in pending(migrations, &applied, Dialect::MariaDb)? {
        let done = lease.execute_within(migration.mariadb, DDL_TIMEOUT).await;
        done.map_err(|error| named(&migration, error))?;
        lease.execute(INSERT, note(&migration, Dialect::MariaDb)).await?;
        ids.push(migration.id);
    }
    Ok(ids)
}
