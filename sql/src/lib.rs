//! One small SQL surface over MariaDB (sqlx) and SQLite (rusqlite): the same statement text runs on both.
//!
//! Why not one driver for both: docs/decisions/0002-sql-surface.md.

pub mod value;
pub mod error;
pub mod database;
pub mod statement;
pub mod migration;
mod mariadb;
mod sqlite;
