//! SQLite by rusqlite: one writer thread and a few readers per file; in memory everything runs inline.

mod codec;
mod connection;
mod migrate;
pub(crate) mod statements;

use crate::error::{SqlError, panicked};
use crate::tx::{Body, Line, Returned, Session, Tx, Verdict};
use crate::value::{Row, Value};
use connection::{open_memory, open_reader, open_writer};
use futures_util::FutureExt;
use rusqlite::Connection;
use statements::{query_plain, run_cached};
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait for the writer or the readers; beyond it callers wait to enqueue.
const QUEUE: usize = 1024;
/// Threads that serve reads outside transactions.
const READERS: usize = 2;

type Job = Box<dyn FnOnce(&mut Slot) + Send>;

thread_local! {
    /// Whether this thread runs a transaction's body now. A body is polled once, on one thread, so this is exact, where
    /// waiting to see whether the body blocks would depend on how fast a reader answers.
    static IN_BODY: Cell<bool> = const { Cell::new(false) };
}

/// A SQLite database. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Sqlite {
    /// In memory, on the caller's thread.
    Inline(Arc<Mutex<Slot>>),
    /// A file, on threads of its own.
    Threads { writer: mpsc::Sender<Job>, readers: mpsc::Sender<Job> },
}

/// A connection's home: empty only while a transaction has it, or after it could not be opened again.
pub(crate) struct Slot {
    connection: Option<Connection>,
    /// Where to open it again after an I/O error left it unusable; `None` in memory.
    reopen: Option<PathBuf>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline(_) => "SqliteMemory",
            Self::Threads { .. } => "SqliteFile",
        })
    }
}

impl Sqlite {
    pub(crate) fn open_memory() -> Result<Self, SqlError> {
        Ok(Self::Inline(Arc::new(Mutex::new(Slot { connection: Some(open_memory()?), reopen: None }))))
    }

    pub(crate) fn open_file(path: PathBuf) -> Result<Self, SqlError> {
        let connection = open_writer(&path)?;
        let (writer, jobs) = mpsc::channel(QUEUE);
        let slot = Slot { connection: Some(connection), reopen: Some(path.clone()) };
        serve("sqlite-writer", Arc::new(Mutex::new(jobs)), slot)?;
        let (readers, jobs) = mpsc::channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..READERS {
            let slot = Slot { connection: Some(open_reader(&path)?), reopen: None };
            serve("sqlite-reader", Arc::clone(&jobs), slot)?;
        }
        Ok(Self::Threads { writer, readers })
    }

    pub(crate) async fn transaction(&self, mut body: Body) -> Result<Returned, SqlError> {
        self.on_writer(move |slot| run_transaction(slot, &mut body)).await
    }

    pub(crate) async fn query(&self, sql: &str, args: Vec<Value>, line: Line) -> Result<Vec<Row>, SqlError> {
        let sql = sql.to_owned();
        let read = move |slot: &mut Slot| {
            let connection = slot.take()?;
            query_plain(slot.connection.insert(connection), &sql, &args)
        };
        match (self, line) {
            (Self::Inline(slot), _) => inline(slot, read),
            (Self::Threads { readers, .. }, Line::Reads) => submit(readers, read).await,
            (Self::Threads { writer, .. }, Line::Transactions) => submit(writer, read).await,
        }
    }

    /// Runs `work` where writes run. It runs to its end even if the returned future is dropped.
    pub(crate) async fn on_writer<R, W>(&self, work: W) -> Result<R, SqlError>
    where
        R: Send + 'static,
        W: FnOnce(&mut Slot) -> Result<R, SqlError> + Send + 'static,
    {
        match self {
            Self::Inline(slot) => inline(slot, work),
            Self::Threads { writer, .. } => submit(writer, work).await,
        }
    }
}

impl Slot {
    /// Takes the connection out, opening it again if an earlier failure left none.
    fn take(&mut self) -> Result<Connection, SqlError> {
        match (self.connection.take(), &self.reopen) {
            (Some(connection), _) => Ok(connection),
            (None, Some(path)) => open_writer(path),
            (None, None) => Err(SqlError::Unavailable("the in-memory database is gone".to_owned())),
        }
    }

    /// Runs `work` in a transaction of its own: for migrations, which need no retry and no future.
    pub(crate) fn in_transaction<R>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<R, SqlError>,
    ) -> Result<R, SqlError> {
        let connection = self.take()?;
        let result = begin(&connection).and_then(|()| work(&connection)).and_then(|value| {
            commit(&connection)?;
            Ok(value)
        });
        self.put_back(connection);
        result
    }

    /// Puts a connection back, rolled back if a transaction is still open; drops it if that fails.
    fn put_back(&mut self, connection: Connection) {
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "rollback failed");
        }
        // An in-memory database lives in its connection: dropping that would lose it.
        if connection.is_autocommit() || self.reopen.is_none() {
            self.connection = Some(connection);
        }
    }
}

/// A body that asked a database, its own above all, could wait for itself.
fn not_in_a_body() -> Result<(), SqlError> {
    if IN_BODY.get() {
        return Err(SqlError::Refused("a transaction body may only use its own transaction".to_owned()));
    }
    Ok(())
}

fn inline<R>(slot: &Mutex<Slot>, work: impl FnOnce(&mut Slot) -> Result<R, SqlError>) -> Result<R, SqlError> {
    not_in_a_body()?;
    work(&mut slot.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn submit<R, W>(queue: &mpsc::Sender<Job>, work: W) -> Result<R, SqlError>
where
    R: Send + 'static,
    W: FnOnce(&mut Slot) -> Result<R, SqlError> + Send + 'static,
{
    not_in_a_body()?;
    let (answer, answered) = oneshot::channel();
    let job: Job = Box::new(move |slot| {
        // Nobody listens if the caller went away; the work is done all the same.
        let _ = answer.send(work(slot));
    });
    let gone = || SqlError::Unavailable("the database is closed".to_owned());
    queue.send(job).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

fn serve(name: &str, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, mut slot: Slot) -> Result<(), SqlError> {
    let work = move || {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(job) = job else { return };
            // Bodies catch their own panics; this keeps the thread should anything else panic.
            if catch_unwind(AssertUnwindSafe(|| job(&mut slot))).is_err() {
                tracing::error!("a database job panicked");
            }
        }
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|error| SqlError::Unavailable(format!("cannot start a database thread: {error}")))
}

fn run_transaction(slot: &mut Slot, body: &mut Body) -> Result<Returned, SqlError> {
    let connection = slot.take()?;
    if let Err(error) = begin(&connection) {
        slot.put_back(connection);
        return Err(error);
    }
    let mut tx = Tx { session: connection.into() };
    // Every statement is done when it returns, so a body that only uses its transaction is ready at the first poll.
    IN_BODY.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut tx).now_or_never()));
    IN_BODY.set(false);
    let Session::Sqlite(connection) = tx.session else {
        return Err(SqlError::Refused("a transaction body replaced its transaction".to_owned()));
    };
    let result = match outcome {
        Ok(Some(Ok(Verdict::Commit(value)))) => commit(&connection).map(|()| value),
        Ok(Some(Ok(Verdict::Rollback(value)))) => Ok(value),
        Ok(Some(Err(error))) => Err(error),
        Ok(None) => Err(SqlError::Refused("a transaction body awaited something besides its transaction".to_owned())),
        Err(panic) => Err(panicked(panic.as_ref())),
    };
    slot.put_back(connection);
    result
}

fn begin(connection: &Connection) -> Result<(), SqlError> {
    run_cached(connection, "BEGIN IMMEDIATE")
}

fn commit(connection: &Connection) -> Result<(), SqlError> {
    if connection.is_autocommit() {
        // SQLite ends a transaction on its own when the disk is full or fails.
        return Err(SqlError::Unavailable("the database ended the transaction".to_owned()));
    }
    run_cached(connection, "COMMIT").map_err(|error| match error {
        // The WAL frames may have reached the disk although their fsync failed: a crash now may find them whole.
        SqlError::Unavailable(reason) => SqlError::UnknownOutcome(reason),
        other => other,
    })
}
