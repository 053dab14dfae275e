//! Publishing after the commit, and remembering what was confirmed until its outbox rows are deleted.

use crate::store::{OutboxMessage, REPLIES};
use baton_courier::bus::{CommandBus, Destination, Message};
use baton_crash_point::{Point, hit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Publishes under way at once to one participant. When all are taken the relay finds the rows a second later, so that a
/// slow participant or broker holds back memory, not the engine, and not the other participants.
const MAX_PUBLISHES: usize = 128;

/// Confirmed rows that a batch deletes at once. Fewer wait for more, since the statement costs a round trip.
const ENOUGH: usize = 64;

/// How long fewer may wait, and how long any may wait for a batch to ride on before they get one of their own. Far below the
/// age at which a relay takes a row for unconfirmed.
const DELETE_AFTER: Duration = Duration::from_millis(50);

/// Sends committed outbox messages.
#[derive(Debug)]
pub struct Sender {
    bus: Arc<dyn CommandBus>,
    state: Mutex<SenderState>,
    confirmed: Notify,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct SenderState {
    slots: BTreeMap<String, Arc<Semaphore>>,
    in_flight: BTreeSet<Uuid>,
    confirmed: Vec<Uuid>,
    /// When the first of them was confirmed.
    confirmed_since: Option<Instant>,
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
        hit(Point::ORCHESTRATOR_BEFORE_PUBLISH);
        let confirmed = self.bus.publish(messages).await;
        if !confirmed.is_empty() {
            hit(Point::ORCHESTRATOR_AFTER_PUBLISH);
        }
        let mut state = self.state();
        for id in &ids {
            state.in_flight.remove(id);
        }
        state.keep_confirmed(confirmed);
        drop(state);
        drop(slot);
        self.confirmed.notify_one();
    }

    /// Takes at most `max` confirmed ids, to be deleted by the next batch; none as long as they are few and young.
    #[must_use]
    pub fn take_confirmed(&self, max: usize) -> Vec<Uuid> {
        let mut state = self.state();
        if state.confirmed.len() < ENOUGH && state.delete_at().is_none_or(|at| at > Instant::now()) {
            return Vec::new();
        }
        let keep = state.confirmed.len().saturating_sub(max);
        let taken = state.confirmed.split_off(keep);
        if state.confirmed.is_empty() {
            state.confirmed_since = None;
        }
        taken
    }

    /// Gives ids back whose rows could not be deleted.
    pub fn put_back(&self, ids: Vec<Uuid>) {
        self.state().keep_confirmed(ids);
    }

    /// Resolves when confirmed rows have waited for a batch long enough. Cancel-safe.
    pub async fn idle_with_confirmed(&self) {
        loop {
            let at = self.state().delete_at();
            if let Some(at) = at {
                tokio::time::sleep_until(at).await;
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
        let mut state = self.state();
        state.keep_confirmed(ids);
        // Long ago, so that the next batch deletes them.
        state.confirmed_since = Instant::now().checked_sub(DELETE_AFTER);
        drop(state);
        self.confirmed.notify_one();
    }

    /// Publishes under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state().in_flight.len()
    }

    fn state(&self) -> MutexGuard<'_, SenderState> {
        // The state is a set and a list: a panic elsewhere cannot leave them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SenderState {
    fn keep_confirmed(&mut self, ids: impl IntoIterator<Item = Uuid>) {
        self.confirmed.extend(ids);
        if !self.confirmed.is_empty() && self.confirmed_since.is_none() {
            self.confirmed_since = Some(Instant::now());
        }
    }

    fn delete_at(&self) -> Option<Instant> {
        self.confirmed_since.map(|since| since + DELETE_AFTER)
    }
}

fn to_message(message: OutboxMessage) -> Message {
    let destination = match message.participant.as_str() {
        REPLIES => Destination::Replies,
        _ => Destination::Commands(message.participant),
    };
    Message { id: message.id, destination, body: message.body }
}
