//! Jobs as messages, and what has become of their sagas.

use crate::api::admin::explain_proto;
use crate::api::lookup::Lookup;
use crate::api::view;
use baton_engine::store::{StateCode, StoreError};
use baton_operations::gauges::Group;
use baton_operations::jobs::{Job, JobFailure, JobState};
use baton_operations::reason::of_store;
use baton_proto::baton::saga::v1 as wire;
use baton_query::step_position::position;
use tonic::Status;

/// A job as a message, without what became of its sagas.
pub(super) fn as_wire(job: &Job) -> wire::Job {
    let state = match job.state {
        JobState::Running => wire::JobState::Running,
        JobState::Paused => wire::JobState::Paused,
        JobState::Done => wire::JobState::Done,
        JobState::Cancelled => wire::JobState::Cancelled,
    };
    wire::Job {
        name: format!("jobs/{}", job.id),
        filter: job.filter.clone(),
        preset: job.preset.clone(),
        verb: explain_proto::verb(job.verb).into(),
        reason: job.reason.clone(),
        actor: job.actor.clone(),
        max_rate: job.max_rate,
        state: state.into(),
        matched: job.matched,
        matched_exact: job.matched_exact,
        done: job.done,
        failed: job.failed,
        create_time: Some(view::timestamp(job.created_at)),
        update_time: Some(view::timestamp(job.updated_at)),
        waits: job.waits.clone(),
        outcomes: Vec::new(),
    }
}

/// A saga that refused as a message.
pub(super) fn failure_as_wire(failure: JobFailure) -> wire::JobFailure {
    wire::JobFailure {
        saga: view::name_of(failure.saga),
        rule: failure.rule,
        message: failure.message,
        event_time: Some(view::timestamp(failure.at)),
    }
}

/// Sagas that were acted on and stand at one place; of stuck ones why the first of them is.
pub(super) async fn outcome(lookup: Lookup<'_>, group: &Group) -> Result<wire::JobOutcome, Status> {
    let (example, mut step, mut cause) = (group.example, String::new(), None);
    match lookup.store.get(example).await {
        Ok(Some(record)) => {
            if let Some((at, ..)) = position(&record.saga.state) {
                step = view::step_name(lookup.registry, &record.saga, at);
            }
            cause = record.cause().filter(|_| group.state == StateCode::Stuck).cloned();
        }
        // It has been forgotten since, or cannot be read: it is counted all the same.
        Ok(None) | Err(StoreError::Unreadable(_)) => {}
        Err(error) => return Err(of_store(&error)),
    }
    let (reason, message) = cause.map(|cause| (cause.reason, cause.message)).unwrap_or_default();
    Ok(wire::JobOutcome {
        state: view::code(group.state).into(),
        direction: if step.is_empty() { String::new() } else { group.direction.as_str().to_owned() },
        step,
        count: group.count,
        example: view::name_of(example),
        reason,
        message,
    })
}
