//! What callers are answered, and who breaks things on purpose.

use super::{Answer, ID, MadeUp, ago};
use baton_proto::baton::dev::v1 as dev;
use baton_proto::baton::dev::v1::chaos_service_server::ChaosService;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_service_server::SagaService;
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl SagaService for MadeUp {
    type WatchSagaStream = Pin<Box<dyn Stream<Item = Result<wire::WatchSagaResponse, Status>> + Send>>;

    async fn start_saga(&self, _: Request<wire::StartSagaRequest>) -> Answer<wire::StartSagaResponse> {
        Err(Status::unimplemented("no page starts sagas"))
    }

    async fn get_saga(&self, _: Request<wire::GetSagaRequest>) -> Answer<wire::GetSagaResponse> {
        Ok(Response::new(wire::GetSagaResponse { saga: Some(self.saga()) }))
    }

    async fn list_saga_events(&self, _: Request<wire::ListSagaEventsRequest>) -> Answer<wire::ListSagaEventsResponse> {
        let event = wire::SagaEvent {
            name: format!("sagas/{ID}/events/1"),
            version: 1,
            event_time: ago(4_000),
            event: self.text("rejected"),
            from: self.text("running stock.reserve"),
            to: self.text("compensating undo order.open"),
            step: self.text("stock.reserve"),
            direction: "action".to_owned(),
            attempt: 1,
            reason: self.text("OUT_OF_STOCK"),
            message: self.text("item rare has 0 units available"),
        };
        Ok(Response::new(wire::ListSagaEventsResponse { events: vec![event], next_page_token: String::new() }))
    }

    async fn watch_saga(&self, _: Request<wire::WatchSagaRequest>) -> Answer<Self::WatchSagaStream> {
        let told = [Ok(wire::WatchSagaResponse { saga: Some(self.saga()) })];
        Ok(Response::new(Box::pin(tokio_stream::iter(told))))
    }
}

#[tonic::async_trait]
impl ChaosService for MadeUp {
    async fn list_chaos_targets(
        &self,
        _: Request<dev::ListChaosTargetsRequest>,
    ) -> Answer<dev::ListChaosTargetsResponse> {
        let target = |alive| dev::ChaosTarget { target: self.text("stock"), alive };
        Ok(Response::new(dev::ListChaosTargetsResponse { targets: vec![target(true), target(false)] }))
    }

    async fn kill_target(&self, _: Request<dev::KillTargetRequest>) -> Answer<dev::KillTargetResponse> {
        self.refused(dev::KillTargetResponse { target: None })
    }

    async fn revive_target(&self, _: Request<dev::ReviveTargetRequest>) -> Answer<dev::ReviveTargetResponse> {
        self.refused(dev::ReviveTargetResponse { target: None })
    }
}
