//! The bus of the embedded shape: bounded queues in this process.
//!
//! The promise "taken over for good" of [`CommandBus::publish`] is kept without a disk: a message is confirmed only once its
//! consumer has acknowledged or dead-lettered it. Whoever publishes must therefore never be the one its consumer waits for.
//! What is only sent is gone with the process.

use crate::bus::{CommandBus, Consumer, Delivery, Depth, Destination, MAX_BODY, Message, Settle};
use crate::error::BusError;
use crate::topology;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Dead letters kept for reading; the oldest go first. A batch of 1,024 bad messages can be inspected whole.
pub const MAX_DEAD_LETTERS: usize = 1_024;

/// How long what is given back unsettled is held before it is delivered again.
const RELEASE_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of a [`LocalBus`].
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Messages per destination that are not settled yet, waiting or in somebody's hands. At least 1.
    pub capacity: usize,
    /// How long [`CommandBus::publish`] waits for room and for its consumers.
    pub confirm_deadline: Duration,
}

impl Default for LocalConfig {
    fn default() -> Self {
        // Messages carry up to 256 commands each: 4,096 of them are far more than an engine keeps in flight.
        Self { capacity: 4_096, confirm_deadline: Duration::from_secs(5) }
    }
}

/// A message that nobody could use, kept for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue it was taken from.
    pub source: Destination,
    /// The sender's id, if it set one.
    pub message_id: Option<Uuid>,
    /// UPPER_SNAKE.
    pub reason: String,
    /// As it arrived.
    pub body: Bytes,
}

/// Bounded queues in this process. Clones share them.
#[derive(Clone, Debug)]
pub struct LocalBus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: LocalConfig,
    closed: CancellationToken,
    /// Tells of dead letters that can be taken.
    died: Notify,
    state: Mutex<LocalState>,
}

impl Shared {
    fn bury(&self, letter: DeadLetter) {
        let mut state = lock(&self.state);
        if state.dead.len() == MAX_DEAD_LETTERS {
            state.dead.pop_front();
        }
        let number = state.next_dead;
        state.next_dead += 1;
        state.dead.push_back(Dead { number, held: false, letter });
        drop(state);
        self.died.notify_waiters();
    }
}

#[derive(Debug, Default)]
struct LocalState {
    // Ordered, so that nothing here depends on a hash seed.
    queues: BTreeMap<Destination, Arc<Queue>>,
    dead: VecDeque<Dead>,
    /// Number of the next dead letter.
    next_dead: u64,
}

/// A dead letter and whether a delivery holds it.
#[derive(Debug)]
struct Dead {
    number: u64,
    held: bool,
    letter: DeadLetter,
}

struct Queue {
    room: Arc<Semaphore>,
    arrived: Notify,
    inner: Mutex<Inner>,
}

/// Every unsettled message is in `items`; its id is in `ready` unless a delivery holds it.
#[derive(Default)]
struct Inner {
    items: HashMap<Uuid, Item>,
    ready: VecDeque<Uuid>,
}

struct Item {
    body: Bytes,
    reply_to: Option<Arc<str>>,
    redelivered: bool,
    waiters: Vec<oneshot::Sender<()>>,
    _room: OwnedSemaphorePermit,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.inner);
        f.debug_struct("Queue").field("unsettled", &inner.items.len()).field("ready", &inner.ready.len()).finish()
    }
}

impl LocalBus {
    /// Empty queues.
    #[must_use]
    pub fn new(config: LocalConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                closed: CancellationToken::new(),
                died: Notify::new(),
                state: Mutex::default(),
            }),
        }
    }

    /// The dead letters that are kept, oldest first; at most [`MAX_DEAD_LETTERS`].
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.shared.state).dead.iter().map(|dead| dead.letter.clone()).collect()
    }

    /// Messages of a destination that wait for a consumer.
    #[must_use]
    pub fn waiting(&self, destination: &Destination) -> usize {
        lock(&self.queue(destination).inner).ready.len()
    }

    fn queue(&self, destination: &Destination) -> Arc<Queue> {
        let mut state = lock(&self.shared.state);
        let capacity = self.shared.config.capacity.max(1);
        let queue = state.queues.entry(destination.clone()).or_insert_with(|| {
            Arc::new(Queue {
                room: Arc::new(Semaphore::new(capacity)),
                arrived: Notify::new(),
                inner: Mutex::default(),
            })
        });
        queue.clone()
    }

    /// Puts one message into its queue, waiting for room as long as it takes.
    pub async fn offer(&self, message: Message) {
        self.offer_from(message, None).await;
    }

    /// The same with where replies to it should go.
    pub async fn offer_from(&self, message: Message, reply_to: Option<Arc<str>>) {
        let _ = self.shared.closed.run_until_cancelled(self.enqueue(message, reply_to)).await;
    }

    /// Keeps a dead letter.
    pub fn bury(&self, letter: DeadLetter) {
        self.shared.bury(letter);
    }

    /// Puts one message into its queue, waiting for room; the receiver hears when it is settled.
    async fn enqueue(&self, message: Message, reply_to: Option<Arc<str>>) -> Option<oneshot::Receiver<()>> {
        if message.body.len() > MAX_BODY {
            tracing::error!(message_id = %message.id, bytes = message.body.len(), "message too large to publish");
            return None;
        }
        let queue = self.queue(&message.destination);
        let (settled, receiver) = oneshot::channel();
        let Err(settled) = queue.join(message.id, settled) else { return Some(receiver) };
        // Closed only with the bus, whose token cancels this call anyway.
        let room = queue.room.clone().acquire_owned().await.ok()?;
        // Somebody may have published the same id while this call waited for room.
        let Err(settled) = queue.join(message.id, settled) else { return Some(receiver) };
        let item = Item { body: message.body, reply_to, redelivered: false, waiters: vec![settled], _room: room };
        let mut inner = lock(&queue.inner);
        inner.items.insert(message.id, item);
        inner.ready.push_back(message.id);
        drop(inner);
        queue.arrived.notify_one();
        Some(receiver)
    }
}

#[async_trait]
impl CommandBus for LocalBus {
    fn send(&self, messages: Vec<Message>) {
        for message in messages {
            let queue = self.queue(&message.destination);
            let room = queue.room.clone().try_acquire_owned();
            let Some(room) = room.ok().filter(|_| message.body.len() <= MAX_BODY) else {
                tracing::debug!(message_id = %message.id, "dropped: its queue is full, or it is too large");
                continue;
            };
            let item =
                Item { body: message.body, reply_to: None, redelivered: false, waiters: Vec::new(), _room: room };
            let mut inner = lock(&queue.inner);
            // The same id is never queued twice.
            if inner.items.contains_key(&message.id) {
                continue;
            }
            inner.items.insert(message.id, item);
            inner.ready.push_back(message.id);
            drop(inner);
            queue.arrived.notify_one();
        }
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        let deadline = Instant::now() + self.shared.config.confirm_deadline;
        let mut waiting = Vec::with_capacity(messages.len());
        let mut confirmed = Vec::with_capacity(messages.len());
        let work = async {
            for message in messages {
                let id = message.id;
                // One full queue ends the call's patience for the rest: they could only wait behind it.
                match timeout_at(deadline, self.enqueue(message, None)).await {
                    Ok(receiver) => waiting.extend(receiver.map(|receiver| (id, receiver))),
                    Err(_) => break,
                }
            }
            for (id, receiver) in waiting {
                if matches!(timeout_at(deadline, receiver).await, Ok(Ok(()))) {
                    confirmed.push(id);
                }
            }
        };
        tokio::select! {
            // In this order: what is settled counts even if the bus is closing.
            biased;
            () = work => {}
            () = self.shared.closed.cancelled() => {}
        }
        confirmed
    }

    async fn consume(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.health()?;
        let queue = self.queue(&source);
        Ok(Box::new(LocalConsumer { shared: self.shared.clone(), source, queue }))
    }

    async fn depths(&self, destination: &Destination) -> Result<Vec<Depth>, BusError> {
        let waiting = self.waiting(destination);
        let dead = lock(&self.shared.state).dead.iter().filter(|dead| dead.letter.source == *destination).count();
        let route = topology::route(destination)?;
        let depth = |queue: String, messages: usize, dead_letters| Depth {
            queue,
            messages: messages.try_into().unwrap_or(u64::MAX),
            dead_letters,
        };
        Ok(vec![depth(route.queue, waiting, false), depth(route.dead_letter_queue, dead, true)])
    }

    async fn consume_dead_letters(&self, source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        self.health()?;
        Ok(Box::new(DeadLetters { shared: self.shared.clone(), source }))
    }

    fn health(&self) -> Result<(), BusError> {
        if self.shared.closed.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    async fn close(&self) {
        self.shared.closed.cancel();
    }
}

impl Queue {
    /// Adds a waiter to a message that is here already: the same id is never queued twice.
    fn join(&self, id: Uuid, settled: oneshot::Sender<()>) -> Result<(), oneshot::Sender<()>> {
        let mut inner = lock(&self.inner);
        let Some(item) = inner.items.get_mut(&id) else { return Err(settled) };
        // Callers that gave up leave closed senders behind; without this a message republished for ever would grow.
        item.waiters.retain(|waiter| !waiter.is_closed());
        item.waiters.push(settled);
        Ok(())
    }

    /// Removes a message for good and tells whoever published it.
    fn settle(&self, id: Uuid) {
        let item = lock(&self.inner).items.remove(&id);
        for waiter in item.map(|item| item.waiters).unwrap_or_default() {
            // A sender that no longer listens will publish it again; its consumer knows the command.
            let _ = waiter.send(());
        }
    }

    /// Puts a message back, to be delivered again before the others.
    fn put_back(&self, id: Uuid) {
        let mut inner = lock(&self.inner);
        if let Some(item) = inner.items.get_mut(&id) {
            item.redelivered = true;
            inner.ready.push_front(id);
            drop(inner);
            self.arrived.notify_one();
        }
    }
}

#[derive(Debug)]
struct LocalConsumer {
    shared: Arc<Shared>,
    source: Destination,
    queue: Arc<Queue>,
}

impl LocalConsumer {
    fn take_ready(&self, max: usize) -> Vec<Delivery> {
        let mut inner = lock(&self.queue.inner);
        let count = inner.ready.len().min(max);
        let ids: Vec<Uuid> = inner.ready.drain(..count).collect();
        let taken = ids.into_iter().filter_map(|id| {
            let item = inner.items.get(&id)?;
            let (shared, source) = (self.shared.clone(), self.source.clone());
            let settle = LocalSettle { shared, source, held: Some((self.queue.clone(), id)) };
            let delivery = Delivery::new(item.body.clone(), Some(id), item.redelivered, Box::new(settle));
            Some(delivery.answered_to(item.reply_to.clone()))
        });
        let deliveries = taken.collect();
        if !inner.ready.is_empty() {
            // One arrival wakes one consumer: pass it on.
            self.queue.arrived.notify_one();
        }
        deliveries
    }
}

#[async_trait]
impl Consumer for LocalConsumer {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            if self.shared.closed.is_cancelled() {
                return Err(BusError::Closed);
            }
            let deliveries = self.take_ready(max.max(1));
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            tokio::select! {
                () = self.queue.arrived.notified() => {}
                () = self.shared.closed.cancelled() => {}
            }
        }
    }
}

#[derive(Debug)]
struct LocalSettle {
    shared: Arc<Shared>,
    source: Destination,
    /// Empty once settled.
    held: Option<(Arc<Queue>, Uuid)>,
}

#[async_trait]
impl Settle for LocalSettle {
    async fn ack(mut self: Box<Self>) {
        if let Some((queue, id)) = self.held.take() {
            queue.settle(id);
        }
    }

    async fn dead_letter(mut self: Box<Self>, body: Bytes, reason: &str) {
        let Some((queue, id)) = self.held.take() else { return };
        let letter = DeadLetter { source: self.source.clone(), message_id: Some(id), reason: reason.to_owned(), body };
        self.shared.bury(letter);
        queue.settle(id);
    }

    async fn release(self: Box<Self>) {
        // As if dropped.
    }
}

impl Drop for LocalSettle {
    fn drop(&mut self) {
        if let Some((queue, id)) = self.held.take() {
            after_a_pause(move || queue.put_back(id));
        }
    }
}

/// What nobody can settle now would come again at once, and cost a core.
fn after_a_pause(put_back: impl FnOnce() + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move {
            tokio::time::sleep(RELEASE_PAUSE).await;
            put_back();
        })),
        // Nobody takes anything any more.
        Err(_) => put_back(),
    }
}

/// Takes dead letters of one destination out of the ring.
#[derive(Debug)]
struct DeadLetters {
    shared: Arc<Shared>,
    source: Destination,
}

impl DeadLetters {
    fn take_free(&self, max: usize) -> Vec<Delivery> {
        let mut state = lock(&self.shared.state);
        let free = state.dead.iter_mut().filter(|dead| !dead.held && dead.letter.source == self.source);
        let taken = free.take(max).map(|dead| {
            dead.held = true;
            let settle = SettleDead { shared: self.shared.clone(), number: Some(dead.number) };
            let DeadLetter { message_id, reason, body, source: _ } = dead.letter.clone();
            Delivery::new(body, message_id, false, Box::new(settle)).because(reason)
        });
        taken.collect()
    }
}

#[async_trait]
impl Consumer for DeadLetters {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            if self.shared.closed.is_cancelled() {
                return Err(BusError::Closed);
            }
            // Listens before it looks: what comes in between is not missed.
            let mut died = pin!(self.shared.died.notified());
            died.as_mut().enable();
            let deliveries = self.take_free(max.max(1));
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            tokio::select! {
                () = died => {}
                () = self.shared.closed.cancelled() => {}
            }
        }
    }
}

#[derive(Debug)]
struct SettleDead {
    shared: Arc<Shared>,
    /// Empty once settled.
    number: Option<u64>,
}

#[async_trait]
impl Settle for SettleDead {
    async fn ack(mut self: Box<Self>) {
        // One that is gone was the oldest of too many.
        if let Some(number) = self.number.take() {
            lock(&self.shared.state).dead.retain(|dead| dead.number != number);
        }
    }

    async fn dead_letter(self: Box<Self>, _body: Bytes, _reason: &str) {
        // It is where it belongs: as if dropped.
    }

    async fn release(self: Box<Self>) {
        // As if dropped.
    }
}

impl Drop for SettleDead {
    fn drop(&mut self) {
        let Some(number) = self.number.take() else { return };
        let shared = self.shared.clone();
        after_a_pause(move || {
            if let Some(dead) = lock(&shared.state).dead.iter_mut().find(|dead| dead.number == number) {
                dead.held = false;
            }
            shared.died.notify_waiters();
        });
    }
}

/// No code panics while it holds one of these locks; if it did, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
