//! The loop: take what waits, settle it together, send, answer, acknowledge.

use crate::at_once::at_once_or_later;
use crate::committer::{BatchOutcome, Committer};
use crate::input::{ActionOutcome, Input, InputOutcome, NotSettled, QueueEntry, StartOutcome, Verdict};
use crate::notify::Notifier;
use baton_courier::bus::{CommandBus, Delivery};
use baton_crash_point::{Point, hit};
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Milliseconds between two looks at a store that is away.
const STORE_PAUSE_MS: std::ops::Range<u64> = 50..150;

/// The engine. One per process: smaller batches side by side cost more than one large one.
pub struct Engine {
    queue: mpsc::Receiver<QueueEntry>,
    committer: Committer,
    bus: Arc<dyn CommandBus>,
    notifier: Arc<Notifier>,
    max_batch: usize,
    closing: CancellationToken,
    held: Vec<QueueEntry>,
    acks: TaskTracker,
}

impl Engine {
    /// An engine that takes at most `max_batch` inputs into one transaction (one delivery more, at most). When `closing`
    /// is cancelled it takes nothing new, finishes what waits, and ends, whoever still holds a handle.
    #[must_use]
    pub fn new(
        queue: mpsc::Receiver<QueueEntry>,
        committer: Committer,
        bus: Arc<dyn CommandBus>,
        notifier: Arc<Notifier>,
        max_batch: usize,
        closing: CancellationToken,
    ) -> Self {
        let (held, acks) = (Vec::new(), TaskTracker::new());
        Self { queue, committer, bus, notifier, max_batch: max_batch.max(1), closing, held, acks }
    }

    /// Runs until it is closed and its queue is empty, then settles its acknowledgements.
    pub async fn run(mut self) {
        while self.run_once().await {}
        for entry in std::mem::take(&mut self.held) {
            if let QueueEntry::Delivery(_, delivery) = entry {
                self.acks.spawn(delivery.release());
            }
        }
        self.acks.close();
        self.acks.wait().await;
    }

    /// One batch. Returns false when nothing will ever come again, or the store is away while closing.
    pub async fn run_once(&mut self) -> bool {
        let Some(entries) = self.gather().await else {
            return false;
        };
        let inputs: Vec<Input> = entries.iter().flat_map(inputs_of).collect();
        #[cfg(feature = "planted-bugs")]
        let entries = crate::planted::ack_before_commit(self.committer.planted.as_ref(), entries).await;
        if inputs.is_empty() {
            return true;
        }
        self.notifier.batch(inputs.len());
        let settled = self.committer.settle(inputs).await;
        let store_away = settled.store_away;
        self.publish_and_answer(entries, settled);
        !store_away || self.wait_for_store().await
    }

    /// Everything that waits, up to the bound, without lingering: under load batches form by themselves.
    async fn gather(&mut self) -> Option<Vec<QueueEntry>> {
        let mut entries = std::mem::take(&mut self.held);
        let mut weight: usize = entries.iter().map(QueueEntry::weight).sum();
        if entries.is_empty() {
            let open = !self.queue.is_closed();
            tokio::select! {
                // In this order, so that a run can be repeated, and so that closing is never starved by work.
                biased;
                () = self.closing.cancelled(), if open => {
                    self.queue.close();
                    return Some(entries);
                }
                entry = self.queue.recv() => {
                    let entry = entry?;
                    weight += entry.weight();
                    entries.push(entry);
                }
            }
        }
        while weight < self.max_batch {
            let Ok(entry) = self.queue.try_recv() else { break };
            weight += entry.weight();
            entries.push(entry);
        }
        Some(entries)
    }

    /// What follows a commit, in the order that matters: messages first, then callers, then acknowledgements. Replies that
    /// the store was away for are held, since given back they would come again at once, and in vain.
    fn publish_and_answer(&mut self, entries: Vec<QueueEntry>, settled: BatchOutcome) {
        if !settled.messages.is_empty() {
            hit(Point::ORCHESTRATOR_BEFORE_SEND);
            self.bus.send(settled.messages);
            hit(Point::ORCHESTRATOR_AFTER_SEND);
        }
        let mut verdicts = settled.verdicts.into_iter();
        let mut finished: Vec<(Delivery, Settling)> = Vec::new();
        for entry in entries {
            let own: Vec<Verdict> = verdicts.by_ref().take(entry.weight()).collect();
            let settling = Settling::of(&own);
            if settling == Settling::Quarantine {
                own.iter().for_each(tell_of_quarantine);
            }
            self.notifier.settled(&own);
            match entry {
                QueueEntry::Start(_, answer, _place) => tell(answer, own, start_outcome),
                QueueEntry::Act(_, answer, _place) => tell(answer, own, action_outcome),
                QueueEntry::Delivery(replies, delivery) if settling == Settling::Hold => {
                    self.held.push(QueueEntry::Delivery(replies, delivery));
                }
                QueueEntry::Delivery(_, delivery) => finished.push((delivery, settling)),
                QueueEntry::Many(_, done) => {
                    let moved = own.iter().filter(|verdict| verdict.as_ref().is_ok_and(InputOutcome::moved)).count();
                    let _ = done.send(moved);
                }
            }
        }
        self.notifier.moved(&settled.moved);
        if !finished.is_empty() {
            let settled = async move {
                for (delivery, settling) in finished {
                    settling.settle(delivery).await;
                }
            };
            at_once_or_later(settled.boxed(), |rest| drop(self.acks.spawn(rest)));
        }
    }

    /// Jitter from a fresh id, whose low bits are random: a simulator that makes the ids repeats the pauses too.
    fn store_pause(&self) -> Duration {
        let id = (self.committer.new_id)().as_u128() as u64;
        let spread = STORE_PAUSE_MS.end - STORE_PAUSE_MS.start;
        Duration::from_millis(STORE_PAUSE_MS.start + id % spread)
    }

    /// While the store is away callers are told so at once, and everything else waits here. Returns false if it is still
    /// away and the engine is closing: what is held goes back to the bus.
    async fn wait_for_store(&mut self) -> bool {
        loop {
            let pause = self.store_pause();
            tokio::time::sleep(pause).await;
            if self.committer.store.ready().await.is_ok() {
                return true;
            }
            if self.closing.is_cancelled() {
                return false;
            }
            while self.held.len() < self.max_batch {
                match self.queue.try_recv() {
                    Ok(QueueEntry::Start(_, answer, _place)) => {
                        let _ = answer.send(Err(NotSettled::Unavailable("the store is away".to_owned())));
                    }
                    Ok(QueueEntry::Act(_, answer, _place)) => {
                        let _ = answer.send(Err(NotSettled::Unavailable("the store is away".to_owned())));
                    }
                    Ok(QueueEntry::Many(_, done)) => {
                        let _ = done.send(0);
                    }
                    Ok(entry @ QueueEntry::Delivery(..)) => self.held.push(entry),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => return false,
                }
            }
        }
    }
}

/// Answers who waits for an entry of one input. The caller may have gone; what is committed is committed all the same.
fn tell<O>(answer: oneshot::Sender<Result<O, NotSettled>>, own: Vec<Verdict>, outcome: fn(InputOutcome) -> Option<O>) {
    let Some(verdict) = own.into_iter().next() else { return };
    let defect = || NotSettled::Poisoned("the outcome is of another kind of input".to_owned());
    hit(Point::ORCHESTRATOR_BEFORE_ANSWER);
    let _ = answer.send(verdict.and_then(|settled| outcome(settled).ok_or_else(defect)));
    hit(Point::ORCHESTRATOR_AFTER_ANSWER);
}

fn start_outcome(outcome: InputOutcome) -> Option<StartOutcome> {
    if let InputOutcome::Start(outcome) = outcome { Some(outcome) } else { None }
}

fn action_outcome(outcome: InputOutcome) -> Option<ActionOutcome> {
    if let InputOutcome::Action(outcome) = outcome { Some(outcome) } else { None }
}

/// What becomes of a delivery, by the worst of its verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Settling {
    /// Every reply is settled.
    Acknowledge,
    /// A reply cannot be written, now or ever: kept where a person finds it; its saga moves on by its deadline.
    Quarantine,
    /// Somebody else can settle it, or we a little later.
    Release,
    /// The store is away.
    Hold,
}

impl Settling {
    fn of(verdicts: &[Verdict]) -> Self {
        let worst = verdicts.iter().map(|verdict| match verdict {
            Ok(_) => Self::Acknowledge,
            Err(NotSettled::Unreadable(_) | NotSettled::Poisoned(_)) => Self::Quarantine,
            Err(NotSettled::UnknownDefinition(_) | NotSettled::Contended(_)) => Self::Release,
            Err(NotSettled::Unavailable(_) | NotSettled::InDoubt(_)) => Self::Hold,
        });
        worst.max().unwrap_or(Self::Acknowledge)
    }

    async fn settle(self, delivery: Delivery) {
        match self {
            Self::Acknowledge => {
                hit(Point::ORCHESTRATOR_BEFORE_ACK);
                delivery.ack().await;
                hit(Point::ORCHESTRATOR_AFTER_ACK);
            }
            Self::Quarantine => delivery.dead_letter("REPLY_NOT_APPLIED").await,
            Self::Release | Self::Hold => delivery.release().await,
        }
    }
}

/// The dead letter holds no more than that its reply was not applied; why is the store's own word, for the log.
fn tell_of_quarantine(verdict: &Verdict) {
    if let Err(NotSettled::Unreadable(why) | NotSettled::Poisoned(why)) = verdict {
        tracing::warn!(why, "reply quarantined: it cannot be applied");
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("max_batch", &self.max_batch).field("held", &self.held.len()).finish()
    }
}

fn inputs_of(entry: &QueueEntry) -> Vec<Input> {
    match entry {
        QueueEntry::Start(start, ..) => vec![Input::Start(start.clone())],
        QueueEntry::Act(act, ..) => vec![Input::Action(act.clone())],
        QueueEntry::Delivery(replies, _) => {
            replies.iter().map(|(saga, reply)| Input::Reply(*saga, reply.clone())).collect()
        }
        QueueEntry::Many(inputs, _) => inputs.clone(),
    }
}
