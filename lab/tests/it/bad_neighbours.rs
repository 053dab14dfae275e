//! A hostile publisher beside good ones, on a real broker: every kind of bad message is quarantined or answered, and the
//! good ones of the same batch are delivered once, carried out once and answered.

use baton_courier::bus::{CommandBus as _, Consumer, Destination, MAX_BODY, Message};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_courier::topology;
use baton_lab::sim::cast::Stand;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::codec::{batch_of, key_from_wire};
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_participant_kit::worker::{Worker, WorkerOptions};
use baton_proto::baton::participant::v1 as wire;
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::shared;
use baton_verify::broker::held;
use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use prometheus_client::registry::Registry;
use prost::Message as _;
use saga_core::definition::{Definition, StepOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The worker's clock, microseconds.
const NOW_US: i64 = 1_800_000_000_000_000;

/// Ten minutes.
const OLD_US: i64 = 600_000_000;

/// Good messages, one between every two bad ones.
const GOOD: u8 = 40;

/// Everything happens within this on a busy machine, or it does not happen.
const WITHIN: Duration = Duration::from_secs(60);

fn command(saga: u8, step: u32, direction: wire::Direction, name: &str, deadline_us: i64) -> Bytes {
    let key = wire::CommandKey { saga_id: Bytes::from(vec![saga; 16]), step, direction: direction.into() };
    let command = wire::Command {
        key: Some(key),
        attempt: 1,
        name: name.to_owned(),
        deadline_us,
        definition: "any/1".to_owned(),
        ..wire::Command::default()
    };
    command.encode_to_vec().into()
}

fn good(saga: u8) -> Bytes {
    command(saga, 0, wire::Direction::Action, "thing.do", NOW_US + OLD_US)
}

/// What nobody should send, each kind with its name.
fn bad() -> Vec<(&'static str, Bytes)> {
    let five = (0..5).map(|_| ("repeated", batch_of(vec![good(200)])));
    let mut all = vec![
        ("undecodable", Bytes::from_static(b"\x0a\xff\xff\xff\x7f garbage")),
        ("oversized", Bytes::from(vec![0x0a; MAX_BODY + 1])),
        ("unknown", batch_of(vec![command(201, 0, wire::Direction::Action, "thing.teleport", NOW_US + OLD_US)])),
        ("old", batch_of(vec![command(202, 0, wire::Direction::Action, "thing.do", NOW_US - OLD_US)])),
        ("forged", batch_of(vec![command(203, 0, wire::Direction::Undo, "thing.undo", 0)])),
        ("no key", batch_of(vec![wire::Command::default().encode_to_vec().into()])),
        ("beside a good one", batch_of(vec![good(204), Bytes::from_static(b"\xff\xff\xff")])),
    ];
    all.extend(five);
    all
}

struct Bench {
    bus: RabbitBus,
    url: String,
    database: Database,
    registry: Registry,
    worker: Arc<Worker>,
}

async fn bench() -> Bench {
    let url = shared::fresh_vhost(shared::rabbitmq().await).await;
    let bus = RabbitBus::start(&RabbitConfig::new(url.clone())).expect("a bus");
    let definition = Definition::builder("any", 1)
        .compensatable("thing", "stock", "thing.do", "thing.undo", StepOptions::new())
        .build()
        .expect("a definition");
    let stand = Stand::cast(&definition).remove(0);
    let database = Database::open(DatabaseConfig::SqliteMemory).await.expect("a database");
    database.migrate(&ledger::migrations(&stand)).await.expect("a schema");
    let mut registry = Registry::default();
    let metrics = ParticipantMetrics::register(&mut registry);
    let clock = Clock::from_fn(|| NOW_US);
    let worker =
        Worker::new(Arc::new(stand), database.clone(), Arc::new(bus.clone()), clock, metrics, WorkerOptions::default());
    Bench { bus, url, database, registry, worker: Arc::new(worker) }
}

/// Publishes bodies as they are, also those that our own bus would refuse to send.
async fn publish(url: &str, bodies: Vec<Bytes>) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    for body in bodies {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, key) = (topology::COMMAND_EXCHANGE.into(), "stock".into());
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let confirm = channel.basic_publish(exchange, key, options, &body, properties).await.expect("published");
        assert!(confirm.await.expect("a confirm").is_ack());
    }
}

/// Answers by command, until there are `count` of them.
async fn answers(mut consumer: Box<dyn Consumer>, count: usize) -> BTreeMap<CommandKey, Vec<String>> {
    let mut answers: BTreeMap<CommandKey, Vec<String>> = BTreeMap::new();
    let reading = async {
        while answers.values().map(Vec::len).sum::<usize>() < count {
            for delivery in consumer.take(100).await.expect("deliveries") {
                let batch = wire::ReplyBatch::decode(delivery.body.clone()).expect("replies");
                for reply in batch.replies {
                    let key = reply.key.as_ref().and_then(key_from_wire).expect("a key");
                    let said = match reply.outcome.expect("an outcome") {
                        wire::reply::Outcome::Succeeded(_) => "done".to_owned(),
                        wire::reply::Outcome::Rejected(rejected) => rejected.reason,
                        wire::reply::Outcome::Unavailable(unavailable) => unavailable.reason,
                    };
                    answers.entry(key).or_default().push(said);
                }
                delivery.ack().await;
            }
        }
    };
    timeout(WITHIN, reading).await.unwrap_or_else(|_| panic!("not all is answered"));
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_neighbour_brings_nobody_back() {
    let bench = bench().await;
    // The queue is made, and all of it stands there before anybody takes it: one batch.
    let first = Message {
        id: Uuid::now_v7(),
        destination: Destination::Commands("stock".to_owned()),
        body: batch_of(vec![good(0)]),
    };
    assert_eq!(bench.bus.publish(vec![first.clone()]).await, [first.id]);
    let bad = bad();
    let mut bodies = Vec::new();
    for saga in 1..GOOD {
        bodies.push(batch_of(vec![good(saga)]));
        bodies.extend(bad.get(usize::from(saga) - 1).map(|(_, body)| body.clone()));
    }
    assert!(bad.len() < usize::from(GOOD) - 1, "each bad message has a good one on either side");
    publish(&bench.url, bodies).await;
    // Its queue is made before the first answer: one that has nowhere to go would bring its command back.
    let replies = bench.bus.consume(Destination::Replies).await.expect("a consumer");
    let (worker, stop) = (bench.worker.clone(), CancellationToken::new());
    let stopping = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopping).await });

    // The good ones; five of the same; unknown, old, forged; the good one beside a bad item.
    let answers = answers(replies, usize::from(GOOD) + 5 + 3 + 1).await;
    let of =
        |saga: u8, direction: CommandDirection| answers[&CommandKey { saga: [saga; 16], step: 0, direction }].clone();
    for saga in 0..GOOD {
        assert_eq!(of(saga, CommandDirection::Action), ["done"], "good message {saga}");
    }
    assert_eq!(of(200, CommandDirection::Action), ["done"; 5]);
    assert_eq!(of(201, CommandDirection::Action), ["UNKNOWN_COMMAND"]);
    assert_eq!(of(202, CommandDirection::Action), ["DEADLINE_PASSED"]);
    assert_eq!(of(203, CommandDirection::Undo), ["done"]);
    assert_eq!(of(204, CommandDirection::Action), ["done"]);

    let quarantined = async {
        loop {
            let held = held(&bench.bus, &["stock".to_owned()]).await.expect("the broker answers");
            let work = held.queues.iter().find(|queue| queue.name == "saga.cmd.stock.v2").map(|queue| queue.messages);
            if held.letters.len() == 4 && work == Some(0) {
                return held.letters;
            }
        }
    };
    let letters = timeout(WITHIN, quarantined).await.expect("four messages are quarantined, nothing else is left");
    let reasons: Vec<String> = letters.into_iter().filter_map(|letter| letter.reason).collect();
    let wanted = ["BATCH_UNREADABLE", "COMMAND_UNREADABLE", topology::TOO_LARGE];
    assert_eq!(reasons.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(wanted), "{reasons:?}");

    // One effect for each good command, one for the five; none for the old, the unknown and the forged.
    let rows = bench.database.query("SELECT saga_id FROM effect", Vec::new()).await.expect("effects");
    let effects: BTreeSet<[u8; 16]> = rows.iter().map(|row| row.array(0).expect("an id")).collect();
    let wanted: BTreeSet<[u8; 16]> = (0..GOOD).chain([200, 204]).map(|saga| [saga; 16]).collect();
    assert_eq!((rows.len(), &effects), (wanted.len(), &wanted));

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &bench.registry).expect("metrics");
    let again = "saga_participant_redelivered_messages_total{participant=\"stock\"} 0";
    assert!(text.contains(again), "a good message was delivered again: {text}");
    stop.cancel();
    working.await.expect("it ends").expect("by its stop");
}
