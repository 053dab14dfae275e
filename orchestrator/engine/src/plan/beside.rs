//! What is kept beside a saga as it moves: the failure that it is getting over, and what operators skipped of it.

use super::{Planner, Working};
use baton_query::failure::last_failure;
use baton_query::skips::{self, SkippedHalf};
use saga_core::definition::Definition;
use saga_core::event::JournalRecord;
use saga_core::saga::{Cause, Saga, SagaId};

impl Planner<'_> {
    /// What is kept of the failure that the saga is getting over, once `record` has made `after` of it.
    pub(super) fn last_failure(&self, record: &JournalRecord, after: &Saga) -> Option<Cause> {
        let (JournalRecord::Moved(event), Some(Working { now, .. })) = (record, self.working.get(&after.id)) else {
            return None;
        };
        last_failure(now.last_failure.as_ref(), &now.saga, event, after)
    }

    /// What is skipped of a saga once `record` has moved it on.
    pub(super) fn skipped(&self, definition: &Definition, record: &JournalRecord, id: SagaId) -> Vec<SkippedHalf> {
        let Some(Working { now, .. }) = self.working.get(&id) else { return Vec::new() };
        match record {
            JournalRecord::Moved(event) => skips::skipped(&now.skipped, definition, &now.saga, event),
            JournalRecord::Started { .. } => Vec::new(),
        }
    }
}
