//! A worker between a bus that obeys and a toy participant.

use super::NOW_US;
use super::bus::ObedientBus;
use super::toy::Toy;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::codec::key_to_wire;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::Command;
use baton_participant_kit::worker::{Worker, WorkerOptions};
use baton_proto::baton::participant::v1 as wire;
use baton_sql::database::{Database, DatabaseConfig};
use bytes::Bytes;
use prost::Message as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A worker with nothing to do yet.
pub struct Bench {
    pub toy: Arc<Toy>,
    pub bus: ObedientBus,
    pub database: Database,
    pub worker: Arc<Worker>,
    pub stop: CancellationToken,
}

impl Bench {
    /// With the default bounds.
    pub async fn new() -> Self {
        Self::with(WorkerOptions::default()).await
    }

    pub async fn with(options: WorkerOptions) -> Self {
        let toy = Arc::new(Toy::default());
        let database = Database::open(DatabaseConfig::SqliteMemory).await.unwrap();
        database.migrate(&ledger::migrations(toy.as_ref())).await.unwrap();
        let bus = ObedientBus::default();
        let worker = Worker::new(
            Arc::clone(&toy),
            database.clone(),
            Arc::new(bus.clone()),
            Clock::from_fn(|| NOW_US),
            ParticipantMetrics::default(),
            options,
        );
        Self { toy, bus, database, worker: Arc::new(worker), stop: CancellationToken::new() }
    }

    /// One look at the queue, and all that follows from it.
    pub async fn step(&self) {
        let mut consumer = self.bus.clone();
        assert!(self.worker.run_once(&mut consumer, &self.stop).await.unwrap());
        self.worker.settled().await;
    }
}

/// A command as it is on the wire.
pub fn encode(command: &Command) -> Bytes {
    let wire = wire::Command {
        key: Some(key_to_wire(command.key)),
        attempt: command.attempt,
        name: command.name.clone(),
        payload: command.payload.clone(),
        deadline_us: command.deadline_us,
        traceparent: command.traceparent.clone(),
        effect_before_saga: command.effect_before_saga,
        definition: "toy/1".to_owned(),
    };
    wire.encode_to_vec().into()
}
