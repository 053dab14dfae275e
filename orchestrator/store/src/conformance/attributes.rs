//! What sagas are found by beside their columns: the same before the index has reached them, while it does, and after.

use super::Store;
use super::sample::{Labelled, always, id, record, started};
use super::search::all_pages;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::purge::first_id_at;
use baton_engine::store::query::SearchQuery;
use baton_engine::store::{Changes, Insert, Record};
use baton_query::filter::parse;
use baton_query::sort::{OrderBy, SortField};
use saga_core::saga::State;
use saga_core::time::Micros;

/// Filters that an index serves, alone and among others, and filters that none does.
const FILTERS: [&str; 18] = [
    "region = eu",
    "region = EU",
    "region = \"eu \"",
    "region = \"\"",
    "region = é",
    "region = \"50%\"",
    "label = b",
    "label = b AND region = eu",
    "label = a AND NOT region = eu AND state = completed",
    "label = a label = b",
    "label = a OR region = eu",
    "region:e",
    "region != eu",
    "NOT label:*",
    "label = nobody",
    "trace_id = 4bf92f3577b34da6a3ce929d0e0e4700",
    "trace_id = 4bf92f3577b34da6a3ce929d0e0e4701 AND label = a",
    "trace_id:4bf92f3577b34da6",
];

const REGIONS: [&str; 6] = ["eu", "EU", "eu ", "é", "50%", ""];

pub(super) async fn attributes_are_found_however_far_the_index_is(store: &Store) {
    let labelled = Labelled::new("labelled", 1);
    let mut inserts: Vec<Insert> = (100..124).map(|n| start(&labelled, n)).collect();
    put(store, &inserts).await;
    let registry = labelled.registry();
    are_found(store, &registry, &inserts).await;
    // By steps that end among them, from before the first on; nothing else moves meanwhile.
    let mut steps = 0;
    while store.index(&registry, 5).await.expect("index").is_some_and(|step| step.more) {
        steps += 1;
        if steps % 8 == 0 {
            are_found(store, &registry, &inserts).await;
        }
    }
    are_found(store, &registry, &inserts).await;

    // The index has passed these by, if there is one.
    let labelled = Labelled::new("labelled", 1);
    let late: Vec<Insert> = (0..12).map(|n| start(&labelled, n)).collect();
    put(store, &late).await;
    inserts.splice(0..0, late);
    are_found(store, &registry, &inserts).await;
    let again = store.index(&registry, 5).await.expect("index");
    assert!(again.is_none_or(|step| !step.more && step.until.is_none()), "nothing is left");
    are_found(store, &registry, &inserts).await;
    super::a_skip_is_found(store).await;
    is_said_how_far_it_is(store, &registry).await;
}

fn start(labelled: &Labelled, n: u32) -> Insert {
    let mut record =
        record(id(24, n), if n.is_multiple_of(3) { State::Completed } else { super::running(0, super::START) });
    record.traceparent = format!("00-4bf92f3577b34da6a3ce929d0e0e47{:02x}-00f067aa0ba902b7-01", n % 4);
    let mut input = format!("region={}", REGIONS[n as usize % REGIONS.len()]);
    for (label, every) in [("a", 2), ("b", 3), ("a", 4)] {
        if n.is_multiple_of(every) {
            input.push_str(&format!("\nlabel={label}"));
        }
    }
    labelled.insert(record, &input)
}

async fn put(store: &Store, inserts: &[Insert]) {
    let journal = inserts.iter().map(|insert| started(&insert.record.saga)).collect();
    let changes = Changes { inserts: inserts.to_vec(), journal, ..Changes::default() };
    store.commit(Vec::new(), always(changes)).await.expect("insert");
}

/// `inserts` are in the order of their ids, and the only sagas of their definition.
async fn are_found(store: &Store, registry: &Registry, inserts: &[Insert]) {
    for filter in FILTERS {
        let text = format!("definition = labelled AND ({filter})");
        let search = Search::new(parse(&text, &Labelled::NAMES).expect(filter), registry.clone(), store.now());
        let records = inserts.iter().map(|insert| &insert.record);
        let oldest_first: Vec<Record> = records.filter(|record| search.matches(record)).cloned().collect();
        for descending in [true, false] {
            let order = OrderBy { field: SortField::CreateTime, descending };
            let mut expected = oldest_first.clone();
            if descending {
                expected.reverse();
            }
            for (limit, max_rows) in [(100, 10_000), (3, 10_000), (3, 4)] {
                let found = all_pages(store, &search, order, limit, max_rows).await;
                assert_eq!(found, expected, "{filter} by {order:?}: {limit} of {max_rows}");
            }
        }
        let by_time = OrderBy { field: SortField::UpdateTime, descending: true };
        assert_eq!(all_pages(store, &search, by_time, 5, 10_000).await.len(), oldest_first.len(), "{filter}");
        let counted = store.count(search, 1_000, 10_000).await.expect("count");
        assert_eq!((counted.count, counted.exact), (oldest_first.len() as u64, true), "{filter}");
    }
}

/// By searches that the index leads, as long as it has not reached all.
async fn is_said_how_far_it_is(store: &Store, registry: &Registry) {
    let said = async |filter: &str| {
        let search = Search::new(parse(filter, &Labelled::NAMES).expect(filter), registry.clone(), store.now());
        let query = SearchQuery { search, order: OrderBy::default(), after: None, limit: 5, max_rows: 10_000 };
        store.search(query).await.expect("search").indexed_until
    };
    assert_eq!(said("region = eu").await, None);
    let born = Micros((store.now().0 / 1_000 + 60_000) * 1_000);
    let mut young = start(&Labelled::new("labelled", 1), 0);
    young.record.saga.id = first_id_at(born);
    put(store, &[young]).await;
    let indexed = store.index(registry, 5).await.expect("index");
    assert!(indexed.is_none_or(|step| step.until == Some(born) && !step.more), "that one is too young");
    for (filter, is_led) in [("region = eu", true), ("region != eu", false), ("state = stuck region = eu", false)] {
        assert_eq!(said(filter).await, (is_led && indexed.is_some()).then_some(born), "{filter}");
    }
}
