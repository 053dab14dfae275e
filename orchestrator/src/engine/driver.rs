//! The loop: take what waits, settle it together, send, answer, acknowledge.

use crate::engine::attempt::{Committer, Settled};
use crate::engine::input::{Input, Job, Verdict};
use crate::engine::sender::Sender;
use crate::notify::Notifier;
use baton_bus::bus::Delivery;
use rand::RngExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Confirmed outbox rows one batch deletes at most.
const MAX_CONFIRMED: usize = 1024;

/// Milliseconds between two looks at a store that is away.
const STORE_PAUSE_MS: std::ops::Range<u64> = 50..150;

/// The engine. One per process: smaller batches side by side cost more than one large one.
pub struct Engine {
    jobs: mpsc::Receiver<Job>,
    committer: Committer,
    sender: Arc<Sender>,
    notifier: Arc<Notifier>,
    max_batch: usize,
    held: Vec<Job>,
    acks: TaskTracker,
}

impl Engine {
    /// An engine that takes at most `max_batch` inputs into one transaction (one delivery more, at most).
    #[must_use]
    pub fn new(
        jobs: mpsc::Receiver<Job>,
        committer: Committer,
        sender: Arc<Sender>,
        notifier: Arc<Notifier>,
        max_batch: usize,
    ) -> Self {
        Self { jobs, committer, sender, notifier, max_batch: max_batch.max(1), held: Vec::new(), acks: TaskTracker::new() }
    }

    /// Runs until every handle is gone and the queue is empty, then settles its acknowledgements.
    pub async fn run(mut self) {
        while self.run_once().await {}
        for job in std::mem::take(&mut self.held) {
            self.give_up(job);
        }
        self.acks.close();
        self.acks.wait().await;
    }

    /// One batch. Returns false when nothing will ever come again.
    pub async fn run_once(&mut self) -> bool {
        let Some(jobs) = self.gather().await else {
            return false;
        };
        let inputs: Vec<Input> = jobs.iter().flat_map(inputs_of).collect();
        #[cfg(feature = "planted-bugs")]
        let jobs = crate::engine::planted::ack_before_commit(&self.committer, jobs).await;
        let confirmed = self.sender.take_confirmed(MAX_CONFIRMED);
        if inputs.is_empty() && confirmed.is_empty() {
            return true;
        }
        let settled = self.committer.settle(inputs, &confirmed).await;
        if !settled.confirmed_deleted {
            self.sender.put_back(confirmed);
        }
        if self.publish_and_answer(jobs, settled) {
            self.wait_for_store().await;
        }
        true
    }

    /// Everything that waits, up to the bound, without lingering: under load batches form by themselves.
    async fn gather(&mut self) -> Option<Vec<Job>> {
        let mut jobs = std::mem::take(&mut self.held);
        let mut weight: usize = jobs.iter().map(Job::weight).sum();
        if jobs.is_empty() {
            tokio::select! {
                job = self.jobs.recv() => {
                    let job = job?;
                    weight += job.weight();
                    jobs.push(job);
                }
                () = self.sender.idle_with_confirmed() => return Some(jobs),
            }
        }
        while weight < self.max_batch {
            let Ok(job) = self.jobs.try_recv() else { break };
            weight += job.weight();
            jobs.push(job);
        }
        Some(jobs)
    }

    /// What follows a commit, in the order that matters: messages first, then callers, then acknowledgements. Returns
    /// true if the store was away: replies are then held, since giving them back would count against their delivery
    /// limit.
    fn publish_and_answer(&mut self, jobs: Vec<Job>, settled: Settled) -> bool {
        self.sender.send(settled.outbox);
        let mut verdicts = settled.verdicts.into_iter();
        let mut acknowledged: Vec<Delivery> = Vec::new();
        let mut store_away = false;
        for job in jobs {
            let own: Vec<Verdict> = verdicts.by_ref().take(job.weight()).collect();
            let retry = own.iter().any(|v| matches!(v, Verdict::Unavailable(_) | Verdict::InDoubt(_)));
            store_away |= retry;
            self.notifier.settled(&own);
            match job {
                Job::One(_, answer) => {
                    if let Some(verdict) = own.into_iter().next() {
                        // The caller may have gone; the saga is committed all the same.
                        let _ = answer.send(verdict);
                    }
                }
                Job::Delivery(replies, delivery) if retry => self.held.push(Job::Delivery(replies, delivery)),
                Job::Delivery(_, delivery) => acknowledged.push(delivery),
                Job::Many(_, done) => {
                    let _ = done.send(());
                }
            }
        }
        self.notifier.moved(&settled.moved);
        if !acknowledged.is_empty() {
            self.acks.spawn(async move {
                for delivery in acknowledged {
                    delivery.ack().await;
                }
            });
        }
        store_away
    }

    /// While the store is away callers are told so at once, and everything else waits here.
    async fn wait_for_store(&mut self) {
        loop {
            let pause = Duration::from_millis(rand::rng().random_range(STORE_PAUSE_MS));
            tokio::time::sleep(pause).await;
            if self.committer.store.ready().await.is_ok() {
                return;
            }
            while self.held.len() < self.max_batch {
                match self.jobs.try_recv() {
                    Ok(Job::One(_, answer)) => {
                        let _ = answer.send(Verdict::Unavailable("the store is away".to_owned()));
                    }
                    Ok(Job::Many(_, done)) => {
                        let _ = done.send(());
                    }
                    Ok(job @ Job::Delivery(..)) => self.held.push(job),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            }
        }
    }

    fn give_up(&self, job: Job) {
        if let Job::Delivery(_, delivery) = job {
            self.acks.spawn(delivery.release());
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("max_batch", &self.max_batch).field("held", &self.held.len()).finish()
    }
}

fn inputs_of(job: &Job) -> Vec<Input> {
    match job {
        Job::One(input, _) => vec![input.clone()],
        Job::Delivery(replies, _) => replies.iter().map(|(saga, reply)| Input::Reply(*saga, reply.clone())).collect(),
        Job::Many(inputs, _) => inputs.clone(),
    }
}
