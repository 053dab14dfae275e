//! Values and errors of sqlx's MySQL driver, translated.

use crate::error::SqlError;
use crate::value::{Row, Value};
use sqlx::mysql::{MySqlArguments, MySqlDatabaseError, MySqlRow, MySqlValueRef};
use sqlx::{Arguments, Decode, MySql, Row as _, Type, TypeInfo, ValueRef};
use std::time::Duration;

/// A failed statement, and what it means for its transaction.
#[derive(Debug)]
pub(crate) struct Failure {
    /// As the caller sees it.
    pub(crate) error: SqlError,
    /// Deadlock, lock wait or snapshot conflict: roll back and run the body again.
    pub(crate) retry: bool,
    /// The connection is gone or in an unknown state: close it.
    pub(crate) lost: bool,
    /// Another connection would not fare better: the server did not answer in time, or refuses whoever asks.
    pub(crate) hopeless: bool,
}

impl Failure {
    pub(crate) fn timed_out(within: Duration) -> Self {
        let error = SqlError::Unavailable(format!("no answer within {} ms", within.as_millis()));
        Self { error, retry: false, lost: true, hopeless: true }
    }

    /// True if an idle connection proved dead, so that a fresh one may do.
    pub(crate) fn is_dead_connection(&self) -> bool {
        self.lost && !self.hopeless
    }

    /// The same error again, for the statements after it.
    pub(crate) fn error(&self) -> SqlError {
        let text = reason(&self.error);
        match &self.error {
            _ if self.retry => SqlError::Conflict(text),
            SqlError::Refused(_) => SqlError::Refused(text),
            _ => SqlError::Unavailable(text),
        }
    }

    pub(crate) fn repeat(&self) -> Self {
        Self { error: self.error(), retry: self.retry, lost: self.lost, hopeless: self.hopeless }
    }
}

/// The text without its class, so that repeating it does not stack classes.
pub(crate) fn reason(error: &SqlError) -> String {
    match error {
        SqlError::Unavailable(text)
        | SqlError::UnknownOutcome(text)
        | SqlError::Conflict(text)
        | SqlError::Duplicate(text)
        | SqlError::Constraint(text)
        | SqlError::Refused(text) => text.clone(),
        SqlError::Decode { .. } => error.to_string(),
    }
}

pub(crate) fn failure(error: sqlx::Error) -> Failure {
    let lost = |error| Failure { error, retry: false, lost: true, hopeless: false };
    match error {
        sqlx::Error::Database(error) => {
            let number = error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
            by_number(number, error.to_string())
        }
        sqlx::Error::Protocol(text) if text.starts_with("prepared statement expected") => lost(SqlError::Refused(text)),
        sqlx::Error::Configuration(_) => {
            lost(SqlError::Refused("the database URL or its options are wrong".to_owned()))
        }
        other => lost(SqlError::Unavailable(other.to_string())),
    }
}

/// Server error numbers, grouped by what the caller does next.
fn by_number(number: u16, text: String) -> Failure {
    let plain = |error| Failure { error, retry: false, lost: false, hopeless: false };
    let again = |error, lost| Failure { error, retry: true, lost, hopeless: false };
    match number {
        // Snapshot conflict, lock wait timeout, deadlock, table altered since the snapshot, lock wait ended by an ALTER.
        1020 | 1205 | 1213 | 1412 | 1689 => again(SqlError::Conflict(text), false),
        // A prepared statement that the server gave up to prepare anew, or does not know: another connection has its own.
        1243 | 1615 => again(SqlError::Conflict(text), true),
        1022 | 1062 | 1169 | 1586 => plain(SqlError::Duplicate(text)),
        // NULL refused, out of range, division by zero, wrong value, too long, foreign keys, arithmetic, CHECK.
        1048 | 1264 | 1365 | 1366 | 1406 | 1451 | 1452 | 1690 | 3819 | 4025 => plain(SqlError::Constraint(text)),
        number if is_of_the_connection(number) => {
            Failure { error: SqlError::Unavailable(text), retry: false, lost: true, hopeless: false }
        }
        // "Incorrect arguments to mysqld_stmt_execute": the packet was garbled on its way. Of any other function it is true.
        1210 if text.contains("stmt_execute") => {
            Failure { error: SqlError::Unavailable(text), retry: false, lost: true, hopeless: false }
        }
        // Statement time over: it would take as long on another connection.
        1969 => Failure { error: SqlError::Unavailable(text), retry: false, lost: true, hopeless: true },
        number if is_operational(number) || is_damage(number) => {
            Failure { error: SqlError::Unavailable(text), retry: false, lost: true, hopeless: true }
        }
        // Said to be wrong. Whether it was, or was garbled, or prepared for a table that has changed since, a second try on
        // another connection tells.
        _ => Failure { error: SqlError::Refused(text), retry: false, lost: true, hopeless: true },
    }
}

/// What befell this connection, or the server at this moment: another connection may fare better.
fn is_of_the_connection(number: u16) -> bool {
    match number {
        // No schema selected: the wish for it got lost on its way to the server.
        1046 => true,
        // Unknown or malformed command, as garbled bytes are; a node that is no member of its cluster says the first, too.
        1047 | 1835 => true,
        // Packet too large, network.
        1153..=1161 => true,
        // Shutdown; aborted or killed connection or statement.
        1053 | 1152 | 1184 | 1317 | 1927 | 2006 | 2013 => true,
        // Disk, table or index full; too many connections, users or prepared statements.
        1021 | 1040 | 1041 | 1114 | 1203 | 1226 | 1461 | 4139 => true,
        _ => false,
    }
}

/// Refusals that are about the state of the server or of its accounts and tables, not about the statement: every other
/// statement meets them too, and an operator ends them. The connection is closed, because the next one may lead to
/// another server or be opened with other privileges.
fn is_operational(number: u16) -> bool {
    match number {
        // Read-only: by option, transaction, or engine.
        1036 | 1290 | 1792 | 1836 | 1874 => true,
        // Access to the schema, the account, the table, the column; by privilege, without password, expired, locked.
        1044 | 1045 | 1142 | 1143 | 1227 | 1698 | 1820 | 1862 | 4150 | 4151 => true,
        // No such schema or table: not migrated yet, or being restored.
        1049 | 1146 => true,
        // No such column, more or fewer of them, one without a default: the schema is a migration ahead or behind. No
        // column is named by a caller, so that nothing that is sent can cause it.
        1054 | 1136 | 1364 => true,
        // Host blocked after errors, host not allowed.
        1129 | 1130 => true,
        // Out of memory: of the server, to sort in, of the engine, for a thread.
        1037 | 1038 | 1135 | 3015 => true,
        // Full: the lock table, the list of transactions.
        1206 | 1637 => true,
        _ => false,
    }
}

/// Files that cannot be read or written, tables that are damaged, or whose files or engine are missing.
fn is_damage(number: u16) -> bool {
    match number {
        // Opening, finding, reading, writing, locking a file; its end comes too early; one to sort with; a temporary one.
        1015 | 1016 | 1017 | 1024 | 1026 | 1028 | 1039 | 1810 | 1811 | 1878 | 3000 => true,
        // The engine's own errors, lasting and passing ones; its internal error; its next automatic number.
        1030 | 1296 | 1297 | 1467 | 1815 => true,
        // Table or index crashed, corrupt, or with wrong information in its file.
        1033 | 1034 | 1035 | 1194 | 1195 | 1712 | 1728 | 1817 | 1877 => true,
        // The tablespace missing or discarded; unknown to the engine; the engine itself missing.
        1286 | 1812 | 1814 | 1932 => true,
        // The binary log cannot be written.
        1534 | 1598 => true,
        _ => false,
    }
}

pub(crate) fn arguments(values: Vec<Value>) -> Result<MySqlArguments, SqlError> {
    let mut arguments = MySqlArguments::default();
    arguments.reserve(values.len(), values.iter().map(Value::weight).sum());
    for value in values {
        let added = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
        };
        added.map_err(|error| SqlError::Refused(format!("a parameter cannot be encoded: {error}")))?;
    }
    Ok(arguments)
}

pub(crate) fn decode_row(row: &MySqlRow) -> Result<Row, SqlError> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let raw = row.try_get_raw(column).map_err(|error| SqlError::Refused(error.to_string()))?;
        values.push(decode_value(column, raw)?);
    }
    Ok(Row(values))
}

fn decode_value(column: usize, raw: MySqlValueRef<'_>) -> Result<Value, SqlError> {
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let info = raw.type_info().into_owned();
    let undecodable = || SqlError::Decode { column, expected: "int, bytes or text", found: info.name().to_owned() };
    // The collation tells text from bytes; the type's name does not, because utf8mb4_bin columns call themselves binary.
    let value = if <i64 as Type<MySql>>::compatible(&info) {
        <i64 as Decode<'_, MySql>>::decode(raw).map(Value::Int)
    } else if <u64 as Type<MySql>>::compatible(&info) {
        let value = <u64 as Decode<'_, MySql>>::decode(raw).map_err(|_| undecodable())?;
        return i64::try_from(value).map(Value::Int).map_err(|_| undecodable());
    } else if <str as Type<MySql>>::compatible(&info) {
        <String as Decode<'_, MySql>>::decode(raw).map(Value::Text)
    } else if <[u8] as Type<MySql>>::compatible(&info) {
        <Vec<u8> as Decode<'_, MySql>>::decode(raw).map(Value::Bytes)
    } else if info.name() == "DECIMAL" {
        // SUM of a BIGINT column is DECIMAL here and a whole number in SQLite.
        let text = <&str as Decode<'_, MySql>>::decode(raw).map_err(|_| undecodable())?;
        return text.parse().map(Value::Int).map_err(|_| undecodable());
    } else {
        return Err(undecodable());
    };
    value.map_err(|_| undecodable())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever sees `Refused` blames what it asked for; these must not look like that.
    #[test]
    fn what_operators_cause_and_end_is_unavailable() {
        let numbers = [
            1290, 1792, 1836, 1044, 1045, 1142, 1143, 1049, 1146, 1129, 1130, 1040, 1203, 1024, 1026, 1030, 1037, 1038,
            1047, 1054, 1136, 1194, 1195, 1206, 1286, 1364, 1637, 1712, 1812, 1814, 1835, 1874, 1877, 1932,
        ];
        for number in numbers {
            let failure = by_number(number, String::new());
            assert!(matches!(failure.error, SqlError::Unavailable(_)), "{number}: {failure:?}");
            assert!(failure.lost, "{number}: the connection may be better elsewhere");
        }
        let too_slow = by_number(1969, String::new());
        assert!(matches!(too_slow.error, SqlError::Unavailable(_)) && !too_slow.is_dead_connection(), "{too_slow:?}");
        let without_schema = by_number(1046, String::new());
        assert!(without_schema.is_dead_connection(), "another connection has one: {without_schema:?}");
    }

    #[test]
    fn a_garbled_execution_is_no_wrong_argument() {
        let garbled = by_number(1210, "Incorrect arguments to mysqld_stmt_execute".to_owned());
        assert!(matches!(garbled.error, SqlError::Unavailable(_)) && garbled.lost, "{garbled:?}");
        let wrong = by_number(1210, "Incorrect arguments to LIMIT".to_owned());
        assert!(matches!(wrong.error, SqlError::Refused(_)), "{wrong:?}");
    }

    #[test]
    fn a_statement_that_went_stale_is_tried_again_elsewhere() {
        for (number, lost) in [(1243, true), (1615, true), (1412, false), (1689, false)] {
            let failure = by_number(number, String::new());
            assert!(matches!(failure.error, SqlError::Conflict(_)), "{number}: {failure:?}");
            assert!(failure.retry && failure.lost == lost, "{number}: {failure:?}");
        }
    }

    #[test]
    fn a_refused_statement_ends_its_connection_and_stays_refused() {
        let syntax = by_number(1064, String::new());
        assert!(matches!(syntax.error, SqlError::Refused(_)), "{syntax:?}");
        assert!(syntax.lost && !syntax.is_dead_connection(), "closed alone, its neighbours stay: {syntax:?}");
        assert!(matches!(syntax.error(), SqlError::Refused(_)), "{syntax:?}");
        for number in [1062, 1048] {
            assert!(!by_number(number, String::new()).lost, "{number}: a savepoint goes on from here");
        }
    }
}
