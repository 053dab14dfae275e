//! What a journal tells: the saga it folds to, every command it ordered, what it knows to be done and undone.

use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, Outcome, Verb};
use saga_core::replay;
use saga_core::saga::{Direction, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Command, Transition};
use std::collections::{BTreeMap, BTreeSet};

/// One journal entry; `version` and `at` (microseconds) as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The saga's version after it.
    pub version: i64,
    /// The time of the move.
    pub at: i64,
    /// What happened, or why it cannot be read.
    pub record: Result<JournalRecord, String>,
}

/// Half a step.
pub type Half = (StepIndex, Direction);

/// What a participant said for good, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The journal's version.
    pub version: i64,
    /// True for succeeded, false for rejected.
    pub succeeded: bool,
    /// Why it was rejected, or empty.
    pub reason: String,
}

/// A journal's tale, as far as it can be followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The saga after the entry that was asked for, if the journal could be followed so far.
    pub folded: Option<Saga>,
    /// What that entry asked to send.
    pub asked: Option<Command>,
    /// Why it cannot be followed further: version and reason.
    pub broken: Option<(i64, String)>,
    /// The version at which the saga ended.
    pub ended_at: Option<i64>,
    /// Every command the journal ordered, with its attempts.
    pub ordered: BTreeMap<Half, BTreeSet<u32>>,
    /// Answers for good, by half-step, as the entries have them.
    pub said: BTreeMap<Half, Vec<Said>>,
    /// Half-steps that an operator took upon himself (skip, resolve).
    pub by_hand: BTreeSet<Half>,
    /// Undos that were answered with success, in the order of the journal.
    pub undone: Vec<StepIndex>,
}

impl Story {
    /// Follows `journal` as far as it goes. The fold is kept at version `at`, so that a journal read after its row can be
    /// longer than it. `input` is the saga's own.
    #[must_use]
    pub fn of(definition: &Definition, id: SagaId, journal: &[JournalRow], at: u64) -> Self {
        let mut story = Self::default();
        let mut saga: Option<Saga> = None;
        for row in journal {
            let Ok(record) = &row.record else {
                let why = row.record.as_ref().err().cloned().unwrap_or_default();
                story.breaks(row.version, format!("entry {} cannot be read: {why}", row.version));
                continue;
            };
            story.note(row.version, saga.as_ref(), record);
            if story.broken.is_some() {
                // What later entries say by themselves still counts; where the saga stood is not known any more.
                continue;
            }
            // A version below zero is no version; zero never follows.
            let version = u64::try_from(row.version).unwrap_or(0);
            let entry = Entry { saga: id, version, at: Micros(row.at), record: record.clone() };
            let next = match &saga {
                None => replay::first_move(definition, &entry),
                Some(saga) => replay::next_move(definition, saga, &entry),
            };
            match next {
                Ok(Transition { saga: next, commands, .. }) => {
                    story.order(&next);
                    if next.has_ended() && story.ended_at.is_none() {
                        story.ended_at = Some(row.version);
                    }
                    if version == at {
                        story.folded = Some(next.clone());
                        story.asked = commands.last().copied();
                    }
                    saga = Some(next);
                }
                Err(why) => {
                    story.breaks(row.version, why.to_string());
                    saga = None;
                }
            }
        }
        story
    }

    /// The first break is the one that is told.
    fn breaks(&mut self, version: i64, why: String) {
        self.broken.get_or_insert((version, why));
    }

    /// True if the journal ordered this attempt of this half-step.
    #[must_use]
    pub fn has_ordered(&self, half: Half, attempt: u32) -> bool {
        self.ordered.get(&half).is_some_and(|attempts| attempts.contains(&attempt))
    }

    /// True if the journal holds a success of this half-step.
    #[must_use]
    pub fn succeeded(&self, half: Half) -> bool {
        self.said.get(&half).is_some_and(|said| said.iter().any(|said| said.succeeded))
    }

    /// What the entry says by itself, whatever the fold makes of it.
    fn note(&mut self, version: i64, before: Option<&Saga>, record: &JournalRecord) {
        match record {
            JournalRecord::Moved(Event::Reply(reply)) => {
                let half = (reply.step, reply.direction);
                let (succeeded, reason) = match &reply.outcome {
                    Outcome::Succeeded { .. } => (true, String::new()),
                    Outcome::Rejected { reason, .. } => (false, reason.clone()),
                    Outcome::Unavailable { .. } => return,
                };
                if succeeded && reply.direction == Direction::Undo {
                    self.undone.push(reply.step);
                }
                self.said.entry(half).or_default().push(Said { version, succeeded, reason });
            }
            JournalRecord::Moved(Event::Action(order)) => {
                let taken = matches!(order.verb, Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone);
                if let (true, Some(State::Stuck { step, direction, .. })) = (taken, before.map(|saga| &saga.state)) {
                    self.by_hand.insert((*step, *direction));
                }
            }
            JournalRecord::Moved(Event::Wake) | JournalRecord::Started { .. } => {}
        }
    }

    /// Entering a state that waits for a reply is sending its command.
    fn order(&mut self, saga: &Saga) {
        let (half, attempt) = match &saga.state {
            State::Running { step, wait: Wait::Reply { attempt, .. } } => ((*step, Direction::Action), *attempt),
            State::Compensating { step, wait: Wait::Reply { attempt, .. }, .. } => ((*step, Direction::Undo), *attempt),
            State::Running { .. }
            | State::Compensating { .. }
            | State::Stuck { .. }
            | State::Paused { .. }
            | State::Completed
            | State::Compensated { .. } => return,
        };
        self.ordered.entry(half).or_default().insert(attempt);
    }
}

/// A journal of this saga as its store would hold it, from events: for tests that need one that is sound.
///
/// # Panics
/// If an event moves nothing.
#[must_use]
pub fn journal_of(definition: &Definition, id: SagaId, input: &Bytes, events: &[Event]) -> (Saga, Vec<JournalRow>) {
    let mut now = Micros(1_000_000);
    let begun = saga_core::machine::start(definition, id, input.clone(), now);
    let mut rows = vec![row_of(begun.entry)];
    let mut saga = begun.saga;
    for event in events {
        now = Micros(now.0 + 1_000);
        match saga_core::machine::apply(definition, &saga, event, now) {
            saga_core::transition::Applied::Moved(moved) => {
                rows.push(row_of(moved.entry));
                saga = moved.saga;
            }
            ignored => panic!("{event:?} moves nothing: {ignored:?}"),
        }
    }
    (saga, rows)
}

fn row_of(entry: Entry) -> JournalRow {
    let version = i64::try_from(entry.version).unwrap_or(i64::MAX);
    JournalRow { version, at: entry.at.0, record: Ok(entry.record) }
}
