//! After the commit: send the replies, then acknowledge the commands.

use crate::codec;
use crate::ids::NewId;
use baton_courier::bus::{CommandBus, Delivery, Destination, Message};
use baton_crash_point::{Point, hit};
use baton_proto::baton::participant::v1::Reply;
use bytes::Bytes;
use tokio_util::task::TaskTracker;

/// Why an item went to the dead-letter queue.
pub(crate) const UNREADABLE: &str = "COMMAND_UNREADABLE";
/// Why a whole message went there.
pub(crate) const NO_BATCH: &str = "BATCH_UNREADABLE";

/// A delivery whose commands are answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// None if it was acknowledged before.
    pub delivery: Option<Delivery>,
    pub replies: Vec<Reply>,
    /// Items that nobody can be answered for.
    pub unreadable: Vec<Bytes>,
}

/// Sends and acknowledges. A reply that gets lost costs a repetition of its command, which the ledger answers. Quarantines go on
/// as `tasks` of their own: one that fails must hold up nothing else.
pub(crate) async fn settle(bus: &dyn CommandBus, answered: Vec<Answered>, tasks: &TaskTracker, new_id: &NewId) {
    let replies = answered.iter().flat_map(|one| one.replies.iter().cloned()).collect::<Vec<_>>();
    let bodies = codec::pack(&replies);
    let messages = bodies.into_iter().map(|body| Message { id: (new_id.0)(), destination: Destination::Replies, body });
    let messages = messages.collect::<Vec<_>>();
    if !messages.is_empty() {
        hit(Point::PARTICIPANT_BEFORE_REPLY);
        bus.send(messages);
        hit(Point::PARTICIPANT_AFTER_REPLY);
    }
    for one in answered {
        if let Some(delivery) = one.delivery {
            acknowledge(delivery, one.unreadable, tasks).await;
        }
    }
}

/// Acknowledges a delivery; of one with unreadable items those alone are quarantined.
async fn acknowledge(mut delivery: Delivery, unreadable: Vec<Bytes>, tasks: &TaskTracker) {
    if unreadable.is_empty() {
        hit(Point::PARTICIPANT_BEFORE_ACK);
        delivery.ack().await;
        hit(Point::PARTICIPANT_AFTER_ACK);
    } else {
        delivery.body = codec::batch_of(unreadable);
        tasks.spawn(quarantine(delivery, UNREADABLE));
    }
}

/// Takes as long as the broker likes.
pub(crate) async fn quarantine(delivery: Delivery, reason: &'static str) {
    hit(Point::PARTICIPANT_BEFORE_QUARANTINE);
    delivery.dead_letter(reason).await;
    hit(Point::PARTICIPANT_AFTER_QUARANTINE);
}
