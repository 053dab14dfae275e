//! A saga's steps and undos over time, from its journal: what was attempted, waited for, answered and done by operators.
//!
//! A journal that this build cannot follow to its end is shown as far as it goes, and what comes after it as bare entries:
//! a timeline never goes blank.

mod fold;
mod lanes;
mod text;

pub use fold::{Bare, FoldError, Said};
pub use text::text;

use crate::acts::End;
use crate::step_position::StepPosition;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Verb};
use saga_core::time::Micros;

/// A saga over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When it was started.
    pub from: Micros,
    /// When it ended, or now.
    pub to: Micros,
    /// How it ended; `None` if it goes on or is parked.
    pub end: Option<End>,
    /// One for each half-step that was at work, in the order in which they began.
    pub lanes: Vec<Lane>,
    /// What operators did, in order.
    pub actions: Vec<ActionTaken>,
    /// Entries of which it is unknown where they led, in order; empty for a whole journal.
    pub bare: Vec<Bare>,
    /// Why they are.
    pub broken: Option<FoldError>,
}

/// One half-step over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub half: StepPosition,
    /// What went on, without gaps: each begins where the one before it ends.
    pub spans: Vec<Span>,
    /// The newest attempt; 0 if none was sent.
    pub attempts: u32,
    /// How the saga left it.
    pub outcome: LaneOutcome,
}

/// A stretch of time in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Micros,
    /// When it ended, or now.
    pub to: Micros,
    /// What the saga did meanwhile.
    pub doing: Doing,
    /// What ended it.
    pub ended: Ended,
}

/// What a saga does during a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Waits for the answer to this attempt.
    Attempt(u32),
    /// Pauses after this attempt.
    Backoff(u32),
    /// Is parked.
    Stuck,
    /// Is halted by an operator.
    Paused,
}

/// What ended a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// Nothing yet.
    Open,
    /// The answer to this attempt: done.
    Succeeded(u32),
    /// The answer to this attempt: refused, for this reason.
    Rejected(u32, String),
    /// The participant could not answer, for this reason.
    Unavailable(String),
    /// The attempt's time was up.
    TimedOut,
    /// The pause was over.
    SentAgain,
    /// The saga's own deadline passed.
    Deadline,
    /// An operator's action.
    ByOperator(Verb),
}

/// How a saga left a half-step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LaneOutcome {
    /// It has not.
    Open,
    /// Done, or undone.
    Done,
    /// Refused, for this reason.
    Refused(String),
    /// Given up after its last attempt, for this reason; whether it happened is unknown.
    GivenUp(String),
    /// The saga's own deadline passed.
    Deadline,
    /// An operator cancelled the saga.
    Cancelled,
    /// An operator ended it, by this verb: skipped, or resolved as done or undone.
    ByHand(Verb),
}

/// An operator's action that moved the saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTaken {
    /// When.
    pub at: Micros,
    /// What.
    pub verb: Verb,
    /// Who, made harmless.
    pub actor: String,
    /// Why, in the operator's words, made harmless.
    pub why: String,
    /// The half-step that was at work; `None` where it is unknown.
    pub half: Option<StepPosition>,
}

/// How many of a journal's oldest entries are missing from `entries`, if they begin later than the journal.
#[must_use]
pub fn cut_off(entries: &[Entry]) -> Option<u64> {
    entries.first().map(|first| first.version.saturating_sub(1)).filter(|older| *older > 0)
}

/// The timeline of the saga whose journal `entries` is, at `now`. The journal may be cut off at its end; without its first
/// entry, or without the definition, all of it is bare.
#[must_use]
pub fn timeline(definition: Option<&Definition>, entries: &[Entry], now: Micros) -> Timeline {
    lanes::draw(definition, fold::fold(definition, entries), now)
}
