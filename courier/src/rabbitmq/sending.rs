//! Sends without waiting for anything: transient messages on a channel without confirms.
//!
//! Whoever sends knows how to send again, so that nothing is kept here beyond a bounded queue: what arrives while the broker is
//! away, short of memory, or slower than its senders, is dropped.

use super::connection::{Broker, Slot, lost};
use super::declare::Declarer;
use super::destinations::Destinations;
use super::outgoing::Outgoing;
use crate::error::BusError;
use lapin::Channel;
use lapin::options::BasicPublishOptions;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Calls whose messages wait to be written. Each has a message per participant, of at most 256 KiB.
const MAX_WAITING: usize = 256;

/// Hands messages to the sending connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    waiting: mpsc::Sender<Vec<Outgoing>>,
    slot: Arc<Slot>,
}

impl Sending {
    pub(super) fn start(broker: &Arc<Broker>, declarer: Arc<Declarer>) -> Self {
        let (waiting, messages) = mpsc::channel(MAX_WAITING);
        let slot = broker.slot("send");
        let writer =
            Writer { slot: slot.clone(), broker: broker.clone(), declarer, destinations: Destinations::default() };
        tokio::spawn(writer.run(messages));
        Self { waiting, slot }
    }

    /// Its own connection is what counts: a queue that cannot be consumed must not stop what goes to others.
    pub(super) fn health(&self) -> Result<(), BusError> {
        self.slot.health()
    }

    pub(super) fn send(&self, messages: impl Iterator<Item = Outgoing>) {
        if self.health().is_err() {
            return;
        }
        let messages: Vec<Outgoing> = messages.collect();
        let count = messages.len();
        if count > 0 && self.waiting.try_send(messages).is_err() {
            tracing::debug!(messages = count, "dropped: the broker is slower than what is sent");
        }
    }
}

struct Writer {
    slot: Arc<Slot>,
    broker: Arc<Broker>,
    declarer: Arc<Declarer>,
    destinations: Destinations,
}

impl Writer {
    async fn run(self, mut messages: mpsc::Receiver<Vec<Outgoing>>) {
        while let Ok(connection) = self.slot.connected().await {
            self.destinations.clear();
            let reason = tokio::select! {
                ended = async { self.write(&connection.create_channel().await?, &mut messages).await } => match ended {
                    // Nobody can send any more.
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                },
                () = lost(&connection) => "the connection is gone".to_owned(),
                () = self.broker.closed() => return,
            };
            self.slot.failed(&connection, &reason);
        }
    }

    async fn write(&self, channel: &Channel, messages: &mut mpsc::Receiver<Vec<Outgoing>>) -> lapin::Result<()> {
        while let Some(batch) = messages.recv().await {
            for message in batch {
                // A broker that is short of memory or disk reads nothing: what is written to it piles up here.
                if self.slot.is_blocked() || !self.destinations.declare(&self.declarer, &message.destination).await {
                    continue;
                }
                let (exchange, key) = (message.exchange.into(), message.routing_key.as_str().into());
                let options = BasicPublishOptions::default();
                channel.basic_publish(exchange, key, options, &message.body, message.properties()).await?;
            }
            self.slot.worked();
        }
        Ok(())
    }
}
