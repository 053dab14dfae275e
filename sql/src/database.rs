//! A database and its transactions. (Signatures are the contract; bodies come with the adapters.)

use crate::error::SqlError;
use crate::value::{Row, Value};
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Which SQL dialect the other end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB 10.6 or newer.
    MariaDb,
    /// SQLite 3.
    Sqlite,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum DatabaseConfig {
    /// `mysql://user:password@host:port/schema`
    MariaDb {
        /// The URL; holds a secret, never logged.
        url: String,
        /// Connections in the pool, at least 2.
        connections: u32,
        /// How long to wait for a connection before `Unavailable`.
        acquire_timeout: Duration,
    },
    /// A file; WAL, synchronous=FULL.
    SqliteFile {
        /// Its path.
        path: std::path::PathBuf,
    },
    /// In memory, gone with the last handle. For tests and the simulator.
    SqliteMemory,
}

/// How a transaction body ends.
#[derive(Debug)]
pub enum Verdict<T> {
    /// Commit and return this.
    Commit(T),
    /// Roll back and return this.
    Rollback(T),
}

/// A database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {}

/// An open transaction. Ends with the body it was handed to.
#[derive(Debug)]
pub struct Tx {}

impl Database {
    /// Opens the database; checks its durable settings and refuses to run on unsafe ones.
    pub async fn open(_config: DatabaseConfig) -> Result<Self, SqlError> {
        unimplemented!()
    }

    /// The dialect, for the few statements that differ.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        unimplemented!()
    }

    /// Runs `body` in a transaction (READ COMMITTED; BEGIN IMMEDIATE on SQLite) in a task of its own: dropping the
    /// returned future does not cancel it half way. Deadlocks and lock waits roll back and run the body again, at most 5
    /// times, so the body must be pure but for the transaction.
    pub async fn transaction<T, F>(&self, _body: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<T>, SqlError>> + Send + 'static,
    {
        unimplemented!()
    }

    /// Runs one read outside any transaction.
    pub async fn query(&self, _sql: &str, _args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        unimplemented!()
    }

    /// The database's clock, microseconds since the epoch.
    pub async fn now_us(&self) -> Result<i64, SqlError> {
        unimplemented!()
    }
}

impl Tx {
    /// The dialect, for the few statements that differ.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        unimplemented!()
    }

    /// ` FOR UPDATE` on MariaDB, nothing on SQLite (which has one writer).
    #[must_use]
    pub fn for_update(&self) -> &'static str {
        unimplemented!()
    }

    /// Runs a statement; returns affected rows (rows matched, not rows changed, on both).
    pub async fn execute(&mut self, _sql: &str, _args: Vec<Value>) -> Result<u64, SqlError> {
        unimplemented!()
    }

    /// Runs a query.
    pub async fn query(&mut self, _sql: &str, _args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        unimplemented!()
    }
}
