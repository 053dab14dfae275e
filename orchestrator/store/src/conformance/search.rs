//! Searches and counts, against the filter itself.

use super::sample::{self, id, record};
use super::{Store, put};
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::Record;
use baton_engine::store::query::{Counted, SearchQuery};
use baton_query::filter::parse;
use baton_query::sort::{OrderBy, SortField};
use saga_core::saga::State;

/// Filters of every kind: what columns decide, what they do not, and what nothing matches.
const FILTERS: [&str; 28] = [
    "",
    "state = running",
    "state = stuck OR state = paused",
    "NOT state = completed",
    "wait = backoff",
    "attempt >= 3",
    "step = 1",
    "step:*",
    "step != 2",
    "definition = sample definition_version = 3",
    "definition = other",
    "reason = OUT_OF_STOCK",
    "reason != OUT_OF_STOCK",
    "reason:ATTEMPTS -state:compensated",
    "reason = NOT_THERE",
    "reason = AWAY state = running",
    "reason:*",
    "NOT reason:*",
    "next_wake < -1h",
    "NOT next_wake:*",
    "age > 1h AND updated_at < 2024-01-01T00:00:00Z",
    "age < 1s",
    "trace_id:4bf92f35",
    "customer:*",
    "customer != anna",
    "skipped = room.book",
    "skipped != room.book",
    "NOT skipped:*",
];

/// Whatever the bounds and the order, page after page brings every saga that the filter selects, in order, each once; and they are
/// counted as they are listed.
pub(super) async fn searches_find_what_the_filter_selects(store: &Store) {
    let states = sample::every_state();
    let records: Vec<_> = (0..20)
        .map(|n| {
            let mut record = record(id(16, n), states[n as usize % states.len()].1.clone());
            record.business_key = "searched".to_owned();
            // Neither the order of the ids nor the opposite, and some at the same time.
            record.saga.updated_at.0 += i64::from(n * 7 % 5) * 1_000;
            // Every state that tries again once with what it gets over and once without.
            let tries = record.saga.wake_at().is_some() || matches!(record.saga.state, State::Paused { .. });
            record.last_failure = (tries && n as usize >= states.len()).then(|| sample::cause(1, "AWAY"));
            record
        })
        .collect();
    put(store, records.clone()).await;
    for filter in FILTERS {
        let expr = parse(&format!("{filter} key = searched"), &["customer"]).expect(filter);
        let search = Search::new(expr, Registry::default(), store.now());
        let expected: Vec<_> = records.iter().rev().filter(|record| search.matches(record)).cloned().collect();
        for (limit, max_rows) in [(100, 10_000), (1, 10_000), (3, 10_000), (100, 1), (3, 2)] {
            let found = all_pages(store, &search, OrderBy::default(), limit, max_rows).await;
            assert_eq!(found, expected, "{filter}: {limit} of {max_rows}");
        }
        for (field, descending) in SortField::ALL.into_iter().flat_map(|field| [(field, true), (field, false)]) {
            let order = OrderBy { field, descending };
            let mut expected: Vec<_> = expected.iter().filter(|it| order.cursor(&it.saga).is_some()).cloned().collect();
            expected.sort_by_key(|record| order.cursor(&record.saga));
            if descending {
                expected.reverse();
            }
            for (limit, max_rows) in [(100, 10_000), (2, 10_000), (3, 2)] {
                let found = all_pages(store, &search, order, limit, max_rows).await;
                assert_eq!(found, expected, "{filter} by {order:?}: {limit} of {max_rows}");
            }
        }
        let count = expected.len() as u64;
        let counted = store.count(search.clone(), 100, 10_000).await.expect("count");
        assert_eq!(counted, Counted { count, exact: true }, "{filter}");
        let counted = store.count(search.clone(), 1, 10_000).await.expect("count");
        assert_eq!(counted, Counted { count: count.min(1), exact: count <= 1 }, "{filter}: no further than the limit");
        let counted = store.count(search, 100, 1).await.expect("count");
        assert!(counted.count == count || !counted.exact, "{filter}: what was not looked at is no zero");
    }
    let search = Search::new(parse("key = \"searched \"", &[]).expect("a filter"), Registry::default(), store.now());
    assert_eq!(store.count(search, 100, 10_000).await.expect("count").count, 0, "keys compare byte by byte");
}

/// Everything that a search finds, page by page.
pub(super) async fn all_pages(
    store: &Store,
    search: &Search,
    order: OrderBy,
    limit: u32,
    max_rows: u32,
) -> Vec<Record> {
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let query = SearchQuery { search: search.clone(), order, after, limit, max_rows };
        let found = store.search(query).await.expect("search");
        assert!(found.records.len() <= limit as usize && found.unreadable.is_empty());
        let full = found.records.len() == limit as usize;
        records.extend(found.records);
        let Some(next) = found.next else { return records };
        assert!(after.is_none_or(|after| order.is_before(after, next)), "each page goes on");
        assert!(full || max_rows < 10_000, "a page is short before the end only for want of rows");
        after = Some(next);
    }
}
