//! What operators did: written down in the transaction that does it, and found again by request id.

use crate::operations::Operations;
use crate::store::StoreError;
use crate::store::audit::AuditRow;
use crate::store::sql::audit::{self, AuditQuery};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use uuid::Uuid;

pub use crate::store::audit::{NewAudit, RequestTaken, content};

/// Writes an act down, in the transaction that carries it out and as the last thing in it: the chain's head stays locked
/// until the commit. `Err(RequestTaken)` if an act with the same request id is written down already: then roll back, and
/// answer by what [`Operations::audited`] finds. After a crash the act and its entry are both there, or neither.
pub async fn append(tx: &mut Tx, act: NewAudit) -> Result<Result<(), RequestTaken>, SqlError> {
    audit::append(tx, &[act]).await
}

impl Operations {
    /// The act that came with a request id, if one was carried out.
    pub async fn audited(&self, request: Uuid) -> Result<Option<AuditRow>, StoreError> {
        audit::of_request(self.store.database(), request).await
    }

    /// A page of acts, newest first: those before entry `before`, on `subject`, of `actor`, as far as these are given.
    pub async fn audit_page(
        &self,
        before: Option<u64>,
        subject: Option<String>,
        actor: Option<String>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let query = AuditQuery { before, subject, actor, limit };
        audit::page(self.store.database(), query).await
    }
}
