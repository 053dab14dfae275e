//! Defects put in on purpose, so that the tests can show that they would catch them. Compiled in for tests only.

use crate::input::QueueEntry;
use crate::plan::Apply;
use crate::sender::Sender;
use baton_courier::bus::Delivery;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// One defect of the engine.
#[derive(Clone)]
pub enum EngineBug {
    /// Commands go out before the state that orders them is durable.
    PublishBeforeCommit(Arc<Sender>),
    /// Replies are acknowledged before they are applied.
    AckBeforeCommit,
    /// Outbox rows are deleted whether or not the bus has taken their messages over.
    DropUnconfirmed,
    /// Another table in place of the machine's.
    Machine(Apply),
}

impl fmt::Debug for EngineBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublishBeforeCommit(_) => "PublishBeforeCommit",
            Self::AckBeforeCommit => "AckBeforeCommit",
            Self::DropUnconfirmed => "DropUnconfirmed",
            Self::Machine(_) => "Machine",
        })
    }
}

/// [`EngineBug::AckBeforeCommit`]: acknowledges every delivery of the batch and puts a stand-in in its place.
pub(crate) async fn ack_before_commit(planted: Option<&EngineBug>, entries: Vec<QueueEntry>) -> Vec<QueueEntry> {
    if !matches!(planted, Some(EngineBug::AckBeforeCommit)) {
        return entries;
    }
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        kept.push(match entry {
            QueueEntry::Delivery(replies, delivery) => {
                let stand_in = Delivery::new(delivery.body.clone(), None, false, Box::new(AlreadySettled));
                delivery.ack().await;
                QueueEntry::Delivery(replies, stand_in)
            }
            entry @ (QueueEntry::Start(..) | QueueEntry::Act(..) | QueueEntry::Many(..)) => entry,
        });
    }
    kept
}

/// A delivery that was settled before.
#[derive(Debug)]
struct AlreadySettled;

#[async_trait::async_trait]
impl baton_courier::bus::Settle for AlreadySettled {
    async fn ack(self: Box<Self>) {}
    async fn dead_letter(self: Box<Self>, _body: bytes::Bytes, _reason: &str) {}
    async fn release(self: Box<Self>) {}
}

/// Outbox rows dropped before the bus has confirmed them.
pub fn drop_unconfirmed(sender: &Sender, ids: impl IntoIterator<Item = Uuid>) {
    sender.pretend_confirmed(ids);
}
