//! The clients: each places one order, retries what is in doubt, and remembers what it was told.

use super::answer::ClientAnswer;
use super::life::{Life, Us};
use super::rng::Rng;
use super::stage::Stage;
use super::workload::Workload;
use super::world::{Due, World};
use baton_orchestrator::api::Api;
use baton_orchestrator::api::start::ParsedStart;
use baton_rpc::request_id::RequestId;
use baton_shop::saga;
use saga_core::saga::{SagaId, State};
use shop_proto::order::v1::OrderState;
use std::sync::Arc;
use tonic::Status;
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// How long a client waits for an answer.
const PATIENCE: Us = 4_000_000;

/// Tries before a client gives up for good.
const MAX_TRIES: u32 = 12;

/// Why a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Places the order, and retries.
    Place,
    /// The same request once more, at the same time or later.
    Repeat,
    /// The same request id with other content, after the order was acknowledged.
    OtherContent,
    /// The same order under another request id.
    OtherRequest,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The order, by its place in the workload.
    pub order: usize,
    /// Why.
    pub purpose: Purpose,
    /// The id this very call would give to the saga.
    pub saga: SagaId,
    /// What came of it; `None` while it is open.
    pub outcome: Option<ClientAnswer>,
    /// Which try of the client.
    pub tries: u32,
}

/// All clients of a run, and their history.
#[derive(Debug)]
pub struct Clients {
    /// Every call, in order.
    pub calls: Vec<Call>,
    rng: Rng,
    /// Sagas by order, as acknowledged.
    pub acknowledged: Vec<Option<SagaId>>,
    gives_up: u32,
}

impl Clients {
    /// The clients of a seed.
    #[must_use]
    pub fn new(seed: u64, workload: &Workload) -> Self {
        let mut rng = Rng::new(seed, "clients");
        let gives_up = [0, 100_000, 400_000][rng.index(3)];
        Self { calls: Vec::new(), rng, acknowledged: vec![None; workload.orders.len()], gives_up }
    }

    /// The turn of an order's client: its first call.
    pub fn place(&mut self, stage: &mut Stage, workload: &Workload, order: usize) {
        self.call(stage, workload, order, Purpose::Place, 1);
        if self.rng.chance(80_000) {
            self.call(stage, workload, order, Purpose::Repeat, MAX_TRIES);
        }
        if self.rng.chance(40_000) {
            self.call(stage, workload, order, Purpose::OtherRequest, MAX_TRIES);
        }
    }

    fn call(&mut self, stage: &mut Stage, workload: &Workload, order: usize, purpose: Purpose, tries: u32) {
        let planned = &workload.orders[order];
        let number = self.calls.len();
        let now = stage.world.lock().now;
        let saga = SagaId(self.rng.uuid_v7(1_800_000_000_000 + now / 1000));
        self.calls.push(Call { order, purpose, saga, outcome: None, tries });
        let up = stage.orchestrators_up();
        let mut request = planned.number.bytes();
        request[15] ^= u8::from(purpose == Purpose::OtherRequest);
        let input = planned.input(purpose == Purpose::OtherContent);
        let at = now + PATIENCE;
        if up.is_empty() {
            stage.world.lock().at(at, Due::Client(number));
            return;
        }
        let process = up[self.rng.index(up.len())];
        stage.world.lock().at(at, Due::Client(number));
        stage.call(process, move |api, world, life| async move {
            let told = begin(&api, saga, Uuid::from_bytes(request), input).await;
            tell(&world, &life, number, told).await;
        });
    }

    /// Answers that have come in, and what the clients do next.
    pub fn heard(&mut self, stage: &mut Stage, workload: &Workload) {
        let answers = std::mem::take(&mut stage.world.lock().answers);
        for (number, told) in answers {
            self.settle(stage, workload, number, told);
        }
    }

    /// A call's patience is over, or its client's pause before the next try.
    pub fn due(&mut self, stage: &mut Stage, workload: &Workload, number: usize) {
        match self.calls[number].outcome {
            None => self.settle(stage, workload, number, ClientAnswer::Unknown),
            Some(ClientAnswer::Unknown | ClientAnswer::NotStarted(_)) => self.again(stage, workload, number),
            Some(_) => {}
        }
    }

    fn again(&mut self, stage: &mut Stage, workload: &Workload, number: usize) {
        let Call { order, purpose, tries, .. } = self.calls[number];
        if purpose == Purpose::Place && tries < MAX_TRIES && self.acknowledged[order].is_none() {
            self.call(stage, workload, order, purpose, tries + 1);
        }
    }

    fn settle(&mut self, stage: &mut Stage, workload: &Workload, number: usize, told: ClientAnswer) {
        if self.calls[number].outcome.is_some() {
            // An answer to a client that has given up on this call.
            return;
        }
        let Call { order, purpose, .. } = self.calls[number];
        {
            let mut inner = stage.world.lock();
            let now = inner.now;
            inner.trace.note(now, "client", &[number as u64, order as u64], || {
                format!("call {number} of order {order} ({purpose:?}): {told:?}")
            });
        }
        match &told {
            ClientAnswer::Ok(saga, _) => {
                let first = self.acknowledged[order].is_none();
                self.acknowledged[order] = Some(*saga);
                if first && self.rng.chance(60_000) {
                    self.call(stage, workload, order, Purpose::OtherContent, MAX_TRIES);
                }
                if first && self.rng.chance(60_000) {
                    self.call(stage, workload, order, Purpose::Repeat, MAX_TRIES);
                }
            }
            ClientAnswer::Unknown | ClientAnswer::NotStarted(_) => {
                let quits = self.rng.chance(self.gives_up);
                if purpose == Purpose::Place && !quits {
                    let mut inner = stage.world.lock();
                    let pause = inner.now + 100_000 + self.rng.below(900_000);
                    inner.at(pause, Due::Client(number));
                }
            }
            ClientAnswer::Conflict(_) | ClientAnswer::Internal(_) => {}
        }
        self.calls[number].outcome = Some(told);
    }

    /// A saga to meddle with, if any order was acknowledged.
    pub fn some_saga(&mut self) -> Option<SagaId> {
        let known: Vec<SagaId> = self.acknowledged.iter().flatten().copied().collect();
        (!known.is_empty()).then(|| known[self.rng.index(known.len())])
    }
}

async fn begin(api: &Api, saga: SagaId, request: Uuid, input: bytes::Bytes) -> ClientAnswer {
    let (Some(saga_type), Ok(request)) =
        (api.registry.newest(saga::NAME).cloned(), RequestId::parse(&request.to_string()))
    else {
        return ClientAnswer::Internal("no order saga, or no request id".to_owned());
    };
    let asked = ParsedStart { saga_type, request, input, traceparent: String::new() };
    match api.starter().begin(saga, asked).await {
        Ok(record) => {
            let ended = match &record.saga.state {
                State::Completed => Some(OrderState::PaymentSuccess),
                State::Compensated { cause } => Some(shop_domain::outcome::state_after(&cause.reason)),
                _ => None,
            };
            ClientAnswer::Ok(record.saga.id, ended)
        }
        Err(refused) => refusal(&Status::from(refused)),
    }
}

pub(super) fn refusal(status: &Status) -> ClientAnswer {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
    match reason.as_str() {
        "REQUEST_ID_REUSED" | "BUSINESS_KEY_TAKEN" => ClientAnswer::Conflict(reason),
        "STORE_UNAVAILABLE" | "OVERLOADED" | "SHUTTING_DOWN" | "DEADLINE_EXCEEDED" | "DEFINITION_HELD" => {
            ClientAnswer::NotStarted(reason)
        }
        "OUTCOME_UNKNOWN" => ClientAnswer::Unknown,
        _ => ClientAnswer::Internal(format!("{reason}: {}", status.message())),
    }
}

async fn tell(world: &World, life: &Arc<Life>, number: usize, told: ClientAnswer) {
    life.alive().await;
    world.lock().answers.push((number, told));
}
