//! Names of exchanges and queues, shared by every program that speaks to the broker, in whatever language.

use crate::bus::Destination;
use crate::error::BusError;

/// Direct exchange for commands; the routing key is the participant's name.
pub const COMMAND_EXCHANGE: &str = "saga.cmd";
/// Direct exchange for replies; the routing key is [`REPLY_KEY`].
pub const REPLY_EXCHANGE: &str = "saga.reply";
/// Direct exchange for replies to one orchestrator; the routing key is the `reply_to` of the command, which names a queue that
/// lives as long as that orchestrator's connection. What finds no queue goes to [`ANY_REPLY_EXCHANGE`].
pub const OWN_REPLY_EXCHANGE: &str = "saga.reply.own";
/// Fanout exchange in front of the queue that all orchestrators share.
pub const ANY_REPLY_EXCHANGE: &str = "saga.reply.any";
/// What the name of an orchestrator's own queue begins with.
pub const OWN_REPLY_PREFIX: &str = "saga.reply.own.";
/// Direct exchange for dead letters; the routing key is the name of the queue they come from.
pub const DEAD_LETTER_EXCHANGE: &str = "saga.dlx";
/// Fanout exchange for dead letters that no dead-letter queue is bound for.
pub const UNROUTABLE_EXCHANGE: &str = "saga.unroutable";
/// The queue behind [`UNROUTABLE_EXCHANGE`].
pub const UNROUTABLE_QUEUE: &str = "saga.unroutable.v1";
/// The one routing key of replies.
pub const REPLY_KEY: &str = "replies";

/// Header of a dead letter: why it is one, UPPER_SNAKE.
pub const REASON_HEADER: &str = "x-reason";
/// Reason of a dead letter that was longer than [`crate::bus::MAX_BODY`].
pub const TOO_LARGE: &str = "TOO_LARGE";

/// Messages in a command or reply queue before the broker refuses more; their senders send again.
pub const QUEUE_LIMIT: u32 = 1_000_000;
/// Messages in a dead-letter queue; beyond it the oldest go, since a full one would stop the quarantine.
pub const DEAD_LETTER_LIMIT: u32 = 100_000;

/// Longest participant name.
const MAX_NAME: usize = 32;

/// Everything that belongs to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to publish.
    pub exchange: &'static str,
    /// With which key.
    pub routing_key: String,
    /// Where it arrives.
    pub queue: String,
    /// Where its dead letters go.
    pub dead_letter_queue: String,
}

/// The route of a destination; an error if its name is not 1 to 32 of `[a-z0-9-]`.
pub fn route(destination: &Destination) -> Result<Route, BusError> {
    let (exchange, routing_key, queue) = match destination {
        Destination::Commands(name) => {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
                return Err(BusError::Unavailable(format!("no participant can be called {name:?}")));
            }
            (COMMAND_EXCHANGE, name.clone(), format!("saga.cmd.{name}.v2"))
        }
        Destination::Replies => (REPLY_EXCHANGE, REPLY_KEY.to_owned(), "saga.reply.v2".to_owned()),
    };
    // Queues got another type with v2; dead letters stay where they were.
    let dead_letter_queue = format!("{}.v1.dlq", queue.trim_end_matches(".v2"));
    Ok(Route { exchange, routing_key, queue, dead_letter_queue })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_written_down() {
        let stock = route(&Destination::Commands("stock".into())).unwrap();
        assert_eq!(
            (stock.exchange, stock.routing_key.as_str(), stock.queue.as_str(), stock.dead_letter_queue.as_str()),
            ("saga.cmd", "stock", "saga.cmd.stock.v2", "saga.cmd.stock.v1.dlq")
        );
        assert_eq!(route(&Destination::Replies).unwrap().queue, "saga.reply.v2");
    }

    #[test]
    fn names_that_could_mean_something_else_are_refused() {
        for name in ["", "Stock", "a.b", "a*", "saga#", "é", &"a".repeat(33)] {
            assert!(route(&Destination::Commands(name.into())).is_err(), "{name}");
        }
    }
}
