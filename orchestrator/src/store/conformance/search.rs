//! Searches and counts, against the filter itself.

use super::sample::{self, id, record};
use super::{Store, put};
use crate::sagas::Registry;
use crate::search::Search;
use crate::store::{Counted, Record, SearchQuery};
use baton_operate::filter::parse;

/// Filters of every kind: what columns decide, what they do not, and what nothing matches.
const FILTERS: [&str; 22] = [
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
    "next_wake < -1h",
    "NOT next_wake:*",
    "age > 1h AND updated_at < 2024-01-01T00:00:00Z",
    "age < 1s",
    "trace_id:4bf92f35",
    "customer:*",
    "customer != anna",
];

/// Whatever the bounds, page after page brings every saga that the filter selects, newest first, each once; and they are
/// counted as they are listed.
pub(super) async fn searches_find_what_the_filter_selects(store: &Store) {
    let states = sample::every_state();
    let records: Vec<_> = (0..20)
        .map(|n| {
            let mut record = record(id(16, n), states[n as usize % states.len()].1.clone());
            record.business_key = "searched".to_owned();
            record
        })
        .collect();
    put(store, records.clone()).await;
    for filter in FILTERS {
        let expr = parse(&format!("{filter} order = searched")).expect(filter);
        let search = Search::new(expr, Registry::default(), store.now());
        let expected: Vec<_> = records.iter().rev().filter(|record| search.matches(record)).cloned().collect();
        for (limit, max_rows) in [(100, 10_000), (1, 10_000), (3, 10_000), (100, 1), (3, 2)] {
            assert_eq!(all_pages(store, &search, limit, max_rows).await, expected, "{filter}: {limit} of {max_rows}");
        }
        let count = expected.len() as u64;
        let counted = store.count(search.clone(), 100, 10_000).await.expect("count");
        assert_eq!(counted, Counted { count, exact: true }, "{filter}");
        let counted = store.count(search.clone(), 1, 10_000).await.expect("count");
        assert_eq!(counted, Counted { count: count.min(1), exact: count <= 1 }, "{filter}: no further than the limit");
        let counted = store.count(search, 100, 1).await.expect("count");
        assert!(counted.count == count || !counted.exact, "{filter}: what was not looked at is no zero");
    }
    let search = Search::new(parse("order = \"searched \"").expect("a filter"), Registry::default(), store.now());
    assert_eq!(store.count(search, 100, 10_000).await.expect("count").count, 0, "keys compare byte by byte");
}

/// Everything that a search finds, page by page.
async fn all_pages(store: &Store, search: &Search, limit: u32, max_rows: u32) -> Vec<Record> {
    let mut records = Vec::new();
    let mut before = None;
    loop {
        let found =
            store.search(SearchQuery { search: search.clone(), before, limit, max_rows }).await.expect("search");
        assert!(found.records.len() <= limit as usize && found.unreadable.is_empty());
        let full = found.records.len() == limit as usize;
        records.extend(found.records);
        let Some(next) = found.next else { return records };
        assert!(before.is_none_or(|before| next < before), "each page goes on");
        assert!(full || max_rows < 10_000, "a page is short before the end only for want of rows");
        before = Some(next);
    }
}
