//! Forward-only migrations, one statement each, idempotent DDL.

use crate::database::{Database, Dialect, Engine, process_clock_us};
use crate::error::SqlError;
use crate::mariadb::pool::Lease;
use crate::mariadb::{MariaDb, detached};
use crate::sqlite::Slot;
use crate::sqlite::statements;
use crate::value::{Row, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// One migration. Ids are ordered texts such as `0001_saga`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Ordered, unique, at most 64 bytes.
    pub id: &'static str,
    /// The MariaDB statement. DDL commits by itself there and may have happened when the process died before it was
    /// noted, so it must be idempotent (`IF NOT EXISTS`).
    pub mariadb: &'static str,
    /// The SQLite statement.
    pub sqlite: &'static str,
}

/// Where a migration stands in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The migration.
    pub id: &'static str,
    /// When it was applied, microseconds since the epoch; `None` if it was not.
    pub applied_at: Option<i64>,
    /// True if it was applied with another text than it has now.
    pub changed: bool,
}

/// How long another process's migration is waited for.
const LOCK_WAIT_SECONDS: i64 = 10;
/// How long one DDL statement may take.
const DDL_TIMEOUT: Duration = Duration::from_secs(600);

const TABLE_MARIADB: &str = "CREATE TABLE IF NOT EXISTS baton_migration (\
    id VARCHAR(64) NOT NULL, checksum BINARY(32) NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (id)\
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
const TABLE_SQLITE: &str = "CREATE TABLE IF NOT EXISTS baton_migration (\
    id TEXT NOT NULL PRIMARY KEY, checksum BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";
const SELECT: &str = "SELECT id, checksum, applied_at FROM baton_migration";
const INSERT: &str = "INSERT INTO baton_migration (id, checksum, applied_at) VALUES (?, ?, ?)";

/// What the table says: checksum and time by id.
type Applied = BTreeMap<String, ([u8; 32], i64)>;

impl Migration {
    fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::MariaDb => self.mariadb,
            Dialect::Sqlite => self.sqlite,
        }
    }

    fn checksum(&self, dialect: Dialect) -> [u8; 32] {
        *blake3::hash(self.text(dialect).as_bytes()).as_bytes()
    }
}

impl Database {
    /// Applies those of `migrations` that are not applied yet, in the order given, each once; returns their ids. Others
    /// that the table knows are left alone. One process migrates at a time: the next waits at most 10 s, then `Unavailable`.
    /// A migration whose text changed after it was applied is `Refused` before anything is done.
    ///
    /// A crash leaves the migrations before it applied and noted; on MariaDB the one under way may be applied and not
    /// noted, and is run again.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
        let migrations = migrations.to_vec();
        match &self.engine {
            Engine::MariaDb(mariadb) => {
                let mariadb = mariadb.clone();
                detached(async move { migrate_mariadb(&mariadb, &migrations).await }).await
            }
            Engine::Sqlite(sqlite) => sqlite.on_writer(move |slot| migrate_sqlite(slot, &migrations)).await,
        }
    }

    /// Where each of `migrations` stands. Changes nothing.
    pub async fn migration_status(&self, migrations: &[Migration]) -> Result<Vec<Status>, SqlError> {
        let dialect = self.dialect();
        let exists = match dialect {
            Dialect::MariaDb => {
                "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = 'baton_migration'"
            }
            Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'baton_migration'",
        };
        let found = self.query(exists, Vec::new()).await?;
        let applied = match found.first().map(|row| row.int(0)).transpose()? {
            Some(1..) => applied(&self.query(SELECT, Vec::new()).await?)?,
            _ => Applied::new(),
        };
        let status = |migration: &Migration| match applied.get(migration.id) {
            None => Status { id: migration.id, applied_at: None, changed: false },
            Some((checksum, at)) => {
                Status { id: migration.id, applied_at: Some(*at), changed: *checksum != migration.checksum(dialect) }
            }
        };
        Ok(migrations.iter().map(status).collect())
    }
}

fn applied(rows: &[Row]) -> Result<Applied, SqlError> {
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), (row.array(1)?, row.int(2)?)))).collect()
}

/// Those still to apply, after checking those that are.
fn pending(migrations: &[Migration], applied: &Applied, dialect: Dialect) -> Result<Vec<Migration>, SqlError> {
    let mut pending: Vec<Migration> = Vec::new();
    for migration in migrations {
        match applied.get(migration.id) {
            Some((checksum, _)) if *checksum != migration.checksum(dialect) => {
                return Err(SqlError::Refused(format!(
                    "migration {} was applied with another text; applied migrations never change, add a new one",
                    migration.id
                )));
            }
            Some(_) => {}
            None if pending.iter().any(|other| other.id == migration.id) => {
                return Err(SqlError::Refused(format!("migration {} is listed twice", migration.id)));
            }
            None => pending.push(*migration),
        }
    }
    Ok(pending)
}

fn note(migration: &Migration, dialect: Dialect) -> Vec<Value> {
    vec![migration.id.into(), migration.checksum(dialect).into(), process_clock_us().into()]
}

async fn migrate_mariadb(mariadb: &MariaDb, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    let mut lease = mariadb.lease().await?;
    lease.execute_within("SET SESSION max_statement_time = 0", DDL_TIMEOUT).await?;
    // The lock belongs to the connection: should anything below fail, the lease is dropped, its connection closed and
    // the lock with it. Lock names are server-wide, hence the schema in it, hashed because names are short.
    let sql = "SELECT GET_LOCK(CONCAT('baton.', SHA1(DATABASE())), ?)";
    let locked = lease.query_within(sql, vec![LOCK_WAIT_SECONDS.into()], DDL_TIMEOUT).await?;
    if locked.first().map(|row| row.opt_int(0)).transpose()?.flatten() != Some(1) {
        return Err(SqlError::Unavailable("another process migrates this schema; try later".to_owned()));
    }
    let done = apply_mariadb(&mut lease, migrations).await;
    if done.is_ok() {
        lease.query("SELECT RELEASE_LOCK(CONCAT('baton.', SHA1(DATABASE())))", Vec::new()).await?;
    }
    // Not given back: its statement bounds are lifted.
    done
}

async fn apply_mariadb(lease: &mut Lease, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    lease.execute_within(TABLE_MARIADB, DDL_TIMEOUT).await?;
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

fn migrate_sqlite(slot: &mut Slot, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    slot.in_transaction(|connection| {
        statements::execute(connection, TABLE_SQLITE, &[])?;
        let applied = applied(&statements::query(connection, SELECT, &[])?)?;
        let mut ids = Vec::new();
        for migration in pending(migrations, &applied, Dialect::Sqlite)? {
            statements::execute(connection, migration.sqlite, &[]).map_err(|error| named(&migration, error))?;
            statements::execute(connection, INSERT, &note(&migration, Dialect::Sqlite))?;
            ids.push(migration.id);
        }
        Ok(ids)
    })
}

fn named(migration: &Migration, error: SqlError) -> SqlError {
    match error {
        SqlError::Refused(reason) => SqlError::Refused(format!("migration {}: {reason}", migration.id)),
        other => other,
    }
}
