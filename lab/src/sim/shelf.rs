//! Databases in memory that are used again: opening one, migrating it and preparing its statements costs a tenth of a run.
//!
//! A database that comes back is emptied, row by row and counters too, so that the next run cannot tell it from a new one;
//! the test that runs seeds twice compares their digests. Each thread has its own shelf.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::migration::Migration;
use futures_util::FutureExt as _;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Databases kept of one schema: as many as one stage needs.
const KEPT: usize = 4;

/// What makes two databases interchangeable: the statements that made them.
type Schema = Vec<(&'static str, &'static str)>;

thread_local! {
    static SHELF: RefCell<BTreeMap<Schema, Vec<Database>>> = const { RefCell::new(BTreeMap::new()) };
}

fn schema(migrations: &[Migration]) -> Schema {
    migrations.iter().map(|migration| (migration.id, migration.sqlite)).collect()
}

/// An empty database of a schema.
///
/// # Errors
/// If it cannot be opened or migrated.
pub(super) fn take(migrations: &[Migration]) -> Result<Database, String> {
    let kept = SHELF.with_borrow_mut(|shelf| shelf.get_mut(&schema(migrations)).and_then(Vec::pop));
    if let Some(database) = kept {
        return Ok(database);
    }
    let made = async {
        let database = Database::open(DatabaseConfig::SqliteMemory).await?;
        database.migrate(migrations).await?;
        Ok(database)
    };
    // SQLite in memory is done at the first poll.
    made.now_or_never().unwrap_or(Err(waits())).map_err(|error| error.to_string())
}

/// Puts a database back, empty. One that cannot be emptied is dropped: the next run opens a new one.
pub(super) fn give_back(database: Database, migrations: &[Migration]) {
    if matches!(empty(&database).now_or_never(), Some(Ok(()))) {
        SHELF.with_borrow_mut(|shelf| {
            let kept = shelf.entry(schema(migrations)).or_default();
            if kept.len() < KEPT {
                kept.push(database);
            }
        });
    }
}

async fn empty(database: &Database) -> Result<(), baton_sql::error::SqlError> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'baton_migration' \
               AND (name NOT LIKE 'sqlite_%' OR name = 'sqlite_sequence') ORDER BY name";
    let tables = database.query(sql, Vec::new()).await?;
    let deletes: Result<Vec<String>, _> =
        tables.iter().map(|row| row.text(0).map(|name| format!("DELETE FROM \"{name}\""))).collect();
    let deletes = deletes?;
    let emptied = database.transaction(move |tx| {
        let deletes = deletes.clone();
        Box::pin(async move {
            for delete in deletes {
                tx.execute(&delete, Vec::new()).await?;
            }
            Ok(Verdict::Commit(()))
        })
    });
    emptied.await
}

fn waits() -> baton_sql::error::SqlError {
    baton_sql::error::SqlError::Unavailable("a database in memory waits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: &[Migration] = &[Migration {
        id: "0001_counted",
        mariadb: "",
        sqlite: "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL) STRICT",
    }];

    #[test]
    fn what_comes_back_is_as_new() {
        for _ in 0..2 {
            let database = take(COUNTED).expect("a database");
            let inserted = database.transaction(|tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO counted (n) VALUES (?)";
                    tx.execute(sql, vec![7_i64.into()]).await.map(Verdict::Commit)
                })
            });
            inserted.now_or_never().expect("done at once").expect("inserted");
            let rows = database.query("SELECT id, n FROM counted", Vec::new()).now_or_never();
            let rows = rows.expect("done at once").expect("rows");
            assert_eq!((rows.len(), rows[0].int(0).expect("an id")), (1, 1));
            give_back(database, COUNTED);
        }
        assert_eq!(SHELF.with_borrow(|shelf| shelf[&schema(COUNTED)].len()), 1);
    }
}
