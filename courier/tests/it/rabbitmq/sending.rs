//! What is sent: transient, never waited for, and there again once the broker is.

use super::{WITHIN, commands, fresh, plain, publish_all, start, stock, until_healthy};
use baton_courier::bus::{CommandBus as _, Consumer, Message};
use baton_courier::rabbitmq::RabbitBus;
use baton_supervisor::RabbitMq;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Sends until it has arrived, as whoever needs an answer does.
pub(super) async fn send_until_taken(bus: &RabbitBus, consumer: &mut dyn Consumer, message: Message) {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < WITHIN, "what is sent never arrives");
        bus.send(vec![message.clone()]);
        let Ok(taken) = timeout(Duration::from_secs(1), consumer.take(100)).await else { continue };
        let taken = taken.unwrap();
        let is_there = taken.iter().any(|delivery| delivery.message_id == Some(message.id));
        for delivery in taken {
            delivery.ack().await;
        }
        if is_there {
            return;
        }
    }
}

/// What is sent while the broker is away is nobody's: nothing waits for it, and sent again it arrives.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_arrives_again_once_a_dead_broker_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    let bus = start(&broker.amqp_url());
    let mut consumer = bus.consume(stock()).await.unwrap();
    send_until_taken(&bus, &mut *consumer, commands(1).remove(0)).await;
    broker.stop().unwrap();
    until_healthy(&bus, false).await;
    let lost = commands(10);
    bus.send(lost.clone());
    broker.restart().await.unwrap();
    until_healthy(&bus, true).await;
    for message in lost {
        send_until_taken(&bus, &mut *consumer, message).await;
    }
}

/// A message that is sent costs the broker no disk; one that is published is there after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_transient_and_what_is_published_persistent() {
    let (bus, url) = fresh().await;
    publish_all(&bus, commands(1)).await;
    until_healthy(&bus, true).await;
    let (_connection, channel) = plain(&url).await;
    let (asked, mut modes) = (Instant::now(), BTreeSet::new());
    while modes.len() < 2 {
        assert!(asked.elapsed() < WITHIN, "only {modes:?} arrived");
        bus.send(commands(1));
        let got = channel.basic_get("saga.cmd.stock.v2".into(), BasicGetOptions { no_ack: true }).await.unwrap();
        modes.extend(got.and_then(|message| *message.delivery.properties.delivery_mode()));
    }
    assert_eq!(modes, BTreeSet::from([1, 2]));
}

/// An installation of before has queues that nobody empties any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_before_is_fed_no_more() {
    let (bus, url) = fresh().await;
    let mut consumer = bus.consume(stock()).await.unwrap();
    send_until_taken(&bus, &mut *consumer, commands(1).remove(0)).await;
    let (_connection, channel) = plain(&url).await;
    let (before, options) = ("saga.cmd.stock.v1", QueueDeclareOptions { durable: true, ..Default::default() });
    channel.queue_declare(before.into(), options, FieldTable::default()).await.unwrap();
    let bound = QueueBindOptions::default();
    channel.queue_bind(before.into(), "saga.cmd".into(), "stock".into(), bound, FieldTable::default()).await.unwrap();
    // A process of this build starts.
    let bus = start(&url);
    bus.declare(&stock()).await.unwrap();
    send_until_taken(&bus, &mut *consumer, commands(1).remove(0)).await;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let counted = channel.queue_declare(before.into(), passive, FieldTable::default()).await.unwrap();
    assert_eq!(counted.message_count(), 0);
}
