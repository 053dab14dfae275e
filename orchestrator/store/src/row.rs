//! Rows and values mapped to each other, in one place. Stored rows outlive builds: codes and fields keep their meaning.

pub mod audit;
pub mod journal;
mod mutable_columns;

pub use mutable_columns::{MOVING_COLUMNS, Moving};

use baton_engine::store::{Insert, Record, StateCode, causes};
use baton_proto::baton::store::v1 as stored;
use baton_query::filter::MAX_ATTRIBUTE_VALUE;
use baton_query::skips::SkippedHalf;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use prost::Message;
use saga_core::saga::{Cause, DefinitionId, Direction, Resume, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;

/// Why a stored row or blob cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(pub String);

impl From<SqlError> for Undecodable {
    fn from(error: SqlError) -> Self {
        Self(error.to_string())
    }
}

impl From<prost::DecodeError> for Undecodable {
    fn from(error: prost::DecodeError) -> Self {
        Self(format!("damaged blob: {error}"))
    }
}

/// Columns of table `saga`, in the order [`saga_values`] writes and [`decode_saga`] reads them.
pub const SAGA_COLUMNS: [&str; 18] = [
    "id",
    "definition",
    "definition_version",
    "version",
    "state",
    "step",
    "direction",
    "attempt",
    "attempt_last",
    "wait_kind",
    "wake_at",
    "deadline_at",
    "business_key",
    "traceparent",
    "created_at",
    "updated_at",
    "input",
    "data",
];

fn state_of(code: i64) -> Result<StateCode, Undecodable> {
    StateCode::from_stored(code).ok_or_else(|| Undecodable(format!("unknown state {code}")))
}

/// A version as stored.
#[must_use]
pub fn version_value(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// A row of table `saga`.
#[must_use]
pub fn saga_values(record: &Record) -> Vec<Value> {
    let saga = &record.saga;
    let moving = Moving::of(saga);
    vec![
        saga.id.0.into(),
        saga.definition.name.as_str().into(),
        saga.definition.version.into(),
        moving.version.into(),
        (moving.state as u8).into(),
        moving.step.into(),
        moving.direction.into(),
        moving.attempt.into(),
        moving.attempt_last.into(),
        moving.wait_kind.into(),
        moving.wake_at.into(),
        saga.deadline.map(|at| at.0).into(),
        record.business_key.as_str().into(),
        record.traceparent.as_str().into(),
        saga.created_at.0.into(),
        saga.updated_at.0.into(),
        saga.input.as_ref().into(),
        data_value(saga, record.last_failure.as_ref(), &record.skipped),
    ]
}

/// Column `data`: outputs, causes, the last failure and what was skipped.
#[must_use]
pub fn data_value(saga: &Saga, last_failure: Option<&Cause>, skipped: &[SkippedHalf]) -> Value {
    let (cause, stuck) = causes(&saga.state);
    let outputs =
        saga.outputs.iter().map(|(step, output)| stored::StepOutput { step: u32::from(*step), output: output.clone() });
    let data = stored::SagaData {
        outputs: outputs.collect(),
        cause: cause.map(stored_cause),
        stuck: stuck.map(stored_cause),
        last_failure: last_failure.map(stored_cause),
        skipped: skipped.iter().map(stored_skip).collect(),
    };
    data.encode_to_vec().into()
}

/// The id of a row that may not decode otherwise.
pub fn decode_id(row: &Row) -> Result<SagaId, SqlError> {
    row.array(0).map(SagaId)
}

/// A row of table `saga` read back: every column must agree with its state, so that a damaged row is seen here and not
/// acted upon.
pub fn decode_saga(row: &Row) -> Result<Record, Undecodable> {
    let data = stored::SagaData::decode(row.bytes(17)?)?;
    let mut outputs: Vec<(StepIndex, Bytes)> = Vec::with_capacity(data.outputs.len());
    for output in data.outputs {
        outputs.push((step_index(output.step)?, output.output));
    }
    let saga = Saga {
        id: decode_id(row)?,
        definition: DefinitionId { name: row.text(1)?.to_owned(), version: narrow(row, 2)? },
        version: u64::try_from(row.int(3)?).map_err(|_| Undecodable("negative version".to_owned()))?,
        state: decode_state(row, data.cause, data.stuck)?,
        created_at: Micros(row.int(14)?),
        updated_at: Micros(row.int(15)?),
        deadline: row.opt_int(11)?.map(Micros),
        input: Bytes::copy_from_slice(row.bytes(16)?),
        outputs,
    };
    // Written again it must be the same: a column that its state does not use, or a second deadline, shows here.
    if saga.version == 0 || Moving::of(&saga).values()[..8] != row.0[3..11] {
        return Err(Undecodable("the columns do not fit the state".to_owned()));
    }
    Ok(Record {
        saga,
        business_key: row.text(12)?.to_owned(),
        traceparent: row.text(13)?.to_owned(),
        last_failure: data.last_failure.map(read_cause).transpose()?,
        skipped: data.skipped.into_iter().map(read_skip).collect(),
    })
}

fn decode_state(row: &Row, cause: Option<stored::Cause>, stuck: Option<stored::Cause>) -> Result<State, Undecodable> {
    let step = step_index(narrow(row, 5)?)?;
    let direction = match row.int(6)? {
        0 => Direction::Action,
        1 => Direction::Undo,
        other => return Err(Undecodable(format!("unknown direction {other}"))),
    };
    let attempt: u32 = narrow(row, 7)?;
    let cause = cause.map(read_cause).transpose()?;
    let needed = |cause: Option<Cause>| cause.ok_or_else(|| Undecodable("the cause is missing".to_owned()));
    Ok(match (state_of(row.int(4)?)?, direction) {
        (StateCode::Running, Direction::Action) => State::Running { step, wait: decode_wait(row, attempt)? },
        (StateCode::Compensating, Direction::Undo) => {
            State::Compensating { step, wait: decode_wait(row, attempt)?, cause: needed(cause)? }
        }
        (StateCode::Stuck, _) => {
            let why = needed(stuck.map(read_cause).transpose()?)?;
            State::Stuck { step, direction, attempt, why, unwinding: cause }
        }
        (StateCode::Paused, Direction::Action) => State::Paused { resume: Resume::Run { step, attempt } },
        (StateCode::Paused, Direction::Undo) => {
            State::Paused { resume: Resume::Unwind { step, attempt, cause: needed(cause)? } }
        }
        (StateCode::Completed, Direction::Action) => State::Completed,
        (StateCode::Compensated, Direction::Undo) => State::Compensated { cause: needed(cause)? },
        (code, direction) => {
            return Err(Undecodable(format!("state {code:?} with direction {}", direction.as_str())));
        }
    })
}

fn decode_wait(row: &Row, attempt: u32) -> Result<Wait, Undecodable> {
    let last = narrow(row, 8)?;
    let until = Micros(row.int(10)?);
    match row.int(9)? {
        1 => Ok(Wait::Reply { attempt, last, until }),
        2 => Ok(Wait::Backoff { attempt, last, until }),
        other => Err(Undecodable(format!("unknown wait {other}"))),
    }
}

/// Whether the texts of a new saga fit their columns; the reason if not. Checked for every store alike, because SQLite
/// bounds no text.
pub fn check_insert(insert: &Insert) -> Result<(), String> {
    let record = &insert.record;
    let texts = [
        ("definition", &record.saga.definition.name, 64),
        ("business key", &record.business_key, 128),
        ("traceparent", &record.traceparent, 64),
    ];
    let attributes = insert.attributes.iter();
    let attributes = attributes.map(|attribute| ("attribute", &attribute.value, MAX_ATTRIBUTE_VALUE));
    match texts.into_iter().chain(attributes).find(|(_, text, most)| text.len() > *most) {
        Some((name, text, most)) => Err(format!("{name} of {} bytes, at most {most} fit", text.len())),
        None => Ok(()),
    }
}

fn stored_cause(cause: &Cause) -> stored::Cause {
    stored::Cause { step: u32::from(cause.step), reason: cause.reason.clone(), message: cause.message.clone() }
}

fn read_cause(cause: stored::Cause) -> Result<Cause, Undecodable> {
    Ok(Cause { step: step_index(cause.step)?, reason: cause.reason, message: cause.message })
}

fn stored_skip(half: &SkippedHalf) -> stored::SkippedHalf {
    stored::SkippedHalf { step: half.step.clone(), undo: half.direction == Direction::Undo }
}

fn read_skip(half: stored::SkippedHalf) -> SkippedHalf {
    let direction = if half.undo { Direction::Undo } else { Direction::Action };
    SkippedHalf { step: half.step, direction }
}

fn step_index(step: u32) -> Result<StepIndex, Undecodable> {
    StepIndex::try_from(step).map_err(|_| Undecodable(format!("step {step} is out of range")))
}

fn narrow(row: &Row, column: usize) -> Result<u32, Undecodable> {
    let value = row.int(column)?;
    u32::try_from(value).map_err(|_| Undecodable(format!("{} is {value}", SAGA_COLUMNS[column])))
}
