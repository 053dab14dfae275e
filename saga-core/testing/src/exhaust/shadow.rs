//! The book kept beside the machine: what was sent and what came of it, as the participants know it.

use super::events::at_half;
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Verb};
use saga_core::saga::{Cause, Direction, Resume, Saga, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::Command;

/// What is known of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Not sent.
    None,
    /// Sent, and whether it happened is unknown.
    Unknown,
    /// Refused: it did not happen.
    Refused,
    /// It happened, in the saga or before it.
    Done,
    /// An operator took responsibility for it.
    ByHand,
}

/// What is known of an undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Undo {
    /// Not sent.
    None,
    /// Sent.
    Unknown,
    /// Undone, or an operator took responsibility for it.
    Done,
}

/// The book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shadow {
    pub(super) actions: Vec<Action>,
    pub(super) undos: Vec<Undo>,
    /// The newest command: half-step and attempt.
    pub(super) newest: Option<(StepIndex, Direction, u32)>,
    /// Operators' actions that moved the saga.
    pub(super) operator_actions: u32,
}

impl Shadow {
    pub(super) fn new(definition: &Definition) -> Self {
        let before =
            |step: &saga_core::definition::Step| if step.action.is_none() { Action::Done } else { Action::None };
        Self {
            actions: definition.steps().iter().map(before).collect(),
            undos: vec![Undo::None; definition.steps().len()],
            newest: None,
            operator_actions: 0,
        }
    }

    /// True once an undo was sent or the saga stands in unwinding.
    pub(super) fn has_undone(&self) -> bool {
        self.undos.iter().any(|undo| *undo != Undo::None)
    }

    /// True if the step's effect exists or may exist.
    pub(super) fn may_have_happened(&self, step: usize) -> bool {
        matches!(self.actions[step], Action::Done | Action::Unknown)
    }

    /// Books an event that moved the saga.
    pub(super) fn happened(&mut self, before: &Saga, event: &Event) {
        let Some((step, direction, _)) = at_half(before) else { return };
        let step = usize::from(step);
        match event {
            Event::Wake => {}
            Event::Reply(reply) => match (direction, &reply.outcome) {
                (Direction::Action, Outcome::Succeeded { .. }) => self.actions[step] = Action::Done,
                (Direction::Action, Outcome::Rejected { .. }) => self.actions[step] = Action::Refused,
                (Direction::Undo, Outcome::Succeeded { .. }) => self.undos[step] = Undo::Done,
                (Direction::Undo, Outcome::Rejected { .. })
                | (Direction::Action | Direction::Undo, Outcome::Unavailable { .. }) => {}
            },
            Event::Action(action) => {
                self.operator_actions += 1;
                match action.verb {
                    Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone => match direction {
                        Direction::Action => self.actions[step] = Action::ByHand,
                        Direction::Undo => self.undos[step] = Undo::Done,
                    },
                    Verb::Cancel | Verb::Retry | Verb::Pause | Verb::Resume => {}
                }
            }
        }
    }

    /// Books a command that was sent.
    pub(super) fn sent(&mut self, command: &Command) {
        let step = usize::from(command.id.step);
        match command.id.direction {
            Direction::Action => self.actions[step] = Action::Unknown,
            Direction::Undo => self.undos[step] = Undo::Unknown,
        }
        self.newest = Some((command.id.step, command.id.direction, command.attempt));
    }
}

/// What makes two states the same: everything the machine's next moves depend on, with times relative to the last move
/// and without words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    state: State,
    deadline: Option<Micros>,
    shadow: Shadow,
}

impl Key {
    pub(super) fn new(definition: &Definition, saga: &Saga, shadow: &Shadow) -> Self {
        let relative = |at: Micros| Micros((at.0 - saga.updated_at.0).max(0));
        let wait = |wait: &Wait| match *wait {
            Wait::Reply { attempt, last, until } => Wait::Reply { attempt, last, until: relative(until) },
            Wait::Backoff { attempt, last, until } => Wait::Backoff { attempt, last, until: relative(until) },
        };
        let wordless = |cause: &Cause| Cause { step: cause.step, reason: String::new(), message: String::new() };
        let state = match &saga.state {
            State::Running { step, wait: w } => State::Running { step: *step, wait: wait(w) },
            State::Compensating { step, wait: w, cause } => {
                State::Compensating { step: *step, wait: wait(w), cause: wordless(cause) }
            }
            State::Stuck { step, direction, attempt, why, unwinding } => State::Stuck {
                step: *step,
                direction: *direction,
                attempt: *attempt,
                why: wordless(why),
                unwinding: unwinding.as_ref().map(wordless),
            },
            State::Paused { resume: Resume::Unwind { step, attempt, cause } } => {
                State::Paused { resume: Resume::Unwind { step: *step, attempt: *attempt, cause: wordless(cause) } }
            }
            State::Paused { resume: Resume::Run { .. } } | State::Completed => saga.state.clone(),
            State::Compensated { cause } => State::Compensated { cause: wordless(cause) },
        };
        // Once the saga unwinds or has passed its pivot, its own deadline can do nothing any more.
        let matters = match &saga.state {
            State::Running { step, .. } | State::Paused { resume: Resume::Run { step, .. } } => {
                !definition.is_past_pivot(*step)
            }
            State::Compensating { .. }
            | State::Stuck { .. }
            | State::Paused { resume: Resume::Unwind { .. } }
            | State::Completed
            | State::Compensated { .. } => false,
        };
        Self { state, deadline: saga.deadline.filter(|_| matters).map(relative), shadow: shadow.clone() }
    }
}
