//! What is held is sent nothing, however long it has not answered.

use super::{ORDER_SAGAS, STOCK};
use crate::support::office::{Office, both};
use baton_orchestrator::workers::probe::NoProbe;
use baton_orchestrator::workers::waker::Waker;
use baton_shop::saga::registry;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A waker of this orchestrator.
fn waker(office: &Office) -> Waker {
    Waker {
        pace: Arc::default(),
        store: office.store.clone(),
        engine: office.api.engine.clone(),
        registry: registry(),
        holds: office.operations.known_holds(),
        bus: office.bus.clone(),
        new_id: Arc::new(Uuid::now_v7),
        probe: Arc::new(NoProbe),
        metrics: office.metrics.clone(),
        pause: Duration::from_millis(1),
        planted: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_participant_is_sent_nothing_again_until_it_is_released() {
    for office in both().await {
        let (held, other) = (office.start(1).await, office.start(2).await);
        office.answer(held, 1).await;
        office.answer(held, 2).await;
        office.sends_to("stock", 1).await;
        office.hold(STOCK).await.expect("held");
        let (waker, mut seen) = (waker(&office), Vec::new());
        // Shorter than the timeout of a step, so that nobody is given up.
        for _ in 0..3 {
            office.clock.pass(Duration::from_secs(1));
            let look = waker.run_once().await.expect("a look");
            seen.push((look.seen, look.sent_again));
        }
        assert_eq!(seen, [(2, 1), (2, 1), (0, 0)], "the other participant hears of it, in its pauses");
        assert_eq!((office.sent_to("stock"), office.sent_to("order")), (1, 4));
        assert_eq!((office.state(held).await, office.state(other).await), ("running", "running"));

        office.release(STOCK).await.expect("releasing");
        office.holds_worker().run_once().await.expect("a round");
        office.clock.pass(Duration::from_secs(1));
        assert_eq!(waker.run_once().await.expect("a look").sent_again, 2);
        office.sends_to("stock", 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_of_a_held_definition_are_sent_nothing_again() {
    for office in both().await {
        office.start(1).await;
        office.hold(ORDER_SAGAS).await.expect("held");
        office.clock.pass(Duration::from_secs(1));
        assert_eq!(waker(&office).run_once().await.expect("a look").sent_again, 0);
        office.sends_to("order", 1).await;
    }
}
