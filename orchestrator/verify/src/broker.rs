//! What the broker holds, by its own count: depths of queues, and the dead letters with their reasons.

use crate::evidence::{DeadLetter, Queue};
use baton_courier::bus::Destination;
use baton_courier::error::BusError;
use baton_courier::rabbitmq::RabbitBus;
use baton_courier::topology;
use std::time::Duration;
use tokio::time::timeout;

/// Dead letters of one destination that are read; more of the same say nothing new.
const LETTERS: usize = 1_000;

/// A broker that does not answer within this is away: the bus itself would wait for it for ever.
const WITHIN: Duration = Duration::from_secs(30);

/// What stands in the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Every queue that is there.
    pub queues: Vec<Queue>,
    /// What is in the dead-letter queues.
    pub letters: Vec<DeadLetter>,
}

/// Every destination of an installation: the participants' commands, and the replies.
#[must_use]
pub fn destinations(participants: &[String]) -> Vec<Destination> {
    let commands = participants.iter().map(|name| Destination::Commands(name.clone()));
    commands.chain([Destination::Replies]).collect()
}

/// Reads the broker. Changes nothing: what is read of dead letters goes back.
///
/// # Errors
/// If the broker is away.
pub async fn held(bus: &RabbitBus, participants: &[String]) -> Result<Held, BusError> {
    let reading = timeout(WITHIN, async {
        let mut held = Held::default();
        for destination in destinations(participants) {
            let [work, letters] = bus.depths(&destination).await?;
            let queue = |(name, depth): (String, Option<u32>)| {
                depth.map(|messages| Queue { name, messages: u64::from(messages) })
            };
            held.queues.extend(queue(work));
            let Some(letters) = queue(letters) else { continue };
            if letters.messages > 0 {
                let read = bus.dead_letters(&destination, LETTERS).await?;
                held.letters.extend(read.into_iter().map(|letter| DeadLetter {
                    queue: letters.name.clone(),
                    message: letter.message_id.map(|id| id.to_string()).unwrap_or_default(),
                    reason: Some(letter.reason),
                    unsent: false,
                }));
            }
            held.queues.push(letters);
        }
        Ok(held)
    });
    reading.await.unwrap_or_else(|_| Err(BusError::Unavailable("the broker does not answer".to_owned())))
}

/// The queues that `rabbitmqctl list_queues name messages` lists: what is with a consumer counts too.
#[must_use]
pub fn listed(listing: &str) -> Vec<Queue> {
    let queues = listing.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(Queue { name: words.next()?.to_owned(), messages: words.next()?.parse().ok()? })
    });
    queues.collect()
}

/// True for a queue in which messages stay until somebody looks.
#[must_use]
pub fn is_quarantine(queue: &str) -> bool {
    queue.ends_with(".dlq") || queue == topology::UNROUTABLE_QUEUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_and_quarantine_is_told_apart() {
        let listed = listed("saga.cmd.stock.v1\t3\nsaga.cmd.stock.v1.dlq 2\n\nrubbish\n");
        let names: Vec<(&str, u64)> = listed.iter().map(|queue| (queue.name.as_str(), queue.messages)).collect();
        assert_eq!(names, [("saga.cmd.stock.v1", 3), ("saga.cmd.stock.v1.dlq", 2)]);
        assert!(
            !is_quarantine("saga.reply.v1")
                && is_quarantine("saga.reply.v1.dlq")
                && is_quarantine("saga.unroutable.v1")
        );
    }
}
