//! What is enumerated: every half-step, every boundary, every outcome, every duplicate.

use crate::sim::adversary::Place;
use saga_core::definition::{Definition, Kind};
use saga_core::saga::{Direction, StepIndex};

/// What comes of the command under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done and answered.
    Ok,
    /// Refused for good.
    Rejected,
    /// Unavailable twice, then done.
    Transient,
    /// Done, the answer is lost.
    DoneUnanswered,
    /// Not done, the command is lost.
    NotDoneUnanswered,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::Rejected, Self::Transient, Self::DoneUnanswered, Self::NotDoneUnanswered];

    /// For tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::Transient => "transient",
            Self::DoneUnanswered => "done, unanswered",
            Self::NotDoneUnanswered => "not done, unanswered",
        }
    }
}

/// What arrives twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duplicate {
    /// Nothing.
    No,
    /// The command.
    Command,
    /// The reply.
    Reply,
}

impl Duplicate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::No, Self::Command, Self::Reply];
}

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Boundary {
    /// Nobody dies.
    None,
    /// The orchestrator, around the commit that orders the command.
    OrderCommit(Side),
    /// The orchestrator, around sending the command.
    CommandSend(Side),
    /// The participant, around the transaction of the effect.
    EffectCommit(Side),
    /// The participant, around sending the reply.
    ReplySend(Side),
    /// The participant, around the command's acknowledgement.
    CommandAck(Side),
    /// The orchestrator, around the commit that applies the reply.
    ApplyCommit(Side),
    /// The orchestrator, around the reply's acknowledgement.
    ReplyAck(Side),
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Before it.
    Before,
    /// After it.
    After,
}

impl Boundary {
    /// All of them, in the order of a step's path.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let around = [
            Self::OrderCommit,
            Self::CommandSend,
            Self::EffectCommit,
            Self::ReplySend,
            Self::CommandAck,
            Self::ApplyCommit,
            Self::ReplyAck,
        ];
        let sides = around.into_iter().flat_map(|of| [of(Side::Before), of(Side::After)]);
        std::iter::once(Self::None).chain(sides).collect()
    }

    /// The place to die at, whether an orchestrator dies, and whether the command must have been answered before.
    #[must_use]
    pub fn place(self) -> Option<(Place, bool, Option<bool>)> {
        let side = |side: Side, before: Place, after: Place| if side == Side::Before { before } else { after };
        Some(match self {
            Self::None => return None,
            Self::OrderCommit(at) => (side(at, Place::CommitBefore, Place::CommitAfter), true, Some(false)),
            Self::CommandSend(at) => (side(at, Place::SendBefore, Place::SendAfter), true, None),
            Self::EffectCommit(at) => (side(at, Place::EffectBefore, Place::EffectAfter), false, None),
            Self::ReplySend(at) => (side(at, Place::SendBefore, Place::SendAfter), false, None),
            Self::CommandAck(at) => (side(at, Place::AckBefore, Place::AckAfter), false, None),
            Self::ApplyCommit(at) => (side(at, Place::CommitBefore, Place::CommitAfter), true, Some(true)),
            Self::ReplyAck(at) => (side(at, Place::AckBefore, Place::AckAfter), true, None),
        })
    }
}

/// One half-step under test, and how the saga is brought there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// The step.
    pub step: StepIndex,
    /// Action or undo.
    pub direction: Direction,
    /// For an undo: the step whose action fails so that the saga unwinds, and whether it fails by doing
    /// its work and never being heard of.
    pub trigger: Option<(StepIndex, bool)>,
}

/// Where the saga must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Completed.
    Completed,
    /// Compensated.
    Compensated,
    /// Stuck, for an operator.
    Stuck,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The half-step.
    pub half: Half,
    /// What comes of it.
    pub outcome: Outcome,
    /// Who dies where.
    pub boundary: Boundary,
    /// What arrives twice.
    pub duplicate: Duplicate,
}

impl Case {
    /// Where it must end: which crash or duplicate there was makes no difference.
    #[must_use]
    pub fn end(&self, definition: &Definition) -> End {
        match (self.half.direction, self.outcome) {
            (Direction::Action, Outcome::Rejected) if definition.is_past_pivot(self.half.step) => End::Stuck,
            (Direction::Action, Outcome::Rejected) => End::Compensated,
            (Direction::Action, _) => End::Completed,
            (Direction::Undo, Outcome::Rejected) => End::Stuck,
            (Direction::Undo, _) => End::Compensated,
        }
    }
}

/// Every half-step that can be reached.
#[must_use]
pub fn halves(definition: &Definition) -> Vec<Half> {
    let mut halves = Vec::new();
    for (index, step) in definition.steps().iter().enumerate() {
        let Ok(number) = StepIndex::try_from(index) else { continue };
        if step.action.is_some() {
            halves.push(Half { step: number, direction: Direction::Action, trigger: None });
        }
        if step.undo.is_some() {
            // The next action above it that may refuse; else its own, if nobody can say whether it happened.
            let above = definition.steps().iter().enumerate().skip(index + 1).find_map(|(above, step)| {
                let refuses = step.action.is_some() && step.kind != Kind::Retriable;
                StepIndex::try_from(above).ok().filter(|_| refuses).map(|above| (above, false))
            });
            let own = step.action.is_some().then_some((number, true));
            if let Some(trigger) = above.or(own) {
                halves.push(Half { step: number, direction: Direction::Undo, trigger: Some(trigger) });
            }
        }
    }
    halves
}

/// Every case of a definition.
#[must_use]
pub fn cases(definition: &Definition) -> Vec<Case> {
    let mut cases = Vec::new();
    for half in halves(definition) {
        for outcome in Outcome::ALL {
            for boundary in Boundary::all() {
                for duplicate in Duplicate::ALL {
                    cases.push(Case { half: half.clone(), outcome, boundary, duplicate });
                }
            }
        }
    }
    cases
}
