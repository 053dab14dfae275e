//! Publishing after the commit, and remembering what was confirmed until its outbox rows are deleted.

use crate::store::OutboxMessage;
use baton_bus::bus::{CommandBus, Destination, Message};
use baton_crash_point::{Point, hit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Publishes under way at once to one participant. When all are taken the relay finds the rows a second later, so that a
/// slow participant or broker holds back memory, not the engine, and not the other participants.
const MAX_PUBLISHES: usize = 128;

/// How long confirmed rows may wait for a batch to ride on before they get one of their own.
const IDLE_DELETE: Duration = Duration::from_millis(25);

/// Sends committed outbox messages.
#[derive(Debug)]
pub struct Sender {
    bus: Arc<dyn CommandBus>,
    state: Mutex<State>,
    confirmed: Notify,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<String, Arc<Semaphore>>,
    in_flight: BTreeSet<Uuid>,
    confirmed: Vec<Uuid>,
}

impl Sender {
    /// A sender over a bus.
    #[must_use]
    pub fn new(bus: Arc<dyn CommandBus>) -> Arc<Self> {
        Arc::new(Self { bus, state: Mutex::default(), confirmed: Notify::new(), tasks: TaskTracker::new() })
    }

    /// Publishes in the background, each participant's messages on their own. What is not confirmed stays in the outbox,
    /// and the relay tries again. Messages that are being published already are left out. Returns how many were taken.
    pub fn send(self: &Arc<Self>, messages: Vec<OutboxMessage>) -> usize {
        let mut by_participant: BTreeMap<String, Vec<OutboxMessage>> = BTreeMap::new();
        for message in messages {
            by_participant.entry(message.participant.clone()).or_default().push(message);
        }
        by_participant.into_iter().map(|(participant, messages)| self.send_to(participant, messages)).sum()
    }

    fn send_to(self: &Arc<Self>, participant: String, messages: Vec<OutboxMessage>) -> usize {
        let (messages, slot) = {
            let mut state = self.state();
            let slots = state.slots.entry(participant).or_insert_with(|| Arc::new(Semaphore::new(MAX_PUBLISHES)));
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                return 0;
            };
            let fresh = messages.into_iter().filter(|message| state.in_flight.insert(message.id));
            (fresh.map(to_message).collect::<Vec<Message>>(), slot)
        };
        let count = messages.len();
        if count > 0 {
            self.tasks.spawn(self.clone().publish(messages, slot));
        }
        count
    }

    async fn publish(self: Arc<Self>, messages: Vec<Message>, slot: OwnedSemaphorePermit) {
        let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
        hit(Point::OrchestratorBeforePublish);
        let confirmed = self.bus.publish(messages).await;
        if !confirmed.is_empty() {
            hit(Point::OrchestratorAfterPublish);
        }
        let mut state = self.state();
        for id in &ids {
            state.in_flight.remove(id);
        }
        state.confirmed.extend(confirmed);
        drop(state);
        drop(slot);
        self.confirmed.notify_one();
    }

    /// Takes at most `max` confirmed ids, to be deleted by the next batch.
    #[must_use]
    pub fn take_confirmed(&self, max: usize) -> Vec<Uuid> {
        let mut state = self.state();
        let keep = state.confirmed.len().saturating_sub(max);
        state.confirmed.split_off(keep)
    }

    /// Gives ids back whose rows could not be deleted.
    pub fn put_back(&self, ids: Vec<Uuid>) {
        self.state().confirmed.extend(ids);
    }

    /// Resolves when confirmed rows have waited for a batch long enough. Cancel-safe.
    pub async fn idle_with_confirmed(&self) {
        loop {
            if !self.state().confirmed.is_empty() {
                tokio::time::sleep(IDLE_DELETE).await;
                return;
            }
            self.confirmed.notified().await;
        }
    }

    /// Waits until nothing is being published.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Takes ids for confirmed that are not: a planted bug.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn pretend_confirmed(&self, ids: impl IntoIterator<Item = Uuid>) {
        self.state().confirmed.extend(ids);
        self.confirmed.notify_one();
    }

    /// Publishes under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state().in_flight.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is a set and a list: a panic elsewhere cannot leave them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_message(message: OutboxMessage) -> Message {
    Message { id: message.id, destination: Destination::Commands(message.participant), body: message.body }
}
