//! Retention over the engine's bench: finished sagas go after their time, and what was done is never done again.

use crate::support;
use baton_orchestrator::api::Api;
use baton_orchestrator::api::client::SagaClient;
use baton_orchestrator::api::start::ParsedStart;
use baton_orchestrator::engine::input::{Input, Start, StartOutcome};
use baton_orchestrator::metrics::Metrics;
use baton_orchestrator::store::SagaStore as _;
use baton_orchestrator::store::purge::{Sweep, first_id_at};
use baton_orchestrator::store::{Record, StoreError};
use baton_orchestrator::workers::probe::NoProbe;
use baton_orchestrator::workers::retention::{Policy, Retention};
use baton_proto::baton::saga::v1::GetSagaRequest;
use baton_proto::baton::saga::v1::saga_service_server::SagaService as _;
use baton_rpc::request_id::RequestId;
use baton_shop::placement::Placement;
use saga_core::event::{Outcome, Reply};
use saga_core::saga::{Direction, SagaId, State};
use shop_proto::order::v1::WatchOrderRequest;
use shop_proto::order::v1::order_placement_service_server::OrderPlacementService as _;
use std::sync::Arc;
use std::time::Duration;
use support::faulty::Fault;
use support::{Bench, drive, order_start, wait_for};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(86_400);

/// A start whose saga's id is of the bench's time.
fn start_of(bench: &Bench, n: u8) -> Start {
    let mut id = first_id_at(bench.clock.now()).0;
    (id[6], id[8], id[15]) = (0x70, 0x80, n);
    Start { id: SagaId(id), ..order_start(n) }
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default()))
}

fn retention(bench: &Bench, step: u32) -> (Retention, Arc<Metrics>) {
    let metrics = metrics();
    (Retention::new(bench.store.clone(), metrics.clone(), Policy { keep: 30 * DAY, step }), metrics)
}

/// Runs the engine until `task` is done.
async fn driven<T: Send + 'static>(bench: &mut Bench, task: impl Future<Output = T> + Send + 'static) -> T {
    let task = tokio::spawn(task);
    drive(&mut bench.engine, &task).await;
    task.await.expect("no panic")
}

async fn started(bench: &mut Bench, start: Start) -> Arc<Record> {
    let handle = bench.handle.clone();
    match driven(bench, async move { handle.start(start).await }).await {
        Ok(Ok(StartOutcome::Started(record))) => record,
        other => panic!("not started: {other:?}"),
    }
}

/// Answers every step of the order saga, so that it completes.
async fn complete(bench: &mut Bench, id: SagaId) {
    let answer = move |step| {
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        Input::Reply(id, Reply { step, direction: Direction::Action, attempt: 1, outcome })
    };
    for step in 1..=4 {
        let handle = bench.handle.clone();
        driven(bench, async move { handle.many(vec![answer(step)]).await }).await;
    }
    let state = bench.store.get(id).await.unwrap().unwrap().saga.state;
    assert_eq!(state, State::Completed);
}

async fn is_there(bench: &Bench, id: SagaId) -> bool {
    bench.store.get(id).await.unwrap().is_some()
}

#[tokio::test]
async fn finished_sagas_go_after_their_time_and_the_others_stay() {
    let mut bench = Bench::new();
    let (old, active) = (start_of(&bench, 1), start_of(&bench, 2));
    for start in [&old, &active] {
        started(&mut bench, start.clone()).await;
    }
    complete(&mut bench, old.id).await;
    bench.clock.pass(29 * DAY);
    let young = start_of(&bench, 3);
    started(&mut bench, young.clone()).await;
    complete(&mut bench, young.id).await;

    let (mut retention, metrics) = retention(&bench, 1);
    assert_eq!(retention.run_once().await.unwrap(), Sweep { forgotten: 0, reached: None }, "nothing is old yet");
    bench.clock.pass(DAY + Duration::from_secs(1));
    let steps = [retention.run_once().await.unwrap(), retention.run_once().await.unwrap()];
    assert_eq!(steps[0], Sweep { forgotten: 1, reached: Some(old.id) });
    assert_eq!(steps[1], Sweep { forgotten: 0, reached: Some(active.id) }, "what is under way is passed");
    assert_eq!(retention.run_once().await.unwrap(), Sweep::default(), "the round is over");
    assert_eq!(metrics.forgotten.get(), 1);
    assert!(!is_there(&bench, old.id).await && bench.store.journal(old.id, 0, 10).await.unwrap().is_empty());
    assert!(is_there(&bench, active.id).await && is_there(&bench, young.id).await);

    // The next round begins with the oldest again: what was passed has ended meanwhile.
    complete(&mut bench, active.id).await;
    bench.clock.pass(31 * DAY);
    let mut forgotten = 0;
    while let Sweep { forgotten: more, reached: Some(_) } = retention.run_once().await.unwrap() {
        forgotten += more;
    }
    assert_eq!(forgotten, 2);
    assert!(!is_there(&bench, active.id).await && !is_there(&bench, young.id).await);
}

#[tokio::test]
async fn a_step_that_fails_is_made_again() {
    let mut bench = Bench::new();
    let starts = [start_of(&bench, 1), start_of(&bench, 2)];
    for start in starts.clone() {
        let id = started(&mut bench, start).await.saga.id;
        complete(&mut bench, id).await;
    }
    bench.clock.pass(31 * DAY);
    let (mut retention, _) = retention(&bench, 1);
    bench.store.fail_next([Fault::Away, Fault::DoneButUnanswered]);
    assert!(matches!(retention.run_once().await, Err(StoreError::Unavailable(_))));
    assert!(is_there(&bench, starts[0].id).await);
    assert!(matches!(retention.run_once().await, Err(StoreError::UnknownOutcome(_))));
    assert!(!is_there(&bench, starts[0].id).await);
    assert_eq!(retention.run_once().await.unwrap().forgotten, 1, "from the same place");
    assert!(!is_there(&bench, starts[1].id).await);
}

#[tokio::test]
async fn it_runs_beside_the_engine_until_it_is_stopped() {
    let mut bench = Bench::new();
    let starts: Vec<Start> = (1..=5).map(|n| start_of(&bench, n)).collect();
    for start in starts.clone() {
        let id = started(&mut bench, start).await.saga.id;
        complete(&mut bench, id).await;
    }
    bench.clock.pass(31 * DAY);
    let (retention, metrics) = retention(&bench, 2);
    let stop = CancellationToken::new();
    let running = tokio::spawn(retention.run(stop.clone()));
    wait_for("all to be forgotten", || metrics.forgotten.get() == 5).await;
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test]
async fn a_reply_that_comes_too_late_is_settled() {
    let mut bench = Bench::new();
    let start = start_of(&bench, 1);
    started(&mut bench, start.clone()).await;
    complete(&mut bench, start.id).await;
    bench.clock.pass(31 * DAY);
    assert_eq!(retention(&bench, 10).0.run_once().await.unwrap().forgotten, 1);
    let (delivery, settlements) = support::delivery();
    let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
    let late = Reply { step: 1, direction: Direction::Action, attempt: 1, outcome };
    bench.handle.delivery(vec![(start.id, late)], delivery).await;
    bench.engine.run_once().await;
    wait_for("the reply to be settled", || !settlements.lock().unwrap().is_empty()).await;
    assert_eq!(*settlements.lock().unwrap(), [support::Settlement::Acked]);
    assert!(!is_there(&bench, start.id).await);
}

fn api(bench: &Bench) -> Api {
    bench.api(Arc::new(NoProbe))
}

/// The request of order `n`, as the API makes it.
async fn ask(bench: &mut Bench, api: &Api, id: SagaId, n: u8) -> Result<Arc<Record>, Status> {
    let saga_type = api.registry.newest("order").cloned().expect("the order saga");
    let request = RequestId::parse(&Uuid::from_bytes([n; 16]).to_string()).expect("a UUID");
    let asked = ParsedStart { saga_type, request, input: order_start(n).input, traceparent: String::new() };
    let api = api.clone();
    driven(bench, async move { api.starter().begin(id, asked).await.map_err(Status::from) }).await
}

/// Code and message; the reason must be among the details.
fn told(status: &Status, reason: &str) -> (Code, String) {
    let details = String::from_utf8_lossy(status.details());
    assert!(details.contains(reason), "{status:?}");
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn a_request_is_not_carried_out_again_when_its_saga_is_forgotten() {
    let mut bench = Bench::new();
    let api = api(&bench);
    let (id, again) = (start_of(&bench, 7).id, start_of(&bench, 8).id);
    ask(&mut bench, &api, id, 7).await.expect("started");
    assert_eq!(ask(&mut bench, &api, again, 7).await.expect("found").saga.id, id, "while it is there it is found");
    complete(&mut bench, id).await;
    bench.clock.pass(31 * DAY);
    assert_eq!(retention(&bench, 10).0.run_once().await.unwrap().forgotten, 1);

    let name = format!("sagas/{}", Uuid::from_bytes(id.0));
    let commands = bench.bus.commands().len();
    let refused = ask(&mut bench, &api, again, 7).await.expect_err("forgotten");
    let (code, message) = told(&refused, "SAGA_FORGOTTEN");
    assert!(code == Code::AlreadyExists && message.contains(&format!("{name} completed")), "{refused:?}");
    assert!(!is_there(&bench, again).await && bench.bus.commands().len() == commands, "nothing was started");

    let get = GetSagaRequest { name };
    let (code, message) = told(&api.get_saga(Request::new(get)).await.expect_err("gone"), "SAGA_NOT_FOUND");
    assert!(code == Code::NotFound && message.contains("completed and was forgotten"), "{message}");
    let watch = |n: u8| WatchOrderRequest { order: format!("orders/{}", Uuid::from_bytes([n; 16])), after_version: 0 };
    let placement = Placement::new(SagaClient::new(api.clone()));
    let watched = async |n| match placement.watch_order(Request::new(watch(n))).await {
        Ok(_) => panic!("there is nothing to watch"),
        Err(status) => told(&status, "SAGA_NOT_FOUND"),
    };
    let (code, message) = watched(7).await;
    assert!(code == Code::NotFound && message.contains("was forgotten"), "{message}");
    let (code, message) = watched(9).await;
    assert!(code == Code::NotFound && message.contains("has not been placed"), "{message}");
}
