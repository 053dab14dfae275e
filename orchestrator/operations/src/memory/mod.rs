//! Operations in memory, beside a [`MemoryStore`] whose commits they share. For tests and the simulator.

mod audit;
pub mod defect;
mod gauges;
mod holds;
mod incidents;
mod instances;
mod jobs;
mod letters;

use crate::OpsStore;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::faults::{Faults, Point};
use baton_store::memory::MemoryStore;
use baton_store::memory::tables::Tables;
use baton_store::sql::store_error;
use defect::Defect;
use saga_core::time::Micros;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Operations that last as long as the process. Cheap to clone: clones share what is kept.
#[derive(Clone)]
pub struct MemoryOperations {
    store: Arc<MemoryStore>,
    tables: Arc<Mutex<OperationTables>>,
    faults: Option<Arc<dyn Faults>>,
    defect: Option<Defect>,
}

/// What is kept beside the sagas' tables, in which are the marks and the audit.
#[derive(Debug, Default)]
struct OperationTables {
    holds: holds::HoldRows,
    jobs: jobs::JobRows,
    letters: letters::LetterRows,
    incidents: incidents::IncidentRows,
    instances: instances::InstanceRows,
    samples: instances::SampleRows,
}

impl MemoryOperations {
    /// Operations over the sagas of this store.
    #[must_use]
    pub fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, tables: Arc::default(), faults: None, defect: None }
    }

    /// The sagas that they are beside.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// The same operations with faults around them, as [`baton_sql::database::Database::with_faults`] makes them.
    #[must_use]
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults), ..self.clone() }
    }

    /// The same operations with something wrong with them: what notices it can be shown to.
    #[must_use]
    pub fn with_defect(&self, defect: Option<Defect>) -> Self {
        Self { defect, ..self.clone() }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    async fn at(&self, point: Point) -> Result<(), StoreError> {
        match &self.faults {
            Some(faults) => faults.at(point).await.map_err(store_error),
            None => Ok(()),
        }
    }

    /// Looks at what is kept.
    async fn read<T>(&self, look: impl FnOnce(&OperationTables, &Tables) -> T + Send) -> Result<T, StoreError> {
        self.at(Point::Read).await?;
        Ok(look(&self.tables.lock().unwrap_or_else(PoisonError::into_inner), &self.store.tables()))
    }

    /// One transaction: nobody sees half of what `act` does, and where it refuses it has done nothing.
    async fn write<T>(&self, act: impl FnOnce(&mut OperationTables, &mut Tables) -> T + Send) -> Result<T, StoreError> {
        self.at(Point::Begin).await?;
        let done = act(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner), &mut self.store.tables());
        self.at(Point::Committed).await?;
        Ok(done)
    }
}

impl OpsStore for MemoryOperations {
    fn now(&self) -> Micros {
        self.store.now()
    }
}

impl fmt::Debug for MemoryOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOperations").finish_non_exhaustive()
    }
}
