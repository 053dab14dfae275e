//! Definitions, and sagas that lived through everything that can happen to them.

pub mod exprs;

use baton_query::acts::VERBS;
use baton_query::explain::{Case, Explanation, explain};
use baton_query::step_position::position;
use bytes::Bytes;
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Entry, Event, OperatorAction, Outcome, Reply};
use saga_core::machine;
use saga_core::retry::RetryPolicy;
use saga_core::saga::{Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::collections::BTreeSet;
use std::time::Duration;

/// 2026-11-27T10:00:00Z.
pub const START: Micros = Micros(1_795_773_600_000_000);

/// Stands in inputs, outputs and messages, and must stand nowhere else.
pub const CONTENT: &str = "anna@example.org";

/// The shape of the order saga.
pub fn order() -> Definition {
    order_with(StepOptions::new(), None)
}

/// The same, with two attempts to each budget.
pub fn short_order() -> Definition {
    order_with(short(), None)
}

/// The same, with a deadline.
pub fn hurried_order() -> Definition {
    order_with(short(), Some(Duration::from_secs(90)))
}

/// A pivot that cannot be undone, between steps that can be stuck.
pub fn transfer() -> Definition {
    Definition::builder("transfer", 1)
        .compensatable("account.hold", "account", "hold", "free", short())
        .pivot("bank.send", "bank", "send", short())
        .retriable("account.settle", "account", "settle", short())
        .build()
        .unwrap()
}

/// The same in a hurry.
pub fn hurried_transfer() -> Definition {
    Definition::builder("transfer", 2)
        .compensatable("account.hold", "account", "hold", "free", short())
        .pivot("bank.send", "bank", "send", short())
        .retriable("account.settle", "account", "settle", short())
        .deadline(Duration::from_secs(30))
        .build()
        .unwrap()
}

pub fn definitions() -> Vec<Definition> {
    vec![short_order(), hurried_order(), transfer(), hurried_transfer()]
}

fn short() -> StepOptions {
    let two = |policy: RetryPolicy| policy.with_attempts(2).unwrap();
    StepOptions::new().retry(two(RetryPolicy::BEFORE_PIVOT)).undo_retry(two(RetryPolicy::UNDO))
}

fn order_with(options: StepOptions, deadline: Option<Duration>) -> Definition {
    let builder = Definition::builder("order", 1)
        .happened("payment.taken", "payment", "payment.cancel", options)
        .compensatable("order.open", "order", "order.open", "order.reject", options)
        .covered("payment.verify", "payment", "payment.verify", "payment.taken", options)
        .pivot_with_undo("stock.reserve", "stock", "stock.reserve", "stock.release", options)
        .retriable("order.confirm", "order", "order.confirm", options);
    match deadline {
        Some(deadline) => builder.deadline(deadline).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// A saga and how it came there.
#[derive(Clone, Debug)]
pub struct Lived {
    pub saga: Saga,
    pub journal: Vec<Entry>,
}

impl Lived {
    pub fn start(definition: &Definition) -> Self {
        let first = machine::start(definition, SagaId([7; 16]), Bytes::from_static(CONTENT.as_bytes()), START);
        Self { saga: first.saga, journal: vec![first.entry] }
    }

    /// The saga after an event, if it moves.
    pub fn after(&self, definition: &Definition, event: &Event, at: Micros) -> Option<Self> {
        match machine::apply(definition, &self.saga, event, at) {
            Applied::Moved(transition) => {
                let journal = self.journal.iter().cloned().chain([transition.entry]).collect();
                Some(Self { saga: transition.saga, journal })
            }
            Applied::Ignored(_) | Applied::Refused(_) => None,
        }
    }

    /// The saga after an event that must move it.
    pub fn then(&self, definition: &Definition, event: &Event, at: Micros) -> Self {
        self.after(definition, event, at).unwrap_or_else(|| panic!("{event:?} does not move {:?}", self.saga.state))
    }

    /// The answer to the newest attempt, after `ms`.
    pub fn answered(&self, definition: &Definition, outcome: Outcome, ms: i64) -> Self {
        let (step, direction, attempt) = position(&self.saga.state).expect("it is at a step");
        let event = Event::Reply(Reply { step, direction, attempt, outcome });
        self.then(definition, &event, Micros(self.saga.updated_at.0 + ms * 1_000))
    }

    /// Woken at its deadline.
    pub fn woken(&self, definition: &Definition) -> Self {
        self.then(definition, &Event::Wake, self.saga.wake_at().expect("it has a deadline"))
    }
}

pub fn succeeded() -> Outcome {
    Outcome::Succeeded { output: Bytes::from_static(CONTENT.as_bytes()) }
}

pub fn rejected(reason: &str) -> Outcome {
    Outcome::Rejected { reason: reason.to_owned(), message: CONTENT.to_owned() }
}

pub fn unavailable(reason: &str) -> Outcome {
    Outcome::Unavailable { reason: reason.to_owned(), message: CONTENT.to_owned() }
}

pub fn action_of(verb: saga_core::event::Verb) -> Event {
    Event::Action(OperatorAction { verb, actor: "ops-kim".to_owned(), reason: "the customer called".to_owned() })
}

/// Everything that can happen where a saga stands, with the moments at which it makes a difference.
pub fn events(saga: &Saga, orders: bool) -> Vec<(Event, Micros)> {
    let now = saga.updated_at;
    let far = saga.wake_at().max(saga.deadline).unwrap_or(now).max(now);
    let times: BTreeSet<Micros> = [now, saga.wake_at().unwrap_or(now), far].into();
    let mut events = vec![Event::Wake];
    if let Some((step, direction, newest)) = position(&saga.state) {
        for attempt in [1, newest] {
            for outcome in [succeeded(), rejected("REFUSED"), unavailable("AWAY")] {
                events.push(Event::Reply(Reply { step, direction, attempt, outcome }));
            }
        }
    }
    if orders {
        events.extend(VERBS.map(action_of));
    }
    events.iter().flat_map(|event| times.iter().map(|at| (event.clone(), *at))).collect()
}

/// Every saga that can be reached with at most `orders` orders, each by a shortest way. Two are the same if they differ
/// only in absolute times.
pub fn reachable(definition: &Definition, orders: usize) -> Vec<Lived> {
    reachable_from(definition, Lived::start(definition), orders)
}

/// The same from a saga that has lived already.
pub fn reachable_from(definition: &Definition, from: Lived, orders: usize) -> Vec<Lived> {
    let mut all = vec![(from, orders)];
    let mut known = BTreeSet::new();
    let mut next = 0;
    while next < all.len() {
        let (lived, left) = all[next].clone();
        for (event, at) in events(&lived.saga, left > 0) {
            let left = left - usize::from(matches!(event, Event::Action(_)));
            if let Some(after) = lived.after(definition, &event, at)
                && known.insert((key(&after.saga), left))
            {
                all.push((after, left));
            }
        }
        next += 1;
    }
    all.into_iter().map(|(lived, _)| lived).collect()
}

fn key(saga: &Saga) -> String {
    let mut state = saga.state.clone();
    if let State::Running { step: _, wait } | State::Compensating { step: _, wait, cause: _ } = &mut state {
        let (Wait::Reply { until, .. } | Wait::Backoff { until, .. }) = wait;
        *until = Micros(until.0 - saga.updated_at.0);
    }
    let is_late = saga.deadline.is_some_and(|deadline| deadline <= saga.updated_at);
    format!("{state:?} {is_late}")
}

/// The explanation of a saga that nobody was asked about.
pub fn explained(definition: &Definition, lived: &Lived, now: Micros) -> Explanation {
    let (saga, journal) = (&lived.saga, lived.journal.as_slice());
    explain(&Case { definition: Some(definition), saga, journal, ledger: None, hold: None, now })
}

/// So many milliseconds after its last move.
pub fn later(lived: &Lived, ms: i64) -> Micros {
    Micros(lived.saga.updated_at.0 + ms * 1_000)
}
