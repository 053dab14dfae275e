//! Sagas and journals as messages.

use baton_engine::sagas::Registry;
use baton_engine::store::Record;
use baton_engine::store::StateCode;
use baton_engine::trace::trace_id;
use baton_proto::baton::saga::v1 as wire;
use baton_query::filter::StateKind;
use baton_query::skips::SkippedHalf;
use baton_query::step_position::position;
use saga_core::event::{Entry, Event, JournalRecord, Outcome};
use saga_core::saga::{Direction, Saga, SagaId, State, StepIndex};
use saga_core::time::Micros;
use uuid::Uuid;

/// `sagas/{uuid}`.
#[must_use]
pub fn saga_name(saga: &Saga) -> String {
    name_of(saga.id)
}

/// The same from an id.
#[must_use]
pub fn name_of(id: SagaId) -> String {
    format!("sagas/{}", Uuid::from_bytes(id.0))
}

/// One saga as its callers see it. Of a definition this build does not know, steps are shown by number.
#[must_use]
pub fn saga(registry: &Registry, record: &Record) -> wire::Saga {
    let saga = &record.saga;
    let position = position(&saga.state);
    let cause = record.cause();
    wire::Saga {
        name: saga_name(saga),
        definition: saga.definition.name.clone(),
        definition_version: saga.definition.version,
        state: state_code(&saga.state).into(),
        step: position.map(|(step, ..)| step_name(registry, saga, step)).unwrap_or_default(),
        direction: position.map(|(_, direction, _)| direction.as_str().to_owned()).unwrap_or_default(),
        attempt: position.map_or(0, |(.., attempt)| attempt),
        wake_time: saga.wake_at().map(timestamp),
        version: saga.version,
        business_key: record.business_key.clone(),
        reason: cause.map(|cause| cause.reason.clone()).unwrap_or_default(),
        message: cause.map(|cause| cause.message.clone()).unwrap_or_default(),
        create_time: Some(timestamp(saga.created_at)),
        update_time: Some(timestamp(saga.updated_at)),
        trace_id: trace_id(&record.traceparent).to_owned(),
        skipped: record.skipped.iter().map(skipped).collect(),
    }
}

fn skipped(half: &SkippedHalf) -> wire::SkippedStep {
    wire::SkippedStep { step: half.step.clone(), direction: half.direction.as_str().to_owned() }
}

/// A kind of state as an enum of the API.
#[must_use]
pub fn kind(kind: StateKind) -> wire::SagaState {
    match kind {
        StateKind::Running => wire::SagaState::Running,
        StateKind::Compensating => wire::SagaState::Compensating,
        StateKind::Stuck => wire::SagaState::Stuck,
        StateKind::Paused => wire::SagaState::Paused,
        StateKind::Completed => wire::SagaState::Completed,
        StateKind::Compensated => wire::SagaState::Compensated,
    }
}

/// A stored code of a state as an enum of the API.
#[must_use]
pub fn code(code: StateCode) -> wire::SagaState {
    match code {
        StateCode::Running => wire::SagaState::Running,
        StateCode::Compensating => wire::SagaState::Compensating,
        StateCode::Stuck => wire::SagaState::Stuck,
        StateCode::Paused => wire::SagaState::Paused,
        StateCode::Completed => wire::SagaState::Completed,
        StateCode::Compensated => wire::SagaState::Compensated,
    }
}

/// The state as an enum of the API.
#[must_use]
pub fn state_code(state: &State) -> wire::SagaState {
    code(StateCode::of(state))
}

/// The name of a step, or its number where the definition is unknown.
#[must_use]
pub fn step_name(registry: &Registry, saga: &Saga, step: StepIndex) -> String {
    let known = registry.pinned(&saga.definition);
    let name = known.and_then(|saga_type| saga_type.definition().steps().get(usize::from(step)));
    name.map_or_else(|| step.to_string(), |step| step.name.clone())
}

/// A moment as a protobuf timestamp.
#[must_use]
pub fn timestamp(at: Micros) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        // The remainder is below a million, so the product fits.
        nanos: i32::try_from(at.0.rem_euclid(1_000_000) * 1000).unwrap_or(0),
    }
}

/// A state as text: `running trip.open`, `stuck undo card.credit`, `completed`.
#[must_use]
pub fn state_text(registry: &Registry, saga: &Saga) -> String {
    let name = saga.state.name();
    match position(&saga.state) {
        Some((step, Direction::Action, _)) => format!("{name} {}", step_name(registry, saga, step)),
        Some((step, Direction::Undo, _)) => format!("{name} undo {}", step_name(registry, saga, step)),
        None => name.to_owned(),
    }
}

/// One journal entry, with the states before and after it where they are known.
#[must_use]
pub fn event(registry: &Registry, entry: &Entry, before: Option<&Saga>, after: Option<&Saga>) -> wire::SagaEvent {
    let told = Told::of(&entry.record);
    let named = after.or(before);
    // A wake or an action concerns the half-step that the saga was at.
    let at = told.at.or_else(|| position(&before?.state));
    wire::SagaEvent {
        name: format!("sagas/{}/events/{}", Uuid::from_bytes(entry.saga.0), entry.version),
        version: entry.version,
        event_time: Some(timestamp(entry.at)),
        event: told.event.to_owned(),
        from: before.map(|saga| state_text(registry, saga)).unwrap_or_default(),
        to: after.map(|saga| state_text(registry, saga)).unwrap_or_default(),
        step: match (at, named) {
            (Some((step, ..)), Some(saga)) => step_name(registry, saga, step),
            (Some((step, ..)), None) => step.to_string(),
            (None, _) => String::new(),
        },
        direction: at.map(|(_, direction, _)| direction.as_str().to_owned()).unwrap_or_default(),
        attempt: at.map_or(0, |(.., attempt)| attempt),
        reason: told.reason,
        message: told.message,
    }
}

/// An event in words.
struct Told {
    event: &'static str,
    at: Option<(StepIndex, Direction, u32)>,
    reason: String,
    message: String,
}

impl Told {
    fn of(record: &JournalRecord) -> Self {
        let plain = |event| Self { event, at: None, reason: String::new(), message: String::new() };
        match record {
            JournalRecord::Started { .. } => plain("started"),
            JournalRecord::Moved(Event::Wake) => plain("wake"),
            JournalRecord::Moved(Event::Action(action)) => {
                let event = action.verb.as_str();
                Self { reason: action.reason.clone(), message: format!("by {}", action.actor), ..plain(event) }
            }
            JournalRecord::Moved(Event::Reply(reply)) => {
                let (event, reason, message) = match &reply.outcome {
                    Outcome::Succeeded { .. } => ("succeeded", String::new(), String::new()),
                    Outcome::Rejected { reason, message } => ("rejected", reason.clone(), message.clone()),
                    Outcome::Unavailable { reason, message } => ("unavailable", reason.clone(), message.clone()),
                };
                Self { event, at: Some((reply.step, reply.direction, reply.attempt)), reason, message }
            }
        }
    }
}
