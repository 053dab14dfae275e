//! The bus of one process, over the simulated broker.

use super::adversary::{Fate, Place};
use super::broker::{Stored, Tag, quarantine_of};
use super::life::{EPOCH_US, Life, Us};
use super::messages;
use super::plant::AdapterBug;
use super::world::{Due, Inner, World};
use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination, Message, Settle};
use baton_courier::error::BusError;
use baton_participant_kit::participant::CommandKey;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a publish waits for confirms before it gives up, as the RabbitMQ adapter does.
const CONFIRM_DEADLINE: Us = 5_000_000;

/// The bus as one incarnation of a process sees it.
#[derive(Debug)]
pub struct SimBus {
    world: World,
    life: Arc<Life>,
}

impl SimBus {
    /// A bus.
    #[must_use]
    pub fn new(world: World, life: Arc<Life>) -> Self {
        Self { world, life }
    }

    /// True if this process's way to the broker carries nothing, and whether it can know.
    fn is_away(&self, inner: &Inner) -> (bool, bool) {
        let now = self.life.now();
        let link_is_away = now < inner.links[self.life.process].away_until;
        let broker_is_away = now < inner.broker_away_until;
        (link_is_away || broker_is_away, link_is_away || broker_is_away && inner.is_away_known)
    }

    /// Puts one message on its way, if anything carries it; says when its confirm is heard.
    fn carry(&self, inner: &mut Inner, message: &Message, is_kept: bool) -> Option<Us> {
        let now = self.life.now();
        let Message { id, destination, body } = message;
        let unroutable = now < inner.queues_missing_until && matches!(destination, Destination::Commands(_));
        if unroutable || self.is_away(inner).0 {
            inner.trace.note(now, "dropped", &[unroutable.into()], || format!("{destination:?}"));
            return None;
        }
        let keys = if inner.adversary.wants_keys() { messages::keys(destination, body) } else { Vec::new() };
        let travel = inner.adversary.travel(now, destination, &keys);
        let fields = [self.life.process as u64, travel.copies.len() as u64, travel.confirm.unwrap_or(u64::MAX)];
        inner.trace.note(now, "send", &fields, || {
            let to = match destination {
                Destination::Commands(name) => name.as_str(),
                Destination::Replies => "replies",
            };
            format!("process {} to {to}: {} {travel:?}", self.life.process, messages::describe(destination, body))
        });
        for delay in &travel.copies {
            let tag = inner.broker.store(*id, destination.clone(), body.clone(), is_kept);
            inner.at(now + delay, Due::Ready(tag));
        }
        if !travel.copies.is_empty() {
            inner.broker.is_sent(destination, body);
            inner.broker.remember(destination.clone(), body.clone());
        }
        travel.confirm
    }

    fn keys(&self, messages: &[Message]) -> Vec<CommandKey> {
        let wanted = self.world.lock().adversary.wants_keys();
        let all = messages.iter().filter(|_| wanted);
        all.flat_map(|message| messages::keys(&message.destination, &message.body)).collect()
    }
}

#[async_trait]
impl CommandBus for SimBus {
    fn send(&self, messages: Vec<Message>) {
        if self.life.is_dead() {
            return;
        }
        let keys = self.keys(&messages);
        if self.world.place_now(&self.life, Place::SendBefore, &keys) == Fate::Crash {
            return;
        }
        {
            let mut inner = self.world.lock();
            let inner = &mut *inner;
            let now_us = EPOCH_US + i64::try_from(self.life.now()).unwrap_or(0);
            for message in &messages {
                inner.seen.sent(&message.destination, &message.body, now_us, &inner.held);
                self.carry(inner, message, false);
            }
        }
        self.world.place_now(&self.life, Place::SendAfter, &keys);
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let keys = self.keys(&messages);
        self.world.place(&self.life, Place::SendBefore, &keys).await;
        let confirms: Vec<(Uuid, Option<Us>)> = {
            let mut inner = self.world.lock();
            let inner = &mut *inner;
            let believes = inner.plant == Some(AdapterBug::BelievesUnconfirmed);
            let published = messages.iter().map(|message| {
                inner.seen.published(&message.destination, &message.body);
                (message.id, self.carry(inner, message, true).or(believes.then_some(1000)))
            });
            published.collect()
        };
        self.world.place(&self.life, Place::SendAfter, &keys).await;
        let longest = confirms.iter().map(|(_, confirm)| confirm.unwrap_or(CONFIRM_DEADLINE)).max().unwrap_or(0);
        self.world.sleep(&self.life, longest).await;
        confirms.into_iter().filter_map(|(id, confirm)| confirm.map(|_| id)).collect()
    }

    async fn consume_dead_letters(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.consume(quarantine_of(&source)).await
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.life.alive().await;
        let mut inner = self.world.lock();
        let choice = inner.adversary.choose(1 << 32);
        let (index, arrived) = inner.broker.consume(self.life.process, source, choice);
        Ok(Box::new(SimConsumer { world: self.world.clone(), life: self.life.clone(), index, arrived }))
    }

    fn health(&self) -> Result<(), BusError> {
        let mut inner = self.world.lock();
        let (_, is_told) = self.is_away(&inner);
        inner.links[self.life.process].asked(self.life.now(), is_told);
        if is_told { Err(BusError::Unavailable("simulated".to_owned())) } else { Ok(()) }
    }

    async fn close(&self) {}
}

#[derive(Debug)]
struct SimConsumer {
    world: World,
    life: Arc<Life>,
    index: usize,
    arrived: Arc<Notify>,
}

#[async_trait]
impl Consumer for SimConsumer {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            self.life.alive().await;
            let taken = {
                let mut inner = self.world.lock();
                let taken = inner.broker.take(self.index, max);
                if !taken.is_empty() {
                    let now = self.life.now();
                    taken
                        .iter()
                        .for_each(|(_, stored)| inner.seen.taken(self.life.number, &stored.queue, &stored.body));
                    if inner.adversary.wants_keys() {
                        let keys = taken.iter().flat_map(|(_, stored)| messages::keys(&stored.queue, &stored.body));
                        let keys: Vec<_> = keys.collect();
                        inner.adversary.handed(self.life.process, self.life.role, &keys);
                    }
                    let fields = [self.life.process as u64, taken.len() as u64, taken[0].0];
                    inner.trace.note(now, "take", &fields, || {
                        let shown = taken.iter().map(|(_, stored)| messages::describe(&stored.queue, &stored.body));
                        format!("process {}: {}", self.life.process, shown.collect::<Vec<_>>().join(", "))
                    });
                }
                taken
            };
            if !taken.is_empty() {
                let deliveries = taken.into_iter().map(|(tag, stored)| {
                    let (world, life, queue) = (self.world.clone(), self.life.clone(), stored.queue);
                    let settle = SimSettle { world, life, consumer: self.index, tag, queue, body: stored.body.clone() };
                    Delivery::new(stored.body, Some(stored.id), stored.deliveries > 1, Box::new(settle))
                        .because(stored.reason)
                });
                return Ok(deliveries.collect());
            }
            self.arrived.notified().await;
        }
    }
}

#[derive(Debug)]
struct SimSettle {
    world: World,
    life: Arc<Life>,
    consumer: usize,
    tag: Tag,
    queue: Destination,
    body: Bytes,
}

impl SimSettle {
    fn keys(&self) -> Vec<CommandKey> {
        let wanted = self.world.lock().adversary.wants_keys();
        if wanted { messages::keys(&self.queue, &self.body) } else { Vec::new() }
    }

    /// For good, or to where dead letters wait.
    fn remove(&self, dead: Option<(Bytes, &str)>) {
        let mut inner = self.world.lock();
        let now = self.life.now();
        if dead.is_some() {
            inner.trace.note(now, "quarantine", &[self.tag], || format!("process {}", self.life.process));
        }
        let choice = inner.adversary.choose(1 << 32);
        if dead.is_none() && !inner.broker.is_dead_letter(self.tag) {
            inner.seen.acknowledged(self.life.number, &self.queue, &self.body);
        }
        let (stored, woken) = inner.broker.settle(self.consumer, self.tag, choice);
        if let (Some((body, reason)), Some(stored)) = (dead, &stored) {
            let letter = inner.broker.bury(Stored { body, ..stored.clone() }, reason);
            inner.again(vec![letter]);
        }
        if let Some(process) = woken {
            inner.poke(process);
        }
    }

    fn put_back(&self) {
        let mut inner = self.world.lock();
        if inner.broker.give_back(self.consumer, self.tag) {
            inner.again(vec![self.tag]);
        }
    }
}

#[async_trait]
impl Settle for SimSettle {
    async fn ack(self: Box<Self>) {
        let keys = self.keys();
        if self.world.place(&self.life, Place::AckBefore, &keys).await == Fate::Lost {
            self.put_back();
            return;
        }
        self.remove(None);
        self.world.place(&self.life, Place::AckAfter, &keys).await;
    }

    async fn dead_letter(self: Box<Self>, body: Bytes, reason: &str) {
        self.life.alive().await;
        self.remove(Some((body, reason)));
    }

    async fn release(self: Box<Self>) {
        self.life.alive().await;
        self.put_back();
    }
}
