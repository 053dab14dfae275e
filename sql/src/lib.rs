//! One small SQL surface over MariaDB (sqlx) and SQLite (rusqlite): the same statement text runs on both.
//!
//! Each driver is a feature, `mariadb` and `sqlite`; what is left out is refused when it is opened.
//! Why not one driver for both: docs/decisions/0002-sql-surface.md.
//!
//! | module | what it holds |
//! |---|---|
//! | [`value`] | bound parameters and rows |
//! | [`error`] | errors named for what the caller does next |
//! | [`statement`] | texts of batch statements, in few distinct sizes |
//! | [`tx`] | an open transaction |
//! | [`database`] | a database and its transactions |
//! | [`clock`] | its time, without asking each time |
//! | [`faults`] | where a simulator strikes |
//! | [`migration`] | forward-only migrations |
//! | [`variable`] | what a server says of its settings |

#[cfg(not(all(feature = "mariadb", feature = "sqlite")))]
mod absent;
pub mod clock;
pub mod database;
pub mod error;
pub mod faults;
#[cfg(feature = "mariadb")]
mod mariadb;
pub mod migration;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod statement;
pub mod tx;
pub mod value;
pub mod variable;

#[cfg(not(feature = "mariadb"))]
use absent::mariadb;
#[cfg(not(feature = "sqlite"))]
use absent::sqlite;
