//! `baton.saga.v1.SagaAdminService`: everything an operator can do.
//!
//! | file | what it holds |
//! |---|---|
//! | [`find`] | filter and preset parsed, pages, counts |
//! | [`find_text`] | sagas by an id, a number, or whatever is at hand |
//! | [`explain`] | everything an explanation is made from, gathered |
//! | [`timeline`] | a saga over time, and what its messages said |
//! | [`act`] | actions: judged, handed to the engine, answered |
//! | `fields` | fields that most requests have |
//! | [`jobs`] | one action for many sagas |
//! | `job_view` | jobs as messages |
//! | `job_forecast` | what a job would do to each of its sagas |
//! | [`holds`] | definitions and participants that are halted |
//! | [`letters`] | dead letters: listed, decoded, replayed, dropped |
//! | [`audit`] | what operators did |
//! | [`overview`] | how the installation is doing |
//! | [`definitions`] | definitions, and how a new one fits the sagas under way |
//! | [`explain_proto`] | explanations as messages |

pub mod act;
pub mod audit;
pub mod definitions;
pub mod explain;
pub mod explain_proto;
mod fields;
pub mod find;
pub mod find_text;
pub mod holds;
mod job_forecast;
mod job_view;
pub mod jobs;
pub mod letters;
pub mod overview;
pub mod timeline;

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
        self.finder().search(request.into_inner()).await.map(Response::new)
    }

    async fn count_sagas(
        &self,
        request: Request<wire::CountSagasRequest>,
    ) -> Result<Response<wire::CountSagasResponse>, Status> {
        self.finder().count(&request.into_inner()).await.map(Response::new)
    }

    async fn find_sagas(
        &self,
        request: Request<wire::FindSagasRequest>,
    ) -> Result<Response<wire::FindSagasResponse>, Status> {
        self.finder().find(&request.into_inner()).await.map(Response::new)
    }

    async fn explain_saga(
        &self,
        request: Request<wire::ExplainSagaRequest>,
    ) -> Result<Response<wire::ExplainSagaResponse>, Status> {
        self.explainer().explain(&request.into_inner()).await.map(Response::new)
    }

    async fn get_saga_timeline(
        &self,
        request: Request<wire::GetSagaTimelineRequest>,
    ) -> Result<Response<wire::GetSagaTimelineResponse>, Status> {
        self.timelines().timeline(&request.into_inner()).await.map(Response::new)
    }

    async fn act_on_saga(
        &self,
        request: Request<wire::ActOnSagaRequest>,
    ) -> Result<Response<wire::ActOnSagaResponse>, Status> {
        self.actions().act(request.into_inner()).await.map(Response::new)
    }

    async fn create_job(
        &self,
        request: Request<wire::CreateJobRequest>,
    ) -> Result<Response<wire::CreateJobResponse>, Status> {
        self.jobs()?.create_job(request.into_inner()).await.map(Response::new)
    }

    async fn get_job(&self, request: Request<wire::GetJobRequest>) -> Result<Response<wire::GetJobResponse>, Status> {
        self.jobs()?.get_job(&request.into_inner()).await.map(Response::new)
    }

    async fn list_jobs(
        &self,
        request: Request<wire::ListJobsRequest>,
    ) -> Result<Response<wire::ListJobsResponse>, Status> {
        self.jobs()?.list_jobs(&request.into_inner()).await.map(Response::new)
    }

    async fn control_job(
        &self,
        request: Request<wire::ControlJobRequest>,
    ) -> Result<Response<wire::ControlJobResponse>, Status> {
        self.jobs()?.control_job(request.into_inner()).await.map(Response::new)
    }

    async fn list_job_failures(
        &self,
        request: Request<wire::ListJobFailuresRequest>,
    ) -> Result<Response<wire::ListJobFailuresResponse>, Status> {
        self.jobs()?.list_job_failures(&request.into_inner()).await.map(Response::new)
    }

    async fn create_hold(
        &self,
        request: Request<wire::CreateHoldRequest>,
    ) -> Result<Response<wire::CreateHoldResponse>, Status> {
        self.holds()?.create_hold(request.into_inner()).await.map(Response::new)
    }

    async fn list_holds(
        &self,
        request: Request<wire::ListHoldsRequest>,
    ) -> Result<Response<wire::ListHoldsResponse>, Status> {
        self.holds()?.list_holds(&request.into_inner()).await.map(Response::new)
    }

    async fn release_hold(
        &self,
        request: Request<wire::ReleaseHoldRequest>,
    ) -> Result<Response<wire::ReleaseHoldResponse>, Status> {
        self.holds()?.release_hold(request.into_inner()).await.map(Response::new)
    }

    async fn list_dead_letters(
        &self,
        request: Request<wire::ListDeadLettersRequest>,
    ) -> Result<Response<wire::ListDeadLettersResponse>, Status> {
        self.letters()?.list_dead_letters(&request.into_inner()).await.map(Response::new)
    }

    async fn get_dead_letter(
        &self,
        request: Request<wire::GetDeadLetterRequest>,
    ) -> Result<Response<wire::GetDeadLetterResponse>, Status> {
        self.letters()?.get_dead_letter(&request.into_inner()).await.map(Response::new)
    }

    async fn replay_dead_letter(
        &self,
        request: Request<wire::ReplayDeadLetterRequest>,
    ) -> Result<Response<wire::ReplayDeadLetterResponse>, Status> {
        self.letters()?.replay_dead_letter(request.into_inner()).await.map(Response::new)
    }

    async fn drop_dead_letter(
        &self,
        request: Request<wire::DropDeadLetterRequest>,
    ) -> Result<Response<wire::DropDeadLetterResponse>, Status> {
        self.letters()?.drop_dead_letter(request.into_inner()).await.map(Response::new)
    }

    async fn list_audit_entries(
        &self,
        request: Request<wire::ListAuditEntriesRequest>,
    ) -> Result<Response<wire::ListAuditEntriesResponse>, Status> {
        self.audits().list_audit_entries(request.into_inner()).await.map(Response::new)
    }

    async fn get_overview(
        &self,
        request: Request<wire::GetOverviewRequest>,
    ) -> Result<Response<wire::GetOverviewResponse>, Status> {
        self.overview().overview(&request.into_inner()).await.map(Response::new)
    }

    async fn list_definitions(
        &self,
        request: Request<wire::ListDefinitionsRequest>,
    ) -> Result<Response<wire::ListDefinitionsResponse>, Status> {
        self.definitions().list_definitions(&request.into_inner()).await.map(Response::new)
    }

    async fn get_definition(
        &self,
        request: Request<wire::GetDefinitionRequest>,
    ) -> Result<Response<wire::GetDefinitionResponse>, Status> {
        self.definitions().get_definition(&request.into_inner()).await.map(Response::new)
    }

    async fn check_definition(
        &self,
        request: Request<wire::CheckDefinitionRequest>,
    ) -> Result<Response<wire::CheckDefinitionResponse>, Status> {
        self.definitions().check_definition(&request.into_inner()).await.map(Response::new)
    }
}
