//! Somebody who may publish and should not: garbled, oversized, old, repeated, unknown and forged messages.
//!
//! Everything here must end in a dead-letter queue with its reason, or be answered without an effect. What nobody can
//! tell from the truth without signatures (a well-formed answer to a command that is under way) is left out.

use super::deliveries::deliveries;
use crate::storm::arena::{Arena, Fired};
use crate::storm::cluster::Cluster;
use anyhow::{Context as _, Result, ensure};
use baton_courier::bus::{Destination, MAX_BODY};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_courier::topology;
use baton_orchestrator::operations::letters::REPLIES;
use baton_proto::baton::participant::v1 as wire;
use baton_sql::database::Database;
use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use prost::Message as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use shop_proto::payment::v1::CancelPayment;
use shop_proto::stock::v1::{ReserveLine, ReserveStock};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Indices and names in the order saga that a forger knows from the source.
const RESERVE: u32 = 3;

/// Ten minutes.
const OLD_US: i64 = 600_000_000;

/// Between two volleys.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a quarantine may take.
const QUARANTINED_WITHIN: Duration = Duration::from_secs(30);

/// Dead letters looked at.
const LETTERS: usize = 1_000;

/// Every kind of bad message, in volleys, beside the load.
pub(super) async fn publish(arena: &Arena) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    let mut dice = arena.dice();
    let channel = connect(cluster).await?;
    let mut sent = Sent::default();
    let before = deliveries(cluster).await?;
    let until = Instant::now() + arena.window;
    while sent.volleys == 0 || Instant::now() < until {
        let victims = finished(&cluster.sagas).await?;
        for destination in destinations() {
            volley(&channel, &destination, &victims, &mut dice, &mut sent).await?;
        }
        forged_refunds(&channel, &victims, &mut sent).await?;
        sent.volleys += 1;
        arena.note(format!("volley {}", sent.volleys));
        sleep(PAUSE).await;
    }
    let letters = quarantined(cluster, sent.volleys).await?;
    // Nothing was killed or cut meanwhile: who is delivered again was pulled back by a bad neighbour.
    let after = deliveries(cluster).await?;
    let (first, again) = (after.first - before.first, after.again - before.again);
    ensure!(again == 0, "{again} messages were delivered again because of bad neighbours");
    Ok(vec![
        Fired::new("commands carried out beside these, of messages delivered once", first),
        Fired::new("undecodable", sent.undecodable),
        Fired::new("oversized", sent.oversized),
        Fired::new("unknown command or definition version", sent.unknown),
        Fired::new("five times the same", sent.repeated),
        Fired::new("ten minutes old", sent.old),
        Fired::new("forged", sent.forged),
        Fired::new("quarantined with a reason", letters),
    ])
}

/// `count` messages that are no batch.
pub(super) async fn garbage(cluster: &Cluster, destination: &Destination, count: u32) -> Result<()> {
    let channel = connect(cluster).await?;
    for _ in 0..count {
        send(&channel, destination, b"\x0a\xff\xff\xff\x7f garbage".to_vec()).await?;
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Sent {
    volleys: u64,
    undecodable: u64,
    oversized: u64,
    unknown: u64,
    repeated: u64,
    old: u64,
    forged: u64,
}

/// A saga that has ended well, with its order and payment.
#[derive(Clone, Debug)]
struct Victim {
    saga: Bytes,
    order: String,
    payment: String,
    lines: Vec<ReserveLine>,
}

pub(super) fn destinations() -> Vec<Destination> {
    let commands = ["order", "payment", "stock"].map(|name| Destination::Commands(name.to_owned()));
    commands.into_iter().chain([Destination::Replies]).collect()
}

pub(super) async fn connect(cluster: &Cluster) -> Result<Channel> {
    let url = cluster.broker()?.amqp_url();
    let connection =
        Connection::connect(&url, ConnectionProperties::default()).await.context("connect to the broker")?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn send(channel: &Channel, destination: &Destination, body: Vec<u8>) -> Result<()> {
    let route = topology::route(destination).map_err(|error| anyhow::anyhow!("{error}"))?;
    let properties = BasicProperties::default().with_delivery_mode(2);
    let (exchange, key) = (route.exchange.into(), route.routing_key.as_str().into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let confirm = channel.basic_publish(exchange, key, options, &body, properties).await?.await?;
    ensure!(confirm.is_ack(), "the broker refused a hostile message");
    Ok(())
}

/// A few sagas that are completed: what is forged in their name must change nothing.
async fn finished(sagas: &Database) -> Result<Vec<Victim>> {
    let sql = "SELECT id, business_key, input FROM saga WHERE state = 5 ORDER BY id DESC LIMIT 5";
    let rows = sagas.query(sql, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let input = shop_proto::order::v1::OrderSagaInput::decode(row.bytes(2)?)?;
            let saga = Bytes::copy_from_slice(row.bytes(0)?);
            let lines = input.lines.into_iter().map(|line| ReserveLine {
                item_id: line.item_id,
                quantity: line.quantity,
                unit_price_minor_units: line.unit_price_minor_units,
            });
            let (order, lines) = (row.text(1)?.to_owned(), lines.collect());
            Ok(Victim { saga, order, payment: input.payment_id, lines })
        })
        .collect()
}

async fn volley(
    channel: &Channel,
    destination: &Destination,
    victims: &[Victim],
    dice: &mut StdRng,
    sent: &mut Sent,
) -> Result<()> {
    let noise: Vec<u8> = [0x0a, 0xff, 0xff, 0x7f].into_iter().chain((0..200).map(|_| dice.random())).collect();
    send(channel, destination, noise).await?;
    sent.undecodable += 1;
    send(channel, destination, vec![0x0a; MAX_BODY + 50 * 1024]).await?;
    sent.oversized += 1;
    let stranger = Bytes::copy_from_slice(Uuid::now_v7().as_bytes());
    match destination {
        Destination::Commands(participant) => {
            send(channel, destination, unknown_command(&stranger, participant)).await?;
            sent.unknown += 1;
            send(channel, destination, old_command(&stranger, participant)).await?;
            sent.old += 1;
            if participant == "stock" {
                for victim in victims {
                    // The very command of a saga that is long done: the ledger has answered it.
                    let body = repeated_command(victim);
                    for _ in 0..5 {
                        send(channel, destination, body.clone()).await?;
                        sent.repeated += 1;
                    }
                }
            }
            // An undo in the name of a saga nobody knows.
            send(channel, destination, stray_undo(&stranger, participant)).await?;
            sent.forged += 1;
        }
        Destination::Replies => {
            for victim in victims {
                let body = reply(&victim.saga, RESERVE);
                for _ in 0..5 {
                    send(channel, destination, body.clone()).await?;
                    sent.repeated += 1;
                }
            }
            send(channel, destination, reply(&stranger, 0)).await?;
            sent.unknown += 1;
            if let Some(victim) = victims.first() {
                send(channel, destination, reply(&victim.saga, 63)).await?;
                sent.forged += 1;
            }
        }
    }
    Ok(())
}

/// "Pay back" in the name of a saga nobody knows, of an order that is completed: another saga has the payment.
async fn forged_refunds(channel: &Channel, victims: &[Victim], sent: &mut Sent) -> Result<()> {
    for victim in victims {
        let saga = Bytes::copy_from_slice(Uuid::now_v7().as_bytes());
        let payload = CancelPayment {
            payment_id: victim.payment.clone(),
            order_number: victim.order.clone(),
            reason: "FORGED".to_owned(),
        };
        let command = wire::Command {
            effect_before_saga: true,
            payload: payload.encode_to_vec().into(),
            ..command(&saga, 0, wire::Direction::Undo, "payment.cancel")
        };
        send(channel, &Destination::Commands("payment".to_owned()), batch(command)).await?;
        sent.forged += 1;
    }
    Ok(())
}

fn command(saga: &Bytes, step: u32, direction: wire::Direction, name: &str) -> wire::Command {
    wire::Command {
        key: Some(wire::CommandKey { saga_id: saga.clone(), step, direction: direction.into() }),
        attempt: 1,
        name: name.to_owned(),
        payload: Bytes::new(),
        deadline_us: now_us() + OLD_US,
        traceparent: String::new(),
        effect_before_saga: false,
        definition: "order/1".to_owned(),
    }
}

fn batch(command: wire::Command) -> Vec<u8> {
    wire::CommandBatch { commands: vec![command] }.encode_to_vec()
}

fn unknown_command(saga: &Bytes, participant: &str) -> Vec<u8> {
    let name = format!("{participant}.teleport");
    let command = command(saga, 1, wire::Direction::Action, &name);
    batch(wire::Command { definition: "order/99".to_owned(), ..command })
}

/// A real command's name and a payload that would have an effect, ten minutes after its deadline.
fn old_command(saga: &Bytes, participant: &str) -> Vec<u8> {
    let name = match participant {
        "order" => "order.open",
        "payment" => "payment.verify",
        _ => "stock.reserve",
    };
    let command = command(saga, 2, wire::Direction::Action, name);
    batch(wire::Command { deadline_us: now_us() - OLD_US, ..command })
}

fn repeated_command(victim: &Victim) -> Vec<u8> {
    let payload = ReserveStock {
        order_number: victim.order.clone(),
        currency_code: crate::storm::shop::CURRENCY.to_owned(),
        lines: victim.lines.clone(),
    };
    let command = command(&victim.saga, RESERVE, wire::Direction::Action, "stock.reserve");
    batch(wire::Command { payload: payload.encode_to_vec().into(), attempt: 7, ..command })
}

fn stray_undo(saga: &Bytes, participant: &str) -> Vec<u8> {
    let name = match participant {
        "order" => "order.reject",
        "payment" => "payment.cancel",
        _ => "stock.release",
    };
    let command = command(saga, 5, wire::Direction::Undo, name);
    batch(wire::Command { deadline_us: 0, ..command })
}

fn reply(saga: &Bytes, step: u32) -> Vec<u8> {
    let key = wire::CommandKey { saga_id: saga.clone(), step, direction: wire::Direction::Action.into() };
    let rejected = wire::Rejected { reason: "FORGED".to_owned(), message: "not so".to_owned() };
    let outcome = Some(wire::reply::Outcome::Rejected(rejected));
    let reply = wire::Reply { key: Some(key), attempt: 1, outcome, traceparent: String::new() };
    wire::ReplyBatch { replies: vec![reply] }.encode_to_vec()
}

/// Waits until every undecodable and every oversized message is in its dead-letter queue, with a reason; counts them.
async fn quarantined(cluster: &Cluster, volleys: u64) -> Result<u64> {
    let bus = RabbitBus::start(&RabbitConfig::new(cluster.broker()?.amqp_url()))
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let until = Instant::now() + QUARANTINED_WITHIN;
    let mut total = 0;
    for destination in destinations() {
        loop {
            let letters = letters(cluster, &bus, &destination).await?;
            let reasons: BTreeSet<&str> = letters.iter().map(String::as_str).collect();
            // Two of each volley: the garbled one and the one that is too long.
            if letters.len() as u64 >= 2 * volleys {
                ensure!(!reasons.contains(""), "a dead letter of {destination:?} has no reason");
                ensure!(reasons.contains(topology::TOO_LARGE), "nothing of {destination:?} was too large: {reasons:?}");
                total += letters.len() as u64;
                break;
            }
            let found = letters.len();
            ensure!(Instant::now() < until, "{destination:?}: {found} dead letters, expected {}", 2 * volleys);
            sleep(Duration::from_millis(250)).await;
        }
    }
    Ok(total)
}

/// The reason of each dead letter of a destination, in its queue or collected. One that says none is empty.
async fn letters(cluster: &Cluster, bus: &RabbitBus, destination: &Destination) -> Result<Vec<String>> {
    let queued = bus.dead_letters(destination, LETTERS).await.unwrap_or_default();
    let mut reasons: Vec<String> = queued.into_iter().map(|letter| letter.reason).collect();
    let collected = match destination {
        Destination::Commands(participant) => participant.as_str(),
        Destination::Replies => REPLIES,
    };
    let sql = "SELECT reason FROM dead_letter WHERE destination = ?";
    for row in cluster.sagas.query(sql, vec![collected.into()]).await? {
        let reason = row.text(0)?;
        reasons.push(if reason == "UNKNOWN" { String::new() } else { reason.to_owned() });
    }
    Ok(reasons)
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
