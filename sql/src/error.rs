//! Errors named for what the caller does next.

/// Why a statement or a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The database cannot be reached, did not answer in time, or is in no state to serve: read-only, the account or its
    /// privileges missing, the schema or a table missing, the file damaged. Nothing of the transaction is durable, and what
    /// was asked has no part in it. Try later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost while COMMIT was under way: it may or may not have happened. Read before you decide.
    #[error("commit outcome unknown: {0}")]
    UnknownOutcome(String),
    /// Deadlock, lock wait or snapshot conflict, still there after the bounded retries. Try later.
    #[error("conflict: {0}")]
    Conflict(String),
    /// A unique key is taken; the transaction is rolled back.
    #[error("duplicate key: {0}")]
    Duplicate(String),
    /// A CHECK constraint or column bound refused a value; the transaction is rolled back.
    #[error("constraint: {0}")]
    Constraint(String),
    /// A column does not hold what the code expects: the row was written by something else.
    #[error("cannot decode column {column} as {expected}: {found}")]
    Decode {
        /// Position of the column.
        column: usize,
        /// What was expected.
        expected: &'static str,
        /// What was found, type only.
        found: String,
    },
    /// A statement or a setting is wrong: a defect, not weather.
    #[error("database refused: {0}")]
    Refused(String),
}

/// What a body's panic is reported as.
#[cfg(any(feature = "mariadb", feature = "sqlite"))]
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> SqlError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    SqlError::Refused(format!("a transaction body panicked: {}", text.unwrap_or("no message")))
}
