//! Figures about sagas and messages from SQL.

use crate::gauges::{Gauges, Group, MOST};
use async_trait::async_trait;
use baton_engine::store::StateCode;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::Dialect;
use baton_sql::error::SqlError;
use baton_sql::value::Row;
use baton_store::sql::{SqlStore, store_error};
use saga_core::saga::{DefinitionId, Direction, SagaId, StepIndex};
use saga_core::time::Micros;
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
              WHERE look_at IS NOT NULL OR unusual IN (3, 4) LIMIT ?) AS unfinished \
             GROUP BY definition, definition_version, state, step, direction \
             ORDER BY definition, definition_version, state, step, direction"
        );
        let rows = self.database().query(&sql, vec![MOST.into()]).await.map_err(store_error)?;
        let groups: Vec<Group> = rows.iter().filter_map(|row| group(row).ok().flatten()).collect();
        let looked_at: u64 = groups.iter().map(|group| group.count).sum();
        Ok((groups, looked_at < u64::from(MOST)))
    }

    async fn overdue(&self) -> Result<Duration, StoreError> {
        let sql = "SELECT MIN(wake_at) FROM saga WHERE look_at IS NOT NULL";
        let rows = self.database().query(sql, Vec::new()).await.map_err(store_error)?;
        let first = rows.first().map(|row| row.opt_int(0)).transpose().map_err(store_error)?.flatten();
        Ok(first.map_or(Duration::ZERO, |first| self.now().since(Micros(first))))
    }
}

pub(super) fn group(row: &Row) -> Result<Option<Group>, SqlError> {
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
