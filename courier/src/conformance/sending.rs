//! The laws of [`CommandBus::send`]: on an idle bus what is sent arrives, and nobody ever waits for it.

use super::{CAPACITY, WITHIN, ack_all, commands, healthy, message, take, take_all};
use crate::bus::{CommandBus, Consumer, MAX_BODY, Message};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// From one attempt to get through to the next, while a bus opens a way to a destination.
const AGAIN: Duration = Duration::from_secs(1);

/// Sends, in a thread of its own: a call that blocks would block whatever else is to notice it.
pub(super) async fn at_once(bus: &Arc<dyn CommandBus>, messages: Vec<Message>) {
    let (bus, runtime) = (bus.clone(), tokio::runtime::Handle::current());
    let sent = tokio::task::spawn_blocking(move || {
        let _entered = runtime.enter();
        bus.send(messages);
    });
    timeout(WITHIN, sent).await.expect("sending blocks").expect("sending panicked");
}

/// Sends a message until it has arrived: from then on the bus has a way to its destination. Returns what else arrived.
async fn until_one_arrives(bus: &dyn CommandBus, consumer: &mut dyn Consumer, marker: &Message) -> Vec<Bytes> {
    let mut others = Vec::new();
    let through = async {
        loop {
            bus.send(vec![marker.clone()]);
            let Ok(taken) = timeout(AGAIN, consumer.take(100)).await else { continue };
            let mut is_through = false;
            for delivery in taken.expect("the bus is open") {
                is_through |= delivery.body == marker.body;
                if delivery.body != marker.body {
                    others.push(delivery.body.clone());
                }
                delivery.ack().await;
            }
            if is_through {
                return;
            }
        }
    };
    timeout(WITHIN, through).await.expect("nothing that is sent arrives");
    others
}

pub(super) async fn what_is_sent_arrives(bus: &dyn CommandBus) {
    let here = commands("send");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    healthy(bus).await;
    until_one_arrives(bus, &mut *consumer, &message(&here, "opening")).await;
    let messages: Vec<Message> = (0..10).map(|n| message(&here, &n.to_string())).collect();
    let mut missing: BTreeSet<Uuid> = messages.iter().map(|message| message.id).collect();
    bus.send(messages);
    while !missing.is_empty() {
        for delivery in take(&mut *consumer, 100).await {
            // A copy of the opening may still be under way.
            if delivery.body != "opening".as_bytes() {
                let id = delivery.message_id.expect("the sender's id");
                assert!(missing.remove(&id), "{id} arrived twice, or is nobody's");
            }
            delivery.ack().await;
        }
    }
    bus.send(Vec::new());
}

pub(super) async fn what_is_too_large_is_dropped(bus: &dyn CommandBus) {
    let here = commands("send-large");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let huge = Message { body: Bytes::from(vec![7; MAX_BODY + 1]), ..message(&here, "") };
    bus.send(vec![huge]);
    let others = until_one_arrives(bus, &mut *consumer, &message(&here, "small")).await;
    assert_eq!(others, Vec::<Bytes>::new(), "larger than the bus carries");
}

pub(super) async fn a_full_queue_drops_and_holds_up_nobody(bus: &Arc<dyn CommandBus>) {
    const SENT: usize = 8 * CAPACITY;
    let (here, beside) = (commands("send-full"), commands("send-beside"));
    // There is a way to both, and nobody takes from the one.
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    until_one_arrives(&**bus, &mut *consumer, &message(&here, "opening")).await;
    drop(consumer);
    at_once(bus, (0..SENT).map(|n| message(&here, &n.to_string())).collect()).await;
    let mut other = bus.consume(beside.clone()).await.unwrap();
    until_one_arrives(&**bus, &mut *other, &message(&beside, "behind them")).await;
    // What did not fit is gone, what did is there, and there is room again.
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let first = take_all(&mut *consumer, 1).await;
    ack_all(first).await;
    let mut arrived = until_one_arrives(&**bus, &mut *consumer, &message(&here, "after them")).await;
    arrived.retain(|body| body != "opening".as_bytes());
    assert!(arrived.len() < SENT - 1, "{SENT} messages fitted into a queue of {CAPACITY}");
}
