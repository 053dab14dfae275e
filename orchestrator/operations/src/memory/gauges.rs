//! Figures about sagas and messages from memory.

use super::MemoryOperations;
use crate::OpsStore as _;
use crate::gauges::{Gauges, Group, MOST};
use async_trait::async_trait;
use baton_engine::store::StateCode;
use baton_engine::store::StoreError;
use baton_query::step_position::position;
use saga_core::saga::SagaId;
use std::collections::BTreeMap;
use std::time::Duration;

#[async_trait]
impl Gauges for MemoryOperations {
    async fn standing(&self) -> Result<(Vec<Group>, bool), StoreError> {
        self.read(|_, sagas| {
            let mut groups: BTreeMap<_, (u64, SagaId)> = BTreeMap::new();
            let standing = sagas.sagas.values().filter(|record| !record.saga.has_ended()).take(MOST as usize);
            let mut looked_at = 0;
            for saga in standing.map(|record| &record.saga) {
                let Some((step, direction, _)) = position(&saga.state) else { continue };
                let place = (saga.definition.clone(), StateCode::of(&saga.state), step, direction);
                groups.entry(place).or_insert((0, saga.id)).0 += 1;
                looked_at += 1;
            }
            let groups = groups.into_iter().map(|((definition, state, step, direction), (count, example))| Group {
                definition,
                state,
                step,
                direction,
                count,
                example,
            });
            (groups.collect(), looked_at < MOST)
        })
        .await
    }

    async fn overdue(&self) -> Result<Duration, StoreError> {
        let now = self.now();
        self.read(|_, sagas| {
            let first = sagas.sagas.values().filter_map(|record| record.saga.wake_at()).min();
            first.map_or(Duration::ZERO, |first| now.since(first))
        })
        .await
    }
}
