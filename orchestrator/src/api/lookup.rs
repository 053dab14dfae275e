//! Sagas by their ids; of those that are not there, one that retention has forgotten is told from one that never was.

use crate::api::view::name_of;
use baton_engine::sagas::Registry;
use baton_engine::store::StateCode;
use baton_engine::store::purge::Forgotten;
use baton_engine::store::query::SagaQuery;
use baton_engine::store::{Record, SagaStore};
use baton_operations::Operations;
use baton_operations::reason::{SagaReason, of_store};
use saga_core::saga::SagaId;
use tonic::Status;

/// Where sagas are looked up, and what is needed to show them.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// What sagas are kept in.
    pub store: &'a dyn SagaStore,
    /// Answers questions about them.
    pub query: &'a dyn SagaQuery,
    /// The sagas this build knows.
    pub registry: &'a Registry,
}

impl Lookup<'_> {
    /// The saga, or NOT_FOUND.
    ///
    /// # Errors
    /// There is none, or the store is away.
    pub async fn existing(&self, id: SagaId) -> Result<Record, Status> {
        match self.store.get(id).await.map_err(|error| of_store(&error))? {
            Some(record) => Ok(record),
            None => Err(self.not_found(id).await),
        }
    }

    /// What a reader is told of a saga without a row: NOT_FOUND, and whether it was there once.
    pub(super) async fn not_found(&self, id: SagaId) -> Status {
        match self.query.forgotten(id).await {
            Ok(Some(left)) => SagaReason::SagaNotFound.status(format!("{} and was forgotten since", ended(id, &left))),
            Ok(None) => SagaReason::SagaNotFound.status(format!("{} does not exist", name_of(id))),
            Err(error) => of_store(&error),
        }
    }

    /// What a repeated request is told whose saga has no row: it was carried out, and is not carried out again. The start
    /// key, which is kept for ever, is what knows.
    pub(super) async fn carried_out_before(&self, id: SagaId) -> Status {
        match self.query.forgotten(id).await {
            Ok(Some(left)) => {
                let ended = ended(id, &left);
                SagaReason::SagaForgotten
                    .status(format!("this request was carried out before: {ended} and was forgotten since"))
            }
            Ok(None) => {
                tracing::error!(saga_id = %id, "a start key names a saga that is not there and was not forgotten");
                SagaReason::Internal.status("the saga of this request is missing")
            }
            Err(error) => of_store(&error),
        }
    }
}

fn ended(id: SagaId, left: &Forgotten) -> String {
    let how = match left.state {
        StateCode::Completed => "completed",
        StateCode::Compensated => "was compensated",
        // Stores keep nothing of sagas in these states.
        StateCode::Running | StateCode::Compensating | StateCode::Stuck | StateCode::Paused => "ended",
    };
    format!("{} {how}", name_of(id))
}

/// Operators' own work, for calls that cannot do without.
pub(super) fn kept(operations: Option<&Operations>) -> Result<&Operations, Status> {
    operations.ok_or_else(|| Status::unimplemented("this orchestrator keeps no operations"))
}
