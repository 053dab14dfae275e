//! `SagaAdminService` against an engine in process: what is found, what is explained, which actions are taken.

use crate::support;
use async_trait::async_trait;
use baton_orchestrator::api::Api;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore};
use baton_orchestrator::workers::probe::{NoProbe, Probe};
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_shop::saga::registry;
use baton_sql::database::{DatabaseConfig, Verdict};
use bytes::Bytes;
use saga_core::event::{Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Cause, CommandId, DefinitionId, Direction, Resume, Saga, SagaId, State, Wait};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::faulty::{Fault, FaultyStore};
use support::{Bench, Clock, order_start};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// A service whose engine runs.
struct Admin {
    api: Api,
    store: Arc<FaultyStore>,
    clock: Clock,
}

impl Admin {
    fn new(probe: Arc<dyn Probe>) -> Self {
        let bench = Bench::new();
        let admin = Self { api: bench.api(probe), store: bench.store.clone(), clock: bench.clock.clone() };
        tokio::spawn(bench.engine.run());
        admin
    }

    async fn start(&self, n: u8) -> String {
        self.api.engine.start(order_start(n)).await.expect("started").expect("settled");
        name(SagaId([n; 16]))
    }

    /// Puts a saga where no rule brings it this fast.
    async fn put(&self, id: SagaId, state: State) -> String {
        let start = order_start(id.0[0]);
        let now = self.clock.now();
        let saga = Saga {
            id,
            definition: start.definition,
            version: 3,
            state,
            created_at: now,
            updated_at: now,
            deadline: None,
            input: start.input,
            outputs: Vec::new(),
        };
        let record = Record {
            saga,
            business_key: start.business_key,
            traceparent: String::new(),
            last_failure: None,
            skipped: Vec::new(),
        };
        let changes = Changes { inserts: vec![sample::insert(record)], ..Changes::default() };
        self.store.inner.commit(Vec::new(), sample::always(changes)).await.expect("put");
        name(id)
    }

    async fn search(&self, filter: &str, preset: &str) -> Result<Vec<String>, Status> {
        let request = wire::SearchSagasRequest { filter: filter.into(), preset: preset.into(), ..Default::default() };
        let found = self.api.search_sagas(Request::new(request)).await?.into_inner();
        Ok(found.sagas.into_iter().map(|saga| saga.name).collect())
    }

    async fn count(&self, filter: &str, preset: &str) -> Result<(u64, bool), Status> {
        let request = wire::CountSagasRequest { filter: filter.into(), preset: preset.into() };
        let counted = self.api.count_sagas(Request::new(request)).await?.into_inner();
        Ok((counted.count, counted.exact))
    }

    async fn explain(&self, name: &str) -> Result<wire::ExplainSagaResponse, Status> {
        explain(&self.api, name).await
    }

    async fn act(&self, name: &str, verb: wire::SagaVerb, version: u64) -> Result<wire::Saga, Status> {
        self.ask(wire::ActOnSagaRequest { version, ..action(name, verb) }).await
    }

    async fn ask(&self, request: wire::ActOnSagaRequest) -> Result<wire::Saga, Status> {
        let answer = self.api.act_on_saga(Request::new(request)).await?.into_inner();
        assert!(answer.event_time.is_some());
        Ok(answer.saga.expect("a saga"))
    }
}

async fn explain(api: &Api, name: &str) -> Result<wire::ExplainSagaResponse, Status> {
    Ok(api.explain_saga(Request::new(wire::ExplainSagaRequest { name: name.into() })).await?.into_inner())
}

fn name(id: SagaId) -> String {
    format!("sagas/{}", Uuid::from_bytes(id.0))
}

fn action(name: &str, verb: wire::SagaVerb) -> wire::ActOnSagaRequest {
    wire::ActOnSagaRequest {
        name: name.into(),
        verb: verb.into(),
        reason: "the customer called".into(),
        actor: "ada".into(),
        version: 0,
        request_id: String::new(),
    }
}

/// The stable reason, and the metadata beside it.
fn told(status: &Status) -> (String, std::collections::HashMap<String, String>) {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    (info.reason, info.metadata)
}

fn fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("no BadRequest in {status:?}"));
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn filter_and_preset_must_both_hold() {
    let admin = Admin::new(Arc::new(NoProbe));
    let names = [admin.start(1).await, admin.start(2).await, admin.start(3).await];
    admin.act(&names[1], wire::SagaVerb::Pause, 0).await.expect("paused");
    let [one, two, three] = &names;
    for (filter, preset, expected) in [
        ("", "", vec![three, two, one]),
        ("", "in-flight", vec![three, two, one]),
        ("", "stuck", vec![]),
        ("state = paused", "", vec![two]),
        ("state = paused", "in-flight", vec![two]),
        ("state = paused", "compensating", vec![]),
        ("state = running OR state = paused", "in-doubt", vec![two]),
        ("customer = alice", "", vec![three, two, one]),
        ("item = apple -state:paused", "", vec![three, one]),
        ("payment = imp_3", "", vec![three]),
        ("payment = imp_4", "", vec![]),
        ("step = order.open", "in-flight", vec![three, two, one]),
    ] {
        let found = admin.search(filter, preset).await.expect(filter);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?} {preset:?}");
        let counted = admin.count(filter, preset).await.expect(filter);
        assert_eq!(counted, (expected.len() as u64, true), "{filter:?} {preset:?}");
    }
}

#[tokio::test]
async fn a_token_leads_on_in_its_own_search_only() {
    let admin = Admin::new(Arc::new(NoProbe));
    for n in 1..=5 {
        admin.start(n).await;
    }
    let mut request =
        wire::SearchSagasRequest { filter: "customer = alice".into(), page_size: 2, ..Default::default() };
    let mut pages = Vec::new();
    loop {
        let page = admin.api.search_sagas(Request::new(request.clone())).await.expect("a page").into_inner();
        pages.push(page.sagas.len());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages, [2, 2, 1]);
    for other in [
        wire::SearchSagasRequest { filter: "customer = bob".into(), ..request.clone() },
        wire::SearchSagasRequest { preset: "stuck".into(), ..request.clone() },
        wire::SearchSagasRequest { page_token: "00".into(), ..request.clone() },
    ] {
        let status = admin.api.search_sagas(Request::new(other)).await.expect_err("another search");
        assert_eq!((status.code(), told(&status).0.as_str()), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    }
}

#[tokio::test]
async fn a_bad_filter_is_told_with_its_place_and_what_was_probably_meant() {
    let admin = Admin::new(Arc::new(NoProbe));
    let long = "x".repeat(3_000);
    for (filter, byte, nearest, says) in [
        ("stat = stuck", "1", Some("state"), "did you mean state?"),
        ("state = stuck AND stock = 3", "19", None, "there is no field"),
        ("state = stuk", "9", None, "did you mean stuck?"),
        ("(state = stuck", "15", None, "expected"),
        (long.as_str(), "2049", None, "longer than"),
    ] {
        for status in
            [admin.search(filter, "stuck").await.expect_err(filter), admin.count(filter, "").await.expect_err(filter)]
        {
            let (reason, metadata) = told(&status);
            assert_eq!((status.code(), reason.as_str()), (Code::InvalidArgument, "FILTER_INVALID"), "{filter}");
            assert_eq!(metadata.get("byte").map(String::as_str), Some(byte), "{filter}: {status:?}");
            assert_eq!(metadata.get("nearest_field").map(String::as_str), nearest, "{filter}");
            assert_eq!(fields(&status), ["filter"]);
            assert!(
                status.message().contains(&format!("at byte {byte}")) && status.message().contains(says),
                "{status:?}"
            );
        }
    }
    let status = admin.search("", "nope").await.expect_err("no such preset");
    assert_eq!((told(&status).0.as_str(), fields(&status)), ("PRESET_UNKNOWN", vec!["preset".to_owned()]));
    assert!(status.message().contains("in-flight"), "{status:?}");
}

/// A ledger that says one thing of everything, or nothing, or is never heard of again.
#[derive(Clone, Debug)]
enum Ledger {
    Says(Outcome),
    Empty,
    Silent,
}

#[async_trait]
impl Probe for Ledger {
    async fn ask(&self, _participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        match self {
            Self::Says(outcome) => {
                let reply = |id: &CommandId| Reply {
                    step: id.step,
                    direction: id.direction,
                    attempt: 1,
                    outcome: outcome.clone(),
                };
                Some(commands.iter().map(|id| (id.saga, reply(id))).collect())
            }
            Self::Empty => Some(Vec::new()),
            Self::Silent => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn an_explanation_says_what_the_participant_knows_or_that_it_could_not_be_asked() {
    let rejected = Outcome::Rejected { reason: "OUT_OF_STOCK".into(), message: "secret".into() };
    for (probe, knowledge, reason) in [
        (Ledger::Says(Outcome::Succeeded { output: Bytes::from_static(b"secret") }), "Succeeded", ""),
        (Ledger::Says(rejected), "Rejected", "OUT_OF_STOCK"),
        (Ledger::Empty, "Unknown", ""),
        (Ledger::Silent, "Unreachable", ""),
    ] {
        let admin = Admin::new(Arc::new(probe));
        let name = admin.start(1).await;
        let answer = admin.explain(&name).await.expect("explained");
        let explanation = answer.explanation.clone().expect("an explanation");
        assert_eq!(answer.saga.as_ref().map(|saga| saga.name.as_str()), Some(name.as_str()));
        assert_eq!(explanation.trouble, "");
        assert!(explanation.summary.contains("order.open"), "{explanation:?}");
        let waiting = explanation.waiting.as_ref().expect("it waits");
        assert_eq!(waiting.wait(), wire::SagaWait::Answer);
        assert!(explanation.upcoming.is_some() && explanation.outlook.is_some() && !explanation.history.is_empty());
        let ledger = explanation.ledger.as_ref().expect("it was asked");
        assert_eq!((format!("{:?}", ledger.knowledge()).as_str(), ledger.reason.as_str()), (knowledge, reason));
        assert_eq!(ledger.participant, "order");
        assert_eq!(explanation.acts.len(), 7, "every action, legal or not");
        assert!(answer.timeline.contains("order.open"), "{}", answer.timeline);
        for content in ["secret", "alice", "apple", "imp_1"] {
            assert!(!format!("{answer:?}").contains(content), "{content} is nobody's business");
        }
    }
    let admin = Admin::new(Arc::new(NoProbe));
    let status = admin.explain(&name(SagaId([9; 16]))).await.expect_err("no such saga");
    assert_eq!((status.code(), told(&status).0.as_str()), (Code::NotFound, "SAGA_NOT_FOUND"));
    let status = admin.explain("order 7").await.expect_err("no name");
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["name".to_owned()]));
}

#[tokio::test]
async fn a_saga_of_an_unknown_definition_is_listed_and_explained_as_such() {
    let admin = Admin::new(Arc::new(NoProbe));
    let known = admin.start(1).await;
    let mut record = sample::record(SagaId([7; 16]), sample::running(2, admin.clock.now()));
    record.saga.definition = DefinitionId { name: "elsewhere".into(), version: 4 };
    let changes = Changes {
        journal: vec![sample::started(&record.saga)],
        inserts: vec![sample::insert(record)],
        ..Changes::default()
    };
    admin.store.inner.commit(Vec::new(), sample::always(changes)).await.expect("put");
    let stranger = name(SagaId([7; 16]));
    assert_eq!(admin.search("", "in-flight").await.expect("a list"), [stranger.clone(), known]);
    let answer = admin.explain(&stranger).await.expect("explained");
    let explanation = answer.explanation.expect("an explanation");
    assert!(explanation.trouble.contains("elsewhere"), "{explanation:?}");
    assert!(!explanation.summary.is_empty() && explanation.acts.is_empty() && explanation.ledger.is_none());
    let status = admin.act(&stranger, wire::SagaVerb::Cancel, 0).await.expect_err("another build's");
    assert_eq!((status.code(), told(&status).0.as_str()), (Code::FailedPrecondition, "SAGA_UNREADABLE"));
}

#[tokio::test]
async fn a_row_that_does_not_decode_is_named_and_explained_and_hides_nothing() {
    let bench = Bench::new();
    let clock = bench.clock.clone();
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, Arc::new(move || clock.now())).await.unwrap();
    store.migrate().await.unwrap();
    let ids: Vec<SagaId> = (1..=3).map(|n| SagaId([n; 16])).collect();
    let inserts = ids.iter().map(|id| sample::insert(sample::record(*id, sample::running(0, bench.clock.now()))));
    let changes = Changes { inserts: inserts.collect(), ..Changes::default() };
    store.commit(Vec::new(), sample::always(changes)).await.unwrap();
    let damage = store.database().transaction(move |tx| {
        let args = vec![vec![0xff_u8; 3].into(), [2_u8; 16].into()];
        Box::pin(async move { tx.execute("UPDATE saga SET data = ? WHERE id = ?", args).await.map(Verdict::Commit) })
    });
    assert_eq!(damage.await.unwrap(), 1);
    let store = Arc::new(store);
    let api = Api { store: store.clone(), query: store, ..bench.api(Arc::new(NoProbe)) };

    let request = wire::SearchSagasRequest { preset: "in-flight".into(), ..Default::default() };
    let found = api.search_sagas(Request::new(request)).await.expect("a list").into_inner();
    let listed: Vec<String> = found.sagas.into_iter().map(|saga| saga.name).collect();
    assert_eq!((listed, found.unreadable), (vec![name(ids[2]), name(ids[0])], vec![name(ids[1])]));
    let answer = explain(&api, &name(ids[1])).await.expect("explained");
    let explanation = answer.explanation.expect("an explanation");
    assert!(explanation.trouble.contains("cannot be read"), "{explanation:?}");
    assert!(answer.saga.is_none() && explanation.acts.is_empty());
}

#[tokio::test]
async fn an_action_needs_a_verb_a_reason_and_an_actor() {
    let admin = Admin::new(Arc::new(NoProbe));
    let name = admin.start(1).await;
    let good = action(&name, wire::SagaVerb::Pause);
    let none = wire::SagaVerb::Unspecified.into();
    for (request, field, reason) in [
        (wire::ActOnSagaRequest { name: "x".into(), ..good.clone() }, "name", "NAME_INVALID"),
        (wire::ActOnSagaRequest { verb: none, ..good.clone() }, "verb", "FIELD_REQUIRED"),
        (wire::ActOnSagaRequest { verb: 99, ..good.clone() }, "verb", "ENUM_UNKNOWN"),
        (wire::ActOnSagaRequest { reason: " ".into(), ..good.clone() }, "reason", "ACTION_REASON_INVALID"),
        (wire::ActOnSagaRequest { reason: "é".repeat(501), ..good.clone() }, "reason", "ACTION_REASON_INVALID"),
        (wire::ActOnSagaRequest { reason: "a\u{1b}[2J".into(), ..good.clone() }, "reason", "ACTION_REASON_INVALID"),
        (wire::ActOnSagaRequest { actor: String::new(), ..good.clone() }, "actor", "ACTOR_INVALID"),
        (wire::ActOnSagaRequest { actor: "é".repeat(129), ..good.clone() }, "actor", "ACTOR_INVALID"),
    ] {
        let status = admin.ask(request).await.expect_err(field);
        assert_eq!((status.code(), told(&status).0.as_str()), (Code::InvalidArgument, reason), "{status:?}");
        assert_eq!(fields(&status), [field]);
    }
    let longest = wire::ActOnSagaRequest { reason: "é".repeat(500), actor: "é".repeat(128), ..good };
    assert_eq!(admin.ask(longest).await.expect("paused").state(), wire::SagaState::Paused);
}

#[tokio::test]
async fn another_version_is_refused_with_the_present_one() {
    let admin = Admin::new(Arc::new(NoProbe));
    let name = admin.start(1).await;
    let status = admin.act(&name, wire::SagaVerb::Pause, 7).await.expect_err("another version");
    let (reason, metadata) = told(&status);
    assert_eq!((status.code(), reason.as_str()), (Code::Aborted, "VERSION_MISMATCH"));
    assert_eq!(metadata.get("version").map(String::as_str), Some("1"));
    assert_eq!(admin.act(&name, wire::SagaVerb::Pause, 1).await.expect("paused").version, 2);
    let nobody = self::name(SagaId([9; 16]));
    let status = admin.act(&nobody, wire::SagaVerb::Pause, 0).await.expect_err("no such saga");
    assert_eq!((status.code(), told(&status).0.as_str()), (Code::NotFound, "SAGA_NOT_FOUND"));
}

#[tokio::test]
async fn an_action_with_a_version_is_repeated_and_carried_out_once() {
    let admin = Admin::new(Arc::new(NoProbe));
    let name = admin.start(1).await;
    admin.store.fail_next([Fault::DoneButUnanswered]);
    let status = admin.act(&name, wire::SagaVerb::Pause, 1).await.expect_err("in doubt");
    assert_eq!((status.code(), told(&status).0.as_str()), (Code::Unavailable, "OUTCOME_UNKNOWN"));
    assert!(status.get_details_retry_info().is_some());
    for _ in 0..2 {
        let saga = admin.act(&name, wire::SagaVerb::Pause, 1).await.expect("answered again");
        assert_eq!((saga.version, saga.state()), (2, wire::SagaState::Paused));
    }
    // What came later is told as it is now, and the action is not carried out again.
    admin.act(&name, wire::SagaVerb::Resume, 2).await.expect("resumed");
    let saga = admin.act(&name, wire::SagaVerb::Pause, 1).await.expect("answered again");
    assert_eq!((saga.version, saga.state()), (3, wire::SagaState::Running));
    // Whoever does something else is another.
    for other in [
        wire::ActOnSagaRequest { actor: "bob".into(), version: 1, ..action(&name, wire::SagaVerb::Pause) },
        wire::ActOnSagaRequest { reason: "because".into(), version: 1, ..action(&name, wire::SagaVerb::Pause) },
        wire::ActOnSagaRequest { version: 1, ..action(&name, wire::SagaVerb::Cancel) },
    ] {
        let status = admin.ask(other).await.expect_err("another action");
        assert_eq!(status.code(), Code::Aborted);
    }
    admin.store.fail_next([Fault::Away]);
    let status = admin.act(&name, wire::SagaVerb::Pause, 3).await.expect_err("away");
    assert_eq!((status.code(), told(&status).0.as_str()), (Code::Unavailable, "STORE_UNAVAILABLE"));
    assert_eq!(admin.store.inner.get(SagaId([1; 16])).await.unwrap().unwrap().saga.version, 3);
}

/// Every kind of place a saga can be at.
fn places(now: saga_core::time::Micros) -> Vec<State> {
    let cause = |step| Cause { step, reason: "OUT_OF_STOCK".into(), message: String::new() };
    let until = now.plus(std::time::Duration::from_secs(3));
    let reply = |last| Wait::Reply { attempt: 1, last, until };
    let stuck = |step, direction, unwinding| State::Stuck {
        step,
        direction,
        attempt: 9,
        why: Cause { step, reason: "TIMEOUT".into(), message: String::new() },
        unwinding,
    };
    vec![
        State::Running { step: 1, wait: reply(8) },
        State::Running { step: 2, wait: Wait::Backoff { attempt: 2, last: 8, until } },
        State::Running { step: 3, wait: reply(8) },
        State::Running { step: 4, wait: reply(240) },
        State::Compensating { step: 1, wait: reply(190), cause: cause(3) },
        State::Compensating { step: 0, wait: Wait::Backoff { attempt: 2, last: 190, until }, cause: cause(3) },
        stuck(4, Direction::Action, None),
        stuck(0, Direction::Undo, Some(cause(3))),
        stuck(3, Direction::Undo, Some(cause(3))),
        State::Paused { resume: Resume::Run { step: 2, attempt: 1 } },
        State::Paused { resume: Resume::Unwind { step: 0, attempt: 1, cause: cause(3) } },
        State::Completed,
        State::Compensated { cause: cause(3) },
    ]
}

#[tokio::test]
async fn what_is_offered_is_taken_and_what_is_not_is_refused_with_its_rule() {
    let admin = Admin::new(Arc::new(NoProbe));
    let registry = registry();
    let definition = registry.newest("order").expect("the order saga").definition().clone();
    let mut fresh = 10_u8;
    for state in places(admin.clock.now()) {
        let mut offered = BTreeMap::new();
        let name = admin.put(SagaId([fresh; 16]), state.clone()).await;
        let saga = admin.store.inner.get(SagaId([fresh; 16])).await.unwrap().unwrap().saga;
        machine::check(&definition, &saga).expect("a place that can be");
        for act in admin.explain(&name).await.expect("explained").explanation.expect("it").acts {
            assert_eq!(act.legal, act.rule.is_empty());
            assert_eq!(act.legal, !act.ends.is_empty(), "{state:?}: {act:?}");
            offered.insert(act.verb, act);
        }
        assert_eq!(offered.len(), 7, "{state:?}");
        for (verb, act) in offered {
            fresh += 1;
            let name = admin.put(SagaId([fresh; 16]), state.clone()).await;
            let answer = admin.ask(wire::ActOnSagaRequest { verb, ..action(&name, wire::SagaVerb::Cancel) }).await;
            match answer {
                Ok(saga) => assert!(act.legal && saga.version == 4, "{state:?}: {act:?}"),
                Err(status) => {
                    let (reason, metadata) = told(&status);
                    assert_eq!((status.code(), reason.as_str()), (Code::FailedPrecondition, "ACTION_REFUSED"));
                    assert!(!act.legal, "{state:?}: {act:?} was offered");
                    assert_eq!(metadata.get("rule"), Some(&act.rule));
                    assert_eq!(status.message(), act.sentence, "the rule it would break");
                    let failed = status.get_details_precondition_failure().expect("a precondition").violations;
                    assert_eq!(
                        (failed[0].r#type.as_str(), failed[0].subject.as_str()),
                        (act.rule.as_str(), name.as_str())
                    );
                }
            }
        }
        fresh += 1;
    }
}
