//! Where sagas stand that have not ended, in groups.

use super::Operations;
use crate::store::StoreError;
use crate::store::row::StateCode;
use crate::store::sql::store_error;
use baton_sql::database::Dialect;
use baton_sql::error::SqlError;
use baton_sql::value::Row;
use saga_core::saga::{DefinitionId, Direction, SagaId, StepIndex};

/// Sagas that are looked at, at most: many times what admission lets in.
const MOST: u32 = 100_000;

/// Sagas at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The definition they are pinned to.
    pub definition: DefinitionId,
    /// Their state: none that has ended.
    pub state: StateCode,
    /// The step they are at.
    pub step: StepIndex,
    /// The half of it.
    pub direction: Direction,
    /// How many.
    pub count: u64,
    /// One of them.
    pub example: SagaId,
}

impl Operations {
    /// All groups, and whether every saga was looked at. Groups whose rows do not decode are left out: lists name them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn standing(&self) -> Result<(Vec<Group>, bool), StoreError> {
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
}

fn group(row: &Row) -> Result<Option<Group>, SqlError> {
    let state = StateCode::from_stored(row.int(2)?).ok();
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
