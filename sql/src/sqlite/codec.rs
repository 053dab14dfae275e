//! Values and errors of rusqlite, translated.

use crate::error::SqlError;
use crate::value::{Row, Value};
use rusqlite::ffi::{ErrorCode, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

pub(super) fn decode_row(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, SqlError> {
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        values.push(match row.get_ref(column).map_err(|error| sql_error(&error))? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
            ValueRef::Text(value) => match std::str::from_utf8(value) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => return Err(undecodable(column, "UTF-8 text", "other bytes")),
            },
            ValueRef::Real(_) => return Err(undecodable(column, "int, bytes or text", "real")),
        });
    }
    Ok(Row(values))
}

fn undecodable(column: usize, expected: &'static str, found: &str) -> SqlError {
    SqlError::Decode { column, expected, found: found.to_owned() }
}

pub(super) fn sql_error(error: &rusqlite::Error) -> SqlError {
    let text = error.to_string();
    // SQLite has no code of its own for them; the same class as on MariaDB: not migrated yet, or another file.
    let other_schema = ["no such table", "no such column"].iter().any(|start| text.starts_with(start));
    if other_schema || text.contains(" has no column named ") {
        return SqlError::Unavailable(text);
    }
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return SqlError::Refused(text);
    };
    match failure.code {
        ErrorCode::ConstraintViolation => match failure.extended_code {
            SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID | SQLITE_CONSTRAINT_UNIQUE => {
                SqlError::Duplicate(text)
            }
            _ => SqlError::Constraint(text),
        },
        ErrorCode::TooBig | ErrorCode::TypeMismatch => SqlError::Constraint(text),
        // Weather and operations: the file is full, locked, read-only, unreadable, replaced or damaged. Whatever was asked
        // has no part in it.
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::NotADatabase
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::OutOfMemory
        | ErrorCode::FileLockingProtocolFailed => SqlError::Unavailable(text),
        _ => SqlError::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi::{Error, SQLITE_CANTOPEN, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_PERM, SQLITE_READONLY};

    #[test]
    fn what_befalls_the_file_is_unavailable() {
        for code in [SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN, SQLITE_NOTADB, SQLITE_CORRUPT] {
            let error = sql_error(&rusqlite::Error::SqliteFailure(Error::new(code), None));
            assert!(matches!(error, SqlError::Unavailable(_)), "{code}: {error:?}");
        }
    }
}
