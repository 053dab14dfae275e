//! `shop.order.v1.OrderPlacementService`: placing an order starts its saga; watching an order watches it.

use crate::saga::NAME;
use baton_orchestrator::api::client::{SagaClient, StartRequest};
use baton_orchestrator::api::start::NotBegun;
use baton_orchestrator::operations::reason::SagaReason;
use baton_orchestrator::trace;
use baton_proto::baton::saga::v1::{Saga, SagaState};
use baton_rpc::error_details::timeout;
use baton_rpc::errors::{Violations, already_exists, invalid};
use baton_rpc::name::of_saga;
use baton_rpc::request_id::RequestId;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use prost::Message as _;
use shop_domain::identifier::OrderNumber;
use shop_domain::{name, outcome, reason};
use shop_proto::order::v1 as wire;
use shop_proto::order::v1::order_placement_service_server::{OrderPlacementService, OrderPlacementServiceServer};
use std::time::Duration;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// Longest a caller may wait for the end of an order.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Kept back from the caller's deadline, so that the answer still arrives.
const MARGIN: Duration = Duration::from_millis(20);

/// A caller who waits no longer than this has gone before anything is committed.
const LEAST_PATIENCE: Duration = Duration::from_millis(1);

/// Places orders over the engine of the same process.
#[derive(Clone, Debug)]
pub struct Placement {
    sagas: SagaClient,
}

impl Placement {
    /// The service, over these sagas.
    #[must_use]
    pub fn service(sagas: SagaClient) -> OrderPlacementServiceServer<Self> {
        OrderPlacementServiceServer::new(Self::new(sagas))
    }

    /// Over these sagas.
    #[must_use]
    pub fn new(sagas: SagaClient) -> Self {
        Self { sagas }
    }
}

#[tonic::async_trait]
impl OrderPlacementService for Placement {
    async fn place_order(
        &self,
        request: Request<wire::PlaceOrderRequest>,
    ) -> Result<Response<wire::PlaceOrderResponse>, Status> {
        self.sagas.admit()?;
        let traceparent = trace::traceparent_of(request.metadata());
        let patience = patience(request.metadata());
        if patience < LEAST_PATIENCE {
            return Err(SagaReason::DeadlineExceeded.status("the deadline has passed; nothing was started"));
        }
        let deadline = Instant::now() + patience;
        let request = request.into_inner();
        let wait_until = request.wait.then_some(deadline);
        let (request, input) = parse(request)?;
        let start = StartRequest { definition: NAME, request, input, traceparent, wait_until };
        let saga = self.sagas.start(start).await.map_err(|refused| match refused {
            NotBegun::BusinessKeyTaken(holder) => {
                let text = format!("already placed by another request: {}", of_saga(holder.0));
                already_exists(reason::ORDER_ALREADY_PLACED, text)
            }
            NotBegun::Refused(status) => status,
        })?;
        Ok(Response::new(wire::PlaceOrderResponse { progress: Some(progress(saga)) }))
    }

    type WatchOrderStream = BoxStream<'static, Result<wire::WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        request: Request<wire::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let request = request.into_inner();
        let number = name::order(&request.order).map_err(|flaw| invalid("order", flaw))?;
        let Some(id) = self.sagas.find(NAME, &number.to_string()).await? else {
            return Err(SagaReason::SagaNotFound.status(format!("{} has not been placed", name::of_order(number))));
        };
        let stream = self.sagas.watch(id, request.after_version).await?;
        let stream = stream.map(|saga| saga.map(|saga| wire::WatchOrderResponse { progress: Some(progress(saga)) }));
        Ok(Response::new(Box::pin(stream)))
    }
}

/// Names are parsed here; everything else about an order is judged by the saga itself, whoever starts it.
fn parse(request: wire::PlaceOrderRequest) -> Result<(RequestId, Bytes), Status> {
    let mut violations = Violations::new();
    let request_id = violations.keep("request_id", RequestId::parse(&request.request_id));
    let number: Option<OrderNumber> = violations.keep("order", name::order(&request.order));
    let (Some(request_id), Some(number)) = (request_id, number) else {
        return Err(violations.into_status());
    };
    let input = wire::OrderSagaInput {
        order_number: number.to_string(),
        payment_id: request.payment_id,
        customer_id: request.customer_id,
        currency_code: request.currency_code,
        lines: request.lines,
    };
    Ok((request_id, input.encode_to_vec().into()))
}

/// An order's progress as its saga tells it.
fn progress(saga: Saga) -> wire::OrderProgress {
    let state = match saga.state() {
        SagaState::Completed => wire::OrderState::PaymentSuccess,
        SagaState::Compensated => outcome::state_after(&saga.reason),
        SagaState::Unspecified
        | SagaState::Running
        | SagaState::Compensating
        | SagaState::Stuck
        | SagaState::Paused => wire::OrderState::PaymentConfirm,
    };
    wire::OrderProgress {
        order: format!("orders/{}", saga.business_key),
        state: state.into(),
        // What has no time to act next does nothing more without an operator.
        done: saga.wake_time.is_none(),
        saga: saga.name,
        reason: saga.reason,
        message: saga.message,
        version: saga.version,
        step: saga.step,
    }
}

/// How long the caller can wait: its `grpc-timeout` less a margin, at most [`MAX_WAIT`].
fn patience(metadata: &MetadataMap) -> Duration {
    let given = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(timeout);
    given.map_or(MAX_WAIT, |given| given.saturating_sub(MARGIN.min(given / 2)).min(MAX_WAIT))
}
