//! Whether the server takes writes now, and keeps what it confirms.

use super::pool::Commits;
use super::{MariaDb, leased};
use crate::error::SqlError;
use crate::tx::Line;
use crate::variable::is_on;

/// As text, since versions differ in whether they answer by number or by word.
const SETTINGS: &str = "SELECT CAST(@@global.read_only AS CHAR), \
    CAST(@@global.innodb_flush_log_at_trx_commit AS CHAR), CAST(@@global.log_bin AS CHAR), @@global.binlog_format";

/// The table that every schema of ours has.
const OURS: &str = "baton_migration";

impl MariaDb {
    /// Ok if the server is set to keep what it confirms, and a write to `table` would be taken. Changes nothing.
    pub(crate) async fn ready(&self, table: &str) -> Result<(), SqlError> {
        let rows = self.query(SETTINGS, Vec::new(), Line::Transactions).await?;
        let row = rows.first().ok_or_else(|| SqlError::decode(0, "text", None))?;
        if is_on(row.text(0)?) == Some(true) {
            return Err(SqlError::Unavailable("the database is read-only".to_owned()));
        }
        let flush = row.text(1)?;
        if flush != "1" {
            let why =
                format!("innodb_flush_log_at_trx_commit is {flush}: commits could be lost in a crash; set it to 1");
            return Err(SqlError::Unavailable(why));
        }
        if is_on(row.text(2)?) == Some(true) && row.text(3)? == "STATEMENT" {
            let why = "binlog_format is STATEMENT, with which READ COMMITTED may not write; set it to ROW or MIXED";
            return Err(SqlError::Unavailable(why.to_owned()));
        }
        self.writes(table).await
    }

    /// What to call an error that says a statement is wrong. Statements are constants: if the server does not take even the simplest
    /// write, the fault is its own, whatever number its version has for it.
    pub(crate) async fn judged(&self, refused: String) -> SqlError {
        // On a connection of its own: settings are taken over by new ones only.
        self.pool.forget_idle();
        match self.writes(OURS).await {
            Err(error) if !is_missing_table(&error) => {
                let (refused, error) = (refused.trim_end(), super::codec::reason(&error));
                SqlError::Unavailable(if refused == error {
                    error
                } else {
                    format!("{refused}; no other write is taken: {error}")
                })
            }
            Ok(()) | Err(_) => SqlError::Refused(refused),
        }
    }

    /// A write that meets the table, its locks, its engine and the binary log, and finds no row.
    async fn writes(&self, table: &str) -> Result<(), SqlError> {
        let mut lease = leased(&self.pool, Commits::Each).await?;
        lease.execute(&format!("DELETE FROM {table} WHERE 1 = 0"), Vec::new()).await?;
        lease.give_back();
        Ok(())
    }
}

fn is_missing_table(error: &SqlError) -> bool {
    matches!(error, SqlError::Unavailable(why) if why.contains("(42S02)"))
}
