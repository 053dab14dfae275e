//! An open transaction: what its body can do with it.

use crate::error::SqlError;
use crate::mariadb::pool::Lease;
use crate::sqlite::statements::{self, Connection};
use crate::statement;
use crate::value::{Row, Value};
use futures_util::future::{BoxFuture, ready};
use std::any::Any;
use std::fmt;

/// Which SQL dialect the other end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB 10.6 or newer.
    MariaDb,
    /// SQLite 3.
    Sqlite,
}

/// How a transaction body ends.
#[derive(Debug)]
pub enum Verdict<T> {
    /// Commit and return this.
    Commit(T),
    /// Roll back and return this.
    Rollback(T),
}

/// Whom a read waits behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Other reads; a part of the connections is kept from all of them.
    Reads,
    /// Transactions only.
    Transactions,
}

/// What a body returns, of whatever type.
pub(crate) type Returned = Box<dyn Any + Send>;

/// A body whose type is forgotten: what a driver does with one is compiled once and not for each of them.
pub(crate) type Body = Box<dyn for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Verdict<Returned>, SqlError>> + Send>;

/// An open transaction. Ends with the body it was handed to.
#[derive(Debug)]
pub struct Tx {
    pub(crate) session: Session,
}

/// The connection a transaction runs on.
pub(crate) enum Session {
    MariaDb(Lease),
    Sqlite(Connection),
}

impl From<Lease> for Session {
    fn from(lease: Lease) -> Self {
        Self::MariaDb(lease)
    }
}

impl From<Connection> for Session {
    fn from(connection: Connection) -> Self {
        Self::Sqlite(connection)
    }
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
    pub fn execute<'a>(&'a mut self, sql: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<u64, SqlError>> {
        match &mut self.session {
            Session::MariaDb(lease) => Box::pin(lease.execute(sql, args)),
            Session::Sqlite(connection) => Box::pin(ready(statements::execute(connection, sql, &args))),
        }
    }

    /// Runs a query.
    pub fn query<'a>(&'a mut self, sql: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, SqlError>> {
        match &mut self.session {
            Session::MariaDb(lease) => Box::pin(lease.query(sql, args)),
            Session::Sqlite(connection) => Box::pin(ready(statements::query(connection, sql, &args))),
        }
    }

    /// Inserts `rows`, each as long as `columns`, in as few multi-row statements as the bounds of [`statement`] allow.
    pub async fn insert_many(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        self.insert_by("INSERT INTO", table, columns, rows).await
    }

    /// The same without rows whose key is there already; returns how many were not. Values must fit their columns: MariaDB cuts
    /// here what it refuses otherwise.
    pub async fn insert_missing(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, SqlError> {
        let verb = match self.dialect() {
            Dialect::MariaDb => "INSERT IGNORE INTO",
            Dialect::Sqlite => "INSERT OR IGNORE INTO",
        };
        self.insert_by(verb, table, columns, rows).await
    }

    async fn insert_by(
        &mut self,
        verb: &str,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, SqlError> {
        if let Some(row) = rows.iter().find(|row| row.len() != columns.len()) {
            let wanted = columns.len();
            return Err(SqlError::Refused(format!("{table}: a row of {} values for {wanted} columns", row.len())));
        }
        let mut inserted = 0;
        for chunk in statement::chunks(rows, columns.len()) {
            let sql = statement::insert_by(verb, table, columns, chunk.len());
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
