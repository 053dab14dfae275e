//! Incidents in SQL.

use super::{count, update};
use crate::incidents::{Incident, IncidentStore, KEPT, LONGEST_PAUSE, MAX_ATTEMPTS, MAX_COUNT, MOST};
use async_trait::async_trait;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::{Dialect, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_store::sql::{SqlStore, store_error};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::time::Duration;

#[async_trait]
impl IncidentStore for SqlStore {
    async fn open_incidents(&self) -> Result<(), StoreError> {
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

    async fn untold_incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let sql = "SELECT incident.saga_id, incident.version, opened_at, attempts FROM incident \
            JOIN saga ON saga.id = incident.saga_id AND saga.version = incident.version AND saga.unusual = 3 \
            WHERE told_at IS NULL AND next_at NOT BETWEEN ? AND ? AND attempts < ? \
            ORDER BY next_at, incident.saga_id LIMIT ?";
        let now = self.now();
        let (later, ahead) = (Value::from(now.0 + 1), Value::from(now.plus(LONGEST_PAUSE).0));
        let args = vec![later, ahead, MAX_ATTEMPTS.into(), MOST.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn claim_incident(&self, incident: Incident, pause: Duration) -> Result<bool, StoreError> {
        let next = self.now().0.saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX));
        let sql = "UPDATE incident SET attempts = attempts + 1, next_at = ? \
            WHERE saga_id = ? AND version = ? AND attempts = ? AND told_at IS NULL";
        let args = vec![next.into(), incident.saga.0.into(), count(incident.version), incident.attempts.into()];
        update(self, sql, args).await.map(|changed| changed == 1)
    }

    async fn incident_told(&self, incident: Incident) -> Result<(), StoreError> {
        let sql = "UPDATE incident SET told_at = ? WHERE saga_id = ? AND version = ?";
        let args = vec![self.now().0.into(), incident.saga.0.into(), count(incident.version)];
        update(self, sql, args).await.map(|_| ())
    }

    async fn incidents(&self) -> Result<(u64, Option<Micros>), StoreError> {
        let sql = "SELECT COUNT(*), MIN(updated_at) FROM \
            (SELECT updated_at FROM saga WHERE unusual = 3 LIMIT ?) AS stuck";
        let rows = self.database().query(sql, vec![MAX_COUNT.into()]).await.map_err(store_error)?;
        let Some(row) = rows.first() else { return Ok((0, None)) };
        let count = row.int(0).map_err(store_error)?;
        let oldest = row.opt_int(1).map_err(store_error)?;
        Ok((u64::try_from(count).unwrap_or(0), oldest.map(Micros)))
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
