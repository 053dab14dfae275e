//! What operators did: written down in the transaction that does it, and found again by request id.

use async_trait::async_trait;
use baton_engine::store::StoreError;
use baton_engine::store::audit::AuditRow;
use std::fmt;
use uuid::Uuid;

pub use baton_engine::store::audit::{NewAudit, RequestTaken, content};

/// The chain of acts, as it is asked. It is written by whatever carries an act out, in the same transaction: after a crash the
/// act and its entry are both there, or neither.
#[async_trait]
pub trait AuditLog: Send + Sync + fmt::Debug + 'static {
    /// The act that came with a request id, if one was carried out.
    async fn audited(&self, request: Uuid) -> Result<Option<AuditRow>, StoreError>;

    /// A page of acts, newest first: those before entry `before`, on `subject`, of `actor`, as far as these are given.
    async fn audit_page(
        &self,
        before: Option<u64>,
        subject: Option<String>,
        actor: Option<String>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError>;
}
