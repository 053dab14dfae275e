//! A saga's events by `ListSagaEvents`: every one of them, however long its journal is.

use crate::support;
use baton_orchestrator::api::Api;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _};
use baton_orchestrator::workers::probe::NoProbe;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_service_server::SagaService as _;
use baton_rpc::page;
use baton_shop::saga::definition;
use baton_sql::database::DatabaseConfig;
use saga_core::event::{Event, OperatorAction, Verb};
use saga_core::machine;
use saga_core::saga::SagaId;
use saga_core::transition::Applied;
use std::sync::Arc;
use support::{Bench, order_start};
use tonic::Request;

const SAGA: SagaId = SagaId([1; 16]);

/// More than any store reads at once.
const ENTRIES: u64 = 10_050;

/// A saga that somebody has paused and resumed for as long as that takes.
async fn restless(bench: &Bench) -> Api {
    let clock = bench.clock.clone();
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, Arc::new(move || clock.now())).await.unwrap();
    store.migrate().await.unwrap();
    let (start, definition) = (order_start(1), definition());
    let mut last = machine::start(&definition, SAGA, start.input, bench.clock.now());
    let mut journal = vec![last.entry];
    while last.saga.version < ENTRIES {
        let verb = if last.saga.version % 2 == 1 { Verb::Pause } else { Verb::Resume };
        let action = Event::Action(OperatorAction { verb, actor: "ada".into(), reason: "restless".into() });
        let Applied::Moved(moved) = machine::apply(&definition, &last.saga, &action, bench.clock.now()) else {
            panic!("it is paused and resumed in turns");
        };
        last = moved;
        journal.push(last.entry.clone());
    }
    let business_key = start.business_key;
    let record =
        Record { saga: last.saga, business_key, traceparent: String::new(), last_failure: None, skipped: Vec::new() };
    let changes = Changes { inserts: vec![sample::insert(record)], journal, ..Changes::default() };
    store.commit(Vec::new(), sample::always(changes)).await.expect("written");
    let store = Arc::new(store);
    Api { store: store.clone(), query: store, ..bench.api(Arc::new(NoProbe)) }
}

#[tokio::test]
async fn the_events_of_a_long_journal_are_listed_to_the_last() {
    let api = restless(&Bench::new()).await;
    let parent = format!("sagas/{SAGA}");
    // From here on, as a client that has read so far.
    let page_token = page::token(&format!("events {parent}"), &(ENTRIES - 60).to_be_bytes());
    let mut request = wire::ListSagaEventsRequest { parent, page_size: 40, page_token };
    let mut pages = Vec::new();
    loop {
        let page = api.list_saga_events(Request::new(request.clone())).await.expect("a page").into_inner();
        pages.push(page.events);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [40, 20]);
    let versions: Vec<u64> = pages.iter().flatten().map(|event| event.version).collect();
    assert_eq!(versions, (ENTRIES - 59..=ENTRIES).collect::<Vec<_>>());
    let last = &pages[1][19];
    assert!(last.to.contains("paused") && !last.from.is_empty(), "replayed from its beginning: {last:?}");
}
