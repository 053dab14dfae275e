//! The index of attributes: what a saga is found by, and how far a store is in writing it down. The same for every store.

use crate::sagas::{Registry, attributes};
use crate::trace::trace_id;
use baton_query::filter::{Attribute, TextField};
use baton_query::skips::SkippedHalf;
use saga_core::saga::{DefinitionId, SagaId};
use saga_core::time::Micros;
use std::time::Duration;

/// How far behind the clock the index stays. Nearly every start commits within it, so that nearly none has to write its attributes
/// itself; a search looks at the sagas of this time one by one.
pub const BEHIND: Duration = Duration::from_secs(1);

/// How far a step got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// How many sagas it looked at.
    pub sagas: usize,
    /// When the oldest saga was created that it has not reached; `None` if there is none.
    pub until: Option<Micros>,
    /// True if the next step has work already.
    pub more: bool,
}

/// Everything a saga is found by through the index. A definition that this build does not know gives its trace alone.
pub fn found_by(registry: &Registry, definition: &DefinitionId, traceparent: &str, input: &[u8]) -> Vec<Attribute> {
    let own = registry.pinned(definition).map(|pinned| attributes::bounded(&**pinned, input));
    with_trace(own.unwrap_or_default(), traceparent)
}

/// A saga's own attributes, and its trace.
pub fn with_trace(mut own: Vec<Attribute>, traceparent: &str) -> Vec<Attribute> {
    let trace = trace_id(traceparent);
    own.extend((!trace.is_empty()).then(|| Attribute::new(TextField::TraceId.name(), trace)));
    own
}

/// What a saga is found by of which something was skipped: each step, and by an empty value that there is one.
pub fn with_skips(skipped: &[SkippedHalf]) -> Vec<Attribute> {
    let name = TextField::Skipped.name();
    let steps = skipped.iter().map(|half| half.step.as_str());
    steps.chain((!skipped.is_empty()).then_some("")).map(|value| Attribute::new(name, value)).collect()
}

/// When a saga of this id was created, by its id: a UUIDv7 begins with 48 bits of milliseconds.
#[must_use]
pub fn time_of(id: SagaId) -> Micros {
    let millis = id.0[..6].iter().fold(0_i64, |millis, byte| millis << 8 | i64::from(*byte));
    Micros(millis.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::purge::first_id_at;

    #[test]
    fn an_id_tells_its_time() {
        let at = Micros(1_700_000_000_005_000);
        assert_eq!(time_of(first_id_at(at)), at);
        assert_eq!(time_of(SagaId([0; 16])), Micros(0));
        assert!(time_of(SagaId([0xff; 16])) > at);
    }
}
