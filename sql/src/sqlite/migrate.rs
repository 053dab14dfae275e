//! Migrations on SQLite: all in one transaction.

use super::statements::{execute, query};
use super::{Slot, Sqlite};
use crate::error::SqlError;
use crate::migration::{INSERT, Migration, SELECT, applied, named, note, pending};
use crate::tx::Dialect;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS baton_migration (\
    id TEXT NOT NULL PRIMARY KEY, checksum BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";

impl Sqlite {
    /// Applies those that are missing; returns their ids.
    pub(crate) async fn migrate(&self, migrations: Vec<Migration>) -> Result<Vec<&'static str>, SqlError> {
        self.on_writer(move |slot| apply(slot, &migrations)).await
    }
}

fn apply(slot: &mut Slot, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
    slot.in_transaction(|connection| {
        execute(connection, TABLE, &[])?;
        let applied = applied(&query(connection, SELECT, &[])?)?;
        let mut ids = Vec::new();
        for migration in pending(migrations, &applied, Dialect::Sqlite)? {
            execute(connection, migration.sqlite, &[]).map_err(|error| named(&migration, error))?;
            execute(connection, INSERT, &note(&migration, Dialect::Sqlite))?;
            ids.push(migration.id);
        }
        Ok(ids)
    })
}
