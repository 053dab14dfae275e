//! Request ids and the audit: an act is carried out once, answered alike, and written down with what it did.

use crate::support;
use baton_orchestrator::api::Api;
use baton_orchestrator::engine::input::{Act, Input};
use baton_orchestrator::operations::Operations;
use baton_orchestrator::operations::audit::{NewAudit, RequestTaken, content};
use baton_orchestrator::operations::sql::append;
use baton_orchestrator::store::audit::{Head, JournalDigest, NOTHING_BEFORE};
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::sql::journal_digest::{Reader, journal_digests};
use baton_orchestrator::store::{Changes, SagaStore as _};
use baton_orchestrator::workers::probe::NoProbe;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_sql::database::{DatabaseConfig, Verdict};
use saga_core::event::{Entry, Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use support::faulty::{Fault, FaultyStore};
use support::office::{mariadb, reason};
use support::{Bench, order_start};
use tonic::{Code, Request, Status};
use uuid::Uuid;

const REQUEST: &str = "3f0f3ff5-8f7d-4a44-9c52-0f3a3b8f7d11";

struct Acts {
    api: Api,
    operations: Operations,
    store: Arc<FaultyStore>,
    sql: Arc<SqlStore>,
    clock: support::Clock,
}

impl Acts {
    async fn over(config: DatabaseConfig) -> Self {
        let bench = Bench::over(config).await;
        let operations = bench.operations.clone().expect("operations");
        let (store, clock) = (bench.store.clone(), bench.clock.clone());
        let sql = bench.sql.clone().expect("a database");
        let acts = Self { api: bench.api(Arc::new(NoProbe)), operations, store, sql, clock };
        tokio::spawn(bench.engine.run());
        acts
    }

    async fn start(&self, n: u8) -> String {
        self.api.engine.start(order_start(n)).await.expect("started").expect("settled");
        format!("sagas/{}", Uuid::from_bytes([n; 16]))
    }

    async fn act(&self, request: wire::ActOnSagaRequest) -> Result<wire::ActOnSagaResponse, Status> {
        Ok(self.api.act_on_saga(Request::new(request)).await?.into_inner())
    }
}

fn action(name: &str, verb: wire::SagaVerb, request_id: &str) -> wire::ActOnSagaRequest {
    wire::ActOnSagaRequest {
        name: name.into(),
        verb: verb.into(),
        reason: "the customer called".into(),
        actor: "ada".into(),
        version: 0,
        request_id: request_id.into(),
    }
}

async fn both() -> [Acts; 2] {
    [Acts::over(DatabaseConfig::SqliteMemory).await, Acts::over(mariadb().await).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_carried_out_once_and_answered_alike() {
    for acts in both().await {
        let name = acts.start(1).await;
        let pause = action(&name, wire::SagaVerb::Pause, REQUEST);
        let first = acts.act(pause.clone()).await.expect("paused");
        assert_eq!(first.saga.as_ref().map(|saga| saga.version), Some(2));
        acts.clock.pass(std::time::Duration::from_secs(1));
        assert_eq!(acts.act(pause.clone()).await.expect("the same"), first);

        // By now the action itself would be refused; its repetition is not, and shows the saga as it is.
        acts.act(action(&name, wire::SagaVerb::Resume, "")).await.expect("resumed");
        acts.act(action(&name, wire::SagaVerb::Cancel, "")).await.expect("cancelled");
        let again = acts.act(pause.clone()).await.expect("the same");
        assert_eq!(again.event_time, first.event_time);
        assert_eq!(again.saga.map(|saga| saga.version), Some(4));

        let others = [
            wire::ActOnSagaRequest { verb: wire::SagaVerb::Cancel.into(), ..pause.clone() },
            wire::ActOnSagaRequest { actor: "bob".into(), ..pause.clone() },
            wire::ActOnSagaRequest { reason: "because".into(), ..pause.clone() },
            wire::ActOnSagaRequest { version: 1, ..pause.clone() },
            wire::ActOnSagaRequest { name: acts.start(2).await, ..pause.clone() },
        ];
        for other in others {
            let status = acts.act(other.clone()).await.expect_err("another act");
            assert_eq!(
                (status.code(), reason(&status)),
                (Code::AlreadyExists, "REQUEST_ID_REUSED".into()),
                "{other:?}"
            );
        }
        let status = acts.act(action(&name, wire::SagaVerb::Pause, "x")).await.expect_err("no UUID");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_action_leaves_its_request_id_free() {
    let acts = Acts::over(DatabaseConfig::SqliteMemory).await;
    let name = acts.start(1).await;
    let resume = action(&name, wire::SagaVerb::Resume, REQUEST);
    let status = acts.act(resume.clone()).await.expect_err("not paused");
    assert_eq!(reason(&status), "ACTION_REFUSED");
    assert_eq!(acts.operations.audited(Uuid::parse_str(REQUEST).unwrap()).await.unwrap(), None);
    acts.act(action(&name, wire::SagaVerb::Pause, "")).await.expect("paused");
    acts.act(resume).await.expect("resumed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_whose_commit_was_lost_is_found_by_its_request_id() {
    for acts in both().await {
        let name = acts.start(1).await;
        acts.store.fail_next([Fault::DoneButUnanswered]);
        let answer = acts.act(action(&name, wire::SagaVerb::Pause, REQUEST)).await.expect("paused, and known to be");
        assert_eq!(answer.saga.map(|saga| saga.version), Some(2));
        acts.store.fail_next([Fault::NotDoneAndUnanswered]);
        let resume = action(&name, wire::SagaVerb::Resume, "9ab8a9b0-5a3c-4e5c-9d39-6b7c6d3b4a10");
        let status = acts.act(resume.clone()).await.expect_err("in doubt");
        assert_eq!(reason(&status), "OUTCOME_UNKNOWN");
        let answer = acts.act(resume).await.expect("repeated until it is answered");
        assert_eq!(answer.saga.map(|saga| saga.version), Some(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_request_id_act_once() {
    for acts in both().await {
        let name = acts.start(1).await;
        let pauses = (0..8).map(|_| acts.act(action(&name, wire::SagaVerb::Pause, REQUEST)));
        let answers = futures_util::future::join_all(pauses).await;
        let times: Vec<_> = answers.into_iter().map(|answer| answer.expect("paused").event_time).collect();
        assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
        assert_eq!(acts.store.journal(SagaId([1; 16]), 0, 10).await.unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_written_down_with_what_it_did() {
    for acts in both().await {
        let name = acts.start(1).await;
        acts.act(action(&name, wire::SagaVerb::Pause, REQUEST)).await.expect("paused");
        let row = acts.operations.audited(Uuid::parse_str(REQUEST).unwrap()).await.unwrap().expect("an entry");
        let audit = &row.audit;
        assert_eq!((row.number, row.previous, row.hash), (1, NOTHING_BEFORE, row.expected_hash()));
        assert!(row.journal.is_some());
        assert_eq!((audit.actor.as_str(), audit.act.as_str(), audit.version), ("ada", "pause", 2));
        assert_eq!((&audit.subject, audit.saga), (&name, Some(SagaId([1; 16]))));
        assert_eq!((audit.before.as_str(), audit.after.as_str()), ("running at order.open", "paused at order.open"));
        assert_eq!(audit.at, acts.clock.now());
    }
}

async fn listed(acts: &Acts, request: wire::ListAuditEntriesRequest) -> (Vec<u64>, String) {
    let answer = acts.api.list_audit_entries(Request::new(request)).await.expect("a page").into_inner();
    (answer.entries.into_iter().map(|entry| entry.number).collect(), answer.next_page_token)
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_are_listed_newest_first_by_subject_and_by_actor() {
    for acts in both().await {
        let names = [acts.start(1).await, acts.start(2).await];
        for name in [&names[0], &names[1], &names[0]] {
            acts.act(action(name, wire::SagaVerb::Pause, "")).await.expect("paused");
            let resume = action(name, wire::SagaVerb::Resume, "");
            acts.act(wire::ActOnSagaRequest { actor: "bob".into(), ..resume }).await.expect("resumed");
        }
        let all = wire::ListAuditEntriesRequest::default();
        assert_eq!(listed(&acts, all.clone()).await, (vec![6, 5, 4, 3, 2, 1], String::new()));
        let first = wire::ListAuditEntriesRequest { subject: names[0].clone(), ..all.clone() };
        assert_eq!(listed(&acts, first.clone()).await.0, [6, 5, 2, 1]);
        let both = wire::ListAuditEntriesRequest { actor: "bob".into(), ..first };
        assert_eq!(listed(&acts, both).await.0, [6, 2]);
        let padded = wire::ListAuditEntriesRequest { actor: "bob ".into(), ..all.clone() };
        assert_eq!(listed(&acts, padded).await.0, [0_u64; 0], "another name");

        let mut query = wire::ListAuditEntriesRequest { actor: "ada".into(), page_size: 2, ..all.clone() };
        let (page, token) = listed(&acts, query.clone()).await;
        assert_eq!(page, [5, 3]);
        query.page_token = token.clone();
        assert_eq!(listed(&acts, query).await, (vec![1], String::new()));
        let elsewhere = wire::ListAuditEntriesRequest { page_token: token, page_size: 2, ..all };
        let status = acts.api.list_audit_entries(Request::new(elsewhere)).await.expect_err("of another list");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_what_was_done() {
    let acts = Acts::over(DatabaseConfig::SqliteMemory).await;
    let name = acts.start(1).await;
    let answer = acts.act(action(&name, wire::SagaVerb::Pause, REQUEST)).await.expect("paused");
    let page = acts
        .api
        .list_audit_entries(Request::new(wire::ListAuditEntriesRequest::default()))
        .await
        .expect("a page")
        .into_inner();
    let [entry] = page.entries.as_slice() else { panic!("{page:?}") };
    let expected = wire::AuditEntry {
        name: "auditEntries/1".into(),
        number: 1,
        event_time: answer.event_time,
        actor: "ada".into(),
        act: "pause".into(),
        subject: name,
        reason: "the customer called".into(),
        before: "running at order.open".into(),
        after: "paused at order.open".into(),
        version: 2,
        request_id: REQUEST.into(),
        hash: entry.hash.clone(),
    };
    assert_eq!((entry, entry.hash.len()), (&expected, 64));
}

fn hold(request: Option<Uuid>) -> NewAudit {
    NewAudit {
        at: Micros(7),
        actor: "ada".to_owned(),
        act: "hold".to_owned(),
        subject: "holds/1".to_owned(),
        reason: "the provider is down".to_owned(),
        before: String::new(),
        after: "held".to_owned(),
        saga: None,
        version: 0,
        request,
        content: content(&[b"hold", b"payment"]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_acts_join_the_chain_in_transactions_of_their_own() {
    for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
        let store = Arc::new(SqlStore::open(config).await.unwrap());
        store.migrate().await.unwrap();
        let operations = Operations::new(store.clone());
        let write = async |act: NewAudit| {
            let database = store.database();
            let ended = database.transaction(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    Ok(match append(tx, act).await? {
                        Ok(()) => Verdict::Commit(Ok(())),
                        Err(taken) => Verdict::Rollback(Err(taken)),
                    })
                })
            });
            ended.await.unwrap()
        };
        let requests = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(write(hold(Some(requests[0]))).await, Ok(()));
        assert_eq!(write(hold(None)).await, Ok(()));
        assert_eq!(write(hold(Some(requests[0]))).await, Err(RequestTaken));
        assert_eq!(write(hold(Some(requests[1]))).await, Ok(()));
        let first = operations.audited(requests[0]).await.unwrap().expect("the first");
        let third = operations.audited(requests[1]).await.unwrap().expect("the third");
        let mut head = Head { number: 0, hash: NOTHING_BEFORE };
        assert_eq!(first, head.next(hold(Some(requests[0])), None));
        head.next(hold(None), None);
        assert_eq!(third, head.next(hold(Some(requests[1])), None));
    }
}

async fn execute(store: &SqlStore, sql: &'static str) {
    let done = store
        .database()
        .transaction(move |tx| Box::pin(async move { tx.execute(sql, Vec::new()).await.map(Verdict::Commit) }));
    assert!(done.await.unwrap() > 0, "nothing was changed: {sql}");
}

fn pause(n: u8, request: Option<Uuid>) -> Input {
    let action = OperatorAction { verb: Verb::Pause, actor: "ada".into(), reason: "because".into() };
    Input::Action(Act { request, ..Act::new(SagaId([n; 16]), action) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_request_id_holds_up_nobody_else_in_its_batch() {
    for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
        let bench = Bench::over(config).await;
        let (handle, store) = (bench.handle.clone(), bench.store.clone());
        tokio::spawn(bench.engine.run());
        for n in 1..=3 {
            handle.start(order_start(n)).await.expect("started").expect("settled");
        }
        let taken = Some(Uuid::from_u128(1));
        assert_eq!(handle.many(vec![pause(1, taken)]).await, 1);
        // One id taken by the store, one by another act of the batch, one free.
        let own = Some(Uuid::from_u128(2));
        assert_eq!(handle.many(vec![pause(2, taken), pause(3, own), pause(2, own)]).await, 1);
        let version = async |n: u8| store.get(SagaId([n; 16])).await.unwrap().unwrap().saga.version;
        assert_eq!((version(1).await, version(2).await, version(3).await), (2, 1, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_head_the_audit_takes_no_act_and_sagas_go_on() {
    for (damage, mend) in [
        ("DELETE FROM audit_head", "INSERT INTO audit_head (id, number, hash) SELECT 1, number, hash FROM audit"),
        ("UPDATE audit_head SET number = 0", "UPDATE audit_head SET number = 1"),
    ] {
        for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
            let acts = Acts::over(config).await;
            let name = acts.start(1).await;
            acts.act(action(&name, wire::SagaVerb::Pause, "")).await.expect("paused");
            execute(&acts.sql, damage).await;
            let status = acts.act(action(&name, wire::SagaVerb::Resume, "")).await.expect_err("no head");
            assert_eq!(reason(&status), "INTERNAL", "{status:?}");
            assert_eq!(acts.store.get(SagaId([1; 16])).await.unwrap().unwrap().saga.version, 2);
            acts.start(2).await;
            execute(&acts.sql, mend).await;
            acts.act(action(&name, wire::SagaVerb::Resume, "")).await.expect("resumed");
        }
    }
}

/// Long journals come page by page, short ones many at once: the digests are those of one look at each.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_any_length_is_digested_as_it_is_stored() {
    for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
        let store = SqlStore::open(config).await.unwrap();
        store.migrate().await.unwrap();
        let lengths = [1_u64, 5_000, 1_999, 2_000, 2_001, 3, 4_000];
        let mut wanted = Vec::new();
        for (n, length) in (1..).zip(lengths) {
            let saga = SagaId([n; 16]);
            let entry = |version: u64| Entry {
                saga,
                version,
                at: Micros(i64::try_from(version).unwrap()),
                record: JournalRecord::Moved(Event::Wake),
            };
            let changes = Changes { journal: (1..=length).map(entry).collect(), ..Changes::default() };
            store.commit(Vec::new(), sample::always(changes)).await.unwrap();
            wanted.extend([(saga, length), (saga, 1), (saga, length.div_ceil(2)), (saga, length + 7)]);
        }
        let digests = journal_digests(&mut Reader::Database(store.database()), wanted.clone()).await.unwrap();
        for (saga, version) in wanted {
            let sql = "SELECT version, at, event FROM journal WHERE saga_id = ? AND version <= ? ORDER BY version";
            let args = vec![saga.0.into(), i64::try_from(version).unwrap().into()];
            let mut expected = JournalDigest::new(saga);
            for row in store.database().query(sql, args).await.unwrap() {
                expected.add(row.int(0).unwrap(), row.int(1).unwrap(), row.bytes(2).unwrap());
            }
            assert_eq!(digests[&(saga, version)], expected.value(), "{saga} up to {version}");
        }
    }
}
