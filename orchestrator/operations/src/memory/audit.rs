//! The audit in memory, asked.

use super::MemoryOperations;
use crate::audit::AuditLog;
use async_trait::async_trait;
use baton_engine::store::StoreError;
use baton_engine::store::audit::AuditRow;
use uuid::Uuid;

#[async_trait]
impl AuditLog for MemoryOperations {
    async fn audited(&self, request: Uuid) -> Result<Option<AuditRow>, StoreError> {
        self.read(|_, sagas| sagas.requests.get(&request).and_then(|place| sagas.audit.get(*place)).cloned()).await
    }

    async fn audit_page(
        &self,
        before: Option<u64>,
        subject: Option<String>,
        actor: Option<String>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let wanted = |row: &&AuditRow| {
            before.is_none_or(|before| row.number < before)
                && subject.as_ref().is_none_or(|subject| *subject == row.audit.subject)
                && actor.as_ref().is_none_or(|actor| *actor == row.audit.actor)
        };
        self.read(|_, sagas| sagas.audit.iter().rev().filter(wanted).take(limit as usize).cloned().collect()).await
    }
}
