//! Answers of the services as records to show: names as in proto JSON, states without their prefix, times in RFC 3339.

use crate::show::Record;
use baton_console::word;
use baton_proto::baton::saga::v1::{AuditEntry, Saga, SagaEnd, SagaEvent, SagaState, SagaVerb};
use baton_query::moment::spoken;
use prost_types::Timestamp;
use serde_json::{Value, json};

/// RFC 3339 in UTC, or nothing.
#[must_use]
pub fn time(stamp: Option<&Timestamp>) -> Value {
    let text =
        stamp.and_then(|stamp| jiff::Timestamp::new(stamp.seconds, stamp.nanos).ok()).map(|time| time.to_string());
    json!(text)
}

/// The name of a state without its prefix, or the bare number of one that this build does not know.
#[must_use]
pub fn state(number: i32, known: Option<&'static str>, prefix: &str) -> String {
    known.map_or_else(|| number.to_string(), |name| name.trim_start_matches(prefix).to_owned())
}

/// `COMPLETED`, or the bare number.
#[must_use]
pub fn saga_state(number: i32) -> String {
    state(number, SagaState::try_from(number).ok().map(|it| it.as_str_name()), "SAGA_STATE_")
}

/// `completed`, or nothing for an end that this build does not know.
#[must_use]
pub fn end(number: i32) -> &'static str {
    match SagaEnd::try_from(number) {
        Ok(SagaEnd::Completed) => "completed",
        Ok(SagaEnd::Compensated) => "compensated",
        Ok(SagaEnd::Stuck) => "stuck",
        Ok(SagaEnd::Unspecified) | Err(_) => "",
    }
}

/// The word for an order, as on the command line; nothing for one that this build does not know.
#[must_use]
pub fn saga_verb(verb: SagaVerb) -> &'static str {
    word::verb(verb).unwrap_or_default()
}

impl Record for AuditEntry {
    const COLUMNS: &'static [&'static str] =
        &["number", "eventTime", "actor", "act", "subject", "before", "after", "reason"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("number", json!(self.number)),
            ("eventTime", time(self.event_time.as_ref())),
            ("actor", json!(self.actor)),
            ("act", json!(self.act)),
            ("subject", json!(self.subject)),
            ("reason", json!(self.reason)),
            ("before", json!(self.before)),
            ("after", json!(self.after)),
            ("version", json!(self.version)),
            ("requestId", json!(self.request_id)),
            ("hash", json!(self.hash)),
        ]
    }
}

impl Record for Saga {
    const COLUMNS: &'static [&'static str] =
        &["name", "definition", "state", "step", "direction", "attempt", "businessKey", "reason", "wakeTime"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("definition", json!(self.definition)),
            ("definitionVersion", json!(self.definition_version)),
            ("state", json!(saga_state(self.state))),
            ("step", json!(self.step)),
            ("direction", json!(self.direction)),
            ("attempt", json!(self.attempt)),
            ("wakeTime", time(self.wake_time.as_ref())),
            ("version", json!(self.version)),
            ("businessKey", json!(self.business_key)),
            ("reason", json!(self.reason)),
            ("message", json!(self.message)),
            ("createTime", time(self.create_time.as_ref())),
            ("updateTime", time(self.update_time.as_ref())),
            ("traceId", json!(self.trace_id)),
        ]
    }
}

/// A saga in a list, where one whose row does not decode is named all the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    /// A saga.
    Saga(Box<Saga>),
    /// The name of one that cannot be read.
    Unreadable(String),
}

impl Listed {
    /// One page, newest first: names of sagas stand in the order of their ids.
    #[must_use]
    pub fn page(sagas: Vec<Saga>, unreadable: Vec<String>) -> Vec<Self> {
        let sagas = sagas.into_iter().map(|saga| Self::Saga(Box::new(saga)));
        let mut page: Vec<Self> = sagas.chain(unreadable.into_iter().map(Self::Unreadable)).collect();
        page.sort_by(|one, other| other.name().cmp(one.name()));
        page
    }

    fn name(&self) -> &str {
        match self {
            Self::Saga(saga) => &saga.name,
            Self::Unreadable(name) => name,
        }
    }
}

impl Record for Listed {
    const COLUMNS: &'static [&'static str] =
        &["name", "state", "step", "direction", "attempt", "reason", "age", "wakeTime", "businessKey"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Saga(saga) => saga.fields(),
            Self::Unreadable(name) => vec![("name", json!(name)), ("state", json!("UNREADABLE"))],
        }
    }
    fn shown(&self, column: &str) -> Option<String> {
        match self {
            Self::Saga(saga) if column == "age" => saga.create_time.as_ref().map(age),
            Self::Saga(_) | Self::Unreadable(_) => None,
        }
    }
}

/// Time since a moment, as people say it.
fn age(since: &Timestamp) -> String {
    let since = jiff::Timestamp::new(since.seconds, since.nanos).unwrap_or_default();
    let age = jiff::Timestamp::now().duration_since(since);
    spoken(std::time::Duration::try_from(age).unwrap_or_default())
}

impl Record for SagaEvent {
    const COLUMNS: &'static [&'static str] =
        &["version", "eventTime", "event", "from", "to", "step", "direction", "attempt", "reason"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("version", json!(self.version)),
            ("eventTime", time(self.event_time.as_ref())),
            ("event", json!(self.event)),
            ("from", json!(self.from)),
            ("to", json!(self.to)),
            ("step", json!(self.step)),
            ("direction", json!(self.direction)),
            ("attempt", json!(self.attempt)),
            ("reason", json!(self.reason)),
            ("message", json!(self.message)),
        ]
    }
}
