//! Several couriers as one: each participant has its own.

use crate::bus::{CommandBus, Consumer, Depth, Destination, Message};
use crate::error::BusError;
use crate::merged::Merged;
use async_trait::async_trait;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Routes by participant; replies come from all couriers.
#[derive(Clone, Debug)]
pub struct Couriers {
    all: Vec<Arc<dyn CommandBus>>,
    /// By participant, which of them.
    routes: Arc<BTreeMap<String, usize>>,
}

impl Couriers {
    /// Of these couriers, and which of them each participant has. Who has none gets the first.
    ///
    /// # Panics
    /// If there is no courier, or a route to one that is not there.
    #[must_use]
    pub fn new(all: Vec<Arc<dyn CommandBus>>, routes: BTreeMap<String, usize>) -> Self {
        assert!(!all.is_empty() && routes.values().all(|route| *route < all.len()), "a route to no courier");
        Self { all, routes: Arc::new(routes) }
    }

    fn route(&self, participant: &str) -> usize {
        self.routes.get(participant).copied().unwrap_or_default()
    }

    fn courier(&self, destination: &Destination) -> &Arc<dyn CommandBus> {
        match destination {
            Destination::Commands(name) => &self.all[self.route(name)],
            Destination::Replies => &self.all[0],
        }
    }

    fn sorted(&self, messages: Vec<Message>) -> BTreeMap<usize, Vec<Message>> {
        let mut sorted: BTreeMap<usize, Vec<Message>> = BTreeMap::new();
        for message in messages {
            let route = match &message.destination {
                Destination::Commands(name) => self.route(name),
                Destination::Replies => 0,
            };
            sorted.entry(route).or_default().push(message);
        }
        sorted
    }
}

#[async_trait]
impl CommandBus for Couriers {
    fn send(&self, messages: Vec<Message>) {
        for (route, messages) in self.sorted(messages) {
            self.all[route].send(messages);
        }
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let published = self.sorted(messages).into_iter().map(|(route, messages)| self.all[route].publish(messages));
        join_all(published).await.concat()
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        match source {
            Destination::Commands(_) => self.courier(&source).consume(source).await,
            Destination::Replies => {
                let mut consumers = Vec::with_capacity(self.all.len());
                for courier in &self.all {
                    consumers.push(courier.consume(Destination::Replies).await?);
                }
                Ok(Box::new(Merged::new(consumers)))
            }
        }
    }

    async fn depths(&self, destination: &Destination) -> Result<Vec<Depth>, BusError> {
        self.courier(destination).depths(destination).await
    }

    async fn consume_dead_letters(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.courier(&source).consume_dead_letters(source).await
    }

    fn health(&self) -> Result<(), BusError> {
        self.all.iter().try_for_each(|courier| courier.health())
    }

    fn carries(&self, participant: &str) -> Result<(), BusError> {
        self.all[self.route(participant)].carries(participant)
    }

    async fn close(&self) {
        join_all(self.all.iter().map(|courier| courier.close())).await;
    }
}
