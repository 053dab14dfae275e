//! Orchestrators and their samples in SQL.

use crate::instances::{INSTANCES_KEPT, Instance, InstanceStore, MOST, Own, REPLACED, SAMPLES_KEPT, Sample};
use async_trait::async_trait;
use baton_engine::stats::Beat;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::{Dialect, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_store::sql::{SqlStore, store_error};
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl InstanceStore for SqlStore {
    async fn beat(&self, own: &Own, sample: Sample) -> Result<(), StoreError> {
        let now = self.now();
        let own = own.clone();
        let done = self.database().transaction(move |tx| {
            let own = own.clone();
            Box::pin(async move {
                let id = Value::from(own.id.into_bytes());
                let upsert = match tx.dialect() {
                    Dialect::MariaDb => {
                        "INSERT INTO instance (id, seen_at, version, address) VALUES (?, ?, ?, ?) \
                         ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)"
                    }
                    Dialect::Sqlite => {
                        "INSERT INTO instance (id, seen_at, version, address) VALUES (?, ?, ?, ?) \
                         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at"
                    }
                };
                let address = own.kept_address();
                let row = vec![id.clone(), now.0.into(), own.version.into(), address.into()];
                tx.execute(upsert, row).await?;
                let (old, silent) = (before(now, INSTANCES_KEPT), before(now, REPLACED));
                // Read first, without a lock: a deletion that has to look would wait for everybody else who beats.
                let sql = "SELECT id FROM instance WHERE seen_at < ? \
                    OR (address = ? AND address <> '' AND id <> ? AND seen_at < ?) ORDER BY id";
                let args = vec![old.into(), address.into(), id.clone(), silent.into()];
                for row in tx.query(sql, args).await? {
                    let gone = Value::from(row.array::<16>(0)?);
                    let delete = "DELETE FROM instance WHERE id = ? AND seen_at < ?";
                    tx.execute(delete, vec![gone, silent.into()]).await?;
                }
                let add = match tx.dialect() {
                    Dialect::MariaDb => "INSERT IGNORE INTO sample",
                    Dialect::Sqlite => "INSERT OR IGNORE INTO sample",
                };
                let Sample { at, beat, under_way } = sample;
                let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                let values = [number(beat.started), number(beat.ended), micros(beat.p50), micros(beat.p99)];
                let values = values.into_iter().chain([number(under_way), number(beat.stuck)]).map(Value::from);
                let sql = format!(
                    "{add} (at, instance, started, ended, p50_us, p99_us, under_way, stuck) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                );
                tx.execute(&sql, [at.0.into(), id].into_iter().chain(values).collect()).await?;
                let gone = before(now, SAMPLES_KEPT);
                tx.execute("DELETE FROM sample WHERE at < ?", vec![gone.into()]).await?;
                Ok(Verdict::Commit(()))
            })
        });
        done.await.map_err(store_error)
    }

    async fn leave(&self, id: Uuid) -> Result<(), StoreError> {
        let done = self.database().transaction(move |tx| {
            Box::pin(async move {
                tx.execute("DELETE FROM instance WHERE id = ?", vec![id.into_bytes().into()]).await?;
                Ok(Verdict::Commit(()))
            })
        });
        done.await.map_err(store_error)
    }

    async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let sql = "SELECT id, seen_at, version FROM instance ORDER BY id LIMIT ?";
        let rows = self.database().query(sql, vec![MOST.into()]).await.map_err(store_error)?;
        rows.iter().map(instance).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn samples(&self) -> Result<Vec<Sample>, StoreError> {
        let sql = "SELECT at, started, ended, p50_us, p99_us, under_way, stuck \
                   FROM sample WHERE at >= ? ORDER BY at LIMIT ?";
        let args = vec![before(self.now(), SAMPLES_KEPT).into(), MOST.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(sample).collect::<Result<_, _>>().map_err(store_error)
    }
}

fn before(now: Micros, span: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn instance(row: &Row) -> Result<Instance, SqlError> {
    Ok(Instance { id: Uuid::from_bytes(row.array(0)?), seen_at: Micros(row.int(1)?), version: row.text(2)?.to_owned() })
}

fn sample(row: &Row) -> Result<Sample, SqlError> {
    let count = |index| row.int(index).map(|count| u64::try_from(count).unwrap_or(0));
    let (p50, p99) = (Duration::from_micros(count(3)?), Duration::from_micros(count(4)?));
    let beat = Beat { started: count(1)?, ended: count(2)?, stuck: count(6)?, p50, p99 };
    Ok(Sample { at: Micros(row.int(0)?), beat, under_way: count(5)? })
}
