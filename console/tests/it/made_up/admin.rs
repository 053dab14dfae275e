//! What operators are answered.

use super::{Answer, ID, MadeUp, ago};
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService;
use tonic::{Request, Response};

#[tonic::async_trait]
impl SagaAdminService for MadeUp {
    async fn search_sagas(&self, _: Request<wire::SearchSagasRequest>) -> Answer<wire::SearchSagasResponse> {
        let unreadable = vec![format!("sagas/{ID}")];
        Ok(Response::new(wire::SearchSagasResponse {
            sagas: vec![self.saga(); 3],
            next_page_token: self.text("t1"),
            unreadable,
            attributes: vec![self.text("customer")],
            indexed_until: ago(7_200),
        }))
    }

    async fn count_sagas(&self, _: Request<wire::CountSagasRequest>) -> Answer<wire::CountSagasResponse> {
        Ok(Response::new(wire::CountSagasResponse { count: 100_000, exact: false }))
    }

    async fn find_sagas(&self, request: Request<wire::FindSagasRequest>) -> Answer<wire::FindSagasResponse> {
        let text = request.into_inner().text;
        let count = match text.as_str() {
            "one" | "ORD-2026-000123" => 1,
            "none" => 0,
            _ if text.contains(ID) => 0,
            _ => 3,
        };
        let (by, more) = (if count == 0 { String::new() } else { self.text("customer") }, count > 1);
        Ok(Response::new(wire::FindSagasResponse { sagas: vec![self.saga(); count], by, more }))
    }

    async fn explain_saga(&self, _: Request<wire::ExplainSagaRequest>) -> Answer<wire::ExplainSagaResponse> {
        let explanation = Some(self.explanation());
        Ok(Response::new(wire::ExplainSagaResponse {
            saga: Some(self.saga()),
            explanation,
            timeline: self.text("order.open +"),
        }))
    }

    async fn get_saga_timeline(
        &self,
        _: Request<wire::GetSagaTimelineRequest>,
    ) -> Answer<wire::GetSagaTimelineResponse> {
        Ok(Response::new(self.timeline()))
    }

    async fn act_on_saga(&self, _: Request<wire::ActOnSagaRequest>) -> Answer<wire::ActOnSagaResponse> {
        self.refused(wire::ActOnSagaResponse { saga: Some(self.saga()), event_time: ago(0) })
    }

    async fn create_job(&self, request: Request<wire::CreateJobRequest>) -> Answer<wire::CreateJobResponse> {
        let named = if request.get_ref().validate_only { String::new() } else { format!("jobs/{ID}") };
        self.refused(wire::CreateJobResponse {
            job: Some(wire::Job { name: named, ..self.job(wire::JobState::Running) }),
            forecast: vec![wire::JobForecast {
                state: wire::SagaState::Stuck.into(),
                step: self.text("order.confirm"),
                direction: "action".to_owned(),
                rule: String::new(),
                count: 5,
                sagas: vec![format!("sagas/{ID}"); 2],
                sentence: self.text("5 would be retried: stuck at order.confirm"),
            }],
            forecast_exact: false,
        })
    }

    async fn get_job(&self, _: Request<wire::GetJobRequest>) -> Answer<wire::GetJobResponse> {
        Ok(Response::new(wire::GetJobResponse { job: Some(self.job(wire::JobState::Running)) }))
    }

    async fn list_jobs(&self, _: Request<wire::ListJobsRequest>) -> Answer<wire::ListJobsResponse> {
        let jobs = [wire::JobState::Running, wire::JobState::Paused, wire::JobState::Done].map(|state| self.job(state));
        Ok(Response::new(wire::ListJobsResponse { jobs: jobs.to_vec(), next_page_token: self.text("t1") }))
    }

    async fn control_job(&self, _: Request<wire::ControlJobRequest>) -> Answer<wire::ControlJobResponse> {
        self.refused(wire::ControlJobResponse { job: Some(self.job(wire::JobState::Paused)) })
    }

    async fn list_job_failures(
        &self,
        _: Request<wire::ListJobFailuresRequest>,
    ) -> Answer<wire::ListJobFailuresResponse> {
        let failure = wire::JobFailure {
            saga: format!("sagas/{ID}"),
            rule: self.text("ENDED"),
            message: self.text("retry is refused: the saga has ended."),
            event_time: ago(3),
        };
        Ok(Response::new(wire::ListJobFailuresResponse { failures: vec![failure; 2], next_page_token: String::new() }))
    }

    async fn create_hold(&self, _: Request<wire::CreateHoldRequest>) -> Answer<wire::CreateHoldResponse> {
        self.refused(wire::CreateHoldResponse { hold: Some(self.hold()) })
    }

    async fn list_holds(&self, _: Request<wire::ListHoldsRequest>) -> Answer<wire::ListHoldsResponse> {
        Ok(Response::new(wire::ListHoldsResponse { holds: vec![self.hold()] }))
    }

    async fn release_hold(&self, _: Request<wire::ReleaseHoldRequest>) -> Answer<wire::ReleaseHoldResponse> {
        self.refused(wire::ReleaseHoldResponse { hold: Some(self.hold()) })
    }

    async fn list_dead_letters(
        &self,
        _: Request<wire::ListDeadLettersRequest>,
    ) -> Answer<wire::ListDeadLettersResponse> {
        let dead_letters = vec![self.letter(); 2];
        Ok(Response::new(wire::ListDeadLettersResponse { dead_letters, next_page_token: String::new() }))
    }

    async fn get_dead_letter(&self, _: Request<wire::GetDeadLetterRequest>) -> Answer<wire::GetDeadLetterResponse> {
        Ok(Response::new(wire::GetDeadLetterResponse {
            dead_letter: Some(self.letter()),
            json: self.text("{\n  \"commands\": []\n}"),
            flaw: self.text("byte 3: not a field"),
            hex: "ffff6e6f".to_owned(),
        }))
    }

    async fn replay_dead_letter(
        &self,
        _: Request<wire::ReplayDeadLetterRequest>,
    ) -> Answer<wire::ReplayDeadLetterResponse> {
        self.refused(wire::ReplayDeadLetterResponse { dead_letter: Some(self.letter()) })
    }

    async fn drop_dead_letter(&self, _: Request<wire::DropDeadLetterRequest>) -> Answer<wire::DropDeadLetterResponse> {
        self.refused(wire::DropDeadLetterResponse { dead_letter: Some(self.letter()) })
    }

    async fn list_audit_entries(
        &self,
        _: Request<wire::ListAuditEntriesRequest>,
    ) -> Answer<wire::ListAuditEntriesResponse> {
        let entry = |number, subject: &str| wire::AuditEntry {
            name: format!("auditEntries/{number}"),
            number,
            event_time: ago(30),
            actor: self.text("ada"),
            act: self.text("resolve-done"),
            subject: subject.to_owned(),
            reason: self.text("the bank confirmed it by telephone"),
            before: self.text("stuck undo payment.taken"),
            after: self.text("compensated"),
            version: 389,
            request_id: self.text(""),
            hash: self.text("9f2c41d0a7e55b119f2c41d0a7e55b119f2c41d0a7e55b119f2c41d0a7e55b11"),
        };
        let entries = vec![entry(2, &format!("sagas/{ID}")), entry(1, &self.text("holds/participants/payment"))];
        Ok(Response::new(wire::ListAuditEntriesResponse { entries, next_page_token: String::new() }))
    }

    async fn get_overview(&self, _: Request<wire::GetOverviewRequest>) -> Answer<wire::GetOverviewResponse> {
        Ok(Response::new(self.overview()))
    }

    async fn list_definitions(
        &self,
        _: Request<wire::ListDefinitionsRequest>,
    ) -> Answer<wire::ListDefinitionsResponse> {
        let unknown = wire::Definition {
            name: format!("definitions/{}/versions/7", self.text("refund")),
            steps: Vec::new(),
            known: false,
            newest: false,
            unfinished_exact: false,
            ..self.definition()
        };
        Ok(Response::new(wire::ListDefinitionsResponse { definitions: vec![self.definition(), unknown] }))
    }

    async fn get_definition(&self, _: Request<wire::GetDefinitionRequest>) -> Answer<wire::GetDefinitionResponse> {
        Ok(Response::new(wire::GetDefinitionResponse { definition: Some(self.definition()) }))
    }

    async fn check_definition(
        &self,
        _: Request<wire::CheckDefinitionRequest>,
    ) -> Answer<wire::CheckDefinitionResponse> {
        let fit = |continues| wire::DefinitionFit {
            version: 1,
            state: wire::SagaState::Running.into(),
            step: self.text("stock.reserve"),
            direction: "action".to_owned(),
            count: 12,
            continues,
            rule: if continues { String::new() } else { self.text("STEP_GONE") },
            sentence: self.text("They stand at a step that the new version does not have."),
            example: format!("sagas/{ID}"),
        };
        self.refused(wire::CheckDefinitionResponse {
            safe: false,
            sentence: self.text("12 of 37 sagas under way could not go on under it."),
            changes: vec![self.text("stock.reserve is gone.")],
            fits: vec![fit(true), fit(false)],
            exact: true,
        })
    }
}
