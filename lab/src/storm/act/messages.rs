//! Messages on their way through the broker: purged, doubled, late.

use super::hostile::{connect, destinations};
use crate::storm::arena::{Arena, Fired};
use crate::storm::node::{Node, ProcessKind};
use anyhow::{Context as _, Result, ensure};
use baton_courier::bus::Destination;
use baton_courier::topology::{self, Route};
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a queue may fill before it is purged.
const FILLS: Duration = Duration::from_secs(1);

/// A queue that is still empty after this is not used.
const FILLED_WITHIN: Duration = Duration::from_secs(20);

/// How late replies are: later than a step's timeout and several attempts.
const LATE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// A queue of ours, which ends with our connection.
const OURS: QueueDeclareOptions =
    QueueDeclareOptions { passive: false, durable: false, exclusive: true, auto_delete: false, nowait: false };

/// Every command and reply queue loses what is in it. Consumers take what comes at once, so each queue is purged while its
/// consumers are dead.
pub(super) async fn purge(arena: &Arena) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    let channel = connect(cluster).await?;
    let mut fired = Vec::new();
    for kind in ProcessKind::PARTICIPANTS {
        let consumers = cluster.of(kind);
        kill(&consumers)?;
        fired.push(purged(arena, &channel, Destination::Commands(kind.name().to_owned())).await?);
        start(&consumers)?;
    }
    // Commands that wait are answered while no orchestrator listens.
    let (stock, orchestrators) = (cluster.of(ProcessKind::Stock), cluster.of(ProcessKind::Orchestrator));
    kill(&stock)?;
    sleep(FILLS).await;
    kill(&orchestrators)?;
    start(&stock)?;
    fired.push(purged(arena, &channel, Destination::Replies).await?);
    start(&orchestrators)?;
    arena.over("every consumer is started");
    Ok(fired)
}

fn kill(nodes: &[&Node]) -> Result<()> {
    nodes.iter().try_for_each(|node| node.kill())
}

fn start(nodes: &[&Node]) -> Result<()> {
    nodes.iter().try_for_each(|node| node.start())
}

/// Purges a queue until something was in it.
async fn purged(arena: &Arena, channel: &Channel, destination: Destination) -> Result<Fired> {
    let queue = route(&destination)?.queue;
    let until = Instant::now() + FILLED_WITHIN;
    let mut lost = 0;
    while lost == 0 && Instant::now() < until {
        sleep(FILLS).await;
        lost = channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await?;
    }
    arena.note(format!("{lost} messages purged from {queue}"));
    Ok(Fired::new(format!("message purged from {queue}"), u64::from(lost)))
}

/// Every message is copied on its way to its queue, and the copy put into the same queue.
pub(super) async fn double(arena: &Arena) -> Result<Vec<Fired>> {
    let channel = connect(&arena.cluster).await?;
    let copies = "storm.copies";
    channel.queue_declare(copies.into(), OURS, FieldTable::default()).await?;
    let routes = destinations().iter().map(route).collect::<Result<Vec<_>>>()?;
    for route in &routes {
        bind(&channel, copies, route).await?;
    }
    share_replies(&channel, copies).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut consumer = channel.basic_consume(copies.into(), "".into(), options, FieldTable::default()).await?;
    arena.note("every message is doubled");
    let until = Instant::now() + arena.window;
    let mut doubled = vec![0; routes.len()];
    while let Ok(copy) = timeout_at(until, consumer.next()).await {
        let copy = copy.context("the broker ended the consumer of copies")??;
        let is_its = |route: &Route| match copy.exchange.as_str() {
            topology::OWN_REPLY_EXCHANGE => route.exchange == topology::REPLY_EXCHANGE,
            exchange => exchange == route.exchange && copy.routing_key.as_str() == route.routing_key,
        };
        let place = routes.iter().position(is_its).context("a copy of a message from nowhere")?;
        put(&channel, &routes[place].queue, copy).await?;
        doubled[place] += 1;
    }
    channel.queue_delete(copies.into(), QueueDeleteOptions::default()).await?;
    arena.over("messages come once again");
    let fired = routes.iter().zip(doubled);
    Ok(fired.map(|(route, times)| Fired::new(format!("message doubled in {}", route.queue), times)).collect())
}

/// Into a queue, past the exchange that would copy it again.
async fn put(channel: &Channel, queue: &str, copy: Delivery) -> Result<()> {
    let (exchange, options) = ("".into(), BasicPublishOptions::default());
    let confirm = channel.basic_publish(exchange, queue.into(), options, &copy.data, copy.properties).await?.await?;
    ensure!(confirm.is_ack(), "the broker refused a copy");
    Ok(())
}

/// Replies take a detour through a queue in which each waits half a minute.
pub(super) async fn delay_replies(arena: &Arena) -> Result<Vec<Fired>> {
    let channel = connect(&arena.cluster).await?;
    let late = "storm.late";
    let replies = route(&Destination::Replies)?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(i64::try_from(LATE.as_millis())?));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(replies.queue.as_str().into()));
    channel.queue_declare(late.into(), OURS, arguments).await?;
    let any = any_reply()?;
    bind(&channel, late, &replies).await?;
    unbind(&channel, &replies.queue, &replies).await?;
    share_replies(&channel, late).await?;
    unbind(&channel, &replies.queue, &any).await?;
    arena.note(format!("replies are {} s late", LATE.as_secs()));
    sleep(arena.window).await;
    for route in [&replies, &any] {
        bind(&channel, &replies.queue, route).await?;
        unbind(&channel, late, route).await?;
    }
    arena.over("replies come at once again");
    let under_way = depth(&channel, late).await?;
    // What is late already still comes.
    let until = Instant::now() + 2 * LATE;
    while depth(&channel, late).await? > 0 {
        ensure!(Instant::now() < until, "late replies do not come");
        sleep(LOOK).await;
    }
    channel.queue_delete(late.into(), QueueDeleteOptions::default()).await?;
    Ok(vec![Fired::new("message of replies that was late in the end", u64::from(under_way))])
}

/// Replies go to the orchestrator that asked, by bindings that nobody else may touch. Made anew their exchange has none, until idle
/// orchestrators declare theirs again, so that replies go where all orchestrators look, and to `queue`.
async fn share_replies(channel: &Channel, queue: &str) -> Result<()> {
    bind(channel, queue, &any_reply()?).await?;
    channel.exchange_delete(topology::OWN_REPLY_EXCHANGE.into(), ExchangeDeleteOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString(topology::ANY_REPLY_EXCHANGE.into()));
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let (name, kind) = (topology::OWN_REPLY_EXCHANGE.into(), ExchangeKind::Direct);
    Ok(channel.exchange_declare(name, kind, options, arguments).await?)
}

/// Where replies go that find no orchestrator's own queue.
fn any_reply() -> Result<Route> {
    let replies = route(&Destination::Replies)?;
    Ok(Route { exchange: topology::ANY_REPLY_EXCHANGE, routing_key: String::new(), ..replies })
}

fn route(destination: &Destination) -> Result<Route> {
    topology::route(destination).map_err(|error| anyhow::anyhow!("{error}"))
}

async fn bind(channel: &Channel, queue: &str, route: &Route) -> Result<()> {
    let (exchange, key) = (route.exchange.into(), route.routing_key.as_str().into());
    Ok(channel.queue_bind(queue.into(), exchange, key, QueueBindOptions::default(), FieldTable::default()).await?)
}

async fn unbind(channel: &Channel, queue: &str, route: &Route) -> Result<()> {
    let (exchange, key) = (route.exchange.into(), route.routing_key.as_str().into());
    Ok(channel.queue_unbind(queue.into(), exchange, key, FieldTable::default()).await?)
}

async fn depth(channel: &Channel, queue: &str) -> Result<u32> {
    let options = QueueDeclareOptions { passive: true, ..OURS };
    Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await?.message_count())
}
