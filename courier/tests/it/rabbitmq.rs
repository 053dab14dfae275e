//! RabbitMQ keeps the laws, and survives what a broker does to its clients.

mod own_queue;
mod sending;

use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Destination, MAX_BODY, Message};
use baton_courier::conformance::{CAPACITY, Subject, exercise};
use baton_courier::local::DeadLetter;
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_courier::topology;
use baton_supervisor::{RabbitMq, shared};
use bytes::Bytes;
use futures_util::future::join_all;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use sending::send_until_taken;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Everything heals within this on a busy machine, or it does not heal.
const WITHIN: Duration = Duration::from_secs(60);

struct Rabbit(RabbitBus);

#[async_trait]
impl Subject for Rabbit {
    fn bus(&self) -> Arc<dyn CommandBus> {
        Arc::new(self.0.clone())
    }

    async fn dead_letters(&self, source: &Destination) -> Vec<DeadLetter> {
        self.0.dead_letters(source, 100).await.unwrap()
    }
}

fn start(url: &str) -> RabbitBus {
    RabbitBus::start(&RabbitConfig { confirm_deadline: Duration::from_secs(3), ..RabbitConfig::new(url) }).unwrap()
}

async fn fresh() -> (RabbitBus, String) {
    let url = shared::fresh_vhost(shared::rabbitmq().await).await;
    (start(&url), url)
}

fn stock() -> Destination {
    Destination::Commands("stock".into())
}

fn commands(count: usize) -> Vec<Message> {
    let body = Bytes::from_static(b"command");
    (0..count).map(|_| Message { id: Uuid::new_v4(), destination: stock(), body: body.clone() }).collect()
}

/// Publishes until all is confirmed.
async fn publish_all(bus: &RabbitBus, mut left: Vec<Message>) {
    let start = Instant::now();
    while !left.is_empty() {
        assert!(start.elapsed() < WITHIN, "{} messages are never confirmed", left.len());
        let confirmed: BTreeSet<Uuid> = bus.publish(left.clone()).await.into_iter().collect();
        left.retain(|message| !confirmed.contains(&message.id));
    }
}

/// Takes and acknowledges until every one of `ids` was seen.
async fn take_all(consumer: &mut dyn Consumer, mut ids: BTreeSet<Uuid>) {
    let all = async {
        while !ids.is_empty() {
            for delivery in consumer.take(100).await.unwrap() {
                ids.remove(&delivery.message_id.unwrap());
                delivery.ack().await;
            }
        }
    };
    timeout(WITHIN, all).await.expect("a confirmed message is lost");
}

fn ids(messages: &[Message]) -> BTreeSet<Uuid> {
    messages.iter().map(|message| message.id).collect()
}

async fn until_healthy(bus: &RabbitBus, healthy: bool) {
    let start = Instant::now();
    while bus.health().is_ok() != healthy {
        assert!(start.elapsed() < WITHIN, "health stays {:?}", bus.health());
        tokio::task::yield_now().await;
    }
}

/// A plain client beside ours, on a channel with confirms.
async fn plain(url: &str) -> (Connection, lapin::Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_bus_keeps_the_laws() {
    let url = shared::fresh_vhost(shared::rabbitmq().await).await;
    let config = RabbitConfig {
        confirm_deadline: Duration::from_secs(3),
        queue_limit: CAPACITY as u32,
        ..RabbitConfig::new(url)
    };
    exercise(async || Rabbit(RabbitBus::start(&config).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unroutable_is_never_confirmed() {
    let (bus, url) = fresh().await;
    let lost = Destination::Commands("lost".into());
    let sample = |destination: &Destination| Message {
        id: Uuid::new_v4(),
        destination: destination.clone(),
        body: Bytes::from_static(b"command"),
    };
    // Both destinations are declared and known to the publisher; then the queue of one is gone.
    publish_all(&bus, vec![sample(&stock()), sample(&lost)]).await;
    let (_connection, channel) = plain(&url).await;
    channel.queue_delete("saga.cmd.lost.v2".into(), QueueDeleteOptions::default()).await.unwrap();
    // 400 of each, alternating, from many callers at once: returns and confirms are pipelined. A caller whose round
    // comes after the first return finds the queue declared again, so only what was confirmed can be judged: it must
    // all be in the queues.
    let mut sent = Vec::new();
    let calls = (0..50).map(|_| {
        let messages: Vec<Message> = (0..8).flat_map(|_| [sample(&stock()), sample(&lost)]).collect();
        sent.extend(messages.clone());
        bus.publish(messages)
    });
    let calls: Vec<_> = calls.collect();
    let confirmed: BTreeSet<Uuid> = join_all(calls).await.concat().into_iter().collect();
    let routable: BTreeSet<Uuid> =
        sent.iter().filter(|message| message.destination == stock()).map(|message| message.id).collect();
    let unroutable: BTreeSet<Uuid> = ids(&sent).difference(&routable).copied().collect();
    assert!(routable.is_subset(&confirmed), "a routable message was not confirmed");
    assert!(!unroutable.is_subset(&confirmed), "the queue was gone, and nothing was returned");
    let confirmed_lost: BTreeSet<Uuid> = unroutable.intersection(&confirmed).copied().collect();
    take_all(&mut *bus.consume(lost.clone()).await.unwrap(), confirmed_lost).await;
    // And published again, the rest arrives too.
    let rest: Vec<Message> = sent.into_iter().filter(|message| !confirmed.contains(&message.id)).collect();
    publish_all(&bus, rest.clone()).await;
    take_all(&mut *bus.consume(lost).await.unwrap(), ids(&rest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_heals_while_it_is_consumed() {
    let (bus, url) = fresh().await;
    let mut consumer = bus.consume(stock()).await.unwrap();
    let first = commands(1);
    publish_all(&bus, first.clone()).await;
    take_all(&mut *consumer, ids(&first)).await;
    let (_connection, channel) = plain(&url).await;
    channel.queue_delete("saga.cmd.stock.v2".into(), QueueDeleteOptions::default()).await.unwrap();
    let second = commands(10);
    // The publisher and the consumer both notice on their own.
    let (_, ()) = tokio::join!(publish_all(&bus, second.clone()), take_all(&mut *consumer, ids(&second)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_quarantined_by_the_consumer() {
    let (bus, url) = fresh().await;
    let mut consumer = bus.consume(stock()).await.unwrap();
    let small = commands(1);
    publish_all(&bus, small.clone()).await;
    let (_connection, channel) = plain(&url).await;
    let (body, options) = (vec![7; MAX_BODY + 1], BasicPublishOptions::default());
    let (exchange, key) = (topology::COMMAND_EXCHANGE.into(), "stock".into());
    let publish = channel.basic_publish(exchange, key, options, &body, BasicProperties::default()).await.unwrap();
    publish.await.unwrap();
    take_all(&mut *consumer, ids(&small)).await;
    let reader = bus.clone();
    let quarantined = async {
        loop {
            let letters = reader.dead_letters(&stock(), 10).await.unwrap();
            if let [letter] = &letters[..] {
                break letter.clone();
            }
        }
    };
    let letter = tokio::select! {
        letter = timeout(WITHIN, quarantined) => letter.unwrap(),
        taken = consumer.take(1) => panic!("delivered: {taken:?}"),
    };
    assert_eq!((letter.reason.as_str(), letter.body.len()), (topology::TOO_LARGE, MAX_BODY + 1));
    // Our own side refuses it before the broker sees it.
    let huge = Message { body: Bytes::from(body), ..commands(1).remove(0) };
    assert!(bus.publish(vec![huge]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_loses_nothing_that_was_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    let bus = start(&broker.amqp_url());
    let mut consumer = bus.consume(stock()).await.unwrap();
    // The broker registers a new queue on disk with a delay; killed before, it comes back with the queue but without
    // anybody to lead it. A clean restart leaves that behind: queues are declared once and live for years.
    publish_all(&bus, commands(1)).await;
    broker.stop().unwrap();
    broker.restart().await.unwrap();
    publish_all(&bus, commands(1)).await;
    let sent = commands(600);
    let publishers = sent.chunks(20).map(|chunk| {
        let (bus, chunk) = (bus.clone(), chunk.to_vec());
        tokio::spawn(async move { publish_all(&bus, chunk).await })
    });
    let publishers: Vec<_> = publishers.collect();
    // Killed with deliveries in hand and publishes in flight.
    let held = timeout(WITHIN, consumer.take(50)).await.unwrap().unwrap();
    assert!(!held.is_empty());
    broker.kill().unwrap();
    until_healthy(&bus, false).await;
    broker.restart().await.unwrap();
    for delivery in held {
        delivery.ack().await;
    }
    take_all(&mut *consumer, ids(&sent)).await;
    for ended in join_all(publishers).await {
        ended.unwrap();
    }
    until_healthy(&bus, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_is_noticed_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    let bus = start(&broker.amqp_url());
    publish_all(&bus, commands(1)).await;
    broker.pause().unwrap();
    let asked = Instant::now();
    assert!(bus.publish(commands(1)).await.is_empty());
    assert!(asked.elapsed() < Duration::from_secs(10), "publishing ignored its deadline");
    until_healthy(&bus, false).await;
    broker.resume().unwrap();
    publish_all(&bus, commands(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_closed_by_an_operator_heal() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    let bus = start(&broker.amqp_url());
    let mut consumer = bus.consume(stock()).await.unwrap();
    let first = commands(10);
    publish_all(&bus, first.clone()).await;
    take_all(&mut *consumer, ids(&first)).await;
    broker.ctl(&["close_all_connections", "test"]).await.unwrap();
    let second = commands(10);
    let (_, ()) = tokio::join!(publish_all(&bus, second.clone()), take_all(&mut *consumer, ids(&second)));
    until_healthy(&bus, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_flow_under_a_memory_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let broker = RabbitMq::start(dir.path()).await.unwrap();
    let bus = start(&broker.amqp_url());
    let mut consumer = bus.consume(stock()).await.unwrap();
    let sent = commands(5);
    publish_all(&bus, sent).await;
    let mut held = Vec::new();
    while held.len() < 5 {
        held.extend(timeout(WITHIN, consumer.take(5)).await.unwrap().unwrap());
    }
    broker.ctl(&["set_vm_memory_high_watermark", "0.0000001"]).await.unwrap();
    let blocked = commands(1);
    assert!(bus.publish(blocked.clone()).await.is_empty(), "the broker takes nothing under an alarm");
    until_healthy(&bus, false).await;
    for delivery in held {
        delivery.ack().await;
    }
    let start = Instant::now();
    loop {
        let listed = broker.ctl(&["list_queues", "name", "messages_unacknowledged"]).await.unwrap();
        let line = listed.lines().find(|line| line.starts_with("saga.cmd.stock.v2\t")).unwrap_or_default();
        if line.ends_with("\t0") {
            break;
        }
        assert!(start.elapsed() < WITHIN, "acknowledgements are stuck: {line}");
    }
    broker.ctl(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    publish_all(&bus, blocked).await;
    until_healthy(&bus, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_at_the_start_is_waited_for() {
    let nobody = baton_supervisor::port::free().unwrap();
    let bus = start(&format!("amqp://guest:secret@127.0.0.1:{nobody}/%2f"));
    assert!(bus.health().is_err());
    let mut consumer = bus.consume(stock()).await.unwrap();
    assert!(timeout(Duration::from_millis(500), consumer.take(1)).await.is_err());
    assert!(bus.publish(commands(1)).await.is_empty());
    bus.send(commands(1));
    timeout(Duration::from_secs(10), bus.close()).await.expect("close waits for a broker that is away");
    let shown = format!("{:?} {bus:?} {consumer:?}", RabbitConfig::new("amqp://guest:secret@localhost"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_that_fails_does_not_keep_its_caller() {
    let (bus, _url) = fresh().await;
    publish_all(&bus, commands(1)).await;
    let mut consumer = bus.consume(stock()).await.unwrap();
    let delivery = timeout(WITHIN, consumer.take(1)).await.unwrap().unwrap().remove(0);
    bus.close().await;
    timeout(Duration::from_secs(10), delivery.dead_letter("POISON")).await.expect("kept until the message went back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_declared_holds_up_no_other() {
    let (bus, url) = fresh().await;
    publish_all(&bus, commands(1)).await;
    let (_connection, channel) = plain(&url).await;
    // Somebody has made a queue of that name, with other arguments.
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("saga.cmd.bad.v2".into(), options, FieldTable::default()).await.unwrap();
    let (exchange, bind) = (topology::COMMAND_EXCHANGE.into(), QueueBindOptions::default());
    channel.queue_bind("saga.cmd.bad.v2".into(), exchange, "bad".into(), bind, FieldTable::default()).await.unwrap();
    let bad = || Message { destination: Destination::Commands("bad".into()), ..commands(1).remove(0) };
    let start = Instant::now();
    for _ in 0..50 {
        let sent = [bad(), commands(1).remove(0)];
        let confirmed = bus.publish(sent.to_vec()).await;
        assert!(confirmed.contains(&sent[1].id), "after {:?}", start.elapsed());
    }
    // One that is declared for the first time meanwhile.
    let new = Message { destination: Destination::Commands("new".into()), ..commands(1).remove(0) };
    let (_, ()) = tokio::join!(bus.publish(vec![bad()]), publish_all(&bus, vec![new]));
    assert!(start.elapsed() < Duration::from_secs(20), "others wait: {:?}", start.elapsed());
    bus.health().unwrap();
}

/// The connection is as good as ever, and yet not one message would be taken: whoever looks at the process must hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_cannot_be_consumed_is_not_healthy() {
    let (bus, url) = fresh().await;
    let (_connection, channel) = plain(&url).await;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("saga.cmd.stock.v2".into(), options, FieldTable::default()).await.unwrap();
    let mut consumer = bus.consume(stock()).await.unwrap();
    let taking = tokio::spawn(async move { consumer.take(10).await.map(|taken| taken.len()) });
    let start = Instant::now();
    while !bus.health().is_err_and(|error| error.to_string().contains("saga.cmd.stock.v2 is not consumed")) {
        assert!(start.elapsed() < WITHIN, "{:?}", bus.health());
        tokio::task::yield_now().await;
    }
    // What is sent to others gets through all the same.
    let other = Message { destination: Destination::Commands("other".into()), ..commands(1).remove(0) };
    let mut beside = bus.consume(other.destination.clone()).await.unwrap();
    send_until_taken(&bus, &mut *beside, other).await;
    drop(beside);
    channel.queue_delete("saga.cmd.stock.v2".into(), QueueDeleteOptions::default()).await.unwrap();
    publish_all(&bus, commands(1)).await;
    assert_eq!(timeout(WITHIN, taking).await.expect("consumed again").unwrap().unwrap(), 1);
    until_healthy(&bus, true).await;
}

/// Why commands and replies have no alternate exchange: with one, the broker confirms a message that reaches no
/// participant, and returns nothing, mandatory or not.
#[tokio::test(flavor = "multi_thread")]
async fn an_alternate_exchange_hides_unroutable_messages() {
    let (bus, url) = fresh().await;
    publish_all(&bus, commands(1)).await;
    let (_connection, channel) = plain(&url).await;
    let mandatory = BasicPublishOptions { mandatory: true, immediate: false };
    let publish = async |exchange: &str| {
        let properties = BasicProperties::default();
        let confirm =
            channel.basic_publish(exchange.into(), "nobody".into(), mandatory, b"", properties).await.unwrap();
        confirm.await.unwrap()
    };
    assert_eq!(publish(topology::DEAD_LETTER_EXCHANGE).await, Confirmation::Ack(None), "it has an alternate exchange");
    assert!(matches!(publish(topology::COMMAND_EXCHANGE).await, Confirmation::Ack(Some(_))), "it has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_counted_by_the_broker_and_not_made_by_asking() {
    let (bus, url) = fresh().await;
    let counted =
        |work, letters| [("saga.cmd.stock.v2".to_owned(), work), ("saga.cmd.stock.v1.dlq".to_owned(), letters)];
    assert_eq!(bus.depths(&stock()).await.unwrap(), counted(None, None));
    let (_connection, channel) = plain(&url).await;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare("saga.cmd.stock.v2".into(), passive, FieldTable::default()).await;
    asked.expect_err("asking made the queue");
    publish_all(&bus, commands(3)).await;
    // A queue's count follows its messages by a moment.
    let start = Instant::now();
    while bus.depths(&stock()).await.unwrap() != counted(Some(3), Some(0)) {
        assert!(start.elapsed() < WITHIN, "{:?}", bus.depths(&stock()).await);
    }
}
