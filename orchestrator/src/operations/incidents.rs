//! Incidents: sagas that are stuck, and whether somebody was told; and how late sagas are that nobody wakes.

use super::Operations;
use crate::store::sql::store_error;
use crate::store::{StoreError, wake_second};
use baton_sql::database::{Dialect, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Row;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::time::Duration;

/// Incidents that one look opens, and tells, at most.
pub const MOST: u32 = 100;

/// How often one is told before it is given up.
pub const MAX_ATTEMPTS: i64 = 20;

/// How far stuck sagas are counted.
const MAX_COUNT: u32 = 10_000;

/// How long a row is kept after its saga has moved on.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A stuck saga of which nobody was told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The saga.
    pub saga: SagaId,
    /// Its version since it is stuck.
    pub version: u64,
    /// Since when.
    pub opened_at: Micros,
    /// How often telling was tried.
    pub attempts: i64,
}

impl Operations {
    /// Writes down those that are stuck and not written down yet, and forgets those that are not stuck any more for a day.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn open_incidents(&self) -> Result<(), StoreError> {
        let now = self.now();
        let done = self.database().transaction(move |tx| {
            Box::pin(async move {
                let insert = match tx.dialect() {
                    Dialect::MariaDb => "INSERT IGNORE",
                    Dialect::Sqlite => "INSERT OR IGNORE",
                };
                let sql = format!(
                    "{insert} INTO incident (saga_id, version, opened_at, told_at, attempts, next_at) \
                     SELECT id, version, updated_at, NULL, 0, ? FROM saga WHERE unusual = 3 AND NOT EXISTS \
                     (SELECT 1 FROM incident WHERE incident.saga_id = saga.id AND incident.version = saga.version) \
                     LIMIT {MOST}"
                );
                tx.execute(&sql, vec![now.0.into()]).await?;
                let old = now.0.saturating_sub(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX));
                let forget = "DELETE FROM incident WHERE opened_at < ? AND NOT EXISTS (SELECT 1 FROM saga WHERE \
                    saga.id = incident.saga_id AND saga.version = incident.version AND saga.unusual = 3)";
                tx.execute(forget, vec![old.into()]).await?;
                Ok(Verdict::Commit(()))
            })
        });
        done.await.map_err(store_error)
    }

    /// How late the saga is that should have acted first and has not; zero if all are on time. By the index on the second
    /// alone, and as exact as that.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn overdue(&self) -> Result<Duration, StoreError> {
        let sql = "SELECT wake_second FROM saga WHERE wake_second IS NOT NULL ORDER BY wake_second LIMIT 1";
        let rows = self.database().query(sql, Vec::new()).await.map_err(store_error)?;
        let first = rows.first().map(|row| row.int(0)).transpose().map_err(store_error)?;
        let late = first.map_or(0, |second| wake_second(self.now()).saturating_sub(second));
        Ok(Duration::from_secs(u64::try_from(late).unwrap_or(0)))
    }

    /// Those that are still stuck and whose time to be told has come.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn untold_incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let sql = "SELECT incident.saga_id, incident.version, opened_at, attempts FROM incident \
            JOIN saga ON saga.id = incident.saga_id AND saga.version = incident.version AND saga.unusual = 3 \
            WHERE told_at IS NULL AND next_at <= ? AND attempts < ? ORDER BY next_at, incident.saga_id LIMIT ?";
        let args = vec![self.now().0.into(), MAX_ATTEMPTS.into(), MOST.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)
    }

    /// Takes one to tell it, so that no other orchestrator does meanwhile; it comes up again after `pause` unless it is told
    /// by then. False if another took it first.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn claim_incident(&self, incident: Incident, pause: Duration) -> Result<bool, StoreError> {
        let next = self.now().0.saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX));
        let sql = "UPDATE incident SET attempts = attempts + 1, next_at = ? \
            WHERE saga_id = ? AND version = ? AND attempts = ? AND told_at IS NULL";
        self.change(
            sql,
            vec![
                next.into(),
                incident.saga.0.into(),
                i64::try_from(incident.version).unwrap_or(i64::MAX).into(),
                incident.attempts.into(),
            ],
        )
        .await
        .map(|changed| changed == 1)
    }

    /// Notes that somebody was told. A crash before this tells them once more, under the same id.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn incident_told(&self, incident: Incident) -> Result<(), StoreError> {
        let sql = "UPDATE incident SET told_at = ? WHERE saga_id = ? AND version = ?";
        let version = i64::try_from(incident.version).unwrap_or(i64::MAX);
        self.change(sql, vec![self.now().0.into(), incident.saga.0.into(), version.into()]).await.map(|_| ())
    }

    /// How many sagas are stuck, counted to a bound, and since when the one that has been for longest.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn incidents(&self) -> Result<(u64, Option<Micros>), StoreError> {
        let sql = "SELECT COUNT(*), MIN(updated_at) FROM \
            (SELECT updated_at FROM saga WHERE unusual = 3 LIMIT ?) AS stuck";
        let rows = self.database().query(sql, vec![MAX_COUNT.into()]).await.map_err(store_error)?;
        let Some(row) = rows.first() else { return Ok((0, None)) };
        let count = row.int(0).map_err(store_error)?;
        let oldest = row.opt_int(1).map_err(store_error)?;
        Ok((u64::try_from(count).unwrap_or(0), oldest.map(Micros)))
    }

    async fn change(&self, sql: &'static str, args: Vec<baton_sql::value::Value>) -> Result<u64, StoreError> {
        let done = self.database().transaction(move |tx| {
            let args = args.clone();
            Box::pin(async move { tx.execute(sql, args).await.map(Verdict::Commit) })
        });
        done.await.map_err(store_error)
    }
}

fn decode(row: &Row) -> Result<Incident, SqlError> {
    Ok(Incident {
        saga: row.array(0).map(SagaId)?,
        version: u64::try_from(row.int(1)?).unwrap_or(0),
        opened_at: Micros(row.int(2)?),
        attempts: row.int(3)?,
    })
}
