//! Incidents in memory.

use super::{MemoryOperations, Tables};
use crate::OpsStore as _;
use crate::incidents::{Incident, IncidentStore, KEPT, LONGEST_PAUSE, MAX_ATTEMPTS, MAX_COUNT, MOST};
use async_trait::async_trait;
use baton_engine::store::StoreError;
use saga_core::saga::{Saga, SagaId, State};
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::time::Duration;

/// Incidents by saga and version.
pub(super) type IncidentRows = BTreeMap<(SagaId, u64), IncidentRow>;

#[derive(Debug)]
pub(super) struct IncidentRow {
    opened_at: Micros,
    told: bool,
    attempts: i64,
    next_at: Micros,
}

fn stuck(sagas: &Tables) -> impl Iterator<Item = &Saga> {
    let sagas = sagas.sagas.values().map(|record| &record.saga);
    sagas.filter(|saga| matches!(saga.state, State::Stuck { .. }))
}

fn is_open(sagas: &Tables, (saga, version): &(SagaId, u64)) -> bool {
    let saga = sagas.sagas.get(saga).map(|record| &record.saga);
    saga.is_some_and(|saga| saga.version == *version && matches!(saga.state, State::Stuck { .. }))
}

#[async_trait]
impl IncidentStore for MemoryOperations {
    async fn open_incidents(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.write(|own, sagas| {
            let keyed = stuck(sagas).map(|saga| ((saga.id, saga.version), saga.updated_at));
            let fresh = keyed.filter(|(key, _)| !own.incidents.contains_key(key));
            let fresh: Vec<_> = fresh.take(MOST as usize).collect();
            for (key, opened_at) in fresh {
                own.incidents.insert(key, IncidentRow { opened_at, told: false, attempts: 0, next_at: now });
            }
            own.incidents.retain(|key, row| now.since(row.opened_at) <= KEPT || is_open(sagas, key));
        })
        .await
    }

    async fn untold_incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let now = self.now();
        self.read(|own, sagas| {
            let due = own.incidents.iter().filter(|(key, row)| {
                !row.told
                    && (row.next_at <= now || row.next_at > now.plus(LONGEST_PAUSE))
                    && row.attempts < MAX_ATTEMPTS
                    && is_open(sagas, key)
            });
            let mut due: Vec<(Micros, Incident)> = due
                .map(|((saga, version), row)| {
                    let IncidentRow { opened_at, attempts, next_at, .. } = *row;
                    (next_at, Incident { saga: *saga, version: *version, opened_at, attempts })
                })
                .collect();
            due.sort_by_key(|(next_at, incident)| (*next_at, incident.saga));
            due.into_iter().map(|(_, incident)| incident).take(MOST as usize).collect()
        })
        .await
    }

    async fn claim_incident(&self, incident: Incident, pause: Duration) -> Result<bool, StoreError> {
        let next_at = self.now().plus(pause);
        self.write(|own, _| {
            let row = own.incidents.get_mut(&(incident.saga, incident.version));
            let Some(row) = row.filter(|row| row.attempts == incident.attempts && !row.told) else { return false };
            (row.attempts, row.next_at) = (row.attempts + 1, next_at);
            true
        })
        .await
    }

    async fn incident_told(&self, incident: Incident) -> Result<(), StoreError> {
        self.write(|own, _| {
            let row = own.incidents.get_mut(&(incident.saga, incident.version));
            row.into_iter().for_each(|row| row.told = true);
        })
        .await
    }

    async fn incidents(&self) -> Result<(u64, Option<Micros>), StoreError> {
        self.read(|_, sagas| {
            let since: Vec<Micros> = stuck(sagas).take(MAX_COUNT as usize).map(|saga| saga.updated_at).collect();
            (since.len() as u64, since.into_iter().min())
        })
        .await
    }
}
