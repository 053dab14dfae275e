//! Jobs that ended long ago are forgotten; what was ordered by them stays in journals and audit.

use crate::operations::Operations;
use crate::store::StoreError;
use crate::store::sql::store_error;
use baton_sql::database::Verdict;
use baton_sql::value::Value;
use saga_core::time::Micros;

impl Operations {
    /// One step: of the oldest job that ended before `before`, deletes at most `limit` failures, or, once there are none,
    /// the job. False if there is no such job. Any number of callers may do this at once; after a crash a job is there with
    /// fewer failures than it counts.
    pub async fn forget_job(&self, before: Micros, limit: u32) -> Result<bool, StoreError> {
        let forgotten = self.store.database().transaction(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT id FROM job WHERE open = 0 AND updated_at < ? ORDER BY id LIMIT 1{}",
                    tx.for_update()
                );
                let rows = tx.query(&sql, vec![before.0.into()]).await?;
                let Some(row) = rows.first() else { return Ok(Verdict::Rollback(false)) };
                let id: [u8; 16] = row.array(0)?;
                let sql = "SELECT number FROM job_failure WHERE job_id = ? ORDER BY number LIMIT ?";
                let rows = tx.query(sql, vec![id.into(), limit.into()]).await?;
                let numbers: Vec<Value> = rows.into_iter().filter_map(|row| row.0.into_iter().next()).collect();
                if numbers.is_empty() {
                    tx.execute("DELETE FROM job WHERE id = ?", vec![id.into()]).await?;
                } else {
                    tx.execute_in("DELETE FROM job_failure WHERE job_id = ? AND number", vec![id.into()], numbers)
                        .await?;
                }
                Ok(Verdict::Commit(true))
            })
        });
        forgotten.await.map_err(store_error)
    }
}
