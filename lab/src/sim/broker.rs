//! A broker as plain data: durable queues, consumers, what each holds unsettled, and what was quarantined. Messages that are
//! only sent do not outlive it.

use baton_courier::bus::Destination;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// Deliveries one consumer holds unsettled at most, as a prefetch does.
const PREFETCH: usize = 256;

/// Names one stored message.
pub type Tag = u64;

/// A message the broker has.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The sender's id.
    pub id: Uuid,
    /// Its queue.
    pub queue: Destination,
    /// Its body.
    pub body: Bytes,
    /// How often it was handed out.
    pub deliveries: u32,
    /// True if it outlives a restart of the broker.
    pub is_kept: bool,
    /// Of a dead letter: why it is one. Else empty.
    pub reason: String,
}

/// A message that was quarantined.
#[derive(Clone, Debug)]
pub struct Buried {
    /// The queue it was in.
    pub queue: Destination,
    /// The sender's id.
    pub id: Uuid,
    /// Its body.
    pub body: Bytes,
    /// Why.
    pub reason: String,
    /// True if the broker has lost it since.
    pub is_lost: bool,
    /// How often the same has been sent since.
    pub resent: u64,
}

/// The queue of the dead letters of a queue: no participant is called so.
#[must_use]
pub fn quarantine_of(queue: &Destination) -> Destination {
    let name = match queue {
        Destination::Commands(name) => name.as_str(),
        Destination::Replies => "@replies",
    };
    Destination::Commands(format!("@dead {name}"))
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Tag>,
    consumers: Vec<usize>,
}

#[derive(Debug)]
struct Consumer {
    process: usize,
    inbox: VecDeque<Tag>,
    unsettled: BTreeSet<Tag>,
    arrived: Arc<Notify>,
    alive: bool,
}

/// What pushing came to: the process to be woken.
pub type Woken = Option<usize>;

/// The broker.
#[derive(Debug, Default)]
pub struct Broker {
    queues: BTreeMap<Destination, Queue>,
    messages: BTreeMap<Tag, Stored>,
    consumers: Vec<Consumer>,
    next: Tag,
    /// What was quarantined, and why.
    pub dead: Vec<Buried>,
    /// The newest messages, to be replayed as stale ones.
    pub memory: VecDeque<(Destination, Bytes)>,
}

impl Broker {
    /// Stores a message that is not handed out yet; see [`Broker::ready`].
    pub fn store(&mut self, id: Uuid, queue: Destination, body: Bytes, is_kept: bool) -> Tag {
        self.next += 1;
        self.messages.insert(self.next, Stored { id, queue, body, deliveries: 0, is_kept, reason: String::new() });
        self.next
    }

    /// A stored message can be handed out: to one of the consumers, chosen by `choice`, or later to whoever comes.
    pub fn ready(&mut self, tag: Tag, choice: u64) -> Woken {
        let stored = self.messages.get(&tag)?;
        let queue = self.queues.entry(stored.queue.clone()).or_default();
        queue.ready.push_back(tag);
        let queue = stored.queue.clone();
        self.push(&queue, choice)
    }

    /// Hands out one ready message of a queue if a consumer has room.
    fn push(&mut self, queue: &Destination, choice: u64) -> Woken {
        let queue = self.queues.get_mut(queue)?;
        if queue.ready.is_empty() {
            return None;
        }
        let consumers = &self.consumers;
        let has_room = |index: &&usize| {
            let consumer: &Consumer = &consumers[**index];
            consumer.alive && consumer.unsettled.len() < PREFETCH
        };
        let open = queue.consumers.iter().filter(has_room).count();
        if open == 0 {
            return None;
        }
        let chosen = usize::try_from(choice % open as u64).unwrap_or(0);
        let chosen = queue.consumers.iter().filter(has_room).nth(chosen).copied()?;
        let tag = queue.ready.pop_front()?;
        if let Some(stored) = self.messages.get_mut(&tag) {
            stored.deliveries += 1;
        }
        let consumer = &mut self.consumers[chosen];
        consumer.unsettled.insert(tag);
        consumer.inbox.push_back(tag);
        consumer.arrived.notify_one();
        Some(consumer.process)
    }

    /// A new consumer; takes over what waits.
    pub fn consume(&mut self, process: usize, queue: Destination, choice: u64) -> (usize, Arc<Notify>) {
        let arrived = Arc::new(Notify::new());
        let index = self.consumers.len();
        let (inbox, unsettled) = (VecDeque::new(), BTreeSet::new());
        self.consumers.push(Consumer { process, inbox, unsettled, arrived: arrived.clone(), alive: true });
        self.queues.entry(queue.clone()).or_default().consumers.push(index);
        while self.push(&queue, choice).is_some() {}
        (index, arrived)
    }

    /// At most `max` messages handed to a consumer.
    pub fn take(&mut self, consumer: usize, max: usize) -> Vec<(Tag, Stored)> {
        let inbox = &mut self.consumers[consumer].inbox;
        let count = inbox.len().min(max.max(1));
        let tags: Vec<Tag> = inbox.drain(..count).collect();
        tags.into_iter().filter_map(|tag| Some((tag, self.messages.get(&tag)?.clone()))).collect()
    }

    /// Removes a message for good, if the consumer still holds it. True if it did.
    pub fn settle(&mut self, consumer: usize, tag: Tag, choice: u64) -> (Option<Stored>, Woken) {
        if !self.consumers[consumer].unsettled.remove(&tag) {
            return (None, None);
        }
        let stored = self.messages.remove(&tag);
        let woken = stored.as_ref().and_then(|stored| self.push(&stored.queue.clone(), choice));
        (stored, woken)
    }

    /// Takes a message away from its consumer; it is not handed out again before [`Broker::ready`].
    pub fn give_back(&mut self, consumer: usize, tag: Tag) -> bool {
        let held = self.consumers[consumer].unsettled.remove(&tag);
        self.consumers[consumer].inbox.retain(|other| *other != tag);
        held
    }

    /// The process's consumers end; what they held is to be handed out again.
    #[must_use]
    pub fn process_died(&mut self, process: usize) -> Vec<Tag> {
        let indexes = (0..self.consumers.len()).filter(|index| self.consumers[*index].process == process);
        let indexes: Vec<usize> = indexes.collect();
        let mut held = Vec::new();
        for index in indexes {
            let consumer = &mut self.consumers[index];
            consumer.alive = false;
            consumer.inbox.clear();
            held.extend(std::mem::take(&mut consumer.unsettled));
        }
        let consumers = &self.consumers;
        for queue in self.queues.values_mut() {
            queue.consumers.retain(|index| consumers[*index].alive);
        }
        held
    }

    /// A process's connection breaks: what its consumers held is to be handed out again, they themselves come back.
    #[must_use]
    pub fn connection_lost(&mut self, process: usize) -> Vec<Tag> {
        let mut held = Vec::new();
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.process == process && consumer.alive) {
            consumer.inbox.clear();
            held.extend(std::mem::take(&mut consumer.unsettled));
        }
        held
    }

    /// Its consumers never hear of anything again, without knowing it.
    pub fn consumers_end_silently(&mut self, process: usize) {
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.process == process) {
            consumer.alive = false;
        }
        let consumers = &self.consumers;
        for queue in self.queues.values_mut() {
            queue.consumers.retain(|index| consumers[*index].alive);
        }
    }

    /// The broker restarts: what was only sent is gone, and what is kept goes back to its queue.
    #[must_use]
    pub fn restart(&mut self) -> Vec<Tag> {
        self.messages.retain(|_, stored| stored.is_kept);
        let mut held = BTreeSet::new();
        for consumer in &mut self.consumers {
            consumer.inbox.clear();
            held.append(&mut consumer.unsettled);
        }
        for queue in self.queues.values_mut() {
            queue.ready.retain(|tag| self.messages.contains_key(tag));
        }
        held.retain(|tag| self.messages.contains_key(tag));
        held.into_iter().collect()
    }

    /// The broker comes back empty.
    pub fn wipe(&mut self) {
        self.messages.clear();
        self.dead.iter_mut().for_each(|buried| buried.is_lost = true);
        for queue in self.queues.values_mut() {
            queue.ready.clear();
        }
        for consumer in &mut self.consumers {
            consumer.inbox.clear();
            consumer.unsettled.clear();
        }
    }

    /// Puts a message that its queue has lost into the quarantine.
    pub fn bury(&mut self, stored: Stored, reason: &str) -> Tag {
        let Stored { id, queue, body, .. } = stored;
        let letters = quarantine_of(&queue);
        let (reason, is_lost) = (reason.to_owned(), false);
        self.dead.push(Buried { queue, id, body: body.clone(), reason: reason.clone(), is_lost, resent: 0 });
        let tag = self.store(id, letters, body, true);
        self.messages.entry(tag).and_modify(|stored| stored.reason = reason);
        tag
    }

    /// A message is taken over that may have died before.
    pub fn is_sent(&mut self, queue: &Destination, body: &Bytes) {
        for buried in self.dead.iter_mut().filter(|buried| buried.queue == *queue && buried.body == *body) {
            buried.resent += 1;
        }
    }

    /// True for a dead letter, which is handed out however often it takes.
    #[must_use]
    pub fn is_dead_letter(&self, tag: Tag) -> bool {
        self.messages.get(&tag).is_some_and(|stored| !stored.reason.is_empty())
    }

    /// Dead letters that nobody has collected.
    #[must_use]
    pub fn uncollected(&self) -> usize {
        self.messages.values().filter(|stored| !stored.reason.is_empty()).count()
    }

    /// Messages in queues other than those of dead letters.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.messages.len() - self.uncollected()
    }

    /// Keeps a copy to be replayed later.
    pub fn remember(&mut self, queue: Destination, body: Bytes) {
        if self.memory.len() >= 128 {
            self.memory.pop_front();
        }
        self.memory.push_back((queue, body));
    }
}
