//! Audit entries appended: the last thing a transaction does, so that the head is held for as short as can be.

use crate::row;
use crate::row::audit::{AUDIT_COLUMNS, audit_values, decode_audit};
use crate::sql::journal_digest::{Reader, journal_digests};
use crate::sql::store_error;
use baton_engine::store::StoreError;
use baton_engine::store::audit::{AuditRow, Head, NewAudit, RequestTaken};
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Appends entries to the chain, in order, in the caller's transaction. Everything they speak of must be written before:
/// sagas, then journals, then this, which locks the chain's head until the commit. Says so if
/// a request id is taken: then the transaction must be rolled back. No entries, no statement.
pub async fn append(tx: &mut Tx, audits: &[NewAudit]) -> Result<Result<(), RequestTaken>, SqlError> {
    if audits.is_empty() {
        return Ok(Ok(()));
    }
    let bound = audits.iter().filter_map(|audit| Some((audit.saga?, audit.version)));
    let digests = journal_digests(&mut Reader::Transaction(tx), bound).await?;
    let mut head = lock_head(tx).await?;
    if any_taken(tx, audits).await? {
        return Ok(Err(RequestTaken));
    }
    let rows = audits.iter().map(|audit| {
        let journal = audit.saga.and_then(|saga| digests.get(&(saga, audit.version)).copied());
        audit_values(&head.next(audit.clone(), journal))
    });
    let rows = rows.collect();
    match tx.insert_many("audit", &AUDIT_COLUMNS, rows).await {
        // Nobody else numbers while the head is locked: the head, or an entry, has been tampered with.
        Err(SqlError::Duplicate(why)) => {
            return Err(SqlError::Refused(format!("the audit goes beyond its head: {why}")));
        }
        inserted => inserted?,
    };
    let args = vec![row::version_value(head.number).into(), head.hash.into()];
    tx.execute("UPDATE audit_head SET number = ?, hash = ? WHERE id = 1", args).await?;
    Ok(Ok(()))
}

async fn lock_head(tx: &mut Tx) -> Result<Head, SqlError> {
    let sql = format!("SELECT number, hash FROM audit_head WHERE id = 1{}", tx.for_update());
    let rows = tx.query(&sql, Vec::new()).await?;
    // Without it nobody could tell where the chain ended: no act is better than one that hides what was done to the audit.
    let row = rows.first().ok_or_else(|| SqlError::Refused("the audit's head is missing".to_owned()))?;
    decode_head(row)
}

/// The head as stored.
pub fn decode_head(row: &Row) -> Result<Head, SqlError> {
    let number =
        u64::try_from(row.int(0)?).map_err(|_| SqlError::Refused("the audit's head is negative".to_owned()))?;
    Ok(Head { number, hash: row.array(1)? })
}

/// Whether a request id is taken, by an entry or by two of these. Asked with the head locked: the answer stays true.
async fn any_taken(tx: &mut Tx, audits: &[NewAudit]) -> Result<bool, SqlError> {
    let mut requests = BTreeSet::new();
    for request in audits.iter().filter_map(|audit| audit.request) {
        if !requests.insert(request) {
            return Ok(true);
        }
    }
    let ids = requests.into_iter().map(|request| Value::from(*request.as_bytes())).collect();
    let taken = tx.select_in("SELECT number FROM audit WHERE request_id", Vec::new(), ids, "").await?;
    Ok(!taken.is_empty())
}

/// The act that came with a request id, if one did.
pub async fn of_request(db: &Database, request: Uuid) -> Result<Option<AuditRow>, StoreError> {
    let sql = format!("SELECT {} FROM audit WHERE request_id = ?", AUDIT_COLUMNS.join(", "));
    let rows = db.query(&sql, vec![(*request.as_bytes()).into()]).await.map_err(store_error)?;
    let row = rows.first().map(decode_audit).transpose();
    row.map_err(|error| StoreError::Unreadable(format!("an audit entry: {error}")))
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only entries before this number: the keyset.
    pub before: Option<u64>,
    /// Only acts on this subject.
    pub subject: Option<String>,
    /// Only acts of this actor.
    pub actor: Option<String>,
    /// At most this many, newest first.
    pub limit: u32,
}

/// A page of entries, newest first.
pub async fn page(db: &Database, query: AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
    let AuditQuery { before, subject, actor, limit } = query;
    let mut conditions = Vec::new();
    let mut args = Vec::new();
    if let Some(number) = before {
        conditions.push("number < ?".to_owned());
        args.push(row::version_value(number).into());
    }
    for (column, text) in [("subject", subject), ("actor", actor)] {
        if let Some(text) = text {
            // MariaDB's `=` passes over trailing spaces.
            conditions.push(format!("{column} = ? AND LENGTH({column}) = LENGTH(?)"));
            args.extend([Value::from(text.clone()), Value::from(text)]);
        }
    }
    args.push(Value::from(limit));
    let condition = if conditions.is_empty() { "1 = 1".to_owned() } else { conditions.join(" AND ") };
    let columns = AUDIT_COLUMNS.join(", ");
    let sql = format!("SELECT {columns} FROM audit WHERE {condition} ORDER BY number DESC LIMIT ?");
    let rows = db.query(&sql, args).await.map_err(store_error)?;
    let rows = rows.iter().map(decode_audit).collect::<Result<_, _>>();
    rows.map_err(|error| StoreError::Unreadable(format!("an audit entry: {error}")))
}
