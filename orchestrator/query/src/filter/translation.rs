//! What a filter is translated for.

use saga_core::definition::Definition;
use saga_core::time::Micros;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SqlDialect {
    /// MariaDB, text columns of collation `utf8mb4_bin`.
    MariaDb,
    /// SQLite, text columns of collation `BINARY`.
    Sqlite,
}

/// What a translation depends on beside the filter.
#[derive(Clone, Copy, Debug)]
pub struct Translation<'a> {
    /// Whose SQL.
    pub dialect: SqlDialect,
    /// The moment that durations are relative to.
    pub now: Micros,
    /// Every definition this build knows: rows hold a step's position, filters its name. Sagas of other definitions have
    /// their steps' positions for names.
    pub definitions: &'a [&'a Definition],
    /// True if the values of attributes stand in column `input` byte for byte, as texts do in protobuf. Then the
    /// database leaves out rows that cannot have them, before anybody decodes them.
    pub verbatim_input: bool,
}
