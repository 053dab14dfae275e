//! Everything outside the processes: the broker, the provider, the adversary, what is due when, and what was seen.

use super::adversary::{Adversary, Fate, Place};
use super::answer::ClientAnswer;
use super::broker::{Broker, Tag};
use super::life::{Life, Us};
use super::link::BusLink;
use super::provider::Provider;
use super::seen::{Seen, Told};
use super::trace::Trace;
use baton_courier::bus::Destination;
use baton_orchestrator::hold_policy::Held;
use baton_participant_kit::participant::CommandKey;
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Delays of a redelivery after a release, microseconds.
const AGAIN: Us = 20_000;

/// Between two looks whether a broker that is away is back, microseconds.
const BACK_AGAIN: Us = 1_000_000;

/// Something that happens at a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A process has something to do.
    Poke(usize),
    /// A stored message can be handed out.
    Ready(Tag),
    /// A client's, an operator's or the adversary's turn: number of the item in the run's own list.
    Script(usize),
    /// A process starts again.
    Start(usize),
    /// A stopped process goes on.
    Resume(usize),
    /// A client's call was not answered in time, or its pause is over.
    Client(usize),
    /// An operator's turn: one act is asked for, again perhaps.
    Operator(usize),
}

/// The state behind the seams.
pub struct Inner {
    /// The harness's time.
    pub now: Us,
    events: BinaryHeap<Reverse<(Us, u64, Due)>>,
    sequence: u64,
    /// The broker.
    pub broker: Broker,
    /// The payment provider.
    pub provider: Provider,
    /// Until when the provider wants to be left alone.
    pub throttled_until: Us,
    /// Who decides what goes wrong.
    pub adversary: Box<dyn Adversary>,
    /// What happened.
    pub trace: Trace,
    /// What was seen at the seams, for the checks.
    pub seen: Seen,
    /// Until when a broker that came back empty has no queues.
    pub queues_missing_until: Us,
    /// Until when the broker is away.
    pub broker_away_until: Us,
    /// True if whoever asks is told of it.
    pub is_away_known: bool,
    /// The way of each process to the broker.
    pub links: Vec<BusLink>,
    /// Processes with something to do in this round.
    pub poked: Vec<bool>,
    /// What clients were told since the harness last looked.
    pub answers: Vec<(usize, ClientAnswer)>,
    /// What operators were told since then; `None` if they must ask again.
    pub operators: Vec<(usize, Option<Told>)>,
    /// Holds that every orchestrator must know of by now: nothing may be sent to what they hold.
    pub held: Vec<Held>,
    /// True once anybody has asked for a hold: what is held is not sent.
    pub has_held: bool,
    /// Incidents that somebody was told of, by the id under which.
    pub incidents: BTreeMap<String, u64>,
    /// A defect of an adapter, put in on purpose.
    pub plant: Option<super::plant::AdapterBug>,
}

/// A handle to the world. Single-threaded; the lock is there because the seams ask for `Sync`.
#[derive(Clone)]
pub struct World(Arc<Mutex<Inner>>);

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// A world with nothing in it.
    #[must_use]
    pub fn new(adversary: Box<dyn Adversary>, trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            broker: Broker::default(),
            provider: Provider::default(),
            throttled_until: 0,
            adversary,
            trace,
            seen: Seen::default(),
            queues_missing_until: 0,
            broker_away_until: 0,
            is_away_known: false,
            links: Vec::new(),
            poked: Vec::new(),
            answers: Vec::new(),
            operators: Vec::new(),
            held: Vec::new(),
            has_held: false,
            incidents: BTreeMap::new(),
            plant: None,
        })))
    }

    /// The state; never held across an await.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        // One thread: a poisoned lock means that a check panicked, which ends the run anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps on the process's clock and sees to it that the process gets its turn then.
    pub async fn sleep(&self, life: &Life, us: Us) {
        let us = us.div_ceil(1000).max(1) * 1000;
        let at = life.now() + us + 1000;
        self.lock().at(at, Due::Poke(life.process));
        tokio::time::sleep(std::time::Duration::from_micros(us)).await;
        life.alive().await;
    }

    /// Asks the adversary about a place; a process that dies here never comes back.
    pub async fn place(&self, life: &Life, place: Place, keys: &[CommandKey]) -> Fate {
        life.alive().await;
        let fate = self.place_now(life, place, keys);
        life.alive().await;
        fate
    }

    /// The same where nothing can be awaited: a process that dies here goes on to the end of its turn, which has no effect.
    pub fn place_now(&self, life: &Life, place: Place, keys: &[CommandKey]) -> Fate {
        let mut inner = self.lock();
        let now = life.now();
        let fate = inner.adversary.at(now, life.process, life.role, place, keys);
        if fate != Fate::Go {
            inner.trace.note(now, "fault", &[life.process as u64, place as u64, fate as u64], || {
                format!("process {} {place:?} {fate:?}", life.process)
            });
        }
        if fate == Fate::Crash {
            life.fall();
        }
        fate
    }
}

impl Inner {
    /// Something is due at a moment; moments are rounded up to whole milliseconds, so that what is close together is one
    /// round.
    pub fn at(&mut self, at: Us, due: Due) {
        self.sequence += 1;
        self.events.push(Reverse((at.div_ceil(1000) * 1000, self.sequence, due)));
    }

    /// When the next thing is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Us> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    /// What is due by now.
    pub fn pop_due(&mut self) -> Option<Due> {
        let due = self.events.peek().is_some_and(|Reverse((at, ..))| *at <= self.now);
        if !due {
            return None;
        }
        self.events.pop().map(|Reverse((_, _, due))| due)
    }

    /// Makes everything that is under way arrive within `us` from now.
    pub fn hurry(&mut self, us: Us) {
        let limit = self.now + us;
        let events: Vec<_> = self.events.drain().collect();
        self.events = events.into_iter().map(|Reverse((at, n, due))| Reverse((at.min(limit), n, due))).collect();
    }

    /// Marks a process as having something to do.
    pub fn poke(&mut self, process: usize) {
        if let Some(poked) = self.poked.get_mut(process) {
            *poked = true;
        }
    }

    /// A stored message is handed out.
    pub fn hand_out(&mut self, tag: Tag) {
        if self.now < self.broker_away_until {
            self.at(self.broker_away_until.min(self.now + BACK_AGAIN) + AGAIN, Due::Ready(tag));
            return;
        }
        let choice = self.adversary.choose(1 << 32);
        if let Some(process) = self.broker.ready(tag, choice) {
            self.poke(process);
        }
    }

    /// Messages go back to their queues a little later.
    pub fn again(&mut self, tags: Vec<Tag>) {
        for tag in tags {
            let delay = AGAIN + self.adversary.choose(AGAIN);
            let at = self.now + delay;
            self.at(at, Due::Ready(tag));
        }
    }

    /// A message that nobody of ours sends: a stale or a broken one.
    pub fn inject(&mut self, queue: Destination, body: Bytes, id: uuid::Uuid) {
        let tag = self.broker.store(id, queue, body, false);
        self.hand_out(tag);
    }
}
