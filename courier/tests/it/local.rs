//! The in-process bus keeps the laws, and a few of its own.

use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Destination, Message};
use baton_courier::conformance::{CAPACITY, Subject, exercise};
use baton_courier::local::{DeadLetter, LocalBus, LocalConfig, MAX_DEAD_LETTERS};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

struct Local(LocalBus);

#[async_trait]
impl Subject for Local {
    fn bus(&self) -> Arc<dyn CommandBus> {
        Arc::new(self.0.clone())
    }

    async fn dead_letters(&self, source: &Destination) -> Vec<DeadLetter> {
        self.0.dead_letters().into_iter().filter(|letter| letter.source == *source).collect()
    }
}

fn bus(capacity: usize) -> LocalBus {
    LocalBus::new(LocalConfig { capacity, confirm_deadline: Duration::from_secs(1) })
}

fn command(id: u128) -> Message {
    Message { id: Uuid::from_u128(id), destination: Destination::Commands("stock".into()), body: Bytes::new() }
}

#[tokio::test]
async fn local_bus_keeps_the_laws() {
    exercise(async || Local(bus(CAPACITY))).await;
}

#[tokio::test]
async fn nothing_is_confirmed_before_its_consumer_has_settled_it() {
    let bus = bus(10);
    let mut consumer = bus.consume(command(1).destination).await.unwrap();
    assert!(bus.publish(vec![command(1)]).await.is_empty(), "nobody has taken it");
    let held = consumer.take(10).await.unwrap();
    assert!(bus.publish(vec![command(1)]).await.is_empty(), "nobody has settled it");
    assert_eq!(bus.waiting(&command(1).destination), 0, "the same id is not queued twice");
    let (confirmed, ()) = tokio::join!(bus.publish(vec![command(1)]), async {
        for delivery in held {
            delivery.ack().await;
        }
    });
    assert_eq!(confirmed, vec![Uuid::from_u128(1)]);
}

#[tokio::test]
async fn the_quarantine_is_bounded() {
    let bus = bus(10);
    let mut consumer = bus.consume(command(0).destination).await.unwrap();
    for id in 0..MAX_DEAD_LETTERS as u128 + 5 {
        let (confirmed, ()) = tokio::join!(bus.publish(vec![command(id)]), async {
            for delivery in consumer.take(1).await.unwrap() {
                delivery.dead_letter("UNDECODABLE").await;
            }
        });
        assert_eq!(confirmed.len(), 1);
    }
    let letters = bus.dead_letters();
    assert_eq!(letters.len(), MAX_DEAD_LETTERS);
    assert_eq!(letters[0].message_id, Some(Uuid::from_u128(5)), "the oldest go first");
}
