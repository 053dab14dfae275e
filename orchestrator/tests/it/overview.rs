//! Definitions with what is under way of them, and the overview: over SQLite and MariaDB.

use crate::support;
use async_trait::async_trait;
use baton_orchestrator::api::Api;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::instances::{Own, Sample};
use baton_orchestrator::stats::Beat;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _};
use baton_orchestrator::workers::heartbeat::Heartbeat;
use baton_orchestrator::workers::probe::Probe;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_sql::database::{DatabaseConfig, Verdict};
use prometheus_client::registry::Registry;
use saga_core::event::Reply;
use saga_core::saga::{Cause, CommandId, DefinitionId, Direction, Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use support::{Bench, order_start, wait_until};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// Everybody is well but stock.
#[derive(Debug)]
struct Health;

#[async_trait]
impl Probe for Health {
    async fn ask(&self, _participant: &str, _commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        None
    }

    async fn healthy(&self, participant: &str) -> Result<(), String> {
        if participant == "stock" { Err("it cannot be reached".to_owned()) } else { Ok(()) }
    }
}

async fn stores() -> Vec<(&'static str, Arc<SqlStore>)> {
    let sqlite = SqlStore::open(DatabaseConfig::SqliteMemory).await.expect("SQLite");
    let server = baton_supervisor::shared::mariadb().await;
    let url = baton_supervisor::shared::fresh_schema(server);
    let mariadb = SqlStore::open(DatabaseConfig::mariadb(url)).await.expect("MariaDB");
    let stores = vec![("SQLite", Arc::new(sqlite)), ("MariaDB", Arc::new(mariadb))];
    for (name, store) in &stores {
        store.migrate().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        store.ready().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    stores
}

fn api(store: &Arc<SqlStore>) -> Api {
    let bench = Bench::new();
    Api {
        store: store.clone(),
        query: store.clone(),
        operations: Some(Operations::new(store.clone())),
        ..bench.api(Arc::new(Health))
    }
}

/// Sagas of the order definition, and one of another, in states that no rule brings this fast.
async fn put(store: &SqlStore, states: Vec<(u8, u32, State)>) {
    let now = store.now();
    let insert = |(n, version, state): (u8, u32, State)| {
        let start = order_start(n);
        let age = i64::from(u8::MAX - n) * 1_000_000;
        let saga = Saga {
            id: SagaId([n; 16]),
            definition: DefinitionId { name: start.definition.name, version },
            version: 3,
            state,
            created_at: Micros(now.0 - age),
            updated_at: Micros(now.0 - age / 2),
            deadline: None,
            input: start.input,
            outputs: Vec::new(),
        };
        sample::insert(Record {
            saga,
            business_key: start.business_key,
            traceparent: String::new(),
            last_failure: None,
            skipped: Vec::new(),
        })
    };
    let changes = Changes { inserts: states.into_iter().map(insert).collect(), ..Changes::default() };
    store.commit(Vec::new(), sample::always(changes)).await.expect("put");
}

fn states(now: Micros) -> Vec<(u8, u32, State)> {
    let wait = |attempt| Wait::Reply { attempt, last: 8, until: Micros(now.0 + 60_000_000) };
    let cause = |step| Cause { step, reason: "OUT_OF_STOCK".to_owned(), message: "too few".to_owned() };
    let stuck = |step, direction, unwinding| State::Stuck { step, direction, attempt: 9, why: cause(step), unwinding };
    vec![
        (1, 1, State::Running { step: 3, wait: wait(1) }),
        (2, 1, State::Running { step: 3, wait: wait(2) }),
        (3, 1, State::Running { step: 4, wait: wait(1) }),
        (4, 1, State::Compensating { step: 1, wait: wait(1), cause: cause(3) }),
        (5, 1, stuck(4, Direction::Action, None)),
        (6, 1, stuck(0, Direction::Undo, Some(cause(3)))),
        (7, 1, State::Completed),
        (8, 9, State::Running { step: 2, wait: wait(1) }),
    ]
}

#[tokio::test]
async fn definitions_are_listed_with_what_is_under_way_of_them() {
    for (name, store) in stores().await {
        put(&store, states(store.now())).await;
        let api = api(&store);
        let listed =
            api.list_definitions(Request::new(wire::ListDefinitionsRequest {})).await.expect(name).into_inner();
        let told: Vec<_> =
            listed.definitions.iter().map(|it| (it.name.as_str(), it.known, it.newest, it.unfinished)).collect();
        let expected =
            [("definitions/order/versions/1", true, true, 6), ("definitions/order/versions/9", false, false, 1)];
        assert_eq!(told, expected, "{name}");
        assert!(listed.definitions.iter().all(|it| it.unfinished_exact), "{name}");

        let get = async |name: &str| {
            let request = wire::GetDefinitionRequest { name: name.to_owned() };
            api.get_definition(Request::new(request)).await.map(|answer| answer.into_inner().definition.expect("one"))
        };
        let newest = get("definitions/order/versions/-").await.expect(name);
        assert_eq!(
            (newest.name.as_str(), newest.steps.len(), newest.digest.len()),
            ("definitions/order/versions/1", 5, 64)
        );
        assert_eq!(newest.steps[2].covered_by, "payment.taken");
        for (asked, reason) in [
            ("definitions/order/versions/2", "DEFINITION_UNKNOWN"),
            ("definitions/nothing/versions/-", "DEFINITION_UNKNOWN"),
            ("definitions/order", "NAME_INVALID"),
            ("definitions/order/versions/x", "NAME_INVALID"),
        ] {
            assert_eq!(reason_of(&get(asked).await.expect_err(asked)), reason, "{name}: {asked}");
        }
    }
}

fn reason_of(status: &Status) -> String {
    status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}")).reason
}

#[tokio::test]
async fn a_new_version_is_held_against_what_is_under_way() {
    for (name, store) in stores().await {
        let all = states(store.now());
        put(&store, all.into_iter().filter(|(n, ..)| *n != 8).collect()).await;
        let api = api(&store);
        let request = wire::GetDefinitionRequest { name: "definitions/order/versions/1".to_owned() };
        let known = api.get_definition(Request::new(request)).await.expect(name).into_inner().definition.expect("one");
        let check = async |definition: wire::Definition| {
            let request = wire::CheckDefinitionRequest { definition: Some(definition) };
            api.check_definition(Request::new(request)).await.map(tonic::Response::into_inner)
        };

        // What comes after the pivot is told otherwise, and one more step follows.
        let mut new = wire::Definition { name: "definitions/order/versions/2".to_owned(), ..known.clone() };
        new.steps[4].participant = "orders".to_owned();
        new.steps.push(wire::DefinitionStep { step: "mail.send".to_owned(), ..new.steps[4].clone() });
        let answer = check(new.clone()).await.expect(name);
        assert!(answer.safe && answer.exact, "{name}: {answer:?}");
        assert_eq!(answer.changes, ["order.confirm: participant order -> orders", "mail.send is new, at place 6"]);
        let fits: Vec<_> = answer
            .fits
            .iter()
            .map(|fit| {
                (fit.state().as_str_name(), fit.step.as_str(), fit.direction.as_str(), fit.count, fit.rule.as_str())
            })
            .collect();
        let expected = [
            ("SAGA_STATE_RUNNING", "stock.reserve", "action", 2, ""),
            ("SAGA_STATE_RUNNING", "order.confirm", "action", 1, "PARTICIPANT_CHANGED"),
            ("SAGA_STATE_COMPENSATING", "order.open", "undo", 1, ""),
            ("SAGA_STATE_STUCK", "payment.taken", "undo", 1, ""),
            ("SAGA_STATE_STUCK", "order.confirm", "action", 1, "PARTICIPANT_CHANGED"),
        ];
        assert_eq!(fits, expected, "{name}");
        assert!(answer.sentence.contains("2 of 6"), "{name}: {}", answer.sentence);

        // The same version with other steps is no deployment.
        let same = check(wire::Definition { name: known.name.clone(), ..new.clone() }).await.expect(name);
        assert!(!same.safe && same.sentence.contains("needs a new version"), "{name}: {same:?}");

        // What is no definition is told with its place.
        new.steps[0].kind = 0;
        new.steps[1].timeout = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        let refused = check(new.clone()).await.expect_err(name);
        let fields = refused.get_details_bad_request().expect("BadRequest").field_violations;
        let fields: Vec<_> = fields.into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["definition.steps[0].kind", "definition.steps[1].timeout"], "{name}");
        let mut wrong = known;
        wrong.name = "definitions/order/versions/2".to_owned();
        wrong.steps.swap(3, 4);
        let refused = check(wrong).await.expect_err(name);
        assert!(refused.message().contains("wrong place"), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn an_unknown_version_makes_a_check_unsafe() {
    for (name, store) in stores().await {
        put(&store, states(store.now())).await;
        let api = api(&store);
        let request = wire::GetDefinitionRequest { name: "definitions/order/versions/1".to_owned() };
        let known = api.get_definition(Request::new(request)).await.expect(name).into_inner().definition.expect("one");
        let request = wire::CheckDefinitionRequest { definition: Some(known) };
        let answer = api.check_definition(Request::new(request)).await.expect(name).into_inner();
        assert!(!answer.safe && answer.changes.is_empty(), "{name}: {answer:?}");
        assert!(answer.fits.iter().any(|fit| fit.rule == "VERSION_UNKNOWN" && fit.version == 9), "{name}");
    }
}

fn named(id: Uuid, address: &str) -> Own {
    Own { id, address: address.to_owned(), version: "1" }
}

#[tokio::test]
async fn the_overview_tells_what_there_is_and_what_it_could_not_find_out() {
    for (name, store) in stores().await {
        put(&store, states(store.now())).await;
        let api = api(&store);
        let metrics = Arc::new(baton_orchestrator::metrics::Metrics::register(&mut Registry::default()));
        metrics.stats.started();
        metrics.stats.ended(Micros(0), Micros(50_000));
        let own = Uuid::now_v7();
        let operations = Operations::new(store.clone());
        Heartbeat::new(operations.clone(), metrics, named(own, "")).run_once().await.expect(name);
        let silent = Sample { at: Micros(store.now().0 - 60_000_000), beat: Beat::default(), under_way: 3 };
        operations.beat(&named(Uuid::now_v7(), ""), silent).await.expect(name);

        let told = api.get_overview(Request::new(wire::GetOverviewRequest {})).await.expect(name).into_inner();
        let count = |state: wire::SagaState| told.states.iter().find(|it| it.state() == state).expect("a state").count;
        assert_eq!(told.states.len(), 6);
        assert_eq!((count(wire::SagaState::Running), count(wire::SagaState::Stuck)), (4, 2), "{name}");
        assert_eq!(count(wire::SagaState::Paused), 0, "{name}");
        assert_eq!(told.incidents.as_ref().map(|it| it.count), Some(2), "{name}");
        let id = |n: u8| format!("sagas/{}", Uuid::from_bytes([n; 16]));
        assert_eq!(told.oldest.as_ref().map(|saga| saga.name.clone()), Some(id(1)), "{name}");
        assert_eq!(told.oldest_incident.as_ref().map(|saga| saga.name.clone()), Some(id(5)), "{name}");
        let component = |wanted: &str| told.components.iter().find(|it| it.component == wanted).expect(wanted);
        assert!(component("order").healthy && component("payment").healthy, "{name}");
        assert_eq!(component("stock").trouble, "it cannot be reached", "{name}");
        assert!(component(&own.to_string()).healthy, "{name}");
        let (oldest, newest) = (told.samples.first().expect("one"), told.samples.last().expect("one"));
        assert_eq!((told.samples.len(), oldest.under_way), (2, 3), "{name}");
        assert!((newest.started_rate - 0.2).abs() < 1e-9 && newest.latency_p99.is_some(), "{name}: {newest:?}");
        assert_eq!(told.troubles, Vec::<String>::new(), "{name}");
        let concerns: Vec<_> = told.concerns.iter().map(|it| (it.kind(), it.count, it.message.as_str())).collect();
        let expected = [
            (wire::ConcernKind::Stuck, 1, "too few"),
            (wire::ConcernKind::Stuck, 1, "too few"),
            (wire::ConcernKind::Away, 1, ""),
        ];
        assert_eq!(concerns, expected, "{name}: {:?}", told.concerns);
        assert_eq!((told.skipped, told.skipped_exact), (0, true), "{name}");
        for concern in &told.concerns[..2] {
            let request = wire::SearchSagasRequest { filter: concern.filter.clone(), ..Default::default() };
            let found = api.search_sagas(Request::new(request)).await.expect(name).into_inner();
            assert_eq!(found.sagas.len(), 1, "{name}: {}", concern.filter);
            assert_eq!(found.sagas[0].name, concern.subject, "{name}: {}", concern.filter);
        }

        let again = api.get_overview(Request::new(wire::GetOverviewRequest {})).await.expect(name).into_inner();
        assert_eq!(again, told, "{name}: within a second everybody gets the same");
    }
}

#[tokio::test]
async fn old_beats_are_forgotten() {
    for (name, store) in stores().await {
        let operations = Operations::new(store.clone());
        let old = Micros(store.now().0 - Duration::from_secs(3600).as_micros() as i64);
        operations
            .beat(&named(Uuid::now_v7(), ""), Sample { at: old, beat: Beat::default(), under_way: 0 })
            .await
            .expect(name);
        assert_eq!(operations.samples().await.expect(name), [], "{name}");
        assert_eq!(operations.instances().await.expect(name).len(), 1, "{name}");
    }
}

/// Ids of those that are listed, and whether each is well.
async fn orchestrators(api: &Api) -> Vec<(String, bool)> {
    let told = api.get_overview(Request::new(wire::GetOverviewRequest {})).await.expect("an overview").into_inner();
    let all = told.components.into_iter().filter(|it| it.kind == "orchestrator");
    all.map(|it| (it.component, it.healthy)).collect()
}

#[tokio::test]
async fn who_stops_in_order_is_listed_no_more() {
    for (name, store) in stores().await {
        let metrics = Arc::new(baton_orchestrator::metrics::Metrics::register(&mut Registry::default()));
        let (operations, own, stop) = (Operations::new(store.clone()), Uuid::now_v7(), CancellationToken::new());
        let heartbeat = tokio::spawn(Heartbeat::new(operations.clone(), metrics, named(own, "a")).run(stop.clone()));
        wait_until("a beat", async || !operations.instances().await.expect(name).is_empty()).await;
        assert_eq!(orchestrators(&api(&store)).await, [(own.to_string(), true)], "{name}");
        stop.cancel();
        heartbeat.await.expect(name);
        assert_eq!(orchestrators(&api(&store)).await, [], "{name}");
        assert_eq!(operations.samples().await.expect(name).len(), 1, "{name}: what it did stays");
    }
}

#[tokio::test]
async fn who_was_killed_is_listed_until_another_start_takes_its_place() {
    for (name, store) in stores().await {
        let operations = Operations::new(store.clone());
        let none = |at| Sample { at, beat: Beat::default(), under_way: 0 };
        let [killed, elsewhere, lively, next] = std::array::from_fn(|_| Uuid::now_v7());
        let silences = [(killed, "a", 20), (elsewhere, "b", 20), (lively, "a", 3)];
        for (id, address, _) in silences {
            operations.beat(&named(id, address), none(store.now())).await.expect(name);
        }
        for (id, _, seconds) in silences {
            let seen = store.now().0 - seconds * 1_000_000;
            let silent = store.database().transaction(move |tx| {
                let args = vec![seen.into(), id.into_bytes().into()];
                Box::pin(async move {
                    tx.execute("UPDATE instance SET seen_at = ? WHERE id = ?", args).await.map(Verdict::Commit)
                })
            });
            silent.await.expect(name);
        }
        let sorted = |mut all: Vec<(String, bool)>| {
            all.sort();
            all
        };
        let expected = |all: &[(Uuid, bool)]| sorted(all.iter().map(|(id, well)| (id.to_string(), *well)).collect());
        let all = [(killed, false), (elsewhere, false), (lively, true)];
        assert_eq!(sorted(orchestrators(&api(&store)).await), expected(&all), "{name}");

        operations.beat(&named(next, "a"), none(store.now())).await.expect(name);
        // One that has beaten within its pause may live; whose place is not known is not replaced by anybody.
        let left = [(elsewhere, false), (lively, true), (next, true)];
        assert_eq!(sorted(orchestrators(&api(&store)).await), expected(&left), "{name}");
        operations.beat(&named(Uuid::now_v7(), ""), none(store.now())).await.expect(name);
        assert_eq!(operations.instances().await.expect(name).len(), 4, "{name}");
    }
}
