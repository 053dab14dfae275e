//! Everything that can happen to a saga where it stands.

use crate::script::text::VERBS;
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, Resume, Saga, State, StepIndex};
use saga_core::time::Micros;

/// The half-step a saga is at and the newest attempt at it; `None` once it has ended.
pub(crate) fn at_half(saga: &Saga) -> Option<(StepIndex, Direction, u32)> {
    match &saga.state {
        State::Running { step, wait } => Some((*step, Direction::Action, wait.attempt())),
        State::Compensating { step, wait, .. } => Some((*step, Direction::Undo, wait.attempt())),
        State::Stuck { step, direction, attempt, .. } => Some((*step, *direction, *attempt)),
        State::Paused { resume: Resume::Run { step, attempt } } => Some((*step, Direction::Action, *attempt)),
        State::Paused { resume: Resume::Unwind { step, attempt, .. } } => Some((*step, Direction::Undo, *attempt)),
        State::Completed | State::Compensated { .. } => None,
    }
}

/// All events with the moments at which they make a difference; operators' actions only while `actions` allows.
pub fn events_at(definition: &Definition, saga: &Saga, actions: bool) -> Vec<(Event, Micros)> {
    let now = saga.updated_at;
    // Long after everything: the process was down while every deadline passed.
    let far = saga.wake_at().max(saga.deadline).unwrap_or(now).max(now);
    let mut events = Vec::new();
    for (position, step) in (0..).zip(definition.steps()) {
        for direction in [Direction::Action, Direction::Undo] {
            let exists = match direction {
                Direction::Action => step.action.is_some(),
                Direction::Undo => step.undo.is_some(),
            };
            if exists {
                replies(saga, position, direction, now, far, &mut events);
            }
        }
    }
    events.extend([now, far].map(|at| (Event::Wake, at)));
    if let Some(until) = saga.wake_at() {
        events.extend([Micros(until.0 - 1), until].map(|at| (Event::Wake, at)));
    }
    if actions {
        events.extend(VERBS.into_iter().flat_map(|verb| [(action(verb), now), (action(verb), far)]));
    }
    events
}

fn replies(
    saga: &Saga,
    step: StepIndex,
    direction: Direction,
    now: Micros,
    far: Micros,
    events: &mut Vec<(Event, Micros)>,
) {
    match at_half(saga) {
        // Every attempt that was sent, and one that was not.
        Some((at, half, newest)) if (at, half) == (step, direction) => {
            for attempt in 0..=newest.saturating_add(1) {
                events.extend(outcomes(step, direction, attempt).map(|event| (event, now)));
                events.extend(outcomes(step, direction, attempt).map(|event| (event, far)));
            }
        }
        Some(_) | None => events.extend(outcomes(step, direction, 1).map(|event| (event, now))),
    }
}

fn outcomes(step: StepIndex, direction: Direction, attempt: u32) -> [Event; 3] {
    [
        Outcome::Succeeded { output: Bytes::from_static(b"output") },
        Outcome::Rejected { reason: "REFUSED".to_owned(), message: "no".to_owned() },
        Outcome::Unavailable { reason: "AWAY".to_owned(), message: "nobody answers".to_owned() },
    ]
    .map(|outcome| Event::Reply(Reply { step, direction, attempt, outcome }))
}

fn action(verb: Verb) -> Event {
    Event::Action(OperatorAction { verb, actor: "operator".to_owned(), reason: "because".to_owned() })
}
