//! Sagas for a service of one's own in the same process: started, found, watched, without the wire of `SagaService`.

use crate::api::Api;
use crate::api::start::{NotBegun, ParsedStart, business_start_key, new_saga_id};
use crate::api::view;
use crate::api::watch::Follower;
use baton_engine::notify::Interest;
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::request_id::RequestId;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use saga_core::saga::SagaId;
use tokio::time::Instant;
use tonic::Status;

/// What a service over sagas works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SagaClient {
    api: Api,
}

/// What is to be started.
#[derive(Clone, Debug)]
pub struct StartRequest<'a> {
    /// Name of the definition; its newest version is taken.
    pub definition: &'a str,
    /// The caller's request id: the same id with the same input is carried out once.
    pub request: RequestId,
    /// The input, encoded.
    pub input: Bytes,
    /// Trace context the saga is started under; [`baton_engine::trace::traceparent_of`] has it.
    pub traceparent: String,
    /// Until when to wait for the saga to end or to be parked; `None` answers as soon as it is started.
    pub wait_until: Option<Instant>,
}

impl SagaClient {
    /// Over the services of an orchestrator.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self { api }
    }

    /// Refuses a start that would not be let in anyway, before its request is looked at.
    ///
    /// # Errors
    /// If there is no room, or the process stops.
    pub fn admit(&self) -> Result<(), Status> {
        self.api.starter().admit()
    }

    /// Starts a saga, or finds the one that this very request started before.
    ///
    /// # Errors
    /// [`NotBegun::BusinessKeyTaken`] if another request's saga has the business key, so that the service can say it in its
    /// own words; anything else as callers of `SagaService` are told.
    pub async fn start(&self, request: StartRequest<'_>) -> Result<wire::Saga, NotBegun> {
        let api = &self.api;
        let saga_type = api.registry.newest(request.definition).cloned().ok_or_else(|| {
            SagaReason::DefinitionUnknown.status(format!("this orchestrator has no saga {}", request.definition))
        })?;
        let StartRequest { request, input, traceparent, wait_until, .. } = request;
        let id = new_saga_id();
        // Subscribed before it is started: what happens in between is heard.
        let follower = wait_until.map(|deadline| (Follower::new(api, id, 1, Interest::Rest), deadline));
        let mut record = api.starter().begin(id, ParsedStart { saga_type, request, input, traceparent }).await?;
        if let Some((mut follower, deadline)) = follower {
            if record.saga.id != id {
                // A repeated request: follow the saga that the first one started.
                follower = Follower::new(api, record.saga.id, record.saga.version, Interest::Rest);
            }
            record = follower.until_rest(record, deadline).await;
        }
        Ok(view::saga(&api.registry, &record))
    }

    /// The saga that holds an exclusive business key, whoever started it, and also after retention has deleted it.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn find(&self, definition: &str, business_key: &str) -> Result<Option<SagaId>, Status> {
        let key = business_start_key(definition, business_key);
        let holders = self.api.store.find_keys(vec![key]).await.map_err(|error| of_store(&error))?;
        Ok(holders.first().map(|holder| holder.saga))
    }

    /// A saga's versions above `after` until it ends.
    ///
    /// # Errors
    /// If there is no such saga (any more), or the store is away.
    pub async fn watch(
        &self,
        id: SagaId,
        after: u64,
    ) -> Result<BoxStream<'static, Result<wire::Saga, Status>>, Status> {
        let registry = self.api.registry.clone();
        let records = self.api.watch(id, after).await?;
        Ok(Box::pin(records.map(move |record| record.map(|record| view::saga(&registry, &record)))))
    }
}
