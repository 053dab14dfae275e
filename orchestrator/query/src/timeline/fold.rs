//! A journal folded move by move, as far as it goes.

use crate::escape;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, Outcome, Verb};
use saga_core::replay::{self, ReplayError};
use saga_core::saga::{Direction, Saga, StepIndex};
use saga_core::time::Micros;

/// Why a journal could not be followed to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// This build does not know the definition.
    #[error("this build does not know its definition")]
    UnknownDefinition,
    /// An entry cannot follow the one before it.
    #[error("{0}")]
    Replay(ReplayError),
}

/// A journal entry of which it is unknown where it led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bare {
    /// The saga's version after it.
    pub version: u64,
    /// When.
    pub at: Micros,
    /// What it says.
    pub said: Said,
}

/// What a journal entry says, without contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The saga began.
    Started,
    /// A participant answered: done.
    Succeeded(StepIndex, Direction, u32),
    /// A participant refused, for this reason.
    Rejected(StepIndex, Direction, u32, String),
    /// A participant could not answer, for this reason.
    Unavailable(StepIndex, Direction, u32, String),
    /// Time was up.
    Woken,
    /// An operator acted: what, who, why.
    Action(Verb, String, String),
}

impl Bare {
    fn of(entry: &Entry) -> Self {
        let said = match &entry.record {
            JournalRecord::Started { .. } => Said::Started,
            JournalRecord::Moved(Event::Wake) => Said::Woken,
            JournalRecord::Moved(Event::Action(action)) => {
                Said::Action(action.verb, escape::words(&action.actor), escape::words(&action.reason))
            }
            JournalRecord::Moved(Event::Reply(reply)) => {
                let (step, direction, attempt) = (reply.step, reply.direction, reply.attempt);
                match &reply.outcome {
                    Outcome::Succeeded { output: _ } => Said::Succeeded(step, direction, attempt),
                    Outcome::Rejected { reason, message: _ } => {
                        Said::Rejected(step, direction, attempt, escape::reason(reason))
                    }
                    Outcome::Unavailable { reason, message: _ } => {
                        Said::Unavailable(step, direction, attempt, escape::reason(reason))
                    }
                }
            }
        };
        Self { version: entry.version, at: entry.at, said }
    }
}

/// One entry with the saga on both sides of it.
pub(super) struct Move<'a> {
    pub(super) before: Option<Saga>,
    pub(super) entry: &'a Entry,
    pub(super) after: Saga,
}

/// A journal as far as it can be followed, and the rest.
pub(super) struct Folded<'a> {
    pub(super) moves: Vec<Move<'a>>,
    pub(super) bare: Vec<Bare>,
    pub(super) broken: Option<FoldError>,
}

pub(super) fn fold<'a>(definition: Option<&Definition>, entries: &'a [Entry]) -> Folded<'a> {
    let mut moves: Vec<Move<'a>> = Vec::with_capacity(entries.len());
    for (position, entry) in entries.iter().enumerate() {
        let before = moves.last().map(|last| last.after.clone());
        let after = match (definition, &before) {
            (None, _) => Err(FoldError::UnknownDefinition),
            (Some(definition), None) => replay::begin(definition, entry).map_err(FoldError::Replay),
            (Some(definition), Some(saga)) => replay::follow(definition, saga, entry).map_err(FoldError::Replay),
        };
        match after {
            Ok(after) => moves.push(Move { before, entry, after }),
            Err(why) => {
                let bare = entries[position..].iter().map(Bare::of).collect();
                return Folded { moves, bare, broken: Some(why) };
            }
        }
    }
    Folded { moves, bare: Vec::new(), broken: None }
}
