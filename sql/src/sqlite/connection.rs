//! Opening SQLite connections, with durable settings.

use super::codec::sql_error;
use crate::error::SqlError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Prepared statements kept per connection.
const STATEMENT_CACHE: usize = 512;
/// Pages of the write-ahead log, 4 KiB each, after which a commit brings them into the file: 16 MiB. Sagas under way touch the same
/// few pages again and again, so that one copy goes there for many in the log, and fewer commits wait for two more syncs. More would
/// make the wait of the commit that does it, and the log's reading after a crash, longer.
const CHECKPOINT_PAGES: u32 = 4_000;
/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open_memory() -> Result<Connection, SqlError> {
    let connection = Connection::open_in_memory().map_err(|error| sql_error(&error))?;
    configure(&connection)?;
    Ok(connection)
}

pub(super) fn open_writer(path: &Path) -> Result<Connection, SqlError> {
    let connection = Connection::open(path).map_err(|error| sql_error(&error))?;
    configure(&connection)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(|error| sql_error(&error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(SqlError::Refused(format!("the database file does not support WAL, it stays in mode {mode}")));
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(|error| sql_error(&error))?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| sql_error(&error))?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| sql_error(&error))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), SqlError> {
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| sql_error(&error))?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")
        .map_err(|error| sql_error(&error))
}
