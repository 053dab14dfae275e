//! What the shell tells the world after a commit: watchers, other orchestrators, metrics, the log. All of it may be
//! lost; none of it is an effect of the core.

use crate::at_once::at_once_or_later;
use crate::coord::{Coord, Hint};
use crate::input::Verdict;
use crate::metrics::Metrics;
use crate::store::Record;
use crate::trace;
use futures_util::FutureExt as _;
use saga_core::saga::SagaId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, watch};

/// The newest a watcher has heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Its version, 0 if nothing was heard yet.
    pub version: u64,
    /// The saga, if this process moved it; otherwise the watcher reads the store.
    pub record: Option<Arc<Record>>,
    /// True if nothing more happens to it without an operator: what a caller waits for who waits for the end.
    pub rests: bool,
}

/// Tells watchers in this process, and through the coord those in others.
#[derive(Debug)]
pub struct Notifier {
    coord: Arc<dyn Coord>,
    metrics: Arc<Metrics>,
    watchers: Mutex<HashMap<SagaId, Watched>>,
}

/// Who is told of a saga: those who follow each move, and those who only wait for its rest. The latter are the many, and
/// waking them for every step on the way would cost more than the step.
#[derive(Debug, Default)]
struct Watched {
    moves: watch::Sender<Heard>,
    rests: watch::Sender<Heard>,
}

/// What a subscriber wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Every move.
    Moves,
    /// Only that the saga has come to rest.
    Rest,
}

impl Notifier {
    /// A notifier over a coord.
    #[must_use]
    pub fn new(coord: Arc<dyn Coord>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { coord, metrics, watchers: Mutex::default() })
    }

    /// Hears of one saga from now on, until the subscription is dropped.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, saga: SagaId, interest: Interest) -> Subscription {
        let mut watchers = self.watchers();
        let watched = watchers.entry(saga).or_default();
        let receiver = match interest {
            Interest::Moves => watched.moves.subscribe(),
            Interest::Rest => watched.rests.subscribe(),
        };
        drop(watchers);
        Subscription { saga, receiver: Some(receiver), notifier: self.clone() }
    }

    /// Sagas moved: called once per committed batch.
    pub fn moved(&self, moved: &[(Option<Arc<Record>>, Arc<Record>)]) {
        if moved.is_empty() {
            return;
        }
        for (before, after) in moved {
            let heard = Heard { version: after.saga.version, record: Some(after.clone()), rests: rests(after) };
            self.tell(after.saga.id, heard);
            self.metrics.moved(before.as_deref(), after);
            trace::transition(before.as_deref(), after);
        }
        let hints = moved
            .iter()
            .map(|(_, after)| Hint { saga: after.saga.id, version: after.saga.version, ended: rests(after) })
            .collect();
        let coord = self.coord.clone();
        at_once_or_later(async move { coord.publish(hints).await }.boxed(), |rest| drop(tokio::spawn(rest)));
    }

    /// A batch of so many inputs is about to be settled.
    pub fn batch(&self, inputs: usize) {
        self.metrics.batch_inputs.observe(inputs as f64);
    }

    /// Inputs were settled: counts what did not move anything.
    pub fn settled(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            self.metrics.settled(verdict);
        }
    }

    /// Passes on what other orchestrators say, until the coord is gone.
    pub async fn listen(self: Arc<Self>) {
        let mut hints = self.coord.subscribe();
        loop {
            match hints.recv().await {
                Ok(hint) => self.tell(hint.saga, Heard { version: hint.version, record: None, rests: hint.ended }),
                // Lost hints cost a watcher one polling interval.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn tell(&self, saga: SagaId, heard: Heard) {
        let watchers = self.watchers();
        let Some(watched) = watchers.get(&saga) else { return };
        if heard.rests {
            watched.rests.send_if_modified(|last| is_news(last, &heard));
        }
        watched.moves.send_if_modified(|last| is_news(last, &heard));
    }

    fn watchers(&self) -> MutexGuard<'_, HashMap<SagaId, Watched>> {
        // One insert or remove at a time: a panic cannot leave the map half-changed.
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_news(last: &mut Heard, heard: &Heard) -> bool {
    let newer = heard.version > last.version;
    if newer {
        *last = heard.clone();
    }
    newer
}

/// Hears of one saga.
#[derive(Debug)]
pub struct Subscription {
    saga: SagaId,
    receiver: Option<watch::Receiver<Heard>>,
    notifier: Arc<Notifier>,
}

impl Subscription {
    /// Waits for something newer than what was heard before. Cancel-safe.
    pub async fn next(&mut self) -> Heard {
        if let Some(receiver) = &mut self.receiver
            && receiver.changed().await.is_ok()
        {
            return receiver.borrow_and_update().clone();
        }
        // The sender lives as long as any subscription; without it nothing more will be heard.
        std::future::pending().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut watchers = self.notifier.watchers();
        let unheard = |watched: &Watched| watched.moves.receiver_count() + watched.rests.receiver_count() == 0;
        if watchers.get(&self.saga).is_some_and(unheard) {
            watchers.remove(&self.saga);
        }
    }
}

/// True if nothing more happens to the saga without an operator.
#[must_use]
pub fn rests(record: &Record) -> bool {
    record.saga.wake_at().is_none()
}
