//! Where a saga stands, what it waits for, what comes next, and what the participant knows.

use super::past::HalfByHand;
use super::{Case, ending, phrases};
use crate::acts::{self, Next, Prospect};
use crate::escape;
use crate::step_position::{StepPosition, position};
use crate::timeline::{Doing, Timeline};
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Direction, Resume, Saga, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::Applied;

/// Where a saga stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// One word, as [`State::name`] has it.
    pub state: &'static str,
    /// The half-step it is at; `None` at an end.
    pub half: Option<StepPosition>,
    /// The newest attempt at it; 0 if none was sent.
    pub attempt: u32,
    /// Stable reasons: why it is stuck, and why it unwinds or unwound.
    pub reasons: Vec<String>,
    /// The same for people.
    pub sentence: String,
}

/// What a saga waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// A participant's answer.
    Answer,
    /// The time of its next attempt.
    NextAttempt,
    /// An operator, or a late answer.
    Operator,
    /// An operator who resumes it.
    Resume,
    /// Nothing: it has ended.
    Nothing,
}

/// What a saga waits for, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What for.
    pub waits_for: WaitsFor,
    /// Since when.
    pub since: Micros,
    /// Until when at the longest; `None` if there is no such time.
    pub until: Option<Micros>,
    /// The same for people.
    pub sentence: String,
}

/// What a saga will do by itself, if nothing is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// When its time comes.
    pub at: Micros,
    /// True if that was before now: nobody has woken it yet.
    pub is_overdue: bool,
    /// What it will then do.
    pub next: Next,
    /// The same for people.
    pub sentence: String,
}

/// Where a saga may come to rest by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The ends.
    pub prospect: Prospect,
    /// The same for people.
    pub sentence: String,
}

/// What a participant's ledger knows of the open command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// It has answered: the answer has not been heard here yet, or was not listened to.
    Known(Answer),
    /// The ledger has no answer.
    Unknown,
    /// The participant could not be asked.
    Unreachable,
}

/// An answer in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Succeeded,
    /// Refused, for this reason.
    Rejected(String),
}

/// What the ledger says, and what would come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSays {
    /// What it knows.
    pub knowledge: Knowledge,
    /// What the saga does when it hears the answer; `None` if there is none, or if it changes nothing.
    pub next: Option<Next>,
    /// The same for people.
    pub sentence: String,
}

/// `by_hand` is what operators ended of it; `None` if the journal does not tell everything.
pub(super) fn place(case: &Case<'_>, by_hand: Option<&[HalfByHand]>) -> Place {
    let saga = case.saga;
    let at = position(&saga.state);
    let half = at.map(|(step, direction, _)| match case.definition {
        Some(definition) => StepPosition::new(definition, step, direction),
        None => StepPosition {
            position: step,
            step: format!("step {step}"),
            direction,
            participant: String::new(),
            command: String::new(),
        },
    });
    let attempt = at.map_or(0, |(.., attempt)| attempt);
    let reasons = reasons(saga);
    let because = |reason: Option<&String>| reason.map(|reason| format!(" because of {reason}")).unwrap_or_default();
    let named = half.as_ref().map(StepPosition::to_string).unwrap_or_default();
    let sentence = match &saga.state {
        State::Running { .. } => format!("It is running and does {named}."),
        State::Compensating { .. } => format!("It unwinds{} and is at {named}.", because(reasons.first())),
        State::Stuck { direction: Direction::Action, .. } => {
            format!("It is stuck at {named}{}.", because(reasons.first()))
        }
        State::Stuck { direction: Direction::Undo, .. } => {
            let unwinds = because(reasons.get(1));
            format!("It is stuck at {named}{}; it unwinds{unwinds}.", because(reasons.first()))
        }
        State::Paused { resume: Resume::Run { .. } } => format!("It is paused at {named}."),
        State::Paused { resume: Resume::Unwind { .. } } => {
            format!("It unwinds{} and is paused at {named}.", because(reasons.first()))
        }
        State::Completed => ending::completed(by_hand),
        State::Compensated { .. } => ending::compensated(&because(reasons.first()), by_hand),
    };
    Place { state: saga.state.name(), half, attempt, reasons, sentence }
}

fn reasons(saga: &Saga) -> Vec<String> {
    let unwinding = match &saga.state {
        State::Stuck { unwinding, .. } => unwinding.as_ref(),
        State::Running { .. }
        | State::Compensating { .. }
        | State::Paused { .. }
        | State::Completed
        | State::Compensated { .. } => None,
    };
    saga.cause().into_iter().chain(unwinding).map(|cause| escape::reason(&cause.reason)).collect()
}

pub(super) fn waiting(definition: &Definition, case: &Case<'_>, timeline: &Timeline) -> Waiting {
    let (saga, now) = (case.saga, case.now);
    let began = began(saga, timeline);
    let since = phrases::moment(began, now);
    let half = StepPosition::of(definition, saga).map(|(half, _)| half);
    let named = half.as_ref().map(StepPosition::to_string).unwrap_or_default();
    let participant = half.map(|half| half.participant).unwrap_or_default();
    let (waits_for, sentence) = match &saga.state {
        State::Running { step: _, wait } | State::Compensating { step: _, wait, cause: _ } => match wait {
            Wait::Reply { attempt, last, until: _ } => (
                WaitsFor::Answer,
                format!(
                    "It has waited for the answer of {participant} to attempt {attempt} of {last} of {named} since {since}."
                ),
            ),
            Wait::Backoff { attempt, last, until: _ } => (
                WaitsFor::NextAttempt,
                format!("It has paused after attempt {attempt} of {last} of {named} since {since}."),
            ),
        },
        State::Stuck { .. } => (
            WaitsFor::Operator,
            format!("It has waited for an operator, or for a late answer of {participant}, since {since}."),
        ),
        State::Paused { .. } => (
            WaitsFor::Resume,
            match &case.hold {
                Some(hold) => {
                    format!("It has waited since {since} and goes on once {} is released, which {hold}.", hold.name)
                }
                None => format!("It has waited for somebody to resume it since {since}."),
            },
        ),
        State::Completed | State::Compensated { .. } => {
            (WaitsFor::Nothing, format!("It waits for nothing any more since {since}."))
        }
    };
    Waiting { waits_for, since: began, until: saga.wake_at(), sentence }
}

/// Since when it waits as it does: since its last move. Only a paused saga may have moved meanwhile, by answers.
fn began(saga: &Saga, timeline: &Timeline) -> Micros {
    match &saga.state {
        State::Paused { .. } => {
            let spans = timeline.lanes.iter().rev().flat_map(|lane| lane.spans.iter().rev());
            let paused = spans.take_while(|span| span.doing == Doing::Paused);
            paused.last().map_or(saga.updated_at, |span| span.from)
        }
        State::Running { .. }
        | State::Compensating { .. }
        | State::Stuck { .. }
        | State::Completed
        | State::Compensated { .. } => saga.updated_at,
    }
}

pub(super) fn upcoming(definition: &Definition, case: &Case<'_>, without: &[StepPosition]) -> Option<Upcoming> {
    let (saga, now) = (case.saga, case.now);
    let at = saga.wake_at()?;
    let is_overdue = at <= now;
    let Applied::Moved(transition) = machine::apply(definition, saga, &Event::Wake, at.max(now)) else { return None };
    let next = Next::of(definition, &transition.saga);
    let then = phrases::next(&next, without, now);
    let moment = phrases::moment(at, now);
    let waits_for_answer = matches!(
        saga.state,
        State::Running { wait: Wait::Reply { .. }, .. } | State::Compensating { wait: Wait::Reply { .. }, .. }
    );
    let sentence = match (is_overdue, waits_for_answer) {
        (true, true) => format!(
            "Its time came at {moment} and nobody has woken it yet: while commands cannot be sent, nobody does. Then it {then}, \
             unless an answer comes first."
        ),
        (true, false) => {
            format!("Its time came at {moment} and nobody has woken it yet; when somebody does, it {then}.")
        }
        (false, true) => format!("If no answer comes until {moment}, it {then}."),
        (false, false) => format!("At {moment} it {then}."),
    };
    Some(Upcoming { at, is_overdue, next, sentence })
}

pub(super) fn outlook(definition: &Definition, case: &Case<'_>) -> Option<Outlook> {
    // What has no deadline goes nowhere by itself.
    case.saga.wake_at()?;
    let prospect = acts::prospect(definition, case.saga, case.now).ok()?;
    let sentence = format!("If nobody acts it may {}.", phrases::ends(&prospect.ends));
    Some(Outlook { prospect, sentence })
}

pub(super) fn ledger(definition: &Definition, case: &Case<'_>, without: &[StepPosition]) -> Option<LedgerSays> {
    let knowledge = case.ledger.clone()?;
    let (half, attempt) = StepPosition::of(definition, case.saga).filter(|(_, attempt)| *attempt > 0)?;
    let who = &half.participant;
    let (outcome, said) = match &knowledge {
        Knowledge::Unreachable => {
            let sentence = format!("{who} could not be asked what it knows of {half}.");
            return Some(LedgerSays { knowledge, next: None, sentence });
        }
        Knowledge::Unknown => {
            let sentence = format!(
                "The ledger of {who} has no answer to {half}: the command has not arrived there, is under way, or could not \
                 be carried out yet. Sending it again is safe."
            );
            return Some(LedgerSays { knowledge, next: None, sentence });
        }
        Knowledge::Known(Answer::Succeeded) => {
            (Outcome::Succeeded { output: Default::default() }, phrases::done(half.direction).to_owned())
        }
        Knowledge::Known(Answer::Rejected(reason)) => (
            Outcome::Rejected { reason: reason.clone(), message: String::new() },
            format!("refused, {}", escape::reason(reason)),
        ),
    };
    let reply = Reply { step: half.position, direction: half.direction, attempt, outcome };
    let next = match machine::apply(definition, case.saga, &Event::Reply(reply), case.now) {
        Applied::Moved(transition) => Some(Next::of(definition, &transition.saga)),
        Applied::Ignored(_) | Applied::Refused(_) => None,
    };
    let then = match &next {
        Some(next) => format!("when that answer is heard here, it {}", phrases::next(next, without, case.now)),
        None => "that changes nothing here".to_owned(),
    };
    let knowledge = match knowledge {
        Knowledge::Known(Answer::Rejected(reason)) => Knowledge::Known(Answer::Rejected(escape::reason(&reason))),
        other @ (Knowledge::Known(Answer::Succeeded) | Knowledge::Unknown | Knowledge::Unreachable) => other,
    };
    Some(LedgerSays { knowledge, next, sentence: format!("The ledger of {who} says of {half}: {said}; {then}.") })
}
