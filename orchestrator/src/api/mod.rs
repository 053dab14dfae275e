//! The gRPC face: requests parsed into engine inputs, verdicts turned into answers.
//!
//! | file | what it holds |
//! |---|---|
//! | [`baton_operations::reason`] | every stable reason the orchestrator's services give |
//! | [`start`] | starting a saga: keys, fingerprint, verdict |
//! | [`client`] | sagas for a service of one's own in the same process |
//! | [`watch`] | waiting for a saga to move or end |
//! | [`lookup`] | sagas by their ids; those that are not there were forgotten, or never were |
//! | [`view`] | sagas and journals as messages |
//! | `services` | what each service works with: two to five of the parts of [`Api`] |
//! | [`sagas`] | `baton.saga.v1.SagaService` |
//! | [`admin`] | `baton.saga.v1.SagaAdminService` |
//! | [`proxy`] | services of other processes, passed on |

pub mod admin;
pub mod client;
pub mod lookup;
pub mod proxy;
pub mod sagas;
mod services;
pub mod start;
pub mod view;
pub mod watch;

use crate::api::admin::overview::memo::Memo;
use crate::redact::Redactor;
use baton_courier::bus::CommandBus;
use baton_engine::committer::NewId;
use baton_engine::handle::EngineHandle;
use baton_engine::notify::Notifier;
use baton_engine::sagas::Registry;
use baton_engine::store::SagaStore;
use baton_engine::store::query::SagaQuery;
use baton_engine::workers::probe::Probe;
use baton_operations::Operations;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the services are made of; each borrows the two to five parts that it works with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Puts events in.
    pub engine: EngineHandle,
    /// What sagas are kept in.
    pub store: Arc<dyn SagaStore>,
    /// Answers questions about them.
    pub query: Arc<dyn SagaQuery>,
    /// What operators' own work is kept in, if this orchestrator keeps any of it.
    pub operations: Option<Operations>,
    /// Asks participants what they know.
    pub probe: Arc<dyn Probe>,
    /// The sagas this build knows.
    pub registry: Registry,
    /// Shows payloads.
    pub shown: Redactor,
    /// Asked how much waits in it.
    pub bus: Arc<dyn CommandBus>,
    /// Makes ids of jobs and messages.
    pub new_id: NewId,
    /// The last overview.
    pub overview: Memo,
    /// Tells of changes.
    pub notifier: Arc<Notifier>,
    /// Cancelled when the process stops: what waits for a saga is let go.
    pub stop: CancellationToken,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}
