//! Definitions as messages, and back.

use baton_engine::sagas::Registry;
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;
use prost::Message as _;
use saga_core::definition::{DEFAULT_TIMEOUT, Definition, Kind, Step};
use saga_core::retry::RetryPolicy;
use saga_core::saga::DefinitionId;
use std::time::Duration;
use tonic::Status;

/// `definitions/{name}/versions/{version}`.
pub(super) fn name_of(id: &DefinitionId) -> String {
    format!("definitions/{}/versions/{}", id.name, id.version)
}

/// The definition that a resource name names; version `-` is the newest.
pub(super) fn name(text: &str, registry: &Registry) -> Result<DefinitionId, Flaw> {
    let form =
        || Flaw::new(Reason::NAME_INVALID, "must be definitions/NAME/versions/VERSION, or - for the newest version");
    let (name, version) =
        text.strip_prefix("definitions/").and_then(|rest| rest.split_once("/versions/")).ok_or_else(form)?;
    if name.is_empty() || name.contains('/') {
        return Err(form());
    }
    let version = match version {
        "-" => registry.newest(name).map_or(0, |saga| saga.definition().id().version),
        version => version.parse().map_err(|_| form())?,
    };
    Ok(DefinitionId { name: name.to_owned(), version })
}

/// A definition as a message, without what only the store knows of it.
pub(super) fn told(definition: &Definition) -> wire::Definition {
    let mut told = wire::Definition {
        name: name_of(definition.id()),
        steps: definition.steps().iter().map(step_told).collect(),
        deadline: definition.deadline().map(span),
        ..wire::Definition::default()
    };
    told.digest = blake3::hash(&told.encode_to_vec()).to_hex().to_string();
    told
}

fn step_told(step: &Step) -> wire::DefinitionStep {
    let kind = match step.kind {
        Kind::Compensatable => wire::StepKind::Compensatable,
        Kind::Pivot => wire::StepKind::Pivot,
        Kind::Retriable => wire::StepKind::Retriable,
    };
    wire::DefinitionStep {
        step: step.name.clone(),
        participant: step.participant.clone(),
        kind: kind.into(),
        action: step.action.clone().unwrap_or_default(),
        undo: step.undo.clone().unwrap_or_default(),
        covered_by: step.covered_by.clone().unwrap_or_default(),
        timeout: Some(span(step.timeout)),
        retry: Some(retry_told(step.retry)),
        undo_timeout: Some(span(step.undo_timeout)),
        undo_retry: Some(retry_told(step.undo_retry)),
    }
}

fn retry_told(policy: RetryPolicy) -> wire::RetryPolicy {
    wire::RetryPolicy {
        base: Some(span(policy.base())),
        factor: policy.factor(),
        cap: Some(span(policy.cap())),
        attempts: policy.attempts(),
    }
}

fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// A definition that somebody wrote down.
pub(super) fn definition(asked: &wire::Definition, registry: &Registry) -> Result<Definition, Status> {
    let mut violations = Violations::new();
    let id = violations.keep("definition.name", name(&asked.name, registry));
    let deadline = violations.keep("definition.deadline", read_span(asked.deadline.as_ref()));
    let mut steps = Vec::new();
    for (index, step) in asked.steps.iter().enumerate() {
        steps.extend(read_step(&format!("definition.steps[{index}]"), step, &mut violations));
    }
    let (Some(id), Some(deadline), true) = (id, deadline, steps.len() == asked.steps.len()) else {
        return Err(violations.into_status());
    };
    Definition::from_steps(id, steps, deadline).map_err(|error| {
        violations.add("definition", Flaw::new(Reason::DEFINITION_INVALID, error.to_string()));
        violations.into_status()
    })
}

fn read_step(path: &str, step: &wire::DefinitionStep, violations: &mut Violations) -> Option<Step> {
    let kind = match wire::StepKind::try_from(step.kind) {
        Ok(wire::StepKind::Compensatable) => Ok(Kind::Compensatable),
        Ok(wire::StepKind::Pivot) => Ok(Kind::Pivot),
        Ok(wire::StepKind::Retriable) => Ok(Kind::Retriable),
        Ok(wire::StepKind::Unspecified) => Err(Flaw::new(Reason::FIELD_REQUIRED, "must say which kind the step is of")),
        Err(_) => Err(Flaw::new(Reason::ENUM_UNKNOWN, "must be a StepKind")),
    };
    let kind = violations.keep(format!("{path}.kind"), kind);
    let timeout = violations.keep(format!("{path}.timeout"), read_span(step.timeout.as_ref()));
    let undo_timeout = violations.keep(format!("{path}.undo_timeout"), read_span(step.undo_timeout.as_ref()));
    let usual = match kind {
        Some(Kind::Retriable) => RetryPolicy::RETRIABLE,
        Some(Kind::Compensatable | Kind::Pivot) | None => RetryPolicy::BEFORE_PIVOT,
    };
    let retry = violations.keep(format!("{path}.retry"), read_retry(step.retry.as_ref(), usual));
    let undo_retry =
        violations.keep(format!("{path}.undo_retry"), read_retry(step.undo_retry.as_ref(), RetryPolicy::UNDO));
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Step {
        name: step.step.clone(),
        participant: step.participant.clone(),
        kind: kind?,
        action: some(&step.action),
        undo: some(&step.undo),
        covered_by: some(&step.covered_by),
        timeout: timeout?.unwrap_or(DEFAULT_TIMEOUT),
        retry: retry?,
        undo_timeout: undo_timeout?.unwrap_or(DEFAULT_TIMEOUT),
        undo_retry: undo_retry?,
    })
}

fn read_span(span: Option<&prost_types::Duration>) -> Result<Option<Duration>, Flaw> {
    let read = |span: &prost_types::Duration| {
        let seconds = u64::try_from(span.seconds).ok()?;
        let nanos = u32::try_from(span.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    };
    let flaw = || Flaw::new(Reason::DURATION_INVALID, "must be a duration, not negative");
    span.map(|span| read(span).ok_or_else(flaw)).transpose()
}

fn read_retry(policy: Option<&wire::RetryPolicy>, usual: RetryPolicy) -> Result<RetryPolicy, Flaw> {
    let Some(policy) = policy else { return Ok(usual) };
    let base = read_span(policy.base.as_ref())?.unwrap_or(usual.base());
    let cap = read_span(policy.cap.as_ref())?.unwrap_or(usual.cap());
    RetryPolicy::new(base, policy.factor, cap, policy.attempts)
        .map_err(|error| Flaw::new(Reason::DEFINITION_INVALID, error.to_string()))
}
