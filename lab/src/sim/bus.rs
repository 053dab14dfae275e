//! The bus of one process, over the simulated broker.

use super::adversary::{Fate, Place};
use super::broker::{Stored, Tag, quarantine_of};
use super::life::{Life, Us};
use super::plant::AdapterBug;
use super::seen;
use super::world::{Due, World};
use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination, Message, Settle};
use baton_courier::error::BusError;
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

    /// Sends one message on its way; says when its confirm is heard.
    fn send(&self, message: &Message) -> Option<Us> {
        let mut inner = self.world.lock();
        let now = self.life.now();
        let keys = inner.adversary.wants_keys().then(|| seen::keys(&message.destination, &message.body));
        inner.seen.published(&message.destination, &message.body);
        inner.broker.is_sent(&message.destination, &message.body);
        let missing = now < inner.queues_missing_until && matches!(message.destination, Destination::Commands(_));
        if missing {
            // Unroutable: returned, never confirmed. The planted adapter believes the broker's bare acknowledgement.
            let trusts = inner.plant == Some(AdapterBug::TrustUnroutable);
            inner.trace.note(now, "unroutable", &[trusts.into()], || format!("{:?}", message.destination));
            return trusts.then_some(1000);
        }
        if now < inner.broker_away_until {
            return None;
        }
        let travel = inner.adversary.travel(now, &message.destination, keys.as_deref().unwrap_or_default());
        let fields = [self.life.process as u64, travel.copies.len() as u64, travel.confirm.unwrap_or(u64::MAX)];
        inner.trace.note(now, "publish", &fields, || {
            let to = match &message.destination {
                Destination::Commands(name) => name.as_str(),
                Destination::Replies => "replies",
            };
            let shown = seen::describe(&message.destination, &message.body);
            format!("process {} to {to}: {shown} {travel:?}", self.life.process)
        });
        for delay in &travel.copies {
            let tag = inner.broker.store(message.id, message.destination.clone(), message.body.clone());
            inner.at(now + delay, Due::Ready(tag));
        }
        if travel.confirm.is_some() || !travel.copies.is_empty() {
            inner.broker.accepted.insert(message.id);
        }
        if !travel.copies.is_empty() {
            inner.broker.remember(message.destination.clone(), message.body.clone());
        }
        travel.confirm
    }
}

#[async_trait]
impl CommandBus for SimBus {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let keys = {
            let inner = self.world.lock();
            let wanted = inner.adversary.wants_keys();
            let all = messages.iter().filter(|_| wanted);
            all.flat_map(|message| seen::keys(&message.destination, &message.body)).collect::<Vec<_>>()
        };
        self.world.place(&self.life, Place::PublishBefore, &keys).await;
        let confirms: Vec<(Uuid, Option<Us>)> =
            messages.iter().map(|message| (message.id, self.send(message))).collect();
        self.world.place(&self.life, Place::PublishAfter, &keys).await;
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
        Ok(())
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
                    if inner.adversary.wants_keys() {
                        let keys = taken.iter().flat_map(|(_, stored)| seen::keys(&stored.queue, &stored.body));
                        let keys: Vec<_> = keys.collect();
                        inner.adversary.handed(self.life.process, self.life.role, &keys);
                    }
                    let fields = [self.life.process as u64, taken.len() as u64, taken[0].0];
                    inner.trace.note(now, "take", &fields, || {
                        let shown = taken.iter().map(|(_, stored)| seen::describe(&stored.queue, &stored.body));
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
    fn keys(&self) -> Vec<baton_participant_kit::participant::CommandKey> {
        let wanted = self.world.lock().adversary.wants_keys();
        if wanted { seen::keys(&self.queue, &self.body) } else { Vec::new() }
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
            inner.seen.acknowledged(&self.queue, &self.body);
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
