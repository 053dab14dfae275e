//! A database, its transactions, and where it is.

use crate::error::SqlError;
use crate::faults::{Faults, Point};
use crate::mariadb::MariaDb;
use crate::mariadb::pool::Lease;
use crate::sqlite::Sqlite;
use crate::statement;
use crate::value::{Row, Value};
use futures_util::future::BoxFuture;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
#[derive(Clone)]
pub enum DatabaseConfig {
    /// `mysql://user:password@host:port/schema`
    MariaDb {
        /// The URL; holds a secret, never logged.
        url: String,
        /// Connections in the pool, at least 2. Reads outside transactions hold at most all but a quarter of them, and all
        /// but one at least, so that a flood of reads never keeps a transaction from beginning.
        connections: u32,
        /// How long to wait for a connection, a read for its turn too, before `Unavailable`.
        acquire_timeout: Duration,
    },
    /// A file; WAL, synchronous=FULL.
    SqliteFile {
        /// Its path.
        path: PathBuf,
    },
    /// In memory, gone with the last handle. Runs inline on the caller's thread, so a single-threaded simulator stays
    /// deterministic.
    SqliteMemory,
}

impl DatabaseConfig {
    /// MariaDB with 8 connections and 2 s to wait for one.
    #[must_use]
    pub fn mariadb(url: impl Into<String>) -> Self {
        Self::MariaDb { url: url.into(), connections: 8, acquire_timeout: Duration::from_secs(2) }
    }

    /// A SQLite file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::SqliteFile { path: path.into() }
    }
}

impl fmt::Debug for DatabaseConfig {
    /// Leaves the URL out: it holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MariaDb { url: _, connections, acquire_timeout } => f
                .debug_struct("MariaDb")
                .field("connections", connections)
                .field("acquire_timeout", acquire_timeout)
                .finish_non_exhaustive(),
            Self::SqliteFile { path } => f.debug_struct("SqliteFile").field("path", path).finish(),
            Self::SqliteMemory => f.write_str("SqliteMemory"),
        }
    }
}

/// How a transaction body ends.
#[derive(Debug)]
pub enum Verdict<T> {
    /// Commit and return this.
    Commit(T),
    /// Roll back and return this.
    Rollback(T),
}

/// A database. Cheap to clone; closed with its last clone.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) engine: Engine,
    faults: Option<Arc<dyn Faults>>,
    line: Line,
}

/// Whom a read waits behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Other reads; a part of the connections is kept from all of them.
    Reads,
    /// Transactions only.
    Transactions,
}

/// The two drivers.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    MariaDb(MariaDb),
    Sqlite(Sqlite),
}

impl Engine {
    async fn transaction<T, F>(&self, body: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<T>, SqlError>> + Send + 'static,
    {
        match self {
            Self::MariaDb(mariadb) => mariadb.transaction(body).await,
            Self::Sqlite(sqlite) => sqlite.transaction(body).await,
        }
    }
}

impl Database {
    /// Opens the database; checks its settings and refuses to run on unsafe ones: MariaDB older than 10.6, with
    /// `innodb_flush_log_at_trx_commit` other than 1, or with a `max_allowed_packet` below 5 MiB, in which a full batch has no
    /// room, is `Refused`. A SQLite file is created if it is missing.
    pub async fn open(config: DatabaseConfig) -> Result<Self, SqlError> {
        let engine = match config {
            DatabaseConfig::MariaDb { url, connections, acquire_timeout } => {
                Engine::MariaDb(MariaDb::open(&url, connections, acquire_timeout).await?)
            }
            DatabaseConfig::SqliteFile { path } => Engine::Sqlite(Sqlite::open_file(path)?),
            DatabaseConfig::SqliteMemory => Engine::Sqlite(Sqlite::open_memory()?),
        };
        Ok(Self { engine, faults: None, line: Line::Reads })
    }

    /// The same database with faults around its work, for simulators: the handle it is made from stays sound.
    #[must_use]
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults), ..self.clone() }
    }

    /// The same database for reads that must not stand in line with everybody's: they take their connection as transactions
    /// do. For the few short ones that what is written depends on.
    #[must_use]
    pub fn ahead(&self) -> Self {
        Self { line: Line::Transactions, ..self.clone() }
    }

    /// The dialect, for the few statements that differ.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.engine {
            Engine::MariaDb(_) => Dialect::MariaDb,
            Engine::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Runs `body` in a transaction (READ COMMITTED; BEGIN IMMEDIATE on SQLite) that dropping the returned future does not
    /// cancel half way. Deadlocks and lock waits roll back and run the body again, at most 5 times, so the body must be
    /// pure but for the transaction. It must await nothing but the transaction: SQLite refuses a body that does, and
    /// MariaDB ends a transaction that idles for 10 s. A body that panics is rolled back and reported as `Refused`.
    ///
    /// Write the closure in the call itself, `|tx| Box::pin(async move { … })`: bound to a variable first, its lifetimes are
    /// not inferred.
    ///
    /// After a crash the transaction is there as a whole or not at all.
    pub async fn transaction<T, F>(&self, body: F) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<T>, SqlError>> + Send + 'static,
    {
        match &self.faults {
            None => self.engine.transaction(body).await,
            Some(faults) => self.struck(body, faults).await,
        }
    }

    /// A transaction between two points where a fault may strike.
    async fn struck<T, F>(&self, mut body: F, faults: &Arc<dyn Faults>) -> Result<T, SqlError>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<T>, SqlError>> + Send + 'static,
    {
        faults.at(Point::Begin).await?;
        let commits = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&commits);
        let ended = self.engine.transaction(move |tx| {
            let (noted, body) = (Arc::clone(&noted), body(tx));
            Box::pin(async move {
                let verdict = body.await;
                noted.store(matches!(verdict, Ok(Verdict::Commit(_))), Ordering::Relaxed);
                verdict
            })
        });
        let value = ended.await?;
        if commits.load(Ordering::Relaxed) {
            faults.at(Point::Committed).await?;
        }
        Ok(value)
    }

    /// Runs one read outside any transaction.
    pub async fn query(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        if let Some(faults) = &self.faults {
            faults.at(Point::Read).await?;
        }
        match &self.engine {
            Engine::MariaDb(mariadb) => mariadb.query(sql, args, self.line).await,
            Engine::Sqlite(sqlite) => sqlite.query(sql, args, self.line).await,
        }
    }

    /// Runs `{before} IN (?, …){after}` outside any transaction, in as many statements as `values` needs. No values, no rows.
    pub async fn query_in(&self, before: &str, values: Vec<Value>, after: &str) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        for list in statement::padded_lists(values) {
            let sql = format!("{before} IN {}{after}", statement::placeholders(list.len()));
            rows.extend(self.query(&sql, list).await?);
        }
        Ok(rows)
    }

    /// The database's clock, microseconds since the epoch. SQLite has none of its own: this process's clock.
    pub async fn now_us(&self) -> Result<i64, SqlError> {
        match &self.engine {
            Engine::MariaDb(mariadb) => {
                let now = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
                let rows = mariadb.query(now, Vec::new(), self.line).await?;
                rows.first().map_or(Err(SqlError::decode(0, "int", None)), |row| row.int(0))
            }
            Engine::Sqlite(_) => Ok(process_clock_us()),
        }
    }
}

/// An open transaction. Ends with the body it was handed to.
#[derive(Debug)]
pub struct Tx {
    pub(crate) session: Session,
}

/// The connection a transaction runs on.
pub(crate) enum Session {
    MariaDb(Lease),
    Sqlite(rusqlite::Connection),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MariaDb(_) => "MariaDb",
            Self::Sqlite(_) => "Sqlite",
        })
    }
}

impl Tx {
    /// The dialect, for the few statements that differ.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.session {
            Session::MariaDb(_) => Dialect::MariaDb,
            Session::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// ` FOR UPDATE` on MariaDB, nothing on SQLite (which has one writer).
    #[must_use]
    pub fn for_update(&self) -> &'static str {
        match &self.session {
            Session::MariaDb(_) => " FOR UPDATE",
            Session::Sqlite(_) => "",
        }
    }

    /// ` LOCK IN SHARE MODE` on MariaDB, nothing on SQLite: what is read stays as it is until the transaction ends.
    #[must_use]
    pub fn for_share(&self) -> &'static str {
        match &self.session {
            Session::MariaDb(_) => " LOCK IN SHARE MODE",
            Session::Sqlite(_) => "",
        }
    }

    /// Runs a statement; returns affected rows (rows matched, not rows changed, on both). A `Duplicate` or `Constraint`
    /// error undoes this statement only, so that savepoints work; every other error ends the transaction: later
    /// statements repeat it.
    pub async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64, SqlError> {
        match &mut self.session {
            Session::MariaDb(lease) => lease.execute(sql, args).await,
            Session::Sqlite(connection) => crate::sqlite::execute(connection, sql, &args),
        }
    }

    /// Runs a query.
    pub async fn query(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        match &mut self.session {
            Session::MariaDb(lease) => lease.query(sql, args).await,
            Session::Sqlite(connection) => crate::sqlite::query(connection, sql, &args),
        }
    }

    /// Inserts `rows`, each as long as `columns`, in as few multi-row statements as the bounds of [`statement`] allow.
    pub async fn insert_many(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        if let Some(row) = rows.iter().find(|row| row.len() != columns.len()) {
            let wanted = columns.len();
            return Err(SqlError::Refused(format!("{table}: a row of {} values for {wanted} columns", row.len())));
        }
        let mut inserted = 0;
        for chunk in statement::chunks(rows, columns.len()) {
            let sql = statement::insert(table, columns, chunk.len());
            inserted += self.execute(&sql, chunk.into_iter().flatten().collect()).await?;
        }
        Ok(inserted)
    }

    /// Runs the query `{before} IN (?, …){after}`, where `before_args` fill the placeholders of `before`, in as many
    /// statements as `values` needs. Give `values` in the order rows are to be locked in. No values, no rows.
    pub async fn select_in(
        &mut self,
        before: &str,
        before_args: Vec<Value>,
        values: Vec<Value>,
        after: &str,
    ) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        for list in statement::padded_lists(values) {
            let sql = format!("{before} IN {}{after}", statement::placeholders(list.len()));
            let args = before_args.iter().cloned().chain(list).collect();
            rows.extend(self.query(&sql, args).await?);
        }
        Ok(rows)
    }

    /// Runs the statement `{before} IN (?, …)`, where `before_args` fill the placeholders of `before`, in as many
    /// statements as `values` needs; returns the sum of affected rows. No values, nothing done.
    pub async fn execute_in(
        &mut self,
        before: &str,
        before_args: Vec<Value>,
        values: Vec<Value>,
    ) -> Result<u64, SqlError> {
        let mut affected = 0;
        for list in statement::padded_lists(values) {
            let sql = format!("{before} IN {}", statement::placeholders(list.len()));
            let args = before_args.iter().cloned().chain(list).collect();
            affected += self.execute(&sql, args).await?;
        }
        Ok(affected)
    }

    /// Sets `column` of each row named by `key` to its own value, many rows per statement; returns affected rows. Keys must
    /// be distinct.
    pub async fn update_each(
        &mut self,
        table: &str,
        column: &str,
        key: &str,
        pairs: Vec<(Value, Value)>,
    ) -> Result<u64, SqlError> {
        let mut affected = 0;
        let rows = pairs.into_iter().map(|(key, value)| vec![key, value]).collect();
        // Three parameters a row: key and value in the CASE, key again in the list.
        for chunk in statement::padded_pairs(rows) {
            let sql = statement::update_case(table, column, key, chunk.len());
            let keys: Vec<Value> = chunk.iter().filter_map(|pair| pair.first().cloned()).collect();
            affected += self.execute(&sql, chunk.into_iter().flatten().chain(keys).collect()).await?;
        }
        Ok(affected)
    }
}

/// This process's clock, microseconds since the epoch.
pub(crate) fn process_clock_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
