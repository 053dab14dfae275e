//! What passes the seams, remembered for the checks: which replies were really given, what was really committed.

use super::life::EPOCH_US;
use super::link::BusLink;
use super::messages::{Head, commands, heads, named};
use baton_courier::bus::Destination;
use baton_orchestrator::engine::pace::PATIENCE;
use baton_orchestrator::engine::resending::{FIRST_LOOK, MAX_PAUSE};
use baton_orchestrator::hold_policy::Held;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::store::{Changes, Record};
use baton_participant_kit::codec;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_proto::baton::participant::v1 as wire;
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::{Event, JournalRecord};
use saga_core::replay;
use saga_core::saga::{Saga, SagaId, State};
use saga_core::time::Micros;
use saga_core::transition::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    /// The sagas of the stage.
    pub registry: Registry,
    /// What was committed of each saga last.
    sagas: BTreeMap<SagaId, Saga>,
    /// Commands that were ordered by a commit, with their attempts.
    ordered: BTreeSet<(CommandKey, u32)>,
    /// Sagas that somebody has looked at, with who and their version then, and that are to be sent again.
    unsent: BTreeMap<SagaId, (u64, u64)>,
    /// How many deliveries of a command a life has taken.
    taken: BTreeMap<(u64, CommandKey), u32>,
    /// The longest that an answer in time has taken.
    slowest: Duration,
    /// Whether the store's clock was set: then times say nothing of how long anything took.
    pub is_clock_set: bool,
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

    /// Messages that are sent, the first time or again: of commands also whether they are too late, or held.
    pub fn sent(&mut self, destination: &Destination, body: &Bytes, now_us: i64, holds: &[Held]) {
        self.published(destination, body);
        let Destination::Commands(participant) = destination else { return };
        for Head { key, deadline_us, .. } in heads(body) {
            let Some(key) = key.as_ref().and_then(codec::key_from_wire) else { continue };
            let saga = SagaId(key.saga);
            self.unsent.remove(&saga);
            self.kept_back(participant, saga, key.step, holds);
            if deadline_us != 0 && deadline_us < now_us && !self.is_clock_set {
                self.violation("I14", format!("saga {saga}: step {} is sent after its deadline", key.step));
            }
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

    /// A process with a life of its own has commands in hand.
    pub fn taken(&mut self, life: u64, queue: &Destination, body: &Bytes) {
        if matches!(queue, Destination::Commands(_)) {
            for (key, _) in commands(body) {
                *self.taken.entry((life, key)).or_default() += 1;
            }
        }
    }

    /// A delivery was acknowledged: by then a command has its answer, unless the process has another delivery of it in hand,
    /// and an answer that counts has moved its saga.
    pub fn acknowledged(&mut self, life: u64, queue: &Destination, body: &Bytes) {
        if *queue == Destination::Replies {
            let Ok(batch) = wire::ReplyBatch::decode(body.clone()) else { return };
            for reply in &batch.replies {
                self.applied(reply);
            }
            return;
        }
        let answered = [Answered::Done, Answered::Refused, Answered::Not];
        let is_open = |key: &CommandKey| !answered.iter().any(|how| self.answers.contains_key(&(*key, *how)));
        let open: Vec<CommandKey> = commands(body).into_iter().map(|(key, _)| key).filter(is_open).collect();
        for key in open {
            let deliveries = self.taken.entry((life, key)).or_default();
            *deliveries = deliveries.saturating_sub(1);
            if *deliveries > 0 {
                continue;
            }
            let saga = SagaId(key.saga);
            let what = format!("saga {saga}: the command of step {} was acknowledged unanswered", key.step);
            self.violation("I14", what);
        }
    }

    fn applied(&mut self, reply: &wire::Reply) {
        let Some(key) = reply.key.as_ref().and_then(codec::key_from_wire) else { return };
        let counts =
            matches!(reply.outcome, Some(wire::reply::Outcome::Succeeded(_) | wire::reply::Outcome::Rejected(_)));
        let saga = SagaId(key.saga);
        let waiting = self.sagas.get(&saga).and_then(|saga| match &saga.state {
            State::Running { step, wait } => Some((*step, CommandDirection::Action, wait.attempt())),
            State::Compensating { step, wait, .. } => Some((*step, CommandDirection::Undo, wait.attempt())),
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
        });
        let open = waiting.is_some_and(|(step, direction, newest)| {
            (step, direction) == (key.step, key.direction) && (1..=newest).contains(&reply.attempt)
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

    /// A commit of the orchestrators' store by a process with this link, checked on the spot: I11, I12, I13, I14.
    pub fn committed(&mut self, changes: &Changes, link: BusLink) {
        self.commits += 1;
        for insert in &changes.inserts {
            let saga = &insert.record.saga;
            if self.sagas.contains_key(&saga.id) {
                self.violation("I2", format!("saga {} was started twice", saga.id));
            }
            self.moved(saga, insert.look_at, changes, link);
        }
        for update in &changes.updates {
            let saga = &update.saga;
            match self.sagas.get(&saga.id).map(|saga| (saga.version, saga.has_ended())) {
                Some((_, true)) => self.violation("I11", format!("saga {} moved after its end", saga.id)),
                Some((version, false)) if version != update.loaded_version => self.violation(
                    "I13",
                    format!("saga {} was at version {version}, overwritten as {}", saga.id, update.loaded_version),
                ),
                Some(_) => {}
                None => self.violation("I1", format!("saga {} moved and was never started", saga.id)),
            }
            self.moved(saga, update.look_at, changes, link);
        }
    }

    /// Every state on the way orders what it asks for. The last one is the row: what it waits for follows from it, and
    /// somebody is to look at it by its deadline.
    fn moved(&mut self, saga: &Saga, look_at: Option<Micros>, changes: &Changes, link: BusLink) {
        let id = saga.id;
        let mut before = self.sagas.insert(id, saga.clone());
        let waited = before.as_ref().filter(|before| before.wake_at() > Some(saga.updated_at));
        if let Some(before) = waited.filter(|before| Command::awaited_by(before).is_some()) {
            self.slowest = self.slowest.max(saga.updated_at.since(before.updated_at));
        }
        let mut asked = None;
        if let Some(saga_type) = self.registry.pinned(&saga.definition).cloned() {
            for entry in changes.journal.iter().filter(|entry| entry.saga == id) {
                if let (Some(before), JournalRecord::Moved(Event::Wake), false) =
                    (&before, &entry.record, self.is_clock_set)
                {
                    self.gave_up(before, entry.at, link);
                }
                let next = match &before {
                    None => replay::first_move(saga_type.definition(), entry),
                    Some(before) => replay::next_move(saga_type.definition(), before, entry),
                };
                asked = next.as_ref().ok().and_then(|next| next.commands.last().copied());
                self.ordered.extend(next.iter().flat_map(|next| &next.commands).map(named));
                before = next.ok().map(|next| next.saga);
            }
        }
        let awaited = Command::awaited_by(saga);
        self.ordered.extend(awaited.iter().map(named));
        if before.as_ref() != Some(saga) {
            self.violation("I12", format!("saga {id}: its journal does not lead to version {}", saga.version));
        } else if asked != awaited {
            self.violation("I14", format!("saga {id} asked for {asked:?}, its row asks for {awaited:?}"));
        }
        match (saga.wake_at(), look_at) {
            (Some(wake_at), Some(look_at)) if look_at <= wake_at => {}
            (None, None) => {}
            (wake_at, look_at) => {
                let what = format!("saga {id} is due at {wake_at:?}, and to be looked at at {look_at:?}");
                self.violation("I14", what);
            }
        }
    }

    /// The time of an attempt is over: while the courier was away it did not run, as far as the process was told of that.
    fn gave_up(&mut self, saga: &Saga, now: Micros, link: BusLink) {
        let Some(Command { deadline: Some(until), .. }) = Command::awaited_by(saga) else { return };
        let had = link.back_at.map(|back| now.since(Micros(EPOCH_US + i64::try_from(back).unwrap_or(0))));
        let since = saga.updated_at;
        let too_early = had.is_some_and(|had| had < now.since(since) && had < until.since(since));
        if link.is_told || too_early {
            let what = format!("saga {}: an attempt was given up that had {had:?} since the courier is back", saga.id);
            self.violation("I14", what);
        }
    }

    /// A process with a life of its own looks at sagas: what it has seen waiting before it has sent again by now.
    pub fn looked(&mut self, life: u64, records: &[Record], now: Micros) {
        if self.is_clock_set {
            return;
        }
        for Record { saga, .. } in records {
            let Some(command) = Command::awaited_by(saga) else { continue };
            if self.unsent.get(&saga.id) == Some(&(life, saga.version)) {
                let what = format!("saga {}: attempt {} is looked at, and not sent again", saga.id, command.attempt);
                self.violation("I14", what);
            }
            // From the first look on, whatever its process takes for the pace of answers, until its time is over.
            let first_look = (self.slowest * PATIENCE).clamp(FIRST_LOOK, MAX_PAUSE);
            if saga.updated_at.plus(first_look) <= now && saga.wake_at() > Some(now) {
                self.unsent.insert(saga.id, (life, saga.version));
            }
        }
    }

    /// I26: nothing is sent to what is held.
    fn kept_back(&mut self, participant: &str, saga: SagaId, step: u8, holds: &[Held]) {
        let definition = self.sagas.get(&saga).map(|saga| saga.definition.name.clone());
        let holds = holds.iter().filter(|held| match held {
            Held::Definition(name) => definition.as_ref() == Some(name),
            Held::Participant(name) => name == participant,
        });
        for held in holds {
            self.violation("I26", format!("saga {saga}: step {step} was sent under {}", held.name()));
        }
    }

    /// A write that was promised is gone: the caller was told otherwise.
    #[must_use]
    pub fn newest(&self, saga: SagaId) -> Option<u64> {
        self.sagas.get(&saga).map(|saga| saga.version)
    }

    /// Every saga that was committed.
    pub fn sagas(&self) -> impl Iterator<Item = (SagaId, u64)> + '_ {
        self.sagas.values().map(|saga| (saga.id, saga.version))
    }
}
