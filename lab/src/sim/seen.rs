//! What passes the seams, remembered for the checks: which replies were really given, what was really committed.

use baton_courier::bus::Destination;
use baton_orchestrator::hold_policy::Held;
use baton_orchestrator::store::Changes;
use baton_participant_kit::codec;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::saga::{Saga, SagaId, State, Wait};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Violations kept; the rest are counted.
const MAX_KEPT: usize = 20;

/// Something that must never be, seen while it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's id.
    pub invariant: &'static str,
    /// What was seen, with the saga.
    pub what: String,
}

/// How a command was answered, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answered {
    /// Succeeded.
    Done,
    /// Rejected.
    Refused,
    /// Unavailable.
    Not,
}

/// What an operator was told for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done; the name of what it was done to.
    Done(String),
    /// It cannot be done; why.
    Refused(String),
    /// A defect: the server says so itself.
    Internal(String),
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Answers that participants published or told a probe: by command, the attempts answered so.
    answers: BTreeMap<(CommandKey, Answered), BTreeSet<u32>>,
    /// Newest version and whether it is an end, by saga.
    sagas: BTreeMap<SagaId, (u64, bool)>,
    /// Commands that were promised by a commit, with their attempts.
    ordered: BTreeSet<(CommandKey, u32)>,
    /// The half-step each active saga is at.
    waiting: BTreeMap<SagaId, (u8, CommandDirection, u32)>,
    /// Commits so far.
    pub commits: u64,
    /// What must never be.
    pub violations: Vec<Violation>,
    /// How many there were.
    pub broken: u64,
}

impl Seen {
    /// Notes a violation.
    pub fn violation(&mut self, invariant: &'static str, what: String) {
        self.broken += 1;
        if self.violations.len() < MAX_KEPT {
            self.violations.push(Violation { invariant, what });
        }
    }

    /// Messages on their way: what participants answer, and whether a commit ordered what orchestrators command (I14).
    pub fn published(&mut self, destination: &Destination, body: &Bytes) {
        if *destination != Destination::Replies {
            for (key, attempt) in commands(body) {
                if !self.ordered.contains(&(key, attempt)) {
                    let saga = SagaId(key.saga);
                    self.violation("I14", format!("saga {saga}: step {} was commanded before its commit", key.step));
                }
            }
            return;
        }
        let Ok(batch) = wire::ReplyBatch::decode(body.clone()) else { return };
        for reply in batch.replies {
            self.answered(&reply);
        }
    }

    /// One answer of a participant. A probe's answer names attempt 0: it holds for every attempt.
    pub fn answered(&mut self, reply: &wire::Reply) {
        let Some(key) = reply.key.as_ref().and_then(codec::key_from_wire) else { return };
        let how = match &reply.outcome {
            Some(wire::reply::Outcome::Succeeded(_)) => Answered::Done,
            Some(wire::reply::Outcome::Rejected(_)) => Answered::Refused,
            Some(wire::reply::Outcome::Unavailable(_)) => Answered::Not,
            None => return,
        };
        self.answers.entry((key, how)).or_default().insert(reply.attempt);
        let other = match how {
            Answered::Done => Answered::Refused,
            Answered::Refused => Answered::Done,
            Answered::Not => return,
        };
        if self.answers.contains_key(&(key, other)) {
            let saga = SagaId(key.saga);
            self.violation("I6", format!("saga {saga}: step {} was both done and refused", key.step));
        }
    }

    /// A delivery was acknowledged: by then a command has its answer, and an answer that counts has moved its saga.
    pub fn acknowledged(&mut self, queue: &Destination, body: &Bytes) {
        if *queue == Destination::Replies {
            let Ok(batch) = wire::ReplyBatch::decode(body.clone()) else { return };
            for reply in &batch.replies {
                self.applied(reply);
            }
            return;
        }
        for (key, _) in commands(body) {
            let answered = [Answered::Done, Answered::Refused, Answered::Not];
            if !answered.iter().any(|how| self.answers.contains_key(&(key, *how))) {
                let saga = SagaId(key.saga);
                self.violation(
                    "I14",
                    format!("saga {saga}: the command of step {} was acknowledged unanswered", key.step),
                );
            }
        }
    }

    fn applied(&mut self, reply: &wire::Reply) {
        let Some(key) = reply.key.as_ref().and_then(codec::key_from_wire) else { return };
        let counts =
            matches!(reply.outcome, Some(wire::reply::Outcome::Succeeded(_) | wire::reply::Outcome::Rejected(_)));
        let saga = SagaId(key.saga);
        let open = self.waiting.get(&saga).is_some_and(|(step, direction, newest)| {
            (*step, *direction) == (key.step, key.direction) && (1..=*newest).contains(&reply.attempt)
        });
        if counts && open {
            self.violation(
                "I15",
                format!("saga {saga}: the answer to step {} was acknowledged, not applied", key.step),
            );
        }
    }

    /// True if a participant gave this answer. Done and refused hold for the command, unavailable for its attempt only.
    #[must_use]
    pub fn was_answered(&self, key: CommandKey, how: Answered, attempt: u32) -> bool {
        self.answers.get(&(key, how)).is_some_and(|attempts| match how {
            Answered::Done | Answered::Refused => true,
            Answered::Not => attempts.contains(&attempt),
        })
    }

    /// A commit of the orchestrators' store, checked on the spot: I11, I12, I13, I14.
    pub fn committed(&mut self, changes: &Changes, accepted: &BTreeSet<Uuid>) {
        self.commits += 1;
        let mut sent: BTreeSet<(CommandKey, u32)> = BTreeSet::new();
        for message in &changes.outbox {
            sent.extend(commands(&message.body));
        }
        self.ordered.extend(sent.iter().copied());
        for insert in &changes.inserts {
            let saga = &insert.record.saga;
            if self.sagas.insert(saga.id, (saga.version, saga.has_ended())).is_some() {
                self.violation("I2", format!("saga {} was started twice", saga.id));
            }
            self.promised(saga, &sent);
        }
        for update in &changes.updates {
            let saga = &update.saga;
            let before = self.sagas.insert(saga.id, (saga.version, saga.has_ended()));
            match before {
                Some((_, true)) => self.violation("I11", format!("saga {} moved after its end", saga.id)),
                Some((version, false)) if version != update.loaded_version => self.violation(
                    "I13",
                    format!("saga {} was at version {version}, overwritten as {}", saga.id, update.loaded_version),
                ),
                Some(_) => {}
                None => self.violation("I1", format!("saga {} moved and was never started", saga.id)),
            }
            self.promised(saga, &sent);
        }
        for id in changes.confirmed.iter().filter(|id| !accepted.contains(id)) {
            self.violation("I14", format!("outbox row {id} was deleted, its message never reached the broker"));
        }
    }

    /// I26: nothing is sent to what is held.
    pub fn kept_back(&mut self, changes: &Changes, holds: &[Held]) {
        if holds.is_empty() || changes.outbox.is_empty() {
            return;
        }
        let moved = changes.updates.iter().map(|update| &update.saga);
        let sagas = changes.inserts.iter().map(|insert| &insert.record.saga).chain(moved);
        let sagas: BTreeMap<[u8; 16], &Saga> = sagas.map(|saga| (saga.id.0, saga)).collect();
        for message in &changes.outbox {
            for (key, _) in commands(&message.body) {
                let definition = sagas.get(&key.saga).map(|saga| &saga.definition.name);
                let holds = holds.iter().filter(|held| match held {
                    Held::Definition(name) => definition == Some(name),
                    Held::Participant(name) => *name == message.participant,
                });
                for held in holds {
                    let saga = SagaId(key.saga);
                    self.violation("I26", format!("saga {saga}: step {} was sent under {}", key.step, held.name()));
                }
            }
        }
    }

    /// I14: a state that begins to wait for an answer has its command in the same commit.
    fn promised(&mut self, saga: &Saga, sent: &BTreeSet<(CommandKey, u32)>) {
        let (step, direction, wait) = match &saga.state {
            State::Running { step, wait } => (*step, CommandDirection::Action, *wait),
            State::Compensating { step, wait, .. } => (*step, CommandDirection::Undo, *wait),
            _ => {
                self.waiting.remove(&saga.id);
                return;
            }
        };
        let attempt = wait.attempt();
        self.waiting.insert(saga.id, (step, direction, attempt));
        if matches!(wait, Wait::Backoff { .. }) {
            return;
        }
        if !sent.contains(&(CommandKey { saga: saga.id.0, step, direction }, attempt)) {
            self.violation("I14", format!("saga {} waits for step {step}, its command is in no outbox", saga.id));
        }
    }

    /// A write that was promised is gone: the caller was told otherwise.
    #[must_use]
    pub fn newest(&self, saga: SagaId) -> Option<u64> {
        self.sagas.get(&saga).map(|(version, _)| *version)
    }

    /// Every saga that was committed.
    pub fn sagas(&self) -> impl Iterator<Item = (SagaId, u64)> + '_ {
        self.sagas.iter().map(|(id, (version, _))| (*id, *version))
    }
}

/// A batch whose items are still bytes, so that one that cannot be read spoils only itself.
#[derive(Clone, PartialEq, prost::Message)]
struct Items {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    items: Vec<Bytes>,
}

/// What the checks want of a command; the rest of the message is skipped, not copied.
#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(message, optional, tag = "1")]
    key: Option<wire::CommandKey>,
    #[prost(uint32, tag = "2")]
    attempt: u32,
}

/// The commands of a message, with their attempts.
fn commands(body: &Bytes) -> Vec<(CommandKey, u32)> {
    let batch = Items::decode(body.clone()).unwrap_or_default();
    let heads = batch.items.into_iter().filter_map(|item| Head::decode(item).ok());
    heads.filter_map(|head| Some((codec::key_from_wire(head.key.as_ref()?)?, head.attempt))).collect()
}

/// The commands that a message is about.
#[must_use]
pub fn keys(destination: &Destination, body: &Bytes) -> Vec<CommandKey> {
    match destination {
        Destination::Commands(_) => commands(body).into_iter().map(|(key, _)| key).collect(),
        Destination::Replies => {
            let batch = wire::ReplyBatch::decode(body.clone()).unwrap_or_default();
            batch.replies.iter().filter_map(|reply| codec::key_from_wire(reply.key.as_ref()?)).collect()
        }
    }
}

/// A message in a few words.
#[must_use]
pub fn describe(destination: &Destination, body: &Bytes) -> String {
    let keys = keys(destination, body);
    let shown = keys.iter().take(4).map(|key| {
        let saga = SagaId(key.saga).to_string();
        let direction = if key.direction == CommandDirection::Action { "action" } else { "undo" };
        format!("{}/{}/{direction}", &saga[saga.len() - 4..], key.step)
    });
    let shown: Vec<String> = shown.collect();
    if keys.len() > 4 { format!("{} +{}", shown.join(" "), keys.len() - 4) } else { shown.join(" ") }
}
