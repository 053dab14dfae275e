//! `shop.order.v1.OrderPlacementService`: placing an order starts its saga; watching an order watches it.

use crate::api::Api;
use crate::api::begin::{Asked, business_start_key, new_saga_id};
use crate::api::follow::Follower;
use crate::api::reason::{SagaReason, of_store};
use crate::api::view;
use crate::notify::{Interest, rests};
use crate::sagas::{Registry, order};
use crate::store::{ListQuery, Record};
use crate::trace;
use baton_proto::shop::order::v1 as wire;
use baton_proto::shop::order::v1::order_placement_service_server::OrderPlacementService;
use baton_rpc::errors::{Violations, invalid};
use baton_rpc::explain::timeout;
use baton_rpc::shop::identifier::{OrderNumber, RequestId};
use baton_rpc::shop::name;
use baton_rpc::shop::outcome;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use prost::Message as _;
use saga_core::saga::State;
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

#[tonic::async_trait]
impl OrderPlacementService for Api {
    async fn place_order(
        &self,
        request: Request<wire::PlaceOrderRequest>,
    ) -> Result<Response<wire::PlaceOrderResponse>, Status> {
        self.admit()?;
        let traceparent = trace::traceparent_of(request.metadata());
        let patience = patience(request.metadata());
        if patience < LEAST_PATIENCE {
            return Err(SagaReason::DeadlineExceeded.status("the deadline has passed; nothing was started"));
        }
        let deadline = Instant::now() + patience;
        let request = request.into_inner();
        let wait = request.wait;
        let (request_id, input) = parse(request)?;
        let saga_type = self
            .registry
            .newest(order::NAME)
            .cloned()
            .ok_or_else(|| SagaReason::DefinitionUnknown.status("this orchestrator has no order saga"))?;
        let asked = Asked { saga_type, request: request_id, input, traceparent };
        let id = new_saga_id();
        let mut follower = wait.then(|| Follower::new(self, id, 1, Interest::Rest));
        let mut record = self.begin(id, asked).await?;
        if let Some(follower) = &mut follower {
            if record.saga.id == id {
                record = follower.until_rest(record, deadline).await;
            } else {
                // A repeated request: follow the saga that the first one started.
                let mut other = Follower::new(self, record.saga.id, record.saga.version, Interest::Rest);
                record = other.until_rest(record, deadline).await;
            }
        }
        Ok(Response::new(wire::PlaceOrderResponse { progress: Some(progress(&self.registry, &record)) }))
    }

    type WatchOrderStream = BoxStream<'static, Result<wire::WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        request: Request<wire::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let request = request.into_inner();
        let number = name::order(&request.order).map_err(|flaw| invalid("order", flaw))?;
        let record = self.saga_of(number).await?;
        let registry = self.registry.clone();
        let stream = self.watch(record.saga.id, request.after_version).await?.map(move |record| {
            record.map(|record| wire::WatchOrderResponse { progress: Some(progress(&registry, &record)) })
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

impl Api {
    async fn saga_of(&self, number: OrderNumber) -> Result<Record, Status> {
        let query = ListQuery { business_key: Some(number.to_string()), limit: 1, ..ListQuery::default() };
        let found = self.store.list(query).await.map_err(|error| of_store(&error))?;
        if let Some(record) = found.into_iter().next() {
            return Ok(record);
        }
        // An order whose saga has been forgotten was placed all the same: its start key says so.
        let key = business_start_key(order::NAME, &number.to_string());
        let holders = self.store.find_keys(vec![key]).await.map_err(|error| of_store(&error))?;
        match holders.first() {
            Some(holder) => self.existing(holder.saga).await,
            None => Err(SagaReason::SagaNotFound.status(format!("{} has not been placed", name::of_order(number)))),
        }
    }
}

/// Names are parsed here; everything else about an order is judged by the saga itself, whoever starts it.
fn parse(request: wire::PlaceOrderRequest) -> Result<(RequestId, Bytes), Status> {
    let mut violations = Violations::new();
    let request_id = violations.keep("request_id", RequestId::parse(&request.request_id));
    let number = violations.keep("order", name::order(&request.order));
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
#[must_use]
pub fn progress(registry: &Registry, record: &Record) -> wire::OrderProgress {
    let saga = &record.saga;
    let shown = view::saga(registry, record);
    let state = match &saga.state {
        State::Completed => wire::OrderState::PaymentSuccess,
        State::Compensated { cause } => outcome::state_after(&cause.reason),
        State::Running { .. } | State::Compensating { .. } | State::Stuck { .. } | State::Paused { .. } => {
            wire::OrderState::PaymentConfirm
        }
    };
    wire::OrderProgress {
        order: format!("orders/{}", record.business_key),
        saga: shown.name,
        state: state.into(),
        done: rests(record),
        reason: shown.reason,
        message: shown.message,
        version: saga.version,
        step: shown.step,
    }
}

/// How long the caller can wait: its `grpc-timeout` less a margin, at most [`MAX_WAIT`].
fn patience(metadata: &MetadataMap) -> Duration {
    let given = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(timeout);
    given.map_or(MAX_WAIT, |given| given.saturating_sub(MARGIN.min(given / 2)).min(MAX_WAIT))
}
