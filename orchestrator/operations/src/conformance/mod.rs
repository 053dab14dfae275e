//! The suite that operations pass wherever they are kept. It wants an empty store and leaves its rows behind.

mod audit;
mod figures;
mod holds;
mod jobs;
mod letters;

use crate::OpsStore;
use crate::audit::{NewAudit, content};
use baton_engine::store::query::WholeStore;
use baton_engine::store::{Changes, Record};
use baton_store::conformance::sample::{always, insert, started};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Operations under test, and the sagas whose state they share.
pub struct Suite {
    /// The sagas.
    pub store: Arc<dyn WholeStore>,
    /// The operations.
    pub operations: Arc<dyn OpsStore>,
    /// Moves the clock of both.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
}

/// Runs every law.
///
/// # Panics
/// If the operations break one.
pub async fn exercise(suite: Suite) {
    audit::exercise(&suite).await;
    holds::exercise(&suite).await;
    jobs::exercise(&suite).await;
    letters::exercise(&suite).await;
    figures::exercise(&suite).await;
}

impl Suite {
    async fn put(&self, record: Record) {
        let changes =
            Changes { journal: vec![started(&record.saga)], inserts: vec![insert(record)], ..Changes::default() };
        self.store.commit(Vec::new(), always(changes)).await.expect("insert");
    }

    /// An act on something that is no saga, under this request id.
    fn act(&self, act: &str, subject: &str, request: u128) -> NewAudit {
        NewAudit {
            at: self.operations.now(),
            actor: "ada".to_owned(),
            act: act.to_owned(),
            subject: subject.to_owned(),
            reason: "for people: naïve 🚀".to_owned(),
            before: String::new(),
            after: String::new(),
            saga: None,
            version: 0,
            request: Some(Uuid::from_u128(request)),
            content: content(&[act.as_bytes(), subject.as_bytes()]),
        }
    }

    /// Whether an act is written down under this request id.
    async fn is_audited(&self, request: u128) -> bool {
        self.operations.audited(Uuid::from_u128(request)).await.expect("audit").is_some()
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").finish_non_exhaustive()
    }
}
