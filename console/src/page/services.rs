//! The services in this process, and nothing else: what the page can do is what they can.

use crate::page::error_view::Trouble;
use axum::Router;
use baton_proto::baton::dev::v1::ListChaosTargetsRequest;
use baton_proto::baton::dev::v1::chaos_service_client::ChaosServiceClient;
use baton_proto::baton::saga::v1::saga_admin_service_client::SagaAdminServiceClient;
use baton_proto::baton::saga::v1::saga_service_client::SagaServiceClient;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Response, Status};

/// How long a page waits for a service. An explanation asks a participant for up to a second; a count reads up to a bound.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer taken: what the services send at most.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Open pages that are told of moves at once; further ones ask by themselves every few seconds.
const MAX_STREAMS: usize = 256;

/// Clients over the router of the services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    grpc: Router,
    chaos_served: Arc<OnceLock<bool>>,
    streams: Arc<Semaphore>,
}

impl Services {
    /// Over the gRPC services that `grpc` serves.
    #[must_use]
    pub fn new(grpc: Router) -> Self {
        Self { grpc, chaos_served: Arc::default(), streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }

    /// What operators do.
    #[must_use]
    pub fn admin(&self) -> SagaAdminServiceClient<Router> {
        SagaAdminServiceClient::new(self.grpc.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Sagas as callers see them.
    #[must_use]
    pub fn sagas(&self) -> SagaServiceClient<Router> {
        SagaServiceClient::new(self.grpc.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Breaking things on purpose.
    #[must_use]
    pub fn chaos(&self) -> ChaosServiceClient<Router> {
        ChaosServiceClient::new(self.grpc.clone())
    }

    /// A place for a stream, while there is one.
    #[must_use]
    pub fn stream(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().try_acquire_owned().ok()
    }

    /// True if things can be broken on purpose here. What is served does not change while a process runs.
    pub async fn chaos_served(&self) -> bool {
        if let Some(served) = self.chaos_served.get() {
            return *served;
        }
        let asked = call(self.chaos().list_chaos_targets(ListChaosTargetsRequest {})).await;
        match asked.as_ref().map_err(Trouble::not_served) {
            Ok(_) => *self.chaos_served.get_or_init(|| true),
            Err(true) => *self.chaos_served.get_or_init(|| false),
            Err(false) => true,
        }
    }
}

/// Waits for an answer, with a bound.
///
/// # Errors
/// What the service answered instead, or that nothing came in time.
pub async fn call<T>(asked: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(Trouble::from(status)),
        Err(_) => Err(Trouble::late()),
    }
}
