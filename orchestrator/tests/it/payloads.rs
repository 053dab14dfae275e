//! Commands that cannot be built any more: what was never sent did not happen, what may have been sent is undone.

use crate::support;
use baton_orchestrator::engine::committer::Committer;
use baton_orchestrator::engine::input::{Input, Verdict};
use baton_orchestrator::engine::saga_cache::SagaCache;
use baton_orchestrator::engine::under_way::UnderWay;
use baton_orchestrator::sagas::{Accepted, PayloadError, Registry, SagaType};
use baton_orchestrator::store::SagaStore as _;
use baton_rpc::errors::Violations;
use baton_shop::saga::OrderSaga;
use baton_shop::saga::registry;
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::saga::{Direction, Saga, SagaId, State, StepIndex};
use std::sync::Arc;
use std::time::Duration;
use support::faulty::FaultyStore;
use support::{Bench, order_start};
use uuid::Uuid;

const SAGA: SagaId = SagaId([1; 16]);

/// The order saga of a build that cannot say any more what `order.open` is to do.
struct Newer(OrderSaga);

impl SagaType for Newer {
    fn definition(&self) -> &Definition {
        self.0.definition()
    }

    fn accept(&self, input: &[u8]) -> Result<Accepted, Violations> {
        self.0.accept(input)
    }

    fn payload(&self, saga: &Saga, step: StepIndex, direction: Direction) -> Result<Bytes, PayloadError> {
        match (step, direction) {
            (1, Direction::Action) => Err(PayloadError { step, direction, why: "planted".to_owned() }),
            (step, direction) => self.0.payload(saga, step, direction),
        }
    }
}

/// An orchestrator of a build.
fn committer(store: &Arc<FaultyStore>, registry: Registry) -> Committer {
    Committer {
        pace: Arc::default(),
        store: store.clone(),
        registry,
        new_id: Arc::new(Uuid::now_v7),
        known: SagaCache::default(),
        holds: Arc::default(),
        under_way: UnderWay::new(1024),
        planted: None,
    }
}

fn newer() -> Registry {
    Registry::default().with(Newer(OrderSaga::default()))
}

async fn settle(committer: &Committer, input: Input) -> Verdict {
    committer.settle(vec![input]).await.verdicts.remove(0)
}

async fn state(store: &FaultyStore) -> State {
    store.get(SAGA).await.expect("read").expect("there").saga.state
}

#[tokio::test]
async fn a_first_attempt_that_cannot_be_built_did_not_happen() {
    let store = Bench::new().store;
    settle(&committer(&store, newer()), Input::Start(Arc::new(order_start(1)))).await.expect("settled");
    let state = state(&store).await;
    assert!(matches!(state, State::Compensating { step: 0, .. }), "{state:?}");
}

/// Attempt 1 may have been done and its answer lost, so the step is undone too.
#[tokio::test]
async fn a_later_attempt_that_cannot_be_built_unwinds_at_its_step() {
    let bench = Bench::new();
    let store = bench.store.clone();
    let older = committer(&store, registry());
    settle(&older, Input::Start(Arc::new(order_start(1)))).await.expect("settled");
    assert!(matches!(state(&store).await, State::Running { step: 1, .. }));
    let newer = committer(&store, newer());
    let mut wakes = 0;
    while matches!(state(&store).await, State::Running { step: 1, .. }) {
        wakes += 1;
        assert!(wakes < 1_000, "it ends once its attempts are spent");
        bench.clock.pass(Duration::from_secs(24 * 3600));
        settle(&newer, Input::Wake(SAGA)).await.expect("settled");
    }
    let state = state(&store).await;
    let State::Compensating { step: 1, cause, .. } = state else { panic!("{state:?}") };
    assert_eq!((cause.step, cause.reason.as_str()), (1, "PAYLOAD_REFUSED"));
}
