//! Moves sorted into lanes: the time between two moves is a span of the half-step that was at work.

use super::fold::{Folded, Move};
use super::{ActionTaken, Doing, Ended, Lane, LaneOutcome, Span, Timeline};
use crate::acts::End;
use crate::escape;
use crate::step_position::{StepPosition, position};
use saga_core::definition::Definition;
use saga_core::event::{Event, JournalRecord, Outcome, Verb};
use saga_core::machine::{SAGA_DEADLINE, TIMEOUT};
use saga_core::saga::{Saga, State, Wait};
use saga_core::time::Micros;

pub(super) fn draw(definition: Option<&Definition>, folded: Folded<'_>, now: Micros) -> Timeline {
    let first = folded.moves.first().map(|first| first.entry.at);
    let from = first.or_else(|| folded.bare.first().map(|bare| bare.at)).unwrap_or(now);
    let mut timeline = Timeline {
        from,
        to: now.max(from),
        end: None,
        lanes: Vec::new(),
        actions: Vec::new(),
        bare: folded.bare,
        broken: folded.broken,
    };
    // Without a definition nothing was folded.
    let Some(definition) = definition else { return timeline };
    for step in &folded.moves {
        if let (Some(before), JournalRecord::Moved(event)) = (&step.before, &step.entry.record) {
            timeline.moved(definition, before, event, step);
        }
    }
    if let Some(last) = folded.moves.last() {
        timeline.stands(definition, &last.after, now);
    }
    timeline
}

impl Timeline {
    fn moved(&mut self, definition: &Definition, before: &Saga, event: &Event, step: &Move<'_>) {
        let Some((half, attempt)) = StepPosition::of(definition, before) else { return };
        if let Event::Action(action) = event {
            self.actions.push(ActionTaken {
                at: step.entry.at,
                verb: action.verb,
                actor: escape::words(&action.actor),
                why: escape::words(&action.reason),
                half: Some(half.clone()),
            });
        }
        let is_late = deadline_passed(before, &step.after);
        let has_left = match (position(&before.state), position(&step.after.state)) {
            (Some((step, direction, _)), Some((next, other, _))) => (step, direction) != (next, other),
            (Some(_), None) | (None, _) => true,
        };
        let span = Span {
            from: before.updated_at,
            to: step.after.updated_at,
            doing: doing(&before.state),
            ended: ended(event, before, is_late),
        };
        let lane = self.lane(half, attempt);
        lane.spans.push(span);
        if has_left {
            lane.outcome = outcome(event, is_late);
        }
    }

    /// Where the saga stands after its last move.
    fn stands(&mut self, definition: &Definition, saga: &Saga, now: Micros) {
        match StepPosition::of(definition, saga) {
            Some((half, attempt)) => {
                let to = now.max(saga.updated_at);
                self.to = self.to.max(to);
                let span = Span { from: saga.updated_at, to, doing: doing(&saga.state), ended: Ended::Open };
                self.lane(half, attempt).spans.push(span);
            }
            None => self.to = saga.updated_at,
        }
        self.end = match &saga.state {
            State::Completed => Some(End::Completed),
            State::Compensated { cause: _ } => Some(End::Compensated),
            State::Running { .. } | State::Compensating { .. } | State::Stuck { .. } | State::Paused { .. } => None,
        };
    }

    /// The lane of a half-step: a saga never comes back to one that it has left, so it is the last or a new one.
    fn lane(&mut self, half: StepPosition, attempt: u32) -> &mut Lane {
        let is_new = self.lanes.last().is_none_or(|lane| lane.half != half);
        if is_new {
            self.lanes.push(Lane { half, spans: Vec::new(), attempts: 0, outcome: LaneOutcome::Open });
        }
        let last = self.lanes.len() - 1;
        let lane = &mut self.lanes[last];
        lane.attempts = lane.attempts.max(attempt);
        lane
    }
}

fn doing(state: &State) -> Doing {
    match state {
        State::Running { step: _, wait } | State::Compensating { step: _, wait, cause: _ } => match wait {
            Wait::Reply { attempt, .. } => Doing::Attempt(*attempt),
            Wait::Backoff { attempt, .. } => Doing::Backoff(*attempt),
        },
        State::Paused { resume: _ } => Doing::Paused,
        State::Stuck { .. } | State::Completed | State::Compensated { .. } => Doing::Stuck,
    }
}

/// True if the saga's own deadline made it unwind in this move.
fn deadline_passed(before: &Saga, after: &Saga) -> bool {
    before.cause().is_none() && after.cause().is_some_and(|cause| cause.reason == SAGA_DEADLINE)
}

fn ended(event: &Event, before: &Saga, is_late: bool) -> Ended {
    match event {
        Event::Reply(reply) => match &reply.outcome {
            Outcome::Succeeded { output: _ } => Ended::Succeeded(reply.attempt),
            Outcome::Rejected { reason, message: _ } => Ended::Rejected(reply.attempt, escape::reason(reason)),
            Outcome::Unavailable { reason, message: _ } => Ended::Unavailable(escape::reason(reason)),
        },
        Event::Wake if is_late => Ended::Deadline,
        Event::Wake => match doing(&before.state) {
            Doing::Attempt(_) => Ended::TimedOut,
            Doing::Backoff(_) | Doing::Stuck | Doing::Paused => Ended::SentAgain,
        },
        Event::Action(action) => Ended::ByOperator(action.verb),
    }
}

/// How the half-step at work was left by this event.
fn outcome(event: &Event, is_late: bool) -> LaneOutcome {
    match event {
        Event::Reply(reply) => match &reply.outcome {
            Outcome::Succeeded { output: _ } => LaneOutcome::Done,
            Outcome::Rejected { reason, message: _ } => LaneOutcome::Refused(escape::reason(reason)),
            Outcome::Unavailable { .. } if is_late => LaneOutcome::Deadline,
            Outcome::Unavailable { reason, message: _ } => LaneOutcome::GivenUp(escape::reason(reason)),
        },
        Event::Wake if is_late => LaneOutcome::Deadline,
        Event::Wake => LaneOutcome::GivenUp(TIMEOUT.to_owned()),
        Event::Action(action) => match action.verb {
            Verb::Cancel => LaneOutcome::Cancelled,
            Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone => LaneOutcome::ByHand(action.verb),
            // They only leave a half-step whose saga's deadline has passed meanwhile.
            Verb::Retry | Verb::Resume | Verb::Pause => LaneOutcome::Deadline,
        },
    }
}
