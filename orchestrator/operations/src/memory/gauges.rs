//! Figures about sagas and messages from memory.

use super::MemoryOperations;
use crate::OpsStore as _;
use crate::gauges::{Gauges, Group, MOST};
use async_trait::async_trait;
use baton_engine::store::StateCode;
use baton_engine::store::StoreError;
use baton_query::step_position::position;
use saga_core::saga::{Direction, Saga, SagaId, State};
use std::collections::BTreeMap;
use std::time::Duration;

#[async_trait]
impl Gauges for MemoryOperations {
    async fn standing(&self) -> Result<(Vec<Group>, bool), StoreError> {
        self.read(|_, sagas| {
            let standing = sagas.sagas.values().map(|record| &record.saga).filter(|saga| !saga.has_ended());
            let groups = grouped(standing.take(MOST as usize));
            let looked_at: u64 = groups.iter().map(|group| group.count).sum();
            (groups, looked_at < u64::from(MOST))
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

/// These by where they stand; an end is at step 0, as rows have it.
pub(super) fn grouped<'a>(sagas: impl Iterator<Item = &'a Saga>) -> Vec<Group> {
    let mut groups: BTreeMap<_, (u64, SagaId)> = BTreeMap::new();
    for saga in sagas {
        let end = if matches!(saga.state, State::Compensated { .. }) { Direction::Undo } else { Direction::Action };
        let (step, direction) = position(&saga.state).map_or((0, end), |(step, direction, _)| (step, direction));
        let place = (saga.definition.clone(), StateCode::of(&saga.state), step, direction);
        groups.entry(place).or_insert((0, saga.id)).0 += 1;
    }
    let group = |((definition, state, step, direction), (count, example))| Group {
        definition,
        state,
        step,
        direction,
        count,
        example,
    };
    groups.into_iter().map(group).collect()
}
