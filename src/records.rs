//! Words for what the services answer: times, states, verbs.

use baton_console::verb_names;
use baton_proto::baton::saga::v1::{SagaState, SagaVerb};
use prost_types::Timestamp;

/// RFC 3339 in UTC, or nothing.
#[must_use]
pub fn time(stamp: Option<&Timestamp>) -> String {
    let time = stamp.and_then(|stamp| jiff::Timestamp::new(stamp.seconds, stamp.nanos).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// `COMPLETED`, or the bare number of a state that this build does not know.
#[must_use]
pub fn saga_state(number: i32) -> String {
    let known =
        SagaState::try_from(number).map(|state| state.as_str_name().trim_start_matches("SAGA_STATE_").to_owned());
    known.unwrap_or_else(|_| number.to_string())
}

/// The word for an action, as on the command line; nothing for one that this build does not know.
#[must_use]
pub fn saga_verb(verb: SagaVerb) -> &'static str {
    verb_names::verb(verb).unwrap_or_default()
}
