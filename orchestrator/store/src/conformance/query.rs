//! What people ask: lists and searches.

use super::{Store, attributes, put, search};
use crate::conformance::sample::{START, id, record, running};
use baton_engine::store::StateCode;
use baton_engine::store::query::ListQuery;
use saga_core::saga::State;

/// Runs every law of [`baton_engine::store::query::SagaQuery`].
///
/// # Panics
/// If the store breaks one.
pub(super) async fn exercise(store: &Store) {
    pages_follow_the_keyset(store).await;
    search::searches_find_what_the_filter_selects(store).await;
    attributes::attributes_are_found_however_far_the_index_is(store).await;
}

async fn pages_follow_the_keyset(store: &Store) {
    let records: Vec<_> = (0..7)
        .map(|n| {
            let state = if n % 2 == 0 { State::Completed } else { running(0, START) };
            let mut record = record(id(4, n), state);
            record.business_key = "shared".to_owned();
            record
        })
        .collect();
    put(store, records.clone()).await;
    let mut query = ListQuery { business_key: Some("shared".to_owned()), limit: 3, ..ListQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.list(query.clone()).await.expect("list");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        query.before = Some(last.saga.id);
        seen.extend(page);
    }
    assert!(seen.iter().eq(records.iter().rev()), "newest first, each once");
    let states = vec![StateCode::Completed, StateCode::Stuck];
    let query = ListQuery { states, business_key: Some("shared".to_owned()), limit: 100, before: None };
    assert_eq!(store.list(query).await.expect("list").len(), 4);
    for other in ["SHARED", "shared ", "share"] {
        let query = ListQuery { business_key: Some(other.to_owned()), limit: 100, ..ListQuery::default() };
        assert!(store.list(query).await.expect("list").is_empty(), "keys compare byte by byte: {other:?}");
    }
    assert!(store.list(ListQuery::default()).await.expect("list").is_empty(), "a limit of 0 lists nothing");
}
