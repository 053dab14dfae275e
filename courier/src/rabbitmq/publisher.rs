//! Publishes in rounds and settles by message id.
//!
//! The client library may hang a returned (unroutable) message on the confirm of another one, so a confirm alone proves
//! nothing while its neighbours are open. A lane therefore publishes a round, awaits every confirm of it, collects the
//! ids of all returned messages, and only then reports what is acknowledged and not returned. Several lanes, each with
//! a channel of its own, keep a message that arrives during a round from waiting for its end.

use super::connection::{Broker, Slot, lost};
use super::declare::{Declarer, message_id};
use super::destinations::Destinations;
use super::outgoing::Outgoing;
use super::waiting::{Round, Waiting, next_round, requests};
use crate::bus::Destination;
use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

/// Channels that publish at once: one waits for its confirms while another writes.
const LANES: usize = 4;
/// Requests that wait for a lane; a caller beyond it waits for room until its deadline.
const MAX_WAITING: usize = 1_024;

/// Hands messages to the publishing connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    requests: mpsc::Sender<Waiting>,
    deadline: Duration,
    /// Whoever can still publish or settle holds this; the last one to drop it closes the bus.
    _open: Arc<DropGuard>,
}

impl Publisher {
    pub(super) fn start(broker: &Arc<Broker>, declarer: Arc<Declarer>, deadline: Duration) -> Self {
        let (requests, waiting) = mpsc::channel(MAX_WAITING);
        let lanes = Lanes {
            slot: broker.slot("publish"),
            broker: broker.clone(),
            declarer,
            deadline,
            waiting: Mutex::new(waiting),
            destinations: Destinations::default(),
        };
        tokio::spawn(Arc::new(lanes).run());
        Self { requests, deadline, _open: Arc::new(broker.close_on_drop()) }
    }

    /// Publishes and waits for the confirms until the deadline; returns the ids taken over for good.
    pub(super) async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Uuid> {
        let deadline = Instant::now() + self.deadline;
        let requests = requests(messages).into_iter().map(|request| self.request(request, deadline));
        join_all(requests).await.concat()
    }

    async fn request(&self, messages: Vec<Outgoing>, deadline: Instant) -> Vec<Uuid> {
        let answered = timeout_at(deadline, async {
            let (waiting, answer) = Waiting::new(messages);
            // Refused once the bus is closed; unanswered if the connection broke. Either way nothing is known.
            self.requests.send(waiting).await.ok()?;
            answer.received().await
        });
        answered.await.ok().flatten().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Lanes {
    slot: Arc<Slot>,
    broker: Arc<Broker>,
    declarer: Arc<Declarer>,
    deadline: Duration,
    waiting: Mutex<mpsc::Receiver<Waiting>>,
    destinations: Destinations,
}

impl Lanes {
    async fn run(self: Arc<Self>) {
        while let Ok(connection) = self.slot.connected().await {
            self.destinations.clear();
            let mut lanes = JoinSet::new();
            for _ in 0..LANES {
                let (lanes_of_all, connection) = (self.clone(), connection.clone());
                lanes.spawn(async move {
                    let channel = connection.create_channel().await.map_err(|error| error.to_string())?;
                    let select = channel.confirm_select(ConfirmSelectOptions::default()).await;
                    select.map_err(|error| error.to_string())?;
                    lanes_of_all.lane(&channel).await
                });
            }
            let first = tokio::select! {
                first = lanes.join_next() => first,
                () = lost(&connection) => Some(Ok(Err("the connection is gone".to_owned()))),
                // What is in flight stays unknown, and its senders keep it.
                () = self.broker.closed() => return,
            };
            match first {
                // Every handle that could send a request is gone.
                Some(Ok(Ok(()))) | None => return,
                Some(Ok(Err(reason))) => self.slot.failed(&connection, &reason),
                Some(Err(error)) => self.slot.failed(&connection, &error.to_string()),
            }
        }
    }

    /// Runs rounds on one channel until something fails; returns quietly when nobody can ask any more.
    async fn lane(&self, channel: &Channel) -> Result<(), String> {
        loop {
            let Some(round) = next_round(&mut *self.waiting.lock().await).await else { return Ok(()) };
            let mut round = pin!(self.publish_round(channel, round));
            loop {
                match timeout(self.deadline, &mut round).await {
                    Ok(outcome) => break outcome.map_err(|error| error.to_string())?,
                    // Short of memory or disk, the broker will take the round later; the callers give up on their own.
                    Err(_) if self.slot.is_blocked() => {}
                    Err(_) => return Err("confirms are overdue".to_owned()),
                }
            }
            self.slot.worked();
        }
    }

    async fn publish_round(&self, channel: &Channel, requests: Round) -> lapin::Result<()> {
        let destinations: BTreeSet<&Destination> =
            requests.iter().flat_map(|request| &request.messages).map(|message| &message.destination).collect();
        let declared = join_all(destinations.into_iter().map(async |destination| {
            let usable = self.destinations.declare(&self.declarer, destination).await;
            (!usable).then(|| destination.clone())
        }));
        let failed = declared.await.into_iter().flatten().collect::<BTreeSet<_>>();
        let messages = requests.iter().flat_map(|request| &request.messages);
        let messages = messages.filter(|message| !failed.contains(&message.destination));
        let confirms = join_all(messages.map(|message| publish(channel, message))).await;
        let confirms = confirms.into_iter().collect::<lapin::Result<Vec<Confirmation>>>()?;
        let mut verdict = Verdict::of(confirms);
        for request in requests {
            let mut confirmed = Vec::with_capacity(request.messages.len());
            for message in request.messages.iter().filter(|message| !failed.contains(&message.destination)) {
                match verdict.next(message.id) {
                    Fate::Confirmed => confirmed.push(message.id),
                    Fate::Refused => tracing::debug!(message_id = %message.id, "the broker refused a message"),
                    Fate::Returned => {
                        tracing::warn!(message_id = %message.id, "a message found no queue");
                        self.destinations.missing(&message.destination);
                    }
                }
            }
            // A caller that gave up publishes again.
            let _ = request.answer.send(confirmed);
        }
        Ok(())
    }
}

async fn publish(channel: &Channel, message: &Outgoing) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let (exchange, key) = (message.exchange.into(), message.routing_key.as_str().into());
    channel.basic_publish(exchange, key, options, &message.body, message.properties()).await?.await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Confirmed,
    Refused,
    Returned,
}

/// What a whole round of confirms says about each of its messages.
struct Verdict {
    acknowledged: std::vec::IntoIter<bool>,
    returned: HashSet<Uuid>,
    /// A returned message without a readable id could be any of them.
    unknown_returned: bool,
}

impl Verdict {
    fn of(confirms: Vec<Confirmation>) -> Self {
        let acknowledged: Vec<bool> = confirms.iter().map(Confirmation::is_ack).collect();
        let mut verdict =
            Self { acknowledged: acknowledged.into_iter(), returned: HashSet::new(), unknown_returned: false };
        for returned in confirms.into_iter().filter_map(Confirmation::take_message) {
            match message_id(&returned.properties) {
                Some(id) => {
                    verdict.returned.insert(id);
                }
                None => verdict.unknown_returned = true,
            }
        }
        verdict
    }

    /// The fate of the next message in the order of publishing.
    fn next(&mut self, id: Uuid) -> Fate {
        let acknowledged = self.acknowledged.next().unwrap_or(false);
        if self.unknown_returned || self.returned.contains(&id) {
            Fate::Returned
        } else if acknowledged {
            Fate::Confirmed
        } else {
            Fate::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;
    use lapin::message::{BasicReturnMessage, Delivery};

    fn returned(id: Option<Uuid>) -> Option<BasicReturnMessage> {
        let mut delivery = Delivery::mock(0, "saga.cmd".into(), "lost".into(), false, Vec::new());
        if let Some(id) = id {
            delivery.properties = BasicProperties::default().with_message_id(id.to_string().into());
        }
        Some(BasicReturnMessage { delivery, reply_code: 312, reply_text: "NO_ROUTE".into() })
    }

    #[test]
    fn a_return_counts_for_its_own_message_whichever_confirm_it_hangs_on() {
        let [good, lost, refused] = [1, 2, 3].map(Uuid::from_u128);
        let confirms = vec![Confirmation::Ack(returned(Some(lost))), Confirmation::Ack(None), Confirmation::Nack(None)];
        let mut verdict = Verdict::of(confirms);
        let fates = [good, lost, refused].map(|id| verdict.next(id));
        assert_eq!(fates, [Fate::Confirmed, Fate::Returned, Fate::Refused]);
        assert_eq!(verdict.next(good), Fate::Refused, "more messages than confirms");
    }

    #[test]
    fn a_return_that_cannot_be_told_apart_spoils_its_round() {
        let mut verdict = Verdict::of(vec![Confirmation::Ack(None), Confirmation::Ack(returned(None))]);
        assert_eq!([verdict.next(Uuid::from_u128(1)), verdict.next(Uuid::from_u128(2))], [Fate::Returned; 2]);
    }
}
