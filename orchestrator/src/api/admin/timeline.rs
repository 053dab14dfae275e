//! A saga over time, and what its messages said: gathered as an explanation is, and shown as far as it can be read.

use crate::api::admin::explain_proto;
use crate::api::lookup::Lookup;
use crate::api::sagas::saga_id;
use crate::api::view::timestamp;
use crate::redact::Redactor;
use baton_engine::sagas::{Part, SagaType};
use baton_engine::store::StoreError;
use baton_operations::reason::of_store;
use baton_proto::baton::saga::v1 as wire;
use baton_query::step_position::StepPosition;
use baton_query::timeline::{
    ActionTaken, Bare, Doing, Ended, Lane, LaneOutcome, Said, Span, Timeline, cut_off, timeline as drawn,
};
use saga_core::event::{Entry, JournalRecord, Verb};
use saga_core::replay;
use saga_core::saga::{DefinitionId, Direction, Saga, SagaId, StepIndex};
use tonic::Status;

/// Journal entries that are drawn at most, as in an explanation.
const MAX_JOURNAL: u32 = 10_000;

/// Actions, and entries that cannot be drawn, listed at most each: the newest.
const MAX_LISTED: usize = 500;

/// Draws what a saga did over time.
pub struct Timelines<'a> {
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) shown: &'a Redactor,
}

impl Timelines<'_> {
    pub(super) async fn timeline(
        &self,
        request: &wire::GetSagaTimelineRequest,
    ) -> Result<wire::GetSagaTimelineResponse, Status> {
        let id = saga_id("name", &request.name)?;
        let mut gaps = Vec::new();
        let row = match self.lookup.store.get(id).await {
            Ok(Some(record)) => Some(record.saga),
            Ok(None) => return Err(self.lookup.not_found(id).await),
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(why, "a saga's row does not decode");
                gaps.push("Its row cannot be read by this build: what is shown here is its journal's.".to_owned());
                None
            }
            Err(error) => return Err(of_store(&error)),
        };
        let journal = self.drawable(id, row.as_ref().map(|saga| saga.version), &mut gaps).await?;
        let saga_type = pinned_by(row.as_ref(), &journal).and_then(|id| self.lookup.registry.pinned(id)).cloned();
        let saga_type = saga_type.as_deref();
        let definition = saga_type.map(SagaType::definition);
        // A row that does not decode is what its journal says it was.
        let saga = row.or_else(|| replay::replay(definition?, &journal).ok());
        let now = self.lookup.store.now().max(saga.as_ref().map_or(self.lookup.store.now(), |saga| saga.updated_at));
        let timeline = drawn(definition, &journal, now);
        match (cut_off(&journal), &timeline.broken) {
            (Some(older), _) => gaps.push(format!(
                "The {older} oldest entries of its journal are left out, so that nothing is drawn here."
            )),
            (None, Some(why)) => gaps.push(format!("Its journal cannot be followed to its end: {why}.")),
            (None, None) => {}
        }
        let payloads = saga.as_ref().map(|saga| payloads(self.shown, saga_type, saga, &timeline)).unwrap_or_default();
        let actions = newest(&timeline.actions, "actions", &mut gaps).iter().map(action).collect();
        let entries = newest(&timeline.bare, "entries", &mut gaps).iter().map(bare).collect();
        let newest = journal.last().map_or(0, |entry| entry.version);
        Ok(wire::GetSagaTimelineResponse {
            version: saga.as_ref().map_or(newest, |saga| saga.version),
            start_time: Some(timestamp(saga.as_ref().map_or(timeline.from, |saga| saga.created_at))),
            end_time: Some(timestamp(timeline.to)),
            lanes: timeline.lanes.iter().map(lane).collect(),
            actions,
            entries,
            gap: gaps.join(" "),
            payloads,
        })
    }

    /// The journal up to `version`; a damaged one is empty, and a gap.
    async fn drawable(&self, id: SagaId, version: Option<u64>, gaps: &mut Vec<String>) -> Result<Vec<Entry>, Status> {
        let after = version.map_or(0, |version| version.saturating_sub(MAX_JOURNAL.into()));
        match self.lookup.store.journal(id, after, MAX_JOURNAL).await {
            Ok(mut journal) => {
                // The saga may have moved since its row was read.
                journal.retain(|entry| version.is_none_or(|version| entry.version <= version));
                let last = journal.last().map_or(0, |entry| entry.version);
                if version.is_some_and(|version| last < version) {
                    gaps.push(format!("Of its journal only the entries up to {last} are drawn."));
                }
                Ok(journal)
            }
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(why, "a journal does not decode");
                gaps.push("Its journal cannot be read by this build, so that nothing is drawn here.".to_owned());
                Ok(Vec::new())
            }
            Err(error) => Err(of_store(&error)),
        }
    }
}

/// The definition a saga is pinned to, by its row or by the first entry of its journal.
fn pinned_by<'a>(row: Option<&'a Saga>, journal: &'a [Entry]) -> Option<&'a DefinitionId> {
    let first = journal.first().and_then(|entry| match &entry.record {
        JournalRecord::Started { definition, input: _ } => Some(definition),
        JournalRecord::Moved(_) => None,
    });
    row.map(|saga| &saga.definition).or(first)
}

fn newest<'a, T>(all: &'a [T], what: &str, gaps: &mut Vec<String>) -> &'a [T] {
    let skipped = all.len().saturating_sub(MAX_LISTED);
    if skipped > 0 {
        gaps.push(format!("The {skipped} oldest {what} are left out here."));
    }
    &all[skipped..]
}

/// Input, each command that was sent, each output.
fn payloads(
    redactor: &Redactor,
    saga_type: Option<&dyn SagaType>,
    saga: &Saga,
    timeline: &Timeline,
) -> Vec<wire::SagaPayload> {
    let input = message_type(saga_type, Part::Input);
    let mut shown = vec![payload(redactor, "input".to_owned(), String::new(), input, &saga.input)];
    if let Some(saga_type) = saga_type {
        let at_work = StepPosition::of(saga_type.definition(), saga);
        let drawn = timeline.lanes.iter().map(|lane| (lane.half.clone(), lane.attempts));
        let mut sent: Vec<StepPosition> = Vec::new();
        for (half, attempts) in drawn.chain(at_work) {
            if attempts > 0 && !sent.contains(&half) {
                sent.push(half);
            }
        }
        shown.extend(sent.iter().map(|half| command(redactor, saga_type, saga, half)));
    }
    shown.extend(saga.outputs.iter().map(|(step, output)| {
        let name = step_name(saga_type, *step);
        payload(redactor, format!("{name}: output"), name, message_type(saga_type, Part::Output(*step)), output)
    }));
    shown
}

/// Payloads are not stored; the same saga gives the same bytes again.
fn command(redactor: &Redactor, saga_type: &dyn SagaType, saga: &Saga, half: &StepPosition) -> wire::SagaPayload {
    let kind = message_type(Some(saga_type), Part::Command(half.position, half.direction));
    let title = match half.direction {
        Direction::Action => format!("{}: command", half.step),
        Direction::Undo => format!("{}: undo command", half.step),
    };
    let bytes = saga_type.payload(saga, half.position, half.direction);
    match bytes {
        Ok(bytes) => payload(redactor, title, half.step.clone(), kind, &bytes),
        // Its type is said and the rest left out: the saga has to be shown all the same.
        Err(_) => wire::SagaPayload {
            title,
            step: half.step.clone(),
            r#type: kind.to_owned(),
            json: String::new(),
            size_bytes: 0,
        },
    }
}

fn payload(redactor: &Redactor, title: String, step: String, kind: &str, bytes: &[u8]) -> wire::SagaPayload {
    wire::SagaPayload {
        title,
        step,
        r#type: kind.to_owned(),
        json: redactor.text(kind, bytes).unwrap_or_default(),
        size_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    }
}

fn message_type(saga_type: Option<&dyn SagaType>, part: Part) -> &'static str {
    saga_type.and_then(|saga_type| saga_type.message_type(part)).unwrap_or_default()
}

fn step_name(saga_type: Option<&dyn SagaType>, step: StepIndex) -> String {
    let known = saga_type.and_then(|saga_type| saga_type.definition().step(step));
    known.map_or_else(|| step.to_string(), |step| step.name.clone())
}

fn lane(lane: &Lane) -> wire::TimelineLane {
    let (outcome, reason) = match &lane.outcome {
        LaneOutcome::Open => (wire::LaneOutcome::Unspecified, ""),
        LaneOutcome::Done => (wire::LaneOutcome::Done, ""),
        LaneOutcome::Refused(reason) => (wire::LaneOutcome::Refused, reason.as_str()),
        LaneOutcome::GivenUp(reason) => (wire::LaneOutcome::GivenUp, reason.as_str()),
        LaneOutcome::Deadline => (wire::LaneOutcome::Deadline, ""),
        LaneOutcome::Cancelled => (wire::LaneOutcome::Cancelled, ""),
        LaneOutcome::ByHand(Verb::Skip) => (wire::LaneOutcome::Skipped, ""),
        LaneOutcome::ByHand(_) => (wire::LaneOutcome::ByHand, ""),
    };
    wire::TimelineLane {
        step: lane.half.step.clone(),
        direction: lane.half.direction.as_str().to_owned(),
        participant: lane.half.participant.clone(),
        spans: lane.spans.iter().map(span).collect(),
        attempts: lane.attempts,
        outcome: outcome.into(),
        reason: reason.to_owned(),
    }
}

fn span(span: &Span) -> wire::TimelineSpan {
    let (activity, attempt) = match span.doing {
        Doing::Attempt(attempt) => (wire::SpanActivity::Attempt, attempt),
        Doing::Backoff(attempt) => (wire::SpanActivity::Backoff, attempt),
        Doing::Stuck => (wire::SpanActivity::Stuck, 0),
        Doing::Paused => (wire::SpanActivity::Paused, 0),
    };
    let (end, reason) = match &span.ended {
        Ended::Open => (wire::SpanEnd::Unspecified, ""),
        Ended::Succeeded(_) => (wire::SpanEnd::Succeeded, ""),
        Ended::Rejected(_, reason) => (wire::SpanEnd::Rejected, reason.as_str()),
        Ended::Unavailable(reason) => (wire::SpanEnd::Unavailable, reason.as_str()),
        Ended::TimedOut => (wire::SpanEnd::TimedOut, ""),
        Ended::SentAgain => (wire::SpanEnd::SentAgain, ""),
        Ended::Deadline => (wire::SpanEnd::Deadline, ""),
        Ended::ByOperator(verb) => (wire::SpanEnd::Operator, verb.as_str()),
    };
    wire::TimelineSpan {
        start_time: Some(timestamp(span.from)),
        end_time: Some(timestamp(span.to)),
        activity: activity.into(),
        attempt,
        end: end.into(),
        reason: reason.to_owned(),
    }
}

fn action(action: &ActionTaken) -> wire::TimelineAction {
    let half = action.half.as_ref();
    wire::TimelineAction {
        event_time: Some(timestamp(action.at)),
        verb: explain_proto::verb(action.verb).into(),
        actor: action.actor.clone(),
        reason: action.why.clone(),
        step: half.map(|half| half.step.clone()).unwrap_or_default(),
        direction: half.map(|half| half.direction.as_str().to_owned()).unwrap_or_default(),
    }
}

fn bare(bare: &Bare) -> wire::TimelineEntry {
    let half = |step: &StepIndex, direction: &Direction, attempt: &u32| match direction {
        Direction::Action => format!("Attempt {attempt} at step {step}"),
        Direction::Undo => format!("Attempt {attempt} at the undo of step {step}"),
    };
    let sentence = match &bare.said {
        Said::Started => "It was started.".to_owned(),
        Said::Woken => "Its time was up.".to_owned(),
        Said::Succeeded(step, direction, attempt) => format!("{} was done.", half(step, direction, attempt)),
        Said::Rejected(step, direction, attempt, reason) => {
            format!("{} was refused: {reason}.", half(step, direction, attempt))
        }
        Said::Unavailable(step, direction, attempt, reason) => {
            format!("{} brought no answer: {reason}.", half(step, direction, attempt))
        }
        Said::Action(verb, actor, why) if why.is_empty() => format!("{actor} chose {}.", verb.as_str()),
        Said::Action(verb, actor, why) => format!("{actor} chose {}: {why}", verb.as_str()),
    };
    wire::TimelineEntry { event_time: Some(timestamp(bare.at)), version: bare.version, sentence }
}
