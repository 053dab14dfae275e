//! After the commit: publish the replies, wait for the bus to take them over, only then acknowledge the commands.

use crate::codec;
use crate::ids::NewId;
use baton_courier::bus::{CommandBus, Delivery, Destination, Message};
use baton_crash_point::{Point, hit};
use baton_proto::baton::participant::v1::Reply;
use bytes::Bytes;
use std::collections::HashSet;
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

/// Publishes and acknowledges. A delivery any of whose replies the bus did not confirm goes back to its queue: it comes
/// again, and the ledger answers. Quarantines go on as `tasks` of their own: one that fails must hold up nothing else.
pub(crate) async fn settle(bus: &dyn CommandBus, answered: Vec<Answered>, tasks: &TaskTracker, new_id: &NewId) {
    let mut replies = Vec::new();
    let ends = answered.iter().map(|one| {
        replies.extend_from_slice(&one.replies);
        replies.len()
    });
    let ends = ends.collect::<Vec<_>>();
    let (bodies, places) = codec::pack(&replies);
    let messages = bodies.into_iter().map(|body| Message { id: (new_id.0)(), destination: Destination::Replies, body });
    let messages = messages.collect::<Vec<_>>();
    let ids = messages.iter().map(|message| message.id).collect::<Vec<_>>();
    hit(Point::PARTICIPANT_BEFORE_PUBLISH);
    let confirmed = if messages.is_empty() { Vec::new() } else { bus.publish(messages).await };
    if !confirmed.is_empty() {
        hit(Point::PARTICIPANT_AFTER_PUBLISH);
    }
    let confirmed = confirmed.into_iter().collect::<HashSet<_>>();
    let mut start = 0;
    for (one, end) in answered.into_iter().zip(ends) {
        let taken_over = places[start..end].iter().all(|place| confirmed.contains(&ids[*place]));
        start = end;
        let Some(delivery) = one.delivery else { continue };
        if taken_over {
            acknowledge(delivery, one.unreadable, tasks).await;
        } else {
            tracing::warn!("replies not confirmed, releasing their commands");
            hit(Point::PARTICIPANT_BEFORE_RELEASE);
            delivery.release().await;
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
