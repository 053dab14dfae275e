//! Forward-only migrations, one statement each, idempotent DDL.

use crate::error::SqlError;
use crate::tx::Dialect;
use crate::value::Row;
use std::collections::BTreeMap;

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

pub(crate) const SELECT: &str = "SELECT id, checksum, applied_at FROM baton_migration";
#[cfg(any(feature = "mariadb", feature = "sqlite"))]
pub(crate) const INSERT: &str = "INSERT INTO baton_migration (id, checksum, applied_at) VALUES (?, ?, ?)";

/// What the table says: checksum and time by id.
pub(crate) type Applied = BTreeMap<String, ([u8; 32], i64)>;

impl Migration {
    fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::MariaDb => self.mariadb,
            Dialect::Sqlite => self.sqlite,
        }
    }

    pub(crate) fn checksum(&self, dialect: Dialect) -> [u8; 32] {
        *blake3::hash(self.text(dialect).as_bytes()).as_bytes()
    }
}

pub(crate) fn applied(rows: &[Row]) -> Result<Applied, SqlError> {
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), (row.array(1)?, row.int(2)?)))).collect()
}

/// Those still to apply, after checking those that are.
#[cfg(any(feature = "mariadb", feature = "sqlite"))]
pub(crate) fn pending(
    migrations: &[Migration],
    applied: &Applied,
    dialect: Dialect,
) -> Result<Vec<Migration>, SqlError> {
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

#[cfg(any(feature = "mariadb", feature = "sqlite"))]
pub(crate) fn note(migration: &Migration, dialect: Dialect) -> Vec<crate::value::Value> {
    vec![migration.id.into(), migration.checksum(dialect).into(), process_clock_us().into()]
}

#[cfg(any(feature = "mariadb", feature = "sqlite"))]
pub(crate) fn named(migration: &Migration, error: SqlError) -> SqlError {
    match error {
        SqlError::Refused(reason) => SqlError::Refused(format!("migration {}: {reason}", migration.id)),
        other => other,
    }
}

/// This process's clock, microseconds since the epoch.
pub(crate) fn process_clock_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
