//! The relay reaches every outbox message, whatever cannot be published before it.

use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Destination, Message};
use baton_courier::error::BusError;
use baton_orchestrator::engine::sender::Sender;
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::memory::MemoryStore;
use baton_orchestrator::store::{Changes, SagaStore as _};
use baton_orchestrator::workers::relay::Relay;
use saga_core::time::Micros;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// A bus that confirms nothing, as a broker does that knows no queue for what it is given.
#[derive(Debug, Default)]
struct Deaf(Mutex<Vec<Uuid>>);

#[async_trait]
impl CommandBus for Deaf {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        self.0.lock().unwrap().extend(messages.iter().map(|message| message.id));
        Vec::new()
    }

    async fn consume(&self, _source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        Err(BusError::Closed)
    }

    fn health(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn messages_nobody_confirms_do_not_hide_the_others() {
    let store = Arc::new(MemoryStore::new(Arc::new(|| Micros(sample::START.0 + 60_000_000))));
    let outbox: Vec<_> = (0..150).map(|n| sample::message(sample::message_id(1, n), sample::START)).collect();
    let all: BTreeSet<Uuid> = outbox.iter().map(|message| message.id).collect();
    store.commit(Vec::new(), sample::always(Changes { outbox, ..Changes::default() })).await.unwrap();
    let bus = Arc::new(Deaf::default());
    let sender = Sender::new(bus.clone());
    let metrics = Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()));
    let mut relay = Relay::new(store, sender.clone(), metrics, Duration::from_secs(1), Duration::from_secs(1));
    for round in 1..=2 {
        for wanted in [64, 64, 22] {
            assert_eq!(relay.run_once().await.unwrap(), wanted, "round {round}");
            while sender.in_flight() > 0 {
                tokio::task::yield_now().await;
            }
        }
        let published = std::mem::take(&mut *bus.0.lock().unwrap());
        assert_eq!(published.len(), 150, "round {round}");
        assert_eq!(published.into_iter().collect::<BTreeSet<_>>(), all, "round {round}");
    }
}
