//! The audit, asked.

use crate::audit::AuditLog;
use async_trait::async_trait;
use baton_engine::store::StoreError;
use baton_engine::store::audit::AuditRow;
use baton_store::sql::SqlStore;
use baton_store::sql::audit::{self, AuditQuery};
use uuid::Uuid;

#[async_trait]
impl AuditLog for SqlStore {
    async fn audited(&self, request: Uuid) -> Result<Option<AuditRow>, StoreError> {
        audit::of_request(self.database(), request).await
    }

    async fn audit_page(
        &self,
        before: Option<u64>,
        subject: Option<String>,
        actor: Option<String>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let query = AuditQuery { before, subject, actor, limit };
        audit::page(self.database(), query).await
    }
}
