//! Statements on one connection.

use super::codec::{decode_row, sql_error};
use crate::error::SqlError;
use crate::value::{Row, Value};
pub(crate) use rusqlite::Connection;
use rusqlite::params_from_iter;

/// Runs a statement that takes nothing and returns nothing.
pub(crate) fn run_cached(connection: &Connection, sql: &str) -> Result<(), SqlError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| sql_error(&error))?;
    statement.execute([]).map(drop).map_err(|error| sql_error(&error))
}

/// Runs a statement of a transaction.
pub(crate) fn execute(connection: &Connection, sql: &str, args: &[Value]) -> Result<u64, SqlError> {
    still_open(connection)?;
    let mut statement = connection.prepare_cached(sql).map_err(|error| sql_error(&error))?;
    let affected = statement.execute(params_from_iter(args)).map_err(|error| sql_error(&error))?;
    Ok(affected as u64)
}

/// Runs a query of a transaction.
pub(crate) fn query(connection: &Connection, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
    still_open(connection)?;
    query_plain(connection, sql, args)
}

pub(crate) fn query_plain(connection: &Connection, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| sql_error(&error))?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(args)).map_err(|error| sql_error(&error))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(|error| sql_error(&error))? {
        out.push(decode_row(row, columns)?);
    }
    Ok(out)
}

/// After a failed disk SQLite has already rolled back; a later statement would commit on its own.
fn still_open(connection: &Connection) -> Result<(), SqlError> {
    if connection.is_autocommit() {
        return Err(SqlError::Unavailable("the database ended the transaction".to_owned()));
    }
    Ok(())
}
