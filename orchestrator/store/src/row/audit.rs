//! Audit entries and their rows mapped to each other.

use crate::row::{Undecodable, version_value};
use baton_engine::store::Fingerprint;
use baton_engine::store::audit::{AuditRow, NewAudit};
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use uuid::Uuid;

/// Columns of table `audit`, in the order [`audit_values`] writes and [`decode_audit`] reads them.
pub const AUDIT_COLUMNS: [&str; 15] = [
    "number",
    "at",
    "actor",
    "act",
    "subject",
    "reason",
    "before_state",
    "after_state",
    "saga_id",
    "version",
    "request_id",
    "content",
    "journal",
    "previous",
    "hash",
];

/// A row of table `audit`.
#[must_use]
pub fn audit_values(row: &AuditRow) -> Vec<Value> {
    let audit = &row.audit;
    vec![
        version_value(row.number).into(),
        audit.at.0.into(),
        audit.actor.as_str().into(),
        audit.act.as_str().into(),
        audit.subject.as_str().into(),
        audit.reason.as_str().into(),
        audit.before.as_str().into(),
        audit.after.as_str().into(),
        audit.saga.map(|saga| saga.0).into(),
        version_value(audit.version).into(),
        audit.request.map(|request| *request.as_bytes()).into(),
        audit.content.0.into(),
        row.journal.into(),
        row.previous.into(),
        row.hash.into(),
    ]
}

/// A row of table `audit` read back.
pub fn decode_audit(row: &Row) -> Result<AuditRow, Undecodable> {
    let text = |index| row.text(index).map(str::to_owned);
    let optional = |index| Ok::<_, Undecodable>(row.opt_bytes(index)?.is_some());
    let number = |index| u64::try_from(row.int(index)?).map_err(|_| Undecodable("negative number".to_owned()));
    Ok(AuditRow {
        number: number(0)?,
        audit: NewAudit {
            at: Micros(row.int(1)?),
            actor: text(2)?,
            act: text(3)?,
            subject: text(4)?,
            reason: text(5)?,
            before: text(6)?,
            after: text(7)?,
            saga: if optional(8)? { Some(SagaId(row.array(8)?)) } else { None },
            version: number(9)?,
            request: if optional(10)? { Some(Uuid::from_bytes(row.array(10)?)) } else { None },
            content: Fingerprint(row.array(11)?),
        },
        journal: if optional(12)? { Some(row.array(12)?) } else { None },
        previous: row.array(13)?,
        hash: row.array(14)?,
    })
}
