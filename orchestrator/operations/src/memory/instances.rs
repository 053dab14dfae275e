//! Orchestrators and their samples in memory.

use super::MemoryOperations;
use crate::OpsStore as _;
use crate::instances::{INSTANCES_KEPT, Instance, InstanceStore, MOST, Own, REPLACED, SAMPLES_KEPT, Sample};
use async_trait::async_trait;
use baton_engine::store::StoreError;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Orchestrators by id.
pub(super) type InstanceRows = BTreeMap<Uuid, InstanceRow>;

/// Samples by time and orchestrator.
pub(super) type SampleRows = BTreeMap<(Micros, Uuid), Sample>;

#[derive(Debug)]
pub(super) struct InstanceRow {
    seen_at: Micros,
    version: &'static str,
    address: String,
}

#[async_trait]
impl InstanceStore for MemoryOperations {
    async fn beat(&self, beating: &Own, sample: Sample) -> Result<(), StoreError> {
        let now = self.now();
        self.write(|own, _| {
            let address = beating.kept_address();
            let row = InstanceRow { seen_at: now, version: beating.version, address: address.to_owned() };
            own.instances.entry(beating.id).or_insert(row).seen_at = now;
            own.instances.retain(|id, row| {
                let silent = now.since(row.seen_at);
                let is_replaced = row.address == address && !address.is_empty() && *id != beating.id;
                silent <= INSTANCES_KEPT && !(is_replaced && silent > REPLACED)
            });
            own.samples.entry((sample.at, beating.id)).or_insert(sample);
            own.samples.retain(|(at, _), _| now.since(*at) <= SAMPLES_KEPT);
        })
        .await
    }

    async fn leave(&self, id: Uuid) -> Result<(), StoreError> {
        self.write(|own, _| {
            own.instances.remove(&id);
        })
        .await
    }

    async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        self.read(|own, _| {
            let instance = |(id, row): (&Uuid, &InstanceRow)| Instance {
                id: *id,
                seen_at: row.seen_at,
                version: row.version.to_owned(),
            };
            own.instances.iter().map(instance).take(MOST as usize).collect()
        })
        .await
    }

    async fn samples(&self) -> Result<Vec<Sample>, StoreError> {
        let now = self.now();
        self.read(|own, _| {
            let fresh = own.samples.values().filter(|sample| now.since(sample.at) <= SAMPLES_KEPT);
            fresh.take(MOST as usize).copied().collect()
        })
        .await
    }
}
