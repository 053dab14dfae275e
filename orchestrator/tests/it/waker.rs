//! The waker: a participant that knows the answer is believed, a silent one is sent the command again.

use crate::support;
use async_trait::async_trait;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::workers::probe::{NoProbe, Probe};
use baton_orchestrator::workers::waker::{Look, Waker};
use baton_shop::saga::registry;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{CommandId, SagaId, State, Wait};
use std::sync::Arc;
use std::time::Duration;
use support::{Bench, order_start};

/// A ledger that has succeeded with everything, and does not say in which attempt.
#[derive(Debug)]
struct Done;

#[async_trait]
impl Probe for Done {
    async fn ask(&self, _participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        let answer = |id: &CommandId| {
            let reply = Reply { step: id.step, direction: id.direction, attempt: 0, outcome: outcome.clone() };
            (id.saga, reply)
        };
        Some(commands.iter().map(answer).collect())
    }
}

async fn woken(probe: Arc<dyn Probe>) -> State {
    let mut bench = Bench::new();
    let handle = bench.handle.clone();
    let started = tokio::spawn(async move { handle.start(order_start(1)).await });
    while !started.is_finished() {
        bench.engine.run_once().await;
        tokio::task::yield_now().await;
    }
    bench.clock.pass(Duration::from_secs(6));
    let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
    let (store, engine, registry) = (bench.store.clone(), bench.handle.clone(), registry());
    let waker = Waker::new(store, engine, registry, probe, metrics, Duration::from_millis(1));
    let look = tokio::spawn(async move { waker.run_once(10).await });
    while !look.is_finished() {
        bench.engine.run_once().await;
        tokio::task::yield_now().await;
    }
    let look = look.await.expect("no panic").expect("the store is there");
    assert_eq!(look, Look { due: 1, moved: 1 });
    bench.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga.state
}

#[tokio::test]
async fn what_a_ledger_knows_moves_the_saga() {
    assert!(matches!(woken(Arc::new(Done)).await, State::Running { step: 2, wait: Wait::Reply { attempt: 1, .. } }));
}

#[tokio::test]
async fn silence_backs_off() {
    assert!(matches!(
        woken(Arc::new(NoProbe)).await,
        State::Running { step: 1, wait: Wait::Backoff { attempt: 1, .. } }
    ));
}
