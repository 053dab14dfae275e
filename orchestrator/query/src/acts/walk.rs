//! Where a saga may come to rest: every answer and every silence from here on, walked with the real machine.
//!
//! Three things keep the walk short without changing what it finds. Budgets are cut to two attempts, because a third brings
//! nothing that a second does not. While the saga's own deadline has not passed, the time left to it is kept as it is, and
//! each state is also tried with the deadline passed; so it may list an end that the clock, counted exactly, leaves no time
//! for, and never misses one. And states that differ in words and in absolute time are the same.

use crate::step_position::position;
use saga_core::definition::{Definition, Step};
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::retry::RetryPolicy;
use saga_core::saga::{Direction, Saga, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::collections::BTreeSet;

/// States one walk visits at most. The longest definition needs some hundred.
pub const MAX_STATES: usize = 20_000;

/// How a saga comes to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Every step is done.
    Completed,
    /// Everything that was done is undone.
    Compensated,
    /// Parked: needs an operator.
    Stuck,
}

impl End {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
        }
    }
}

/// Where a saga may come to rest. A paused one is taken to be resumed; apart from that no operator acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prospect {
    /// What was found.
    pub ends: BTreeSet<End>,
    /// False if the walk gave up after [`MAX_STATES`]: then there may be more.
    pub is_whole: bool,
}

/// Walks from `saga`, which has been checked; nothing happens before `now`.
pub(super) fn walk(definition: &Definition, saga: &Saga, now: Micros) -> Prospect {
    let definition = shortened(definition);
    let mut known = BTreeSet::new();
    let mut open = vec![shortened_saga(saga)];
    let mut prospect = Prospect { ends: BTreeSet::new(), is_whole: true };
    while let Some(saga) = open.pop() {
        let end = match &saga.state {
            State::Completed => Some(End::Completed),
            State::Compensated { cause: _ } => Some(End::Compensated),
            State::Stuck { .. } => Some(End::Stuck),
            State::Running { .. } | State::Compensating { .. } | State::Paused { .. } => None,
        };
        if let Some(end) = end {
            prospect.ends.insert(end);
            continue;
        }
        if known.len() == MAX_STATES {
            prospect.is_whole = false;
            break;
        }
        if known.insert(Key::of(&saga, now)) {
            open.extend(onward(&definition, &saga, now));
        }
    }
    prospect
}

/// Every saga that `saga` may become next.
fn onward(definition: &Definition, saga: &Saga, now: Micros) -> Vec<Saga> {
    let soon = saga.updated_at.max(now);
    let late = saga.deadline.filter(|deadline| *deadline > soon);
    let woken = saga.wake_at().map(|until| until.max(soon));
    let times: BTreeSet<Micros> = [Some(soon), woken, woken.max(late)].into_iter().flatten().collect();
    let mut onward = Vec::new();
    for event in events(saga) {
        for at in &times {
            if let Applied::Moved(transition) = machine::apply(definition, saga, &event, *at) {
                let kept = if late.is_some_and(|deadline| *at < deadline) { at.0 - soon.0 } else { 0 };
                onward.push(later(transition.saga, kept));
            }
        }
    }
    onward
}

fn events(saga: &Saga) -> Vec<Event> {
    let Some((step, direction, attempt)) = position(&saga.state) else { return Vec::new() };
    let words = String::new;
    let outcomes = [
        Outcome::Succeeded { output: Default::default() },
        Outcome::Rejected { reason: words(), message: words() },
        Outcome::Unavailable { reason: words(), message: words() },
    ];
    let replies = outcomes.map(|outcome| Event::Reply(Reply { step, direction, attempt, outcome }));
    let resume = Event::Action(OperatorAction { verb: Verb::Resume, actor: words(), reason: words() });
    replies.into_iter().chain([Event::Wake, resume]).collect()
}

/// The same saga with its start, and so its own deadline, put off.
fn later(mut saga: Saga, by_us: i64) -> Saga {
    saga.created_at = Micros(saga.created_at.0.saturating_add(by_us));
    saga.deadline = saga.deadline.map(|deadline| Micros(deadline.0.saturating_add(by_us)));
    saga
}

/// The same definition with at most two attempts to a budget.
fn shortened(definition: &Definition) -> Definition {
    let fewer = |policy: RetryPolicy| policy.with_attempts(policy.attempts().min(2)).unwrap_or(policy);
    let steps = definition.steps().iter().map(|step| Step {
        retry: fewer(step.retry),
        undo_retry: fewer(step.undo_retry),
        ..step.clone()
    });
    let shortened = Definition::from_steps(definition.id().clone(), steps.collect(), definition.deadline());
    // Fewer attempts break no rule; if they did, the walk would only be longer.
    shortened.unwrap_or_else(|_| definition.clone())
}

/// The same saga with at most one more attempt in its present budget, and without contents, which no move looks at.
fn shortened_saga(saga: &Saga) -> Saga {
    let mut saga = Saga { input: Default::default(), outputs: Vec::new(), ..saga.clone() };
    match &mut saga.state {
        State::Running { step: _, wait } | State::Compensating { step: _, wait, cause: _ } => match wait {
            Wait::Reply { attempt, last, until: _ } | Wait::Backoff { attempt, last, until: _ } => {
                *last = (*last).min(attempt.saturating_add(1));
            }
        },
        State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => {}
    }
    saga
}

/// What makes two states the same: everything the next moves depend on, with times relative to the last move.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    state: &'static str,
    at: Option<(StepIndex, Direction, u32)>,
    /// Backing off or not, the last attempt, the time left.
    wait: Option<(bool, u32, i64)>,
    is_past_deadline: bool,
}

impl Key {
    fn of(saga: &Saga, now: Micros) -> Self {
        let wait = match &saga.state {
            State::Running { step: _, wait } | State::Compensating { step: _, wait, cause: _ } => Some(wait),
            State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
        };
        let left = |until: Micros| until.0.saturating_sub(saga.updated_at.0);
        Self {
            state: saga.state.name(),
            at: position(&saga.state),
            wait: wait.map(|wait| match *wait {
                Wait::Reply { last, until, .. } => (false, last, left(until)),
                Wait::Backoff { last, until, .. } => (true, last, left(until)),
            }),
            is_past_deadline: saga.deadline.is_some_and(|deadline| deadline <= saga.updated_at.max(now)),
        }
    }
}
