//! A database, its transactions, and where it is.

use crate::error::SqlError;
use crate::faults::{Faults, Point};
use crate::mariadb::MariaDb;
use crate::migration::{Applied, Migration, SELECT, Status, applied, process_clock_us};
use crate::sqlite::Sqlite;
use crate::statement;
use crate::tx::{Body, Line, Returned};
use crate::value::{Row, Value};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use crate::tx::{Dialect, Tx, Verdict};

/// Where a database is. One whose driver this build leaves out is `Refused` when it is opened.
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

/// A database. Cheap to clone; closed with its last clone.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) engine: Engine,
    faults: Option<Arc<dyn Faults>>,
    line: Line,
}

/// The two drivers.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    MariaDb(MariaDb),
    Sqlite(Sqlite),
}

impl Engine {
    async fn transaction(&self, body: Body) -> Result<Returned, SqlError> {
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
    pub fn open(config: DatabaseConfig) -> BoxFuture<'static, Result<Self, SqlError>> {
        Box::pin(async move {
            let engine = match config {
                DatabaseConfig::MariaDb { url, connections, acquire_timeout } => {
                    Engine::MariaDb(MariaDb::open(&url, connections, acquire_timeout).await?)
                }
                DatabaseConfig::SqliteFile { path } => Engine::Sqlite(Sqlite::open_file(path)?),
                DatabaseConfig::SqliteMemory => Engine::Sqlite(Sqlite::open_memory()?),
            };
            Ok(Self { engine, faults: None, line: Line::Reads })
        })
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
    pub fn transaction<T, F>(&self, mut body: F) -> impl Future<Output = Result<T, SqlError>> + Send
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<T>, SqlError>> + Send + 'static,
    {
        let ended = self.erased(Box::new(move |tx| {
            let body = body(tx);
            Box::pin(async move {
                Ok(match body.await? {
                    Verdict::Commit(value) => Verdict::Commit(Box::new(value) as Returned),
                    Verdict::Rollback(value) => Verdict::Rollback(Box::new(value) as Returned),
                })
            })
        }));
        ended.map(|ended| {
            // Only the body above makes one, and only of this type.
            ended.map(|value| *value.downcast().unwrap_or_else(|_| unreachable!("a body's value has the body's type")))
        })
    }

    fn erased(&self, body: Body) -> BoxFuture<'_, Result<Returned, SqlError>> {
        match &self.faults {
            None => Box::pin(self.engine.transaction(body)),
            Some(faults) => Box::pin(self.struck(body, faults)),
        }
    }

    /// A transaction between two points where a fault may strike.
    async fn struck(&self, mut body: Body, faults: &Arc<dyn Faults>) -> Result<Returned, SqlError> {
        faults.at(Point::Begin).await?;
        let commits = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&commits);
        let ended = self.engine.transaction(Box::new(move |tx| {
            let (noted, body) = (Arc::clone(&noted), body(tx));
            Box::pin(async move {
                let verdict = body.await;
                noted.store(matches!(verdict, Ok(Verdict::Commit(_))), Ordering::Relaxed);
                verdict
            })
        }));
        let value = ended.await?;
        if commits.load(Ordering::Relaxed) {
            faults.at(Point::Committed).await?;
        }
        Ok(value)
    }

    /// Runs one read outside any transaction.
    pub fn query<'a>(&'a self, sql: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, SqlError>> {
        Box::pin(async move {
            if let Some(faults) = &self.faults {
                faults.at(Point::Read).await?;
            }
            match &self.engine {
                Engine::MariaDb(mariadb) => mariadb.query(sql, args, self.line).await,
                Engine::Sqlite(sqlite) => sqlite.query(sql, args, self.line).await,
            }
        })
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

    /// Ok if it takes a write to `table` now, and would keep it; `Unavailable` with the reason if not. Changes nothing.
    pub async fn ready(&self, table: &str) -> Result<(), SqlError> {
        match &self.engine {
            Engine::MariaDb(mariadb) => mariadb.ready(table).await,
            Engine::Sqlite(_) => self.transaction(|_| Box::pin(async { Ok(Verdict::Commit(())) })).await,
        }
    }

    /// The database's clock, microseconds since the epoch. SQLite has none of its own: this process's clock.
    pub async fn now_us(&self) -> Result<i64, SqlError> {
        match &self.engine {
            Engine::MariaDb(_) => {
                let now = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
                let rows = self.query(now, Vec::new()).await?;
                rows.first().map_or(Err(SqlError::decode(0, "int", None)), |row| row.int(0))
            }
            Engine::Sqlite(_) => Ok(process_clock_us()),
        }
    }
}

impl Database {
    /// Applies those of `migrations` that are not applied yet, in the order given, each once; returns their ids. Others
    /// that the table knows are left alone. One process migrates at a time: the next waits at most 10 s, then `Unavailable`.
    /// A migration whose text changed after it was applied is `Refused` before anything is done.
    ///
    /// A crash leaves the migrations before it applied and noted; on MariaDB the one under way may be applied and not
    /// noted, and is run again.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<&'static str>, SqlError> {
        match &self.engine {
            Engine::MariaDb(mariadb) => mariadb.migrate(migrations.to_vec()).await,
            Engine::Sqlite(sqlite) => sqlite.migrate(migrations.to_vec()).await,
        }
    }

    /// Where each of `migrations` stands. Changes nothing.
    pub async fn migration_status(&self, migrations: &[Migration]) -> Result<Vec<Status>, SqlError> {
        let dialect = self.dialect();
        let exists = match dialect {
            Dialect::MariaDb => {
                "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = 'baton_migration'"
            }
            Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'baton_migration'",
        };
        let found = self.query(exists, Vec::new()).await?;
        let applied = match found.first().map(|row| row.int(0)).transpose()? {
            Some(1..) => applied(&self.query(SELECT, Vec::new()).await?)?,
            _ => Applied::new(),
        };
        let status = |migration: &Migration| match applied.get(migration.id) {
            None => Status { id: migration.id, applied_at: None, changed: false },
            Some((checksum, at)) => {
                Status { id: migration.id, applied_at: Some(*at), changed: *checksum != migration.checksum(dialect) }
            }
        };
        Ok(migrations.iter().map(status).collect())
    }
}
