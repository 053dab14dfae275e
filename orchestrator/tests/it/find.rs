//! Whatever is pasted is found, as what it is; and what was skipped is told by the engine's own records.

use crate::support;
use baton_orchestrator::api::Api;
use baton_orchestrator::engine::input::Start;
use baton_orchestrator::store::StartKey;
use baton_orchestrator::workers::probe::NoProbe;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use saga_core::saga::SagaId;
use std::sync::Arc;
use support::{Bench, order_start};
use tonic::Request;
use tonic_types::StatusExt as _;
use uuid::Uuid;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Two sagas whose ids begin alike, and a third.
async fn api() -> (Api, [String; 3]) {
    let bench = Bench::new();
    let api = bench.api(Arc::new(NoProbe));
    tokio::spawn(bench.engine.run());
    let mut names = Vec::new();
    for (n, id, key, trace) in [
        (1, "01a22d83-4b1f-7aaa-8000-00000000283c", "01a22d80-aaaa-7000-8000-000000000001", TRACE),
        (2, "01a22d83-4b2f-7bbb-8000-000000002945", "01a22d80-bbbb-7000-8000-000000000002", ""),
        (3, "01a22d99-0000-7ccc-8000-000000000000", "ORD-2026-000123", ""),
    ] {
        let id = Uuid::try_parse(id).expect("an id");
        let traceparent = if trace.is_empty() { String::new() } else { format!("00-{trace}-00f067aa0ba902b7-01") };
        let start = Start {
            id: SagaId(id.into_bytes()),
            business_key: key.to_owned(),
            traceparent,
            keys: vec![StartKey([n; 32])],
            ..order_start(n)
        };
        api.engine.start(start).await.expect("started").expect("settled");
        names.push(format!("sagas/{id}"));
    }
    (api, names.try_into().expect("three"))
}

async fn find(api: &Api, text: &str) -> (Vec<String>, String) {
    let request = wire::FindSagasRequest { text: text.to_owned(), page_size: 0 };
    let found = api.find_sagas(Request::new(request)).await.expect(text).into_inner();
    let mut names: Vec<String> = found.sagas.into_iter().map(|saga| saga.name).collect();
    names.sort();
    (names, found.by)
}

#[tokio::test]
async fn what_is_pasted_is_found_as_what_it_is() {
    let (api, names) = api().await;
    let [one, two, three] = names.each_ref().map(String::as_str);
    for (text, expected, by) in [
        (one, vec![one], "id"),
        ("01a22d83-4b1f-7aaa-8000-00000000283c", vec![one], "id"),
        (" 01A22D834B1F7AAA800000000000283C ", vec![one], "id"),
        ("01a22d80-bbbb-7000-8000-000000000002", vec![two], "key"),
        ("orders/01a22d80-bbbb-7000-8000-000000000002", vec![two], "key"),
        ("ORD-2026-000123", vec![three], "key"),
        (TRACE, vec![one], "trace_id"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", vec![one], "trace_id"),
        ("imp_2", vec![two], "payment"),
        ("alice", vec![one, two, three], "customer"),
        ("01a22d83", vec![one, two], "beginning"),
        ("01a22d83-4b2", vec![two], "beginning"),
        ("01a22d99", vec![three], "beginning"),
        ("01a22d80", vec![one, two], "beginning"),
        ("ORD-2026", vec![three], "beginning"),
        ("ORD-202", vec![], ""),
        ("01a22d8", vec![], ""),
        ("01a22d83-4b1f-7aaa-8000-00000000283d", vec![], ""),
        ("nobody", vec![], ""),
        ("state = stuck", vec![], ""),
        ("'\"\\%_*\u{202e}", vec![], ""),
    ] {
        assert_eq!(
            find(&api, text).await,
            (expected.into_iter().map(str::to_owned).collect(), by.to_owned()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn nothing_and_too_much_are_refused_and_a_page_is_cut() {
    let (api, _) = api().await;
    let ask = |text: &str, page_size| wire::FindSagasRequest { text: text.to_owned(), page_size };
    for (text, reason) in [("", "FIELD_REQUIRED"), (" \n", "FIELD_REQUIRED"), (&"x".repeat(257), "FILTER_INVALID")] {
        let status = api.find_sagas(Request::new(ask(text, 0))).await.expect_err("refused");
        let info = status.get_details_error_info().expect("a reason");
        let fields = status.get_details_bad_request().expect("a field").field_violations;
        assert_eq!((info.reason.as_str(), fields[0].field.as_str()), (reason, "text"));
    }
    let two = api.find_sagas(Request::new(ask("alice", 2))).await.expect("two").into_inner();
    assert_eq!((two.sagas.len(), two.more), (2, true));
    let all = api.find_sagas(Request::new(ask("alice", 3))).await.expect("three").into_inner();
    assert_eq!((all.sagas.len(), all.more), (3, false));
}
