//! Figures about sagas and messages from SQL.

use crate::gauges::{Gauges, Group, MOST};
use async_trait::async_trait;
use baton_engine::store::StateCode;
use baton_engine::store::{SagaStore as _, StoreError, wake_second};
use baton_sql::database::Dialect;
use baton_sql::error::SqlError;
use baton_sql::value::Row;
use baton_store::sql::{SqlStore, store_error};
use saga_core::saga::{DefinitionId, Direction, SagaId, StepIndex};
use std::time::Duration;

#[async_trait]
impl Gauges for SqlStore {
    async fn standing(&self) -> Result<(Vec<Group>, bool), StoreError> {
        let table = match self.database().dialect() {
            // Few rows of many, and two indexes know which.
            Dialect::MariaDb => "saga IGNORE INDEX (PRIMARY)",
            Dialect::Sqlite => "saga",
        };
        let sql = format!(
            "SELECT definition, definition_version, state, step, direction, COUNT(*), MIN(id) FROM \
             (SELECT id, definition, definition_version, state, step, direction FROM {table} \
              WHERE wake_second IS NOT NULL OR unusual IN (3, 4) LIMIT ?) AS unfinished \
             GROUP BY definition, definition_version, state, step, direction \
             ORDER BY definition, definition_version, state, step, direction"
        );
        let rows = self.database().query(&sql, vec![MOST.into()]).await.map_err(store_error)?;
        let groups: Vec<Group> = rows.iter().filter_map(|row| group(row).ok().flatten()).collect();
        let looked_at: u64 = groups.iter().map(|group| group.count).sum();
        Ok((groups, looked_at < u64::from(MOST)))
    }

    async fn overdue(&self) -> Result<Duration, StoreError> {
        let sql = "SELECT wake_second FROM saga WHERE wake_second IS NOT NULL ORDER BY wake_second LIMIT 1";
        let rows = self.database().query(sql, Vec::new()).await.map_err(store_error)?;
        let first = rows.first().map(|row| row.int(0)).transpose().map_err(store_error)?;
        let late = first.map_or(0, |second| wake_second(self.now()).saturating_sub(second));
        Ok(Duration::from_secs(u64::try_from(late).unwrap_or(0)))
    }

    async fn outbox(&self, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM outbox LIMIT ?) AS waiting";
        let rows = self.database().query(sql, vec![limit.into()]).await.map_err(store_error)?;
        let count = rows.first().map(|row| row.int(0)).transpose().map_err(store_error)?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }
}

fn group(row: &Row) -> Result<Option<Group>, SqlError> {
    let state = StateCode::from_stored(row.int(2)?);
    let direction = match row.int(4)? {
        0 => Some(Direction::Action),
        1 => Some(Direction::Undo),
        _ => None,
    };
    let version = u32::try_from(row.int(1)?).ok();
    let step = StepIndex::try_from(row.int(3)?).ok();
    let (Some(state), Some(direction), Some(version), Some(step)) = (state, direction, version, step) else {
        return Ok(None);
    };
    Ok(Some(Group {
        definition: DefinitionId { name: row.text(0)?.to_owned(), version },
        state,
        step,
        direction,
        count: u64::try_from(row.int(5)?).unwrap_or(0),
        example: row.array(6).map(SagaId)?,
    }))
}
