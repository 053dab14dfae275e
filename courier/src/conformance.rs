//! The laws of a bus. Every implementation passes [`exercise`].

mod quarantine;
mod sending;

use crate::bus::{CommandBus, Consumer, Delivery, Destination, Message};
use crate::error::BusError;
use crate::local::DeadLetter;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// What is given back is held for longer before it is delivered again.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// A bus on a busy machine answers within this, or it is broken.
const WITHIN: Duration = Duration::from_secs(30);

/// The bound that [`Subject`]s are made with: unsettled messages per destination.
pub const CAPACITY: usize = 64;

/// A bus under test, with a way to look into its quarantine.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The bus: no more than about [`CAPACITY`] messages per destination, and a confirm deadline of at least a second.
    fn bus(&self) -> Arc<dyn CommandBus>;
    /// The dead letters of a destination.
    async fn dead_letters(&self, source: &Destination) -> Vec<DeadLetter>;
}

/// Runs every law, each on destinations of its own.
///
/// # Panics
/// If the bus breaks a law.
pub async fn exercise<F, S>(make: F)
where
    F: AsyncFn() -> S,
    S: Subject,
{
    let subject = make().await;
    confirmed_means_settled_or_stored(&*subject.bus()).await;
    sending::what_is_sent_arrives(&*subject.bus()).await;
    sending::what_is_too_large_is_dropped(&*subject.bus()).await;
    sending::a_full_queue_drops_and_holds_up_nobody(&subject.bus()).await;
    many_publishers_lose_nothing(&subject.bus()).await;
    take_is_bounded(&*subject.bus()).await;
    take_can_be_cancelled(&*subject.bus()).await;
    a_dead_consumer_gives_its_messages_back(&*subject.bus()).await;
    a_dropped_delivery_comes_again(&*subject.bus()).await;
    a_released_delivery_comes_again(&*subject.bus()).await;
    destinations_do_not_mix(&*subject.bus()).await;
    quarantine::poison_ends_in_quarantine(&subject).await;
    quarantine::dead_letters_are_taken_out_once_acknowledged(&subject).await;
    a_full_queue_pushes_back(&*subject.bus()).await;
    a_closed_bus_says_so(&subject.bus()).await;
}

fn commands(name: &str) -> Destination {
    Destination::Commands(name.to_owned())
}

fn message(destination: &Destination, text: &str) -> Message {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Message { id: Uuid::new_v4(), destination: destination.clone(), body }
}

async fn take(consumer: &mut dyn Consumer, max: usize) -> Vec<Delivery> {
    let taken = timeout(WITHIN, consumer.take(max)).await.expect("nothing was delivered");
    taken.expect("the bus is open")
}

/// Takes exactly `count` deliveries.
async fn take_all(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(take(consumer, count - taken.len()).await);
    }
    taken
}

async fn ack_all(deliveries: Vec<Delivery>) {
    for delivery in deliveries {
        delivery.ack().await;
    }
}

/// Whatever carries becomes healthy on its own: parts of it may still be on their way when others work.
async fn healthy(bus: &dyn CommandBus) {
    let healthy = async {
        while bus.health().is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, healthy).await.expect("a bus that works becomes healthy");
}

/// Publishes in the background: a bus may confirm only after the consumer's acknowledgement.
async fn publish_and<T>(bus: &dyn CommandBus, messages: Vec<Message>, work: impl Future<Output = T>) -> (Vec<Uuid>, T) {
    let both = async { tokio::join!(bus.publish(messages), work) };
    timeout(WITHIN, both).await.expect("publishing or consuming hangs")
}

async fn confirmed_means_settled_or_stored(bus: &dyn CommandBus) {
    let here = commands("confirm");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let sent = message(&here, "hello");
    let id = sent.id;
    let (confirmed, ()) = publish_and(bus, vec![sent], async {
        let taken = take_all(&mut *consumer, 1).await;
        assert_eq!((taken[0].message_id, &taken[0].body[..]), (Some(id), &b"hello"[..]));
        assert!(!taken[0].redelivered);
        ack_all(taken).await;
    })
    .await;
    assert_eq!(confirmed, vec![id]);
    healthy(bus).await;
    assert!(bus.publish(Vec::new()).await.is_empty());
}

async fn many_publishers_lose_nothing(bus: &Arc<dyn CommandBus>) {
    const PUBLISHERS: usize = 32;
    const EACH: usize = 8;
    let here = commands("many");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let messages: Vec<Message> = (0..EACH).map(|n| message(&here, &format!("{publisher}/{n}"))).collect();
        let bus = bus.clone();
        tokio::spawn(async move {
            // A bus with little room may refuse some at first; its sender tries again with the same ids.
            let mut left = messages;
            while !left.is_empty() {
                let confirmed: BTreeSet<Uuid> = bus.publish(left.clone()).await.into_iter().collect();
                left.retain(|message| !confirmed.contains(&message.id));
            }
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut bodies = BTreeMap::new();
    while bodies.len() < PUBLISHERS * EACH {
        for delivery in take(&mut *consumer, 100).await {
            bodies.insert(delivery.body.clone(), delivery.message_id);
            delivery.ack().await;
        }
    }
    // Copies of what was confirmed late still arrive; take them, so that every publisher comes to its end.
    let drain = async {
        loop {
            ack_all(take(&mut *consumer, 100).await).await;
        }
    };
    tokio::select! {
        ended = timeout(WITHIN, join_all(publishers)) => {
            ended.expect("a publisher hangs").into_iter().for_each(|ended| ended.expect("a publisher panicked"));
        }
        () = drain => {}
    }
}

async fn take_is_bounded(bus: &dyn CommandBus) {
    let here = commands("bound");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let messages: Vec<Message> = (0..10).map(|n| message(&here, &n.to_string())).collect();
    let (confirmed, ()) = publish_and(bus, messages, async {
        let mut seen = 0;
        while seen < 10 {
            let taken = take(&mut *consumer, 3).await;
            assert!((1..=3).contains(&taken.len()), "{} at once", taken.len());
            seen += taken.len();
            ack_all(taken).await;
        }
    })
    .await;
    assert_eq!(confirmed.len(), 10);
}

async fn take_can_be_cancelled(bus: &dyn CommandBus) {
    let here = commands("cancel");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    for _ in 0..20 {
        let cancelled = timeout(Duration::from_millis(1), consumer.take(1)).await;
        assert!(cancelled.is_err(), "the queue is empty");
    }
    let (confirmed, ()) = publish_and(bus, vec![message(&here, "later")], async {
        // Given up as often as ever: to connect takes longer than each of these calls, not than all of them.
        let until = Instant::now() + WITHIN;
        let taken = loop {
            assert!(Instant::now() < until, "each call begins anew");
            if let Ok(taken) = timeout(Duration::from_millis(1), consumer.take(1)).await {
                break taken.unwrap();
            }
        };
        ack_all(taken).await;
    })
    .await;
    assert_eq!(confirmed.len(), 1);
}

async fn a_dead_consumer_gives_its_messages_back(bus: &dyn CommandBus) {
    let here = commands("death");
    let mut first = bus.consume(here.clone()).await.unwrap();
    let messages: Vec<Message> = (0..5).map(|n| message(&here, &n.to_string())).collect();
    let ids: BTreeSet<Uuid> = messages.iter().map(|message| message.id).collect();
    let (confirmed, ()) = publish_and(bus, messages, async {
        let taken = take_all(&mut *first, 5).await;
        drop(first);
        drop(taken);
        let mut second = bus.consume(here.clone()).await.unwrap();
        let again = take_all(&mut *second, 5).await;
        assert!(again.iter().all(|delivery| delivery.redelivered));
        let again_ids: BTreeSet<Uuid> = again.iter().filter_map(|delivery| delivery.message_id).collect();
        assert_eq!(again_ids, ids);
        ack_all(again).await;
    })
    .await;
    assert_eq!(confirmed.len(), 5);
}

async fn a_dropped_delivery_comes_again(bus: &dyn CommandBus) {
    let here = commands("drop");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let (confirmed, ()) = publish_and(bus, vec![message(&here, "again")], async {
        drop(take_all(&mut *consumer, 1).await);
        let again = take_all(&mut *consumer, 1).await;
        assert!(again[0].redelivered);
        ack_all(again).await;
    })
    .await;
    assert_eq!(confirmed.len(), 1);
}

async fn a_released_delivery_comes_again(bus: &dyn CommandBus) {
    let here = commands("release");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let begun = Instant::now();
    let (confirmed, ()) = publish_and(bus, vec![message(&here, "not now")], async {
        for _ in 0..3 {
            for delivery in take_all(&mut *consumer, 1).await {
                delivery.release().await;
            }
        }
        ack_all(take_all(&mut *consumer, 1).await).await;
    })
    .await;
    assert_eq!(confirmed.len(), 1);
    assert!(begun.elapsed() > 3 * LEAST_PAUSE, "what nobody can settle comes again without a pause, and costs a core");
}

async fn destinations_do_not_mix(bus: &dyn CommandBus) {
    let (one, other, replies) = (commands("mix-1"), commands("mix-2"), Destination::Replies);
    let mut consumers = Vec::new();
    for destination in [&one, &other, &replies] {
        consumers.push((bus.consume(destination.clone()).await.unwrap(), format!("{destination:?}")));
    }
    let messages = [&one, &other, &replies].map(|destination| message(destination, &format!("{destination:?}")));
    let (confirmed, ()) = publish_and(bus, messages.to_vec(), async {
        for (consumer, expected) in &mut consumers {
            let taken = take_all(&mut **consumer, 1).await;
            assert_eq!(taken[0].body, expected.as_bytes());
            ack_all(taken).await;
        }
    })
    .await;
    assert_eq!(confirmed.len(), 3);
}

async fn a_full_queue_pushes_back(bus: &dyn CommandBus) {
    let here = commands("full");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    // Nobody takes. More than fits is not confirmed, and the call ends by its deadline all the same.
    let mut waiting: Vec<Message> = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..8 {
        let messages: Vec<Message> = (0..CAPACITY).map(|n| message(&here, &n.to_string())).collect();
        let confirmed = timeout(WITHIN, bus.publish(messages.clone())).await.expect("publishing hangs");
        let confirmed: BTreeSet<Uuid> = confirmed.into_iter().collect();
        refused = messages.iter().filter(|message| !confirmed.contains(&message.id)).cloned().collect();
        waiting.extend(messages);
        if !refused.is_empty() {
            break;
        }
    }
    assert!(!refused.is_empty(), "{} messages fitted into a queue of {CAPACITY}", waiting.len());
    // With a consumer there is room again, and the same ids get through.
    let republish = async {
        let mut left = refused;
        while !left.is_empty() {
            let confirmed: BTreeSet<Uuid> = bus.publish(left.clone()).await.into_iter().collect();
            left.retain(|message| !confirmed.contains(&message.id));
        }
    };
    let mut seen = BTreeSet::new();
    let consume = async {
        loop {
            for delivery in take(&mut *consumer, 100).await {
                seen.extend(delivery.message_id);
                delivery.ack().await;
            }
        }
    };
    tokio::select! {
        ended = timeout(WITHIN, republish) => ended.expect("republishing hangs"),
        () = consume => {}
    }
}

async fn a_closed_bus_says_so(bus: &Arc<dyn CommandBus>) {
    let here = commands("closed");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let (taken, ()) =
        timeout(WITHIN, async { tokio::join!(consumer.take(1), bus.close()) }).await.expect("close hangs");
    assert!(matches!(taken, Err(BusError::Closed)));
    assert!(matches!(bus.health(), Err(BusError::Closed)));
    assert!(bus.consume(here.clone()).await.is_err());
    let sent = timeout(WITHIN, bus.publish(vec![message(&here, "late")])).await.expect("publishing hangs");
    assert!(sent.is_empty());
    sending::at_once(bus, vec![message(&here, "late")]).await;
}
