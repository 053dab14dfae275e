//! The laws: what must be true of every event, every move and every state, whatever happened before.

use super::Apply;
use super::events::at_half;
use super::shadow::{Action, Shadow, Undo};
use saga_core::definition::{Definition, Kind};
use saga_core::event::{Event, JournalRecord, Outcome, Reply};
use saga_core::machine::{self, BrokenInvariant};
use saga_core::saga::{Direction, Resume, Saga, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Command, Transition};

/// A law that every path keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Law {
    /// An early wake, an answer about something else, and bad news of an older attempt change nothing.
    #[error("an event moved the saga that should have been ignored")]
    ShouldBeIgnored,
    /// A due wake, a success or a refusal of the current half-step always moves the saga.
    #[error("an event was ignored that should have moved the saga")]
    ShouldMove,
    /// Only actions are refused, and actions are never ignored.
    #[error("an action was ignored, or a reply or a wake was refused")]
    WrongAnswer,
    /// A move adds one to the version, never goes back in time, and journals exactly its event.
    #[error("the journal entry does not describe the move")]
    Journal,
    /// A move changes neither identity nor input, and outputs are those of the actions that succeeded.
    #[error("the move changed what it must keep, or lost an output")]
    Keeps,
    /// Replaying the entry gives the same move.
    #[error("the journal entry does not replay to the same move")]
    Replays,
    /// Exactly one command goes with entering a wait for a reply, and none with anything else.
    #[error("the commands do not fit the state: one when it begins to wait for a reply, else none")]
    OneCommand,
    /// The commands of a move follow from the saga alone, so that whoever has its row can send them again.
    #[error("the commands of a move are not those that its saga waits for")]
    SentAgainFromItsRow,
    /// Attempts at one half-step count 1, 2, 3 …
    #[error("attempts at one half-step must count up by one, from 1")]
    Attempts,
    /// Actions go in order: everything below is done.
    #[error("an action was sent although one below it is not done")]
    ActionSequence,
    /// No action is sent after unwinding began.
    #[error("an action was sent after unwinding began")]
    ActionAfterUnwinding,
    /// A step is only undone if its action happened or may have.
    #[error("an undo was sent for a step that did not happen or is undone already")]
    NeedlessUndo,
    /// Undos go strictly from the top to the bottom.
    #[error("an undo was sent although a step above it is not undone yet")]
    UndoSequence,
    /// Nothing is undone once the pivot is done.
    #[error("an undo was sent although the pivot is passed")]
    UndoPastPivot,
    /// An active saga has one deadline, in reach; a saga at rest has none.
    #[error("an active saga must have one deadline, not later than its longest wait")]
    OneDeadline,
    /// Completed means that every action was done, by a participant or by hand, and nothing was undone.
    #[error("completed although an action is missing or something was undone")]
    CompletedIsWhole,
    /// Compensated means that every step that happened or may have happened is undone, once.
    #[error("compensated although the effect of a step is left")]
    CompensatedIsWhole,
    /// An unwinding saga stays so until it has ended.
    #[error("the saga went forward after unwinding began")]
    UnwindsToTheEnd,
    /// Deadlines alone lead to an end or to an operator.
    #[error("the saga neither ends nor parks if nobody ever answers")]
    EndsOrParks,
    /// The saga passes the same check that stores run.
    #[error("an invariant is broken: {0}")]
    Invariant(BrokenInvariant),
}

fn require(holds: bool, law: Law) -> Result<(), Law> {
    if holds { Ok(()) } else { Err(law) }
}

/// What the event must lead to, known without the machine.
pub(super) fn answered(
    definition: &Definition,
    saga: &Saga,
    event: &Event,
    now: Micros,
    applied: &Applied,
) -> Result<(), Law> {
    let moves = match event {
        Event::Action(_) => {
            let ended_and_moved = saga.has_ended() && matches!(applied, Applied::Moved(_));
            require(!ended_and_moved, Law::ShouldBeIgnored)?;
            return require(!matches!(applied, Applied::Ignored(_)), Law::WrongAnswer);
        }
        Event::Wake => saga.wake_at().is_some_and(|until| until <= now),
        Event::Reply(reply) => counts(definition, saga, reply),
    };
    match applied {
        Applied::Moved(_) => require(moves, Law::ShouldBeIgnored),
        Applied::Ignored(_) => require(!moves, Law::ShouldMove),
        Applied::Refused(_) => Err(Law::WrongAnswer),
    }
}

fn counts(definition: &Definition, saga: &Saga, reply: &Reply) -> bool {
    let Some((step, direction, newest)) = at_half(saga) else { return false };
    if (reply.step, reply.direction) != (step, direction) || reply.attempt == 0 || reply.attempt > newest {
        return false;
    }
    debug_assert!(definition.step(step).is_some());
    match (&saga.state, &reply.outcome) {
        (_, Outcome::Succeeded { .. }) => true,
        (State::Stuck { .. }, Outcome::Rejected { .. }) => false,
        (_, Outcome::Rejected { .. }) => true,
        (
            State::Running { wait: Wait::Reply { .. }, .. } | State::Compensating { wait: Wait::Reply { .. }, .. },
            Outcome::Unavailable { .. },
        ) => reply.attempt == newest,
        (_, Outcome::Unavailable { .. }) => false,
    }
}

/// The commands of a move against the book, then booked.
pub(super) fn sent(definition: &Definition, shadow: &mut Shadow, transition: &Transition) -> Result<(), Law> {
    for command in &transition.commands {
        let (step, direction) = (command.id.step, command.id.direction);
        let expected = match shadow.newest {
            Some((s, d, attempt)) if (s, d) == (step, direction) => attempt + 1,
            Some(_) | None => 1,
        };
        match direction {
            Direction::Action => action_may_be_sent(shadow, usize::from(step))?,
            Direction::Undo => undo_may_be_sent(definition, shadow, usize::from(step))?,
        }
        require(command.attempt == expected && command.id.saga == transition.saga.id, Law::Attempts)?;
        shadow.sent(command);
    }
    require(transition.commands == wanted(&transition.saga), Law::OneCommand)?;
    require(transition.commands == Vec::from_iter(Command::awaited_by(&transition.saga)), Law::SentAgainFromItsRow)
}

/// The commands that go with a move to this state.
fn wanted(saga: &Saga) -> Vec<Command> {
    let (step, direction, attempt, deadline) = match &saga.state {
        State::Running { step, wait: Wait::Reply { attempt, until, .. } } => {
            (*step, Direction::Action, *attempt, Some(*until))
        }
        State::Compensating { step, wait: Wait::Reply { attempt, .. }, .. } => (*step, Direction::Undo, *attempt, None),
        State::Running { wait: Wait::Backoff { .. }, .. }
        | State::Compensating { wait: Wait::Backoff { .. }, .. }
        | State::Stuck { .. }
        | State::Paused { .. }
        | State::Completed
        | State::Compensated { .. } => return Vec::new(),
    };
    vec![Command { id: saga_core::saga::CommandId { saga: saga.id, step, direction }, attempt, deadline }]
}

fn action_may_be_sent(shadow: &Shadow, step: usize) -> Result<(), Law> {
    require(!shadow.has_undone(), Law::ActionAfterUnwinding)?;
    let below = &shadow.actions[..step];
    require(below.iter().all(|action| matches!(action, Action::Done | Action::ByHand)), Law::ActionSequence)
}

fn undo_may_be_sent(definition: &Definition, shadow: &Shadow, step: usize) -> Result<(), Law> {
    for (position, other) in definition.steps().iter().enumerate() {
        let done = matches!(shadow.actions[position], Action::Done | Action::ByHand);
        let passed = match other.kind {
            Kind::Compensatable => false,
            Kind::Pivot => done || (shadow.actions[position] == Action::Unknown && other.undo.is_none()),
            Kind::Retriable => shadow.actions[position] != Action::None,
        };
        require(!passed, Law::UndoPastPivot)?;
        let left_above =
            position > step && other.undo.is_some() && shadow.may_have_happened(position) && !undone(shadow, position);
        require(!left_above, Law::UndoSequence)?;
        let begun_below = position < step && shadow.undos[position] != Undo::None;
        require(!begun_below, Law::UndoSequence)?;
    }
    let needed = shadow.may_have_happened(step) && !undone(shadow, step);
    require(needed && definition.steps()[step].undo.is_some(), Law::NeedlessUndo)
}

fn undone(shadow: &Shadow, step: usize) -> bool {
    shadow.undos[step] == Undo::Done
}

/// The journal entry of a move, and what a move must not touch.
pub(super) fn recorded(before: &Saga, event: &Event, now: Micros, transition: &Transition) -> Result<(), Law> {
    let Transition { saga, entry, .. } = transition;
    let at = before.moves_at(now);
    let journalled = saga.version == before.version + 1
        && entry.version == saga.version
        && entry.saga == saga.id
        && entry.at == at
        && saga.updated_at == at
        && entry.record == JournalRecord::Moved(event.clone());
    require(journalled, Law::Journal)?;
    let kept = saga.id == before.id
        && saga.definition == before.definition
        && saga.created_at == before.created_at
        && saga.deadline == before.deadline
        && saga.input == before.input
        && saga.outputs.starts_with(&before.outputs);
    require(kept, Law::Keeps)?;
    let stays = !is_unwinding(before) || is_unwinding(saga);
    require(stays, Law::UnwindsToTheEnd)
}

fn is_unwinding(saga: &Saga) -> bool {
    match &saga.state {
        State::Compensating { .. } | State::Compensated { .. } | State::Paused { resume: Resume::Unwind { .. } } => {
            true
        }
        State::Stuck { unwinding, .. } => unwinding.is_some(),
        State::Running { .. } | State::Paused { resume: Resume::Run { .. } } | State::Completed => false,
    }
}

/// The state itself against the book.
pub(super) fn stands(definition: &Definition, shadow: &Shadow, saga: &Saga) -> Result<(), Law> {
    match &saga.state {
        State::Running { step, wait } => {
            let step = &definition.steps()[usize::from(*step)];
            in_reach(saga, *wait, step.timeout, step.retry.cap())?;
        }
        State::Compensating { step, wait, .. } => {
            let step = &definition.steps()[usize::from(*step)];
            in_reach(saga, *wait, step.undo_timeout, step.undo_retry.cap())?;
        }
        State::Completed => {
            let whole = shadow.actions.iter().all(|action| matches!(action, Action::Done | Action::ByHand));
            require(whole && !shadow.has_undone(), Law::CompletedIsWhole)?;
        }
        State::Compensated { .. } => compensated(definition, shadow)?,
        State::Stuck { .. } | State::Paused { .. } => {}
    }
    let active = matches!(saga.state, State::Running { .. } | State::Compensating { .. });
    require(saga.wake_at().is_some() == active, Law::OneDeadline)?;
    let kept = definition.steps().iter().zip(&shadow.actions).enumerate().filter_map(|(position, (step, action))| {
        (step.action.is_some() && *action == Action::Done).then_some(position)
    });
    require(kept.eq(saga.outputs.iter().map(|(step, _)| usize::from(*step))), Law::Keeps)?;
    machine::check(definition, saga).map_err(Law::Invariant)
}

fn in_reach(saga: &Saga, wait: Wait, timeout: std::time::Duration, cap: std::time::Duration) -> Result<(), Law> {
    let longest = match wait {
        Wait::Reply { .. } => timeout,
        Wait::Backoff { .. } => cap,
    };
    let until = wait.until();
    require(until > saga.updated_at && until <= saga.updated_at.plus(longest), Law::OneDeadline)
}

fn compensated(definition: &Definition, shadow: &Shadow) -> Result<(), Law> {
    for (position, step) in definition.steps().iter().enumerate() {
        let clean = match (step.kind, step.undo.is_some()) {
            // Whatever may have happened is undone, and nothing else is.
            (_, true) => shadow.may_have_happened(position) == undone(shadow, position),
            // Its cover is an earlier step, which this loop looks at too.
            (Kind::Compensatable, false) => true,
            (Kind::Pivot | Kind::Retriable, false) => {
                matches!(shadow.actions[position], Action::None | Action::Refused)
            }
        };
        require(clean, Law::CompensatedIsWhole)?;
    }
    Ok(())
}

/// The journal holds all that is needed to make the same move again.
pub(super) fn replays(
    definition: &Definition,
    before: &Saga,
    transition: &Transition,
    apply: Apply<'_>,
) -> Result<(), Law> {
    let again = match &transition.entry.record {
        JournalRecord::Moved(event) => apply(definition, before, event, transition.entry.at),
        JournalRecord::Started { .. } => return Err(Law::Journal),
    };
    match again {
        Applied::Moved(same) => require(same == *transition, Law::Replays),
        Applied::Ignored(_) | Applied::Refused(_) => Err(Law::Replays),
    }
}
