//! Forward-only migrations, one statement each, idempotent DDL.

/// One migration. Ids are ordered texts such as `0001_saga`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Ordered, unique.
    pub id: &'static str,
    /// The MariaDB statement.
    pub mariadb: &'static str,
    /// The SQLite statement.
    pub sqlite: &'static str,
}
