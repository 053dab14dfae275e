//! A pool whose connections come back only in a known state.
//!
//! sqlx's own pool pings on every acquire and release, and hands out connections that a cancelled `begin` left inside a
//! transaction. Here a connection returns to the pool only by [`Lease::give_back`], which its owner calls after the server
//! has acknowledged COMMIT or ROLLBACK; a lease dropped in any other way closes its connection, and the server rolls back.

use super::codec::{self, Failure};
use crate::error::SqlError;
use crate::value::{Row, Value};
use futures_util::FutureExt as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

/// What every new connection is told, in one round trip. PIPES_AS_CONCAT and ANSI_QUOTES make one statement text mean the
/// same here and in SQLite.
const SESSION: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_bin, \
    SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT,ANSI_QUOTES', \
    SESSION time_zone = '+00:00', SESSION tx_isolation = 'READ-COMMITTED', \
    SESSION innodb_lock_wait_timeout = 5, SESSION max_statement_time = 7, SESSION idle_transaction_timeout = 10";
/// How long a statement may stay unanswered: above the server's own bounds, so it only ends for a server that hangs.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// A connection older than this is replaced.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A connection idle for longer than this is replaced, before a server or a proxy does it.
const MAX_IDLE: Duration = Duration::from_secs(5 * 60);

/// How a connection's statements are committed. The server remembers it, so that a transaction needs no BEGIN, which would be a
/// round trip of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// Each by itself.
    Each,
    /// Together, by COMMIT.
    Together,
}

/// A connection that answered so short a time ago is used without being asked first.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Connections to one schema of one server.
pub(crate) struct Pool {
    options: MySqlConnectOptions,
    permits: Arc<Semaphore>,
    /// Reads hold one of these beside their permit, so that a flood of them leaves connections to transactions.
    reads: Arc<Semaphore>,
    idle: Mutex<Vec<Parked>>,
    acquire_timeout: Duration,
}

/// The place of a connection in use, and that of a read.
type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

struct Parked {
    connection: MySqlConnection,
    commits: Commits,
    born: Instant,
    parked: Instant,
}

impl fmt::Debug for Pool {
    /// Leaves the options out: they hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("free", &self.permits.available_permits())
            .field("free_for_reads", &self.reads.available_permits())
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(options: MySqlConnectOptions, connections: u32, acquire_timeout: Duration) -> Self {
        // Our own SET says all of it in one round trip, so sqlx need not send its own.
        let options = options
            .statement_cache_capacity(512)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false)
            .disable_statement_logging();
        let connections = connections.max(2) as usize;
        let permits = Arc::new(Semaphore::new(connections));
        let reads = Arc::new(Semaphore::new(most_reads(connections)));
        Self { options, permits, reads, idle: Mutex::new(Vec::new()), acquire_timeout }
    }

    pub(crate) fn acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// A connection outside any transaction, within the acquire timeout, that commits as wanted if there is such a one:
    /// [`Lease::commit`] makes sure. An idle one may be dead: its first statement tells.
    pub(crate) async fn acquire(self: &Arc<Self>, commits: Commits) -> Result<Lease, SqlError> {
        self.acquire_by(Instant::now() + self.acquire_timeout, None, commits).await
    }

    /// The same for one read. At most all but a quarter of the connections are lent to reads.
    pub(crate) async fn acquire_for_read(self: &Arc<Self>) -> Result<Lease, SqlError> {
        let deadline = Instant::now() + self.acquire_timeout;
        let read = permit(&self.reads, deadline, "too many reads are under way").await?;
        self.acquire_by(deadline, Some(read), Commits::Each).await
    }

    async fn acquire_by(
        self: &Arc<Self>,
        deadline: Instant,
        read: Option<OwnedSemaphorePermit>,
        commits: Commits,
    ) -> Result<Lease, SqlError> {
        let permits = (permit(&self.permits, deadline, "no free connection in time").await?, read);
        if let Some(parked) = self.pop_idle(commits) {
            return Ok(self.lease(parked, false, permits));
        }
        match timeout_at(deadline.into(), self.connect()).await {
            Ok(connected) => Ok(self.lease(Parked::new(connected?), true, permits)),
            Err(_) => Err(SqlError::Unavailable("the database did not answer a new connection in time".to_owned())),
        }
    }

    /// Forgets every idle connection: one was found dead, so the server has probably been restarted.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lease(self: &Arc<Self>, parked: Parked, fresh: bool, permits: Permits) -> Lease {
        let trusted = parked.parked.elapsed() < TRUSTED_FOR;
        let Parked { connection, commits, born, .. } = parked;
        let (answered, failure, pool) = (false, None, Arc::clone(self));
        Lease { connection, commits, born, fresh, trusted, answered, failure, pool, _permits: permits }
    }

    fn pop_idle(&self, commits: Commits) -> Option<Parked> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while !idle.is_empty() {
            let at = idle.iter().rposition(|parked| parked.commits == commits).unwrap_or(idle.len() - 1);
            let parked = idle.remove(at);
            if parked.born.elapsed() < MAX_LIFETIME && parked.parked.elapsed() < MAX_IDLE {
                return Some(parked);
            }
            // Said goodbye to beside the caller's path; bounded, because the server may not listen any more.
            tokio::spawn(timeout(STATEMENT_TIMEOUT, parked.connection.close()));
        }
        None
    }

    async fn connect(&self) -> Result<MySqlConnection, SqlError> {
        // The driver reads the server's greeting without looking at its length, and panics at one that was garbled on its
        // way. Whoever sent it, there is no connection, and the next one may well be sound.
        let Ok(connected) = AssertUnwindSafe(self.options.connect()).catch_unwind().await else {
            return Err(SqlError::Unavailable("the server's greeting cannot be read".to_owned()));
        };
        let mut connection = connected.map_err(not_connected)?;
        (&mut connection).execute(SESSION).await.map_err(not_connected)?;
        Ok(connection)
    }
}

impl Parked {
    fn new(connection: MySqlConnection) -> Self {
        let now = Instant::now();
        Self { connection, commits: Commits::Each, born: now, parked: now }
    }
}

/// All but a quarter of the connections, and all but one at least.
fn most_reads(connections: usize) -> usize {
    connections - (connections / 4).max(1)
}

async fn permit(of: &Arc<Semaphore>, deadline: Instant, late: &str) -> Result<OwnedSemaphorePermit, SqlError> {
    match timeout_at(deadline.into(), Arc::clone(of).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(SqlError::Unavailable("the connection pool is closed".to_owned())),
        Err(_) => Err(SqlError::Unavailable(late.to_owned())),
    }
}

/// Nothing of the caller's has been asked yet, so that nothing of it can be wrong: a login that was garbled on its way is
/// refused, too. Only options that no login will mend are told apart.
fn not_connected(error: sqlx::Error) -> SqlError {
    let is_ours = matches!(error, sqlx::Error::Configuration(_));
    let error = codec::failure(error).error;
    if is_ours { error } else { SqlError::Unavailable(codec::reason(&error)) }
}

/// A connection out of the pool. Closed when dropped, unless given back.
pub(crate) struct Lease {
    connection: MySqlConnection,
    commits: Commits,
    born: Instant,
    fresh: bool,
    trusted: bool,
    /// Whether the server has answered a statement of this lease.
    answered: bool,
    failure: Option<Failure>,
    pool: Arc<Pool>,
    _permits: Permits,
}

impl Lease {
    /// True if no statement has been sent on it before this lease.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// True if it answered just now.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// True until the server has answered: nothing has been done that a closed connection would not undo.
    pub(crate) fn is_unanswered(&self) -> bool {
        !self.answered
    }

    /// Sees to it that statements are committed as wanted; `true` if that took a round trip, which has tested the connection.
    pub(crate) async fn commit(&mut self, wanted: Commits, within: Duration) -> Result<bool, Failure> {
        if self.commits == wanted {
            return Ok(false);
        }
        let sql = match wanted {
            Commits::Each => "SET SESSION autocommit = 1",
            Commits::Together => "SET SESSION autocommit = 0",
        };
        self.plain(sql, within).await?;
        self.commits = wanted;
        Ok(true)
    }

    /// The failure that ended the transaction, if one did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns the connection. Only for a connection whose last COMMIT, ROLLBACK or autocommitted read was acknowledged.
    pub(crate) fn give_back(self) {
        if self.failure.as_ref().is_some_and(|failure| failure.lost) {
            return;
        }
        let Self { connection, commits, born, .. } = self;
        let parked = Parked { connection, commits, born, parked: Instant::now() };
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(parked);
    }

    /// Sends a statement without parameters as plain text: one round trip, never prepared.
    pub(crate) async fn plain(&mut self, sql: &'static str, within: Duration) -> Result<(), Failure> {
        match bounded(within, (&mut self.connection).execute(sql)).await {
            Ok(_) => {
                self.answered = true;
                Ok(())
            }
            Err(failure) => {
                self.remember(&failure);
                Err(failure)
            }
        }
    }

    pub(crate) async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64, SqlError> {
        self.still_open()?;
        let sql = AssertSqlSafe(sql.to_owned());
        let done = if args.is_empty() {
            bounded(STATEMENT_TIMEOUT, sqlx::raw_sql(sql).execute(&mut self.connection)).await
        } else {
            let args = codec::arguments(args)?;
            bounded(STATEMENT_TIMEOUT, sqlx::query_with(sql, args).execute(&mut self.connection)).await
        };
        match done {
            Ok(done) => {
                self.answered = true;
                Ok(done.rows_affected())
            }
            Err(failure) => Err(self.fail(failure)),
        }
    }

    pub(crate) async fn query(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.query_within(sql, args, STATEMENT_TIMEOUT).await
    }

    /// A query that may take as long as `within`.
    pub(crate) async fn query_within(
        &mut self,
        sql: &str,
        args: Vec<Value>,
        within: Duration,
    ) -> Result<Vec<Row>, SqlError> {
        self.still_open()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), codec::arguments(args)?);
        match bounded(within, query.fetch_all(&mut self.connection)).await {
            Ok(rows) => {
                self.answered = true;
                rows.iter().map(codec::decode_row).collect()
            }
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Runs DDL, which may take as long as `within`. Outside of any transaction: one that did not get its lock in time can be tried
    /// again on the same connection.
    pub(crate) async fn execute_within(&mut self, sql: &str, within: Duration) -> Result<(), SqlError> {
        let sql = AssertSqlSafe(sql.to_owned());
        match bounded(within, sqlx::raw_sql(sql).execute(&mut self.connection)).await {
            Ok(_) => Ok(()),
            Err(Failure { error, retry: true, lost: false, .. }) => Err(error),
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// A statement after a deadlock would run, and commit, outside the transaction that is gone.
    fn still_open(&self) -> Result<(), SqlError> {
        match &self.failure {
            None => Ok(()),
            Some(failure) => Err(failure.error()),
        }
    }

    fn fail(&mut self, mut failure: Failure) -> SqlError {
        // The first statement on a connection that was idle is where one that has died meanwhile is found out.
        if failure.is_dead_connection() && !self.fresh && !self.answered {
            self.pool.forget_idle();
            failure.retry = true;
        }
        self.answered |= !failure.lost;
        self.remember(&failure);
        failure.error
    }

    fn remember(&mut self, failure: &Failure) {
        if failure.lost || failure.retry {
            self.failure = Some(failure.repeat());
        }
    }
}

/// Bounds a statement. On expiry the connection counts as lost and is closed, so its half-read state is never met again.
async fn bounded<T>(within: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Failure> {
    match timeout(within, statement).await {
        Ok(result) => result.map_err(codec::failure),
        Err(_) => Err(Failure::timed_out(within)),
    }
}

#[cfg(test)]
mod tests {
    use super::most_reads;

    #[test]
    fn reads_leave_a_quarter_of_the_connections_and_one_at_least() {
        assert_eq!([2, 3, 4, 8, 9, 32].map(most_reads), [1, 2, 3, 6, 7, 24]);
    }
}
