//! Every path of a definition, walked breadth first: what tests sample, this enumerates.
//!
//! In every state that can be reached, everything happens that can happen: each outcome of each half-step, for the
//! newest attempt, for older ones, for attempts never sent, for steps the saga is not at; wakes before, at and long
//! after the deadline; and every operator's verb. A shadow keeps book of what happened at the participants, and after
//! each event the [`Law`]s are checked against it. States are the same if they differ only in absolute time.

mod events;
mod laws;
mod shadow;

pub(crate) use events::at_half;
pub use events::events_at;
pub use laws::Law;

use crate::script::text;
use bytes::Bytes;
use saga_core::definition::{Definition, DefinitionError, Step};
use saga_core::event::Event;
use saga_core::machine;
use saga_core::saga::{Saga, SagaId, State};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use shadow::{Key, Shadow};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The signature of [`machine::apply`], so that a test can hand in a machine with a planted bug.
pub type Apply<'a> = &'a dyn Fn(&Definition, &Saga, &Event, Micros) -> Applied;

/// How far to walk. Every path is finite; these keep the product of all of them so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Attempts each half-step has, if its policy does not allow fewer. Two show every kind of retry.
    pub attempts: u32,
    /// Actions an operator gives on one path. Each retry and resume is a fresh budget, so they need a bound; a pause and
    /// its resume are two.
    pub operator_actions: u32,
    /// States to visit before giving up with [`Failure::TooManyStates`].
    pub states: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { attempts: 2, operator_actions: 2, states: 1_000_000 }
    }
}

/// What was walked without breaking a law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different states visited.
    pub states: usize,
    /// Moves between them.
    pub transitions: usize,
    /// Events that were rightly ignored.
    pub ignored: usize,
    /// Actions that were rightly refused.
    pub refused: usize,
    /// States that are completed.
    pub completed: usize,
    /// States that are compensated.
    pub compensated: usize,
    /// States that are stuck.
    pub stuck: usize,
    /// Events on the longest of the shortest paths.
    pub depth: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} transitions, {} ignored, {} refused; {} completed, {} compensated, {} stuck; depth {}",
            self.states,
            self.transitions,
            self.ignored,
            self.refused,
            self.completed,
            self.compensated,
            self.stuck,
            self.depth
        )
    }
}

/// Why the walk ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A law is broken.
    #[error("{law}\n{path}")]
    Broken {
        /// The law.
        law: Law,
        /// How to get there, as a script.
        path: String,
    },
    /// There are more states than the bounds allow.
    #[error("more than {0} states: lower the bounds on attempts or actions")]
    TooManyStates(usize),
    /// The bounds do not make a definition: zero attempts.
    #[error("the bounds do not fit the definition: {0}")]
    Bounds(String),
}

/// Walks every path of `definition` with the real machine.
///
/// # Errors
/// [`Failure`] with the shortest path to the first broken law.
pub fn exhaust(definition: &Definition, bounds: Bounds) -> Result<Report, Failure> {
    exhaust_with(definition, bounds, &machine::apply)
}

/// The same with another machine in the place of [`machine::apply`].
///
/// # Errors
/// [`Failure`] with the shortest path to the first broken law.
pub fn exhaust_with(definition: &Definition, bounds: Bounds, apply: Apply<'_>) -> Result<Report, Failure> {
    let definition = shortened(definition, bounds.attempts)?;
    let mut walk = Walk {
        definition: &definition,
        bounds,
        apply,
        nodes: Vec::new(),
        known: BTreeMap::new(),
        report: Report::default(),
    };
    walk.begin()?;
    let mut next = 0;
    while next < walk.nodes.len() {
        walk.expand(next)?;
        next += 1;
    }
    walk.parks()?;
    Ok(walk.report)
}

/// The same definition with at most `attempts` attempts: a walk through twenty equal retries shows nothing new.
fn shortened(definition: &Definition, attempts: u32) -> Result<Definition, Failure> {
    let fewer = |step: &Step| -> Result<Step, Failure> {
        let bounds = |error: saga_core::retry::RetryError| Failure::Bounds(error.to_string());
        let retry = step.retry.with_attempts(step.retry.attempts().min(attempts)).map_err(bounds)?;
        let undo_retry = step.undo_retry.with_attempts(step.undo_retry.attempts().min(attempts)).map_err(bounds)?;
        Ok(Step { retry, undo_retry, ..step.clone() })
    };
    let steps = definition.steps().iter().map(fewer).collect::<Result<Vec<Step>, Failure>>()?;
    Definition::from_steps(definition.id().clone(), steps, definition.deadline())
        .map_err(|error: DefinitionError| Failure::Bounds(error.to_string()))
}

/// One reachable state and the shortest way to it.
struct Node {
    saga: Saga,
    shadow: Shadow,
    /// The node before, the event that led here, and how long after the move before it; `None` for the start.
    from: Option<(usize, Event, Duration)>,
    depth: usize,
    /// Where a wake at the deadline leads; `None` if the state has no deadline.
    woken: Option<usize>,
}

struct Walk<'a> {
    definition: &'a Definition,
    bounds: Bounds,
    apply: Apply<'a>,
    nodes: Vec<Node>,
    known: BTreeMap<Key, usize>,
    report: Report,
}

impl Walk<'_> {
    fn begin(&mut self) -> Result<(), Failure> {
        let transition =
            machine::start(self.definition, SagaId([7; 16]), Bytes::from_static(b"input"), Micros(1_000_000));
        let mut shadow = Shadow::new(self.definition);
        laws::sent(self.definition, &mut shadow, &transition)
            .and_then(|()| laws::stands(self.definition, &shadow, &transition.saga))
            .map_err(|law| Failure::Broken { law, path: "start".to_owned() })?;
        self.visit(transition.saga, shadow, None)?;
        Ok(())
    }

    /// Lets everything happen in one state.
    fn expand(&mut self, index: usize) -> Result<(), Failure> {
        let saga = self.nodes[index].saga.clone();
        let shadow = self.nodes[index].shadow.clone();
        let actions_left = shadow.operator_actions < self.bounds.operator_actions;
        for (event, now) in events::events_at(self.definition, &saga, actions_left) {
            let after = now.since(saga.updated_at);
            let broken = |walk: &Self, law| Failure::Broken { law, path: walk.path(index, &event, after) };
            let applied = (self.apply)(self.definition, &saga, &event, now);
            laws::answered(self.definition, &saga, &event, now, &applied).map_err(|law| broken(self, law))?;
            match applied {
                Applied::Ignored(_) => self.report.ignored += 1,
                Applied::Refused(_) => self.report.refused += 1,
                Applied::Moved(transition) => {
                    self.report.transitions += 1;
                    let mut shadow = shadow.clone();
                    shadow.happened(&saga, &event);
                    laws::sent(self.definition, &mut shadow, &transition)
                        .and_then(|()| laws::recorded(&saga, &event, now, &transition))
                        .and_then(|()| laws::stands(self.definition, &shadow, &transition.saga))
                        .and_then(|()| laws::replays(self.definition, &saga, &transition, self.apply))
                        .map_err(|law| broken(self, law))?;
                    let is_wake = event == Event::Wake && saga.wake_at() == Some(now);
                    let next = self.visit(transition.saga, shadow, Some((index, event, after)))?;
                    if is_wake {
                        self.nodes[index].woken = Some(next);
                    }
                }
            }
        }
        Ok(())
    }

    fn visit(&mut self, saga: Saga, shadow: Shadow, from: Option<(usize, Event, Duration)>) -> Result<usize, Failure> {
        let key = Key::new(self.definition, &saga, &shadow);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let index = self.nodes.len();
        if index >= self.bounds.states {
            return Err(Failure::TooManyStates(self.bounds.states));
        }
        let depth = from.as_ref().map_or(0, |(before, _, _)| self.nodes[*before].depth + 1);
        self.report.states += 1;
        self.report.depth = self.report.depth.max(depth);
        match &saga.state {
            State::Completed => self.report.completed += 1,
            State::Compensated { .. } => self.report.compensated += 1,
            State::Stuck { .. } => self.report.stuck += 1,
            State::Running { .. } | State::Compensating { .. } | State::Paused { .. } => {}
        }
        self.known.insert(key, index);
        self.nodes.push(Node { saga, shadow, from, depth, woken: None });
        Ok(index)
    }

    /// From every active state, deadlines alone lead to an end or to an operator: nothing waits for ever.
    fn parks(&self) -> Result<(), Failure> {
        // Waking never loops if every chain of wakes is shorter than the number of states; `rested` remembers
        // chains that were followed before, so that each state is followed once.
        let mut rested = vec![false; self.nodes.len()];
        for first in 0..self.nodes.len() {
            let mut chain = Vec::new();
            let mut at = first;
            while !rested[at] {
                chain.push(at);
                match self.nodes[at].woken {
                    Some(next) if chain.len() <= self.nodes.len() => at = next,
                    Some(_) => {
                        return Err(Failure::Broken { law: Law::EndsOrParks, path: self.path_to(first).join("\n") });
                    }
                    None if self.nodes[at].saga.wake_at().is_none() => break,
                    None => {
                        return Err(Failure::Broken { law: Law::EndsOrParks, path: self.path_to(at).join("\n") });
                    }
                }
            }
            for index in chain {
                rested[index] = true;
            }
        }
        Ok(())
    }

    fn path(&self, index: usize, event: &Event, after: Duration) -> String {
        let mut lines = self.path_to(index);
        lines.push(text::event(self.definition, event, after));
        lines.join("\n")
    }

    /// The shortest way to a state, each line followed by where it leads.
    fn path_to(&self, index: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut at = index;
        loop {
            let node = &self.nodes[at];
            lines.push(format!("# {}", text::state(self.definition, &node.saga)));
            match &node.from {
                Some((before, event, after)) => {
                    lines.push(text::event(self.definition, event, *after));
                    at = *before;
                }
                None => {
                    lines.push("start".to_owned());
                    break;
                }
            }
        }
        lines.reverse();
        lines
    }
}
