//! A look at the sagas that a hold concerns, and the engine that pauses one of them before the look is over.

use super::ORDER_SAGAS;
use crate::support::office::{Office, both};
use async_trait::async_trait;
use baton_orchestrator::sagas::Registry;
use baton_orchestrator::search::Search;
use baton_orchestrator::store::Record;
use baton_orchestrator::store::StoreError;
use baton_orchestrator::store::indexing::Indexed;
use baton_orchestrator::store::purge::Forgotten;
use baton_orchestrator::store::query::{Counted, Found, ListQuery, SagaQuery, SearchQuery};
use baton_orchestrator::workers::holds::Holds;
use baton_shop::saga::registry;
use saga_core::saga::SagaId;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// Answers a step of what each search has found before anybody hears of it.
struct LateSearch(Office);

impl fmt::Debug for LateSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LateSearch")
    }
}

#[async_trait]
impl SagaQuery for LateSearch {
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError> {
        self.0.store.list(query).await
    }

    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError> {
        let found = self.0.store.search(query).await?;
        for record in &found.records {
            self.0.answer(record.saga.id, 1).await;
        }
        Ok(found)
    }

    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
        self.0.store.count(search, limit, max_rows).await
    }

    async fn index(&self, registry: &Registry, limit: u32) -> Result<Option<Indexed>, StoreError> {
        self.0.store.index(registry, limit).await
    }

    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError> {
        self.0.store.forgotten(id).await
    }
}

/// The engine pauses the saga at the version that the look has found it at, and marks it with that.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_comes_too_late_leaves_the_mark_of_the_one_before_it() {
    for office in both().await {
        let saga = office.start(1).await;
        office.hold(ORDER_SAGAS).await.expect("held");
        let (operations, store, engine) = (office.operations.clone(), office.store.clone(), office.api.engine.clone());
        let late = LateSearch(office.clone());
        let worker = Holds::new(operations, store, Arc::new(late), engine, registry(), Uuid::now_v7());
        worker.run_once().await.expect("a round");
        assert_eq!((office.state(saga).await, office.actions(saga).await.len()), ("paused", 1));
        assert_eq!(office.holds().await[0].paused, 1);
        office.release(ORDER_SAGAS).await.expect("releasing");
        worker.run_once().await.expect("a round");
        assert_eq!(office.state(saga).await, "running");
        assert!(office.holds().await.is_empty());
    }
}
