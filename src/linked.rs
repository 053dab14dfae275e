//! What is linked into this binary beside the engine: participants, sagas, and services over sagas. One line adds one.

use crate::config::{Config, StoreConfig};
use crate::failure::Failure;
use crate::shop::config::ShopConfig;
use crate::shop::participants::{ShopMetrics, order, payment, stock};
use crate::wiring::Made;
use crate::wiring::ORCHESTRATOR_SERVICES;
use baton_console::http::table::Table;
use baton_orchestrator::api::client::SagaClient;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::migrations::MIGRATIONS;
use baton_orchestrator::wiring::Orchestrator;
use baton_rpc::descriptors::Descriptors;
use baton_shop::descriptors::descriptors;
use baton_shop::placement::Placement;
use baton_shop::saga::OrderSaga;
use baton_sql::database::Database;
use baton_sql::migration::Migration;
use std::fmt;
use std::sync::Arc;
use tonic::service::Routes;

/// Makes a participant over its database; what it counts of its own is shared by all its lives in this process.
type Make = fn(Database, &ShopConfig, &ShopMetrics) -> Result<Made, Failure>;

/// Every participant that this binary can run: its name in definitions and in the configuration, and how it is made.
const PARTICIPANTS: [(&str, Make); 3] = [("order", order), ("payment", payment), ("stock", stock)];

/// The service whose schema is the orchestrator's.
pub const ORCHESTRATOR: &str = "orchestrator";

/// Names of the participants.
pub fn names() -> impl Iterator<Item = &'static str> {
    PARTICIPANTS.into_iter().map(|(name, _)| name)
}

/// What is linked in, with the settings it was given.
#[derive(Clone, Debug)]
pub struct Linked {
    /// Participants, in the order in which they are started where they are started together.
    pub participants: Vec<LinkedParticipant>,
    /// Sagas.
    pub sagas: Registry,
    /// Services of one's own over them, which the orchestrator serves.
    pub services: Vec<LinkedService>,
    /// The messages and services of all of them.
    pub descriptors: Descriptors,
}

/// A gRPC service over sagas.
#[derive(Clone, Copy, Debug)]
pub struct LinkedService {
    /// Its full name.
    pub name: &'static str,
    /// Adds it to the orchestrator's services.
    pub add: fn(Routes, SagaClient) -> Routes,
}

/// Placing orders.
const PLACEMENT: LinkedService = LinkedService {
    name: "shop.order.v1.OrderPlacementService",
    add: |routes, sagas| routes.add_service(Placement::service(sagas)),
};

impl Linked {
    /// All there is.
    #[must_use]
    pub fn of(config: &ShopConfig) -> Self {
        let participants = PARTICIPANTS.into_iter().map(|(name, make)| {
            let (config, metrics) = (config.clone(), ShopMetrics::default());
            let shared = metrics.clone();
            LinkedParticipant::new(name, move |database| make(database, &config, &shared))
                .with_metrics(move |registry| metrics.register(name, registry))
        });
        Self {
            participants: participants.collect(),
            sagas: Registry::default().with(OrderSaga::new(config.shop.currencies.clone())),
            services: vec![PLACEMENT],
            descriptors: descriptors(),
        }
    }

    /// What is served over HTTP: the routes that the services declare.
    ///
    /// # Errors
    /// One is wrong.
    pub fn table(&self) -> Result<Table, Failure> {
        Table::new(self.descriptors.pool().clone()).map_err(Failure::Other)
    }

    /// The orchestrator's services, and ours over its sagas.
    #[must_use]
    pub fn routes(&self, orchestrator: &Orchestrator) -> Routes {
        self.services.iter().fold(orchestrator.routes(), |routes, service| (service.add)(routes, orchestrator.client()))
    }

    /// Their names, for health.
    #[must_use]
    pub fn orchestrator_services(&self) -> Vec<&'static str> {
        ORCHESTRATOR_SERVICES.into_iter().chain(self.services.iter().map(|service| service.name)).collect()
    }

    /// A participant by its name.
    ///
    /// # Errors
    /// It is not linked in; who is, is told.
    pub fn participant(&self, name: &str) -> Result<&LinkedParticipant, Failure> {
        self.participants.iter().find(|participant| participant.name == name).ok_or_else(|| {
            let known: Vec<_> = self.participants.iter().map(|participant| participant.name).collect();
            Failure::Usage(format!("there is no participant {name} in this binary; it has {}", known.join(", ")))
        })
    }

    /// Every service that has a database: the orchestrator, then the participants.
    pub fn services(&self) -> impl Iterator<Item = Service<'_>> {
        let participants = self.participants.iter().map(|it| Service { name: it.name, participant: Some(it) });
        [Service { name: ORCHESTRATOR, participant: None }].into_iter().chain(participants)
    }
}

/// A participant that this binary can run.
#[derive(Clone)]
pub struct LinkedParticipant {
    /// Its name.
    pub name: &'static str,
    make: Arc<dyn Fn(Database) -> Result<Made, Failure> + Send + Sync>,
    metrics: Arc<dyn Fn(&mut prometheus_client::registry::Registry) + Send + Sync>,
}

impl LinkedParticipant {
    /// One that `make` makes anew over its database each time it is started.
    #[must_use]
    pub fn new(name: &'static str, make: impl Fn(Database) -> Result<Made, Failure> + Send + Sync + 'static) -> Self {
        Self { name, make: Arc::new(make), metrics: Arc::new(|_| {}) }
    }

    /// The same with numbers of its own, beside those that every participant has.
    #[must_use]
    pub fn with_metrics(
        self,
        register: impl Fn(&mut prometheus_client::registry::Registry) + Send + Sync + 'static,
    ) -> Self {
        Self { metrics: Arc::new(register), ..self }
    }

    /// Registers its own numbers, once per process.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        (self.metrics)(registry);
    }

    /// Made over its database; it does not work yet.
    ///
    /// # Errors
    /// Its settings are wrong.
    pub fn make(&self, database: Database) -> Result<Made, Failure> {
        (self.make)(database)
    }
}

impl fmt::Debug for LinkedParticipant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkedParticipant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A service that has a database.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Its name.
    pub name: &'static str,
    /// `None` for the orchestrator.
    participant: Option<&'a LinkedParticipant>,
}

impl Service<'_> {
    /// Whether it is the orchestrator.
    #[must_use]
    pub fn is_orchestrator(&self) -> bool {
        self.participant.is_none()
    }

    /// Where its database is.
    ///
    /// # Errors
    /// The configuration does not say.
    pub fn store<'c>(&self, config: &'c Config) -> Result<&'c StoreConfig, Failure> {
        match self.participant {
            None => Ok(&config.store),
            Some(participant) => config.store_of(participant.name).map_err(Failure::Usage),
        }
    }

    /// The key of the configuration that says where its database is.
    #[must_use]
    pub fn store_key(&self) -> String {
        match self.participant {
            None => "store.url".to_owned(),
            Some(participant) => format!("participants.{}.store.url", participant.name),
        }
    }

    /// What its schema consists of.
    ///
    /// # Errors
    /// Its settings are wrong.
    pub fn migrations(&self, database: &Database) -> Result<Vec<Migration>, Failure> {
        match self.participant {
            None => Ok(MIGRATIONS.to_vec()),
            Some(participant) => Ok(participant.make(database.clone())?.migrations),
        }
    }
}
