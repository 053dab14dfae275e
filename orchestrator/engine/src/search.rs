//! Which sagas are meant: a filter with what it takes to hold it against rows and against records, so that every store
//! answers alike.

use crate::sagas::{Registry, attributes};
use crate::store::Record;
use baton_query::filter::{self, Beside, Expr, Facts, SqlDialect, Translated, Translation};
use saga_core::definition::Definition;
use saga_core::time::Micros;
use std::sync::Arc;

/// A filter, the sagas this build knows, and the moment that durations are relative to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Search(Arc<Criteria>);

#[derive(Debug)]
struct Criteria {
    filter: Expr,
    registry: Registry,
    now: Micros,
}

impl Search {
    /// A search.
    #[must_use]
    pub fn new(filter: Expr, registry: Registry, now: Micros) -> Self {
        Self(Arc::new(Criteria { filter, registry, now }))
    }

    /// The condition over the columns of table `saga`. It selects every row that the filter does; if it is not exact,
    /// perhaps more, and [`Search::matches`] decides.
    #[must_use]
    pub fn condition(&self, dialect: SqlDialect) -> Translated {
        let Criteria { filter, registry, now } = &*self.0;
        let definitions: Vec<&Definition> = registry.iter().map(|saga| saga.definition()).collect();
        // What `SagaType::attributes` promises.
        let translation = Translation { dialect, now: *now, definitions: &definitions, verbatim_input: true };
        filter::to_sql(filter, &translation)
    }

    /// Whether the filter selects the saga.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let Criteria { filter, registry, now } = &*self.0;
        let saga = &record.saga;
        let pinned = registry.pinned(&saga.definition);
        let attributes = pinned.map_or_else(Vec::new, |pinned| attributes::bounded(&**pinned, &saga.input));
        let beside = Beside {
            business_key: &record.business_key,
            traceparent: &record.traceparent,
            last_failure: record.last_failure.as_ref(),
            skipped: &record.skipped,
        };
        let facts = Facts::of(saga, pinned.map(|pinned| pinned.definition()), beside, attributes);
        filter::matches(filter, &facts, *now)
    }
}
