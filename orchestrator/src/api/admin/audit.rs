//! What operators did, and whether a request was carried out before.

use crate::api::admin::fields::{MAX_ACTOR, words};
use crate::api::lookup::kept;
use crate::api::view;
use baton_engine::store::audit::{AuditRow, hex};
use baton_engine::store::{Fingerprint, StoreError};
use baton_operations::Operations;
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use tonic::Status;
use uuid::Uuid;

/// What operators did.
pub struct Audits<'a> {
    pub(in crate::api) operations: Option<&'a Operations>,
}

impl Audits<'_> {
    /// The act that came with this request id, if one did and asked for the same; REQUEST_ID_REUSED if it asked for
    /// something else. To be asked before a request is judged, since by then it may be one that would be refused, and again
    /// if its transaction finds the id taken.
    pub(super) async fn repeated(
        &self,
        request: Option<Uuid>,
        content: Fingerprint,
    ) -> Result<Option<AuditRow>, Status> {
        let Some(request) = request else { return Ok(None) };
        match kept(self.operations)?.audited(request).await.map_err(|error| of_store(&error))? {
            Some(row) if row.audit.content == content => Ok(Some(row)),
            Some(_) => Err(SagaReason::RequestIdReused.status("request_id: it was used before for another act")),
            None => Ok(None),
        }
    }

    pub(super) async fn list_audit_entries(
        &self,
        request: wire::ListAuditEntriesRequest,
    ) -> Result<wire::ListAuditEntriesResponse, Status> {
        let operations = kept(self.operations)?;
        let mut violations = Violations::new();
        // Actors hold no line break, so that no two pairs make one text.
        let query = format!("audit {}\n{}", request.actor, request.subject);
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let before = violations.keep("page_token", before(&query, &request.page_token));
        let actor = violations.keep("actor", actor(request.actor));
        let (Some(size), Some(before), Some(actor)) = (size, before, actor) else {
            return Err(violations.into_status());
        };
        let subject = Some(request.subject).filter(|subject| !subject.is_empty());
        let rows = operations.audit_page(before, subject, actor, size + 1).await;
        let mut rows = rows.map_err(|error| match error {
            StoreError::Unreadable(_) | StoreError::Refused(_) => {
                tracing::error!(%error, "audit cannot be read");
                SagaReason::Internal.status("an entry cannot be read; `baton verify --audit` says which")
            }
            error => of_store(&error),
        })?;
        let next_page_token = page::cut(&mut rows, size, &query, |last| last.number.to_be_bytes());
        Ok(wire::ListAuditEntriesResponse { entries: rows.into_iter().map(entry).collect(), next_page_token })
    }
}

/// The number that a page token leads behind.
fn before(query: &str, token: &str) -> Result<Option<u64>, Flaw> {
    let number = |key: Vec<u8>| key.as_slice().try_into().map(u64::from_be_bytes);
    let number = page::key(query, token)?.map(number).transpose();
    number.map_err(|_| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be a token of this list"))
}

fn actor(text: String) -> Result<Option<String>, Flaw> {
    if text.is_empty() { Ok(None) } else { words(text, MAX_ACTOR, Reason::ACTOR_INVALID).map(Some) }
}

fn entry(row: AuditRow) -> wire::AuditEntry {
    let AuditRow { number, audit, journal: _, previous: _, hash } = row;
    wire::AuditEntry {
        name: format!("auditEntries/{number}"),
        number,
        event_time: Some(view::timestamp(audit.at)),
        actor: audit.actor,
        act: audit.act,
        subject: audit.subject,
        reason: audit.reason,
        before: audit.before,
        after: audit.after,
        version: audit.version,
        request_id: audit.request.map(|request| request.to_string()).unwrap_or_default(),
        hash: hex(&hash),
    }
}
