//! Operations in the database that holds the sagas, whose tables are made by the same migrations.

mod audit;
mod gauges;
mod holds;
mod incidents;
mod instances;
mod jobs;
mod letters;

use crate::OpsStore;
use crate::audit::{NewAudit, RequestTaken};
use baton_engine::store::{SagaStore, StoreError};
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use baton_store::sql::{SqlStore, store_error};
use saga_core::time::Micros;
use std::time::Duration;

impl OpsStore for SqlStore {
    fn now(&self) -> Micros {
        SagaStore::now(self)
    }
}

/// Writes an act down, in the transaction that carries it out and as the last thing in it: the chain's head stays locked
/// until the commit. `Err(RequestTaken)` if an act with the same request id is written down already: then roll back, and
/// answer by what [`crate::audit::AuditLog::audited`] finds. After a crash the act and its entry are both there,
/// or neither.
pub async fn append(tx: &mut Tx, act: NewAudit) -> Result<Result<(), RequestTaken>, SqlError> {
    baton_store::sql::audit::append(tx, &[act]).await
}

/// One statement in a transaction of its own; returns the rows it matched.
async fn update(store: &SqlStore, sql: &'static str, args: Vec<Value>) -> Result<u64, StoreError> {
    let done = store.database().transaction(move |tx| {
        let args = args.clone();
        Box::pin(async move { Ok(Verdict::Commit(tx.execute(sql, args).await?)) })
    });
    done.await.map_err(store_error)
}

fn until(now: Micros, lease: Duration) -> Value {
    now.plus(lease).0.into()
}

fn count(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
