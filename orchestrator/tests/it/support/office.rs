//! The services as operators ask them, over each database, with an engine at work behind them.

use super::{Bench, Clock, FaultyStore, RecordingBus};
use baton_orchestrator::api::Api;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::workers::probe::NoProbe;
use baton_sql::database::DatabaseConfig;
use saga_core::event::{Event, JournalRecord, Verb};
use saga_core::saga::SagaId;
use std::sync::Arc;
use tonic::Status;
use tonic_types::StatusExt as _;

/// One of them. What a file's tests do with it stands in the file.
#[derive(Clone)]
pub struct Office {
    pub api: Api,
    pub operations: Operations,
    pub store: Arc<FaultyStore>,
    pub sql: Arc<SqlStore>,
    pub bus: Arc<RecordingBus>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
}

impl Office {
    /// What operators did to a saga: verb, actor, reason.
    pub async fn actions(&self, saga: SagaId) -> Vec<(Verb, String, String)> {
        let journal = self.store.journal(saga, 0, 100).await.expect("a journal");
        let action = |record| match record {
            JournalRecord::Moved(Event::Action(action)) => Some((action.verb, action.actor, action.reason)),
            _ => None,
        };
        journal.into_iter().filter_map(|entry| action(entry.record)).collect()
    }

    pub async fn over(config: DatabaseConfig) -> Self {
        let bench = Bench::over(config).await;
        let office = Self {
            api: bench.api(Arc::new(NoProbe)),
            operations: bench.operations.clone().expect("operations"),
            store: bench.store.clone(),
            sql: bench.sql.clone().expect("a database"),
            bus: bench.bus.clone(),
            clock: bench.clock.clone(),
            metrics: bench.metrics.clone(),
        };
        tokio::spawn(bench.engine.run());
        office
    }
}

pub async fn both() -> [Office; 2] {
    [Office::over(DatabaseConfig::SqliteMemory).await, Office::over(mariadb().await).await]
}

/// A schema of its own in the private server that tests share.
pub async fn mariadb() -> DatabaseConfig {
    let server = baton_supervisor::shared::mariadb().await;
    DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server))
}

/// What a program would branch on.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}
