//! `baton.saga.v1.SagaAdminService`: find, explain, act.
//!
//! | file | what it holds |
//! |---|---|
//! | [`find`] | filter and preset parsed, pages, counts |
//! | [`explain`] | everything an explanation is made from, gathered |
//! | [`told`] | explanations as messages |
//! | [`act`] | orders: judged, handed to the engine, answered |

pub mod act;
pub mod explain;
pub mod find;
pub mod told;

use crate::api::Api;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl SagaAdminService for Api {
    async fn search_sagas(
        &self,
        request: Request<wire::SearchSagasRequest>,
    ) -> Result<Response<wire::SearchSagasResponse>, Status> {
        self.search(request.into_inner()).await.map(Response::new)
    }

    async fn count_sagas(
        &self,
        request: Request<wire::CountSagasRequest>,
    ) -> Result<Response<wire::CountSagasResponse>, Status> {
        self.count(&request.into_inner()).await.map(Response::new)
    }

    async fn explain_saga(
        &self,
        request: Request<wire::ExplainSagaRequest>,
    ) -> Result<Response<wire::ExplainSagaResponse>, Status> {
        self.explain(&request.into_inner()).await.map(Response::new)
    }

    async fn act_on_saga(
        &self,
        request: Request<wire::ActOnSagaRequest>,
    ) -> Result<Response<wire::ActOnSagaResponse>, Status> {
        self.act(request.into_inner()).await.map(Response::new)
    }
}
