//! The bounded queue in front of the engine: who may put what in, and who is turned away.

use crate::input::{Act, ActionOutcome, Input, NotSettled, QueueEntry, Start, StartOutcome};
use crate::under_way::UnderWay;
use baton_courier::bus::Delivery;
use saga_core::event::Reply;
use saga_core::saga::SagaId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Why a start or an action was not even queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// As many starts wait as may wait, or as many sagas are under way as may be.
    #[error("too many sagas are waiting or under way")]
    Overloaded,
    /// The process is shutting down.
    #[error("the orchestrator is shutting down")]
    Stopping,
}

/// Puts entries into the engine's queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    queue: mpsc::Sender<QueueEntry>,
    starts: Arc<Semaphore>,
    max_starts: usize,
    under_way: Arc<UnderWay>,
    stopping: Arc<AtomicBool>,
}

impl EngineHandle {
    /// A queue of at most `entries` entries, in which at most `starts` starts and actions may wait at once, and no start that
    /// would bring more sagas under way than may be.
    #[must_use]
    pub fn new(entries: usize, starts: usize, under_way: Arc<UnderWay>) -> (Self, mpsc::Receiver<QueueEntry>) {
        let (sender, receiver) = mpsc::channel(entries);
        let handle = Self {
            queue: sender,
            starts: Arc::new(Semaphore::new(starts)),
            max_starts: starts,
            under_way,
            stopping: Arc::new(AtomicBool::new(false)),
        };
        (handle, receiver)
    }

    /// Whether a start would be let in now. To be asked before anything is spent on a request: under overload most of what
    /// comes is refused, and what that costs is missing elsewhere.
    pub fn room(&self) -> Result<(), Rejected> {
        let waiting = self.max_starts - self.starts.available_permits();
        if self.under_way.admits(waiting) { Ok(()) } else { Err(Rejected::Overloaded) }
    }

    /// Starts a saga and waits until it is committed or refused. Dropping the future does not take the start back.
    pub async fn start(&self, start: Start) -> Result<Result<StartOutcome, NotSettled>, Rejected> {
        self.room()?;
        self.one(|answer, place| QueueEntry::Start(Arc::new(start), answer, place)).await
    }

    /// Hands an operator's action to the machine and waits for what it comes to.
    pub async fn action(&self, act: Act) -> Result<Result<ActionOutcome, NotSettled>, Rejected> {
        self.one(|answer, place| QueueEntry::Act(act, answer, place)).await
    }

    async fn one<O>(
        &self,
        entry: impl FnOnce(oneshot::Sender<Result<O, NotSettled>>, OwnedSemaphorePermit) -> QueueEntry,
    ) -> Result<Result<O, NotSettled>, Rejected> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Rejected::Stopping);
        }
        // The place is given back when the engine has settled the entry, not when the caller goes away.
        let Ok(place) = self.starts.clone().try_acquire_owned() else {
            return Err(Rejected::Overloaded);
        };
        let (answer, outcome) = oneshot::channel();
        self.queue.send(entry(answer, place)).await.map_err(|_| Rejected::Stopping)?;
        // The engine answers every entry it takes; only a process that goes down does not, and then the outcome is open.
        Ok(outcome.await.unwrap_or_else(|_| Err(NotSettled::InDoubt("the orchestrator stopped".to_owned()))))
    }

    /// Queues the replies of one delivery; waits for room.
    pub async fn delivery(&self, replies: Vec<(SagaId, Reply)>, delivery: Delivery) {
        if let Err(mpsc::error::SendError(QueueEntry::Delivery(_, delivery))) =
            self.queue.send(QueueEntry::Delivery(replies, delivery)).await
        {
            delivery.release().await;
        }
    }

    /// Queues inputs and waits until they are settled, one way or the other. Returns how many moved a saga.
    pub async fn many(&self, inputs: Vec<Input>) -> usize {
        let (done, settled) = oneshot::channel();
        if self.queue.send(QueueEntry::Many(inputs, done)).await.is_err() {
            return 0;
        }
        settled.await.unwrap_or(0)
    }

    /// Why what can wait should wait, so that fresh requests find room: in this many words, or `None`.
    #[must_use]
    pub fn crowded(&self) -> Option<&'static str> {
        (self.waiting() > self.queue.max_capacity() / 2 || self.starts.available_permits() < self.max_starts / 2)
            .then_some("the engine's queue is half full: fresh requests go first")
    }

    /// Why nothing that rests should be set under way, in the same sense.
    #[must_use]
    pub fn busy(&self) -> Option<&'static str> {
        (self.under_way.now() > self.under_way.max() / 2)
            .then_some("more than half of what may be under way is: fresh sagas go first")
    }

    /// Turns new starts and actions away; replies and wakes still pass.
    pub fn stop_starts(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Starts that wait for their commit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}
