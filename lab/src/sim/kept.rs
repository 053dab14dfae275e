//! Where a run's operations are kept, and who hears of stuck sagas.

use super::adversary::{Fate, Place};
use super::life::Life;
use super::life::at_first_poll;
use super::store::EffectFaults;
use super::world::World;
use async_trait::async_trait;
use baton_orchestrator::operations::memory::MemoryOperations;
use baton_orchestrator::operations::memory::defect::Defect;
use baton_orchestrator::operations::{Operations, OpsStore};
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::workers::incidents::Webhook;
use baton_sql::error::SqlError;
use baton_sql::value::Row;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The operations beside the sagas of a run.
#[derive(Clone, Debug)]
pub enum Kept {
    /// In the same database.
    Sql(Arc<SqlStore>),
    /// In memory, perhaps with something wrong about it.
    Memory(MemoryOperations, Option<Defect>),
}

impl Kept {
    /// What is kept, without faults and defects.
    #[must_use]
    pub fn plain(&self) -> Arc<dyn OpsStore> {
        match self {
            Self::Sql(store) => store.clone(),
            Self::Memory(operations, _) => Arc::new(operations.clone()),
        }
    }

    /// When sagas are to be looked at.
    pub fn looks(&self) -> Result<BTreeMap<SagaId, Micros>, String> {
        match self {
            Self::Sql(store) => {
                let sql = "SELECT id, look_at FROM saga WHERE look_at IS NOT NULL";
                let rows = at_first_poll(store.database().query(sql, Vec::new()))?;
                let look = |row: &Row| Ok((SagaId(row.array(0)?), Micros(row.int(1)?)));
                rows.iter().map(look).collect::<Result<_, SqlError>>().map_err(|error| error.to_string())
            }
            Self::Memory(operations, _) => Ok(operations.store().tables().looks.clone()),
        }
    }

    /// The operations as one incarnation of an orchestrator sees them.
    #[must_use]
    pub fn seen_by(&self, world: World, life: Arc<Life>) -> Operations {
        let faults = EffectFaults::of_operations(world, life);
        Operations::new(match self {
            Self::Sql(store) => Arc::new(store.with_faults(faults)),
            Self::Memory(operations, defect) => Arc::new(operations.with_defect(*defect).with_faults(faults)),
        })
    }
}

/// Hears of stuck sagas, mostly.
#[derive(Debug)]
pub struct SimWebhook {
    /// World.
    pub world: World,
    /// Who tells.
    pub life: Arc<Life>,
}

#[async_trait]
impl Webhook for SimWebhook {
    async fn tell(&self, id: &str, _at: i64, _body: Vec<u8>) -> Result<(), String> {
        let fate = self.world.place(&self.life, Place::Webhook, &[]).await;
        if fate != Fate::Unavailable {
            *self.world.lock().incidents.entry(id.to_owned()).or_default() += 1;
        }
        if fate == Fate::Go { Ok(()) } else { Err("simulated".to_owned()) }
    }
}
