//! After the commit: send the replies, then acknowledge the commands.

use crate::codec;
use crate::ids::NewId;
use baton_courier::bus::{CommandBus, Delivery, Destination, Message};
use baton_crash_point::{Point, hit};
use baton_proto::baton::participant::v1::Reply;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
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
    let mut replies: BTreeMap<Option<Arc<str>>, Vec<Reply>> = BTreeMap::new();
    for one in &answered {
        let reply_to = one.delivery.as_ref().and_then(|delivery| delivery.reply_to.clone());
        replies.entry(reply_to).or_default().extend_from_slice(&one.replies);
    }
    for (reply_to, replies) in replies.into_iter().filter(|(_, replies)| !replies.is_empty()) {
        let message = |body| Message { id: (new_id.0)(), destination: Destination::Replies, body };
        hit(Point::PARTICIPANT_BEFORE_REPLY);
        bus.reply(reply_to.as_deref(), codec::pack(&replies).into_iter().map(message).collect());
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
