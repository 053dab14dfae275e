//! What happened, one sentence for each half-step and each action, from the timeline.

use super::{Case, phrases};
use crate::datetime::{rfc3339, spoken};
use crate::step_position::StepPosition;
use crate::timeline::{ActionTaken, Bare, Ended, Lane, LaneOutcome, Said, Timeline, cut_off};
use saga_core::event::Verb;
use saga_core::machine::TIMEOUT;
use saga_core::saga::{Direction, Saga, StepIndex};
use saga_core::time::Micros;

/// Different reasons that one sentence names.
const MAX_REASONS: usize = 3;

/// Entries that are told one by one where the journal cannot be followed; the last ones tell most.
const MAX_BARE: usize = 20;

/// Sentences about the past; of more the oldest after the first are left out.
const MAX_TOLD: usize = 200;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// When: the end of a half-step, the moment of an action.
    pub at: Micros,
    /// The half-step it is about, if it is about one.
    pub half: Option<StepPosition>,
    /// Attempts it took; 0 if it is about none.
    pub attempts: u32,
    /// The same for people.
    pub sentence: String,
}

/// A half-step that an operator ended instead of its participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HalfByHand {
    /// Which.
    pub(super) half: StepPosition,
    /// How: skipped, or resolved as done or undone.
    pub(super) verb: Verb,
    /// Who, made harmless.
    pub(super) who: String,
    /// Why, in their words, made harmless.
    pub(super) why: String,
}

impl HalfByHand {
    /// True if nobody did it, and the saga goes on without it.
    pub(super) fn is_skipped(&self) -> bool {
        self.verb == Verb::Skip
    }
}

/// What operators ended, in order.
pub(super) fn by_hand(timeline: &Timeline) -> Vec<HalfByHand> {
    let ended = timeline.lanes.iter().filter_map(|lane| match &lane.outcome {
        LaneOutcome::ByHand(verb) => {
            let action = action_at(timeline, lane.spans.last()?.to, *verb);
            let who = action.map_or_else(|| actor(""), |action| actor(&action.actor));
            let why = action.map(|action| action.why.clone()).unwrap_or_default();
            Some(HalfByHand { half: lane.half.clone(), verb: *verb, who, why })
        }
        LaneOutcome::Open
        | LaneOutcome::Done
        | LaneOutcome::Refused(_)
        | LaneOutcome::GivenUp(_)
        | LaneOutcome::Deadline
        | LaneOutcome::Cancelled => None,
    });
    ended.collect()
}

/// Everything that happened, in order.
pub(super) fn past(timeline: &Timeline, saga: &Saga) -> Vec<Past> {
    let mut told = Vec::new();
    if !timeline.lanes.is_empty() {
        let sentence = format!("It was started at {} as {}.", rfc3339(timeline.from), saga.definition);
        told.push(Past { at: timeline.from, half: None, attempts: 0, sentence });
    }
    told.extend(timeline.lanes.iter().filter_map(|lane| of_lane(lane, timeline)));
    told.extend(timeline.actions.iter().filter_map(of_action));
    // Stable: a half-step stands before the action that came at the moment it ended.
    told.sort_by_key(|past| past.at);
    if let Some(end) = timeline.end {
        let took = spoken(timeline.to.since(timeline.from));
        let sentence = format!("It ended {} at {}, {took} after its start.", end.as_str(), rfc3339(timeline.to));
        told.push(Past { at: timeline.to, half: None, attempts: 0, sentence });
    }
    let skipped = timeline.bare.len().saturating_sub(MAX_BARE);
    told.extend(timeline.bare.iter().skip(skipped).map(of_bare));
    newest(told)
}

/// The beginning, and what came last.
fn newest(mut told: Vec<Past>) -> Vec<Past> {
    let count = told.len().saturating_sub(MAX_TOLD);
    if count > 0 {
        let sentence = format!("{count} events are left out here.");
        let at = told[1].at;
        told.splice(1..=count, [Past { at, half: None, attempts: 0, sentence }]);
    }
    told
}

/// What the past above lacks.
pub(super) fn gap(timeline: &Timeline, case: &Case<'_>) -> Option<String> {
    let (shown, all) = (case.journal.last().map_or(0, |entry| entry.version), case.saga.version);
    if let Some(older) = cut_off(case.journal) {
        return Some(match older {
            1 => "The oldest entry of its journal is left out here.".to_owned(),
            older => format!("The {older} oldest entries of its journal are left out here."),
        });
    }
    if let Some(why) = &timeline.broken {
        let count = timeline.bare.len();
        return Some(format!("{count} of its journal's entries cannot be followed, because {why}."));
    }
    match shown.cmp(&all) {
        std::cmp::Ordering::Less => Some(format!("What is told here ends with entry {shown} of {all} of its journal.")),
        std::cmp::Ordering::Greater => {
            Some(format!("Its journal has gone on to entry {shown} since the saga was read at entry {all}."))
        }
        std::cmp::Ordering::Equal => None,
    }
}

fn of_lane(lane: &Lane, timeline: &Timeline) -> Option<Past> {
    let half = &lane.half;
    let participant = &half.participant;
    let (from, to) = (lane.spans.first()?.from, lane.spans.last()?.to);
    let lost = lost(lane);
    let sentence = match &lane.outcome {
        LaneOutcome::Done => {
            let after = if lost.is_empty() { String::new() } else { format!(", after {lost}") };
            let (step, done) = (&half.step, phrases::done(half.direction));
            format!("{step} was {done} by {participant} in {}{after}.", spoken(to.since(from)))
        }
        LaneOutcome::Refused(reason) => {
            let after = if lost.is_empty() { String::new() } else { format!(", after {lost}") };
            format!("{participant} refused {half}: {reason}{after}.")
        }
        LaneOutcome::GivenUp(_) => {
            format!("{half} was given up after {lost}, so whether it happened is unknown.")
        }
        LaneOutcome::Deadline if lane.attempts == 0 => {
            format!("The saga's deadline passed before {half} was sent, so that it was not sent any more.")
        }
        LaneOutcome::Deadline => {
            format!("The saga's deadline passed while {half} was at work, so whether that happened is unknown.")
        }
        LaneOutcome::Cancelled if lane.attempts == 0 => {
            let (who, why) = by(timeline, to, Verb::Cancel);
            format!("The saga was cancelled by {who} before {half} was sent{why}.")
        }
        LaneOutcome::Cancelled => {
            let (who, why) = by(timeline, to, Verb::Cancel);
            let after = if lost.is_empty() { String::new() } else { format!(", after {lost}") };
            format!("The saga was cancelled by {who} while {half} was at work{after}{why}.")
        }
        LaneOutcome::ByHand(verb) => {
            let (who, why) = by(timeline, to, *verb);
            let after = if lost.is_empty() { String::new() } else { format!(", after {lost}") };
            match verb {
                Verb::ResolveDone => format!("{who} resolved {half} as done{after}{why}."),
                Verb::ResolveUndone => format!("{who} resolved {half} as undone{after}{why}."),
                Verb::Skip | Verb::Cancel | Verb::Retry | Verb::Pause | Verb::Resume => {
                    format!("{who} skipped {half}{after}{why}.")
                }
            }
        }
        LaneOutcome::Open => return of_open_lane(lane, &lost),
    };
    let sentence = phrases::capital(&sentence, half);
    Some(Past { at: to, half: Some(half.clone()), attempts: lane.attempts, sentence })
}

/// The half-step at work is told as far as it failed; what it does now is told elsewhere.
fn of_open_lane(lane: &Lane, lost: &str) -> Option<Past> {
    let half = &lane.half;
    let refused = lane.spans.iter().rev().find_map(|span| match &span.ended {
        Ended::Rejected(attempt, reason) => Some((span.to, *attempt, reason)),
        Ended::Open
        | Ended::Succeeded(_)
        | Ended::Unavailable(_)
        | Ended::TimedOut
        | Ended::SentAgain
        | Ended::Deadline
        | Ended::ByOperator(_) => None,
    });
    let last = lane.spans.iter().rev().find(|span| span.ended != Ended::Open)?;
    let (at, sentence) = match (refused, lost.is_empty()) {
        (Some((at, attempt, reason)), no_loss) => {
            let besides = if no_loss { String::new() } else { format!("; besides {lost}") };
            (
                at,
                format!(
                    "{} refused attempt {attempt} of {half}, although that must not be refused: {reason}{besides}.",
                    half.participant
                ),
            )
        }
        (None, false) => (last.to, format!("{half} has seen {lost} so far.")),
        (None, true) => return None,
    };
    let sentence = phrases::capital(&sentence, half);
    Some(Past { at, half: Some(half.clone()), attempts: lane.attempts, sentence })
}

/// `3 attempts in vain (2 TIMEOUT, 1 AWAY)`, or nothing if every attempt was settled: whether nobody answered, or somebody that
/// it could not be done just now, the reasons say.
fn lost(lane: &Lane) -> String {
    let mut reasons: Vec<(&str, u32)> = Vec::new();
    for span in &lane.spans {
        let reason = match &span.ended {
            Ended::Unavailable(reason) => reason.as_str(),
            Ended::TimedOut => TIMEOUT,
            Ended::Open
            | Ended::Succeeded(_)
            | Ended::Rejected(..)
            | Ended::SentAgain
            | Ended::Deadline
            | Ended::ByOperator(_) => continue,
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all: u32 = reasons.iter().map(|(_, count)| count).sum();
    let more = if reasons.len() > MAX_REASONS { ", and others" } else { "" };
    let named: Vec<String> =
        reasons.iter().take(MAX_REASONS).map(|(reason, count)| format!("{count} {reason}")).collect();
    format!("{} in vain ({}{more})", phrases::attempts(all), named.join(", "))
}

/// Who did it, and why as the end of a sentence.
fn by(timeline: &Timeline, at: Micros, verb: Verb) -> (String, String) {
    let Some(action) = action_at(timeline, at, verb) else { return (actor(""), String::new()) };
    (actor(&action.actor), phrases::why(&action.why))
}

fn action_at(timeline: &Timeline, at: Micros, verb: Verb) -> Option<&ActionTaken> {
    timeline.actions.iter().find(|action| action.at == at && action.verb == verb)
}

fn actor(name: &str) -> String {
    if name.is_empty() { "an operator".to_owned() } else { name.to_owned() }
}

/// Actions that ended a half-step are told with it.
fn of_action(action: &ActionTaken) -> Option<Past> {
    let half = action.half.as_ref()?;
    let who = actor(&action.actor);
    let sentence = match action.verb {
        Verb::Cancel | Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone => return None,
        Verb::Retry => format!("{who} asked for another attempt at {half} at {}: {}.", rfc3339(action.at), action.why),
        Verb::Pause => format!("{who} paused the saga at {half} at {}: {}.", rfc3339(action.at), action.why),
        Verb::Resume => format!("{who} resumed the saga at {half} at {}: {}.", rfc3339(action.at), action.why),
    };
    Some(Past { at: action.at, half: Some(half.clone()), attempts: 0, sentence })
}

fn of_bare(bare: &Bare) -> Past {
    let half = |step: &StepIndex, direction: &Direction| match direction {
        Direction::Action => format!("step {step}"),
        Direction::Undo => format!("the undo of step {step}"),
    };
    let what = match &bare.said {
        Said::Started => "it was started".to_owned(),
        Said::Woken => "its time was up".to_owned(),
        Said::Succeeded(step, direction, attempt) => format!("attempt {attempt} of {} was done", half(step, direction)),
        Said::Rejected(step, direction, attempt, reason) => {
            format!("attempt {attempt} of {} was refused: {reason}", half(step, direction))
        }
        Said::Unavailable(step, direction, attempt, reason) => {
            format!("attempt {attempt} of {} brought no answer: {reason}", half(step, direction))
        }
        Said::Action(verb, name, _) => format!("{} chose {}", actor(name), verb.as_str()),
    };
    let sentence = format!("Entry {} says that at {} {what}.", bare.version, rfc3339(bare.at));
    Past { at: bare.at, half: None, attempts: 0, sentence }
}
