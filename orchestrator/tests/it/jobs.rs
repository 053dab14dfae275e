//! Bulk jobs over both databases: what is acted on, what refuses, and that whoever goes on does nothing twice.

use crate::support;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::purge::first_id_at;
use baton_orchestrator::store::{Changes, Record};
use baton_orchestrator::workers::jobs::Jobs;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_shop::saga::registry;
use baton_sql::database::DatabaseConfig;
use saga_core::event::Verb;
use saga_core::saga::{Cause, Direction, Resume, Saga, SagaId, State};
use std::time::Duration;
use support::office::{Office, both, reason};
use support::{Clock, order_start, wait_until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use uuid::Uuid;

impl Office {
    /// An orchestrator's worker.
    fn jobs_worker(&self) -> JoinHandle<()> {
        let jobs =
            Jobs::new(self.operations.clone(), self.store.clone(), self.api.engine.clone(), registry(), Uuid::now_v7());
        tokio::spawn(jobs.run(CancellationToken::new()))
    }

    /// Puts so many sagas in a state, past every rule.
    async fn put(&self, from: u32, many: u32, state: &State) -> Vec<SagaId> {
        let ids: Vec<SagaId> = (from..from + many).map(|n| id(&self.clock, n)).collect();
        let now = self.clock.now();
        let inserts = ids.iter().map(|id| {
            let start = order_start(1);
            let saga = Saga {
                id: *id,
                definition: start.definition,
                version: 1,
                state: state.clone(),
                created_at: now,
                updated_at: now,
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
        });
        let changes = Changes { inserts: inserts.collect(), ..Changes::default() };
        self.store.inner.commit(Vec::new(), sample::always(changes)).await.expect("put");
        ids
    }

    async fn create(&self, request: wire::CreateJobRequest) -> Result<wire::Job, Status> {
        let answer = self.api.create_job(Request::new(request)).await?.into_inner();
        Ok(answer.job.expect("a job"))
    }

    async fn job(&self, name: &str) -> wire::Job {
        let request = wire::GetJobRequest { name: name.into() };
        self.api.get_job(Request::new(request)).await.expect("a job").into_inner().job.expect("a job")
    }

    async fn control(&self, name: &str, control: wire::JobControl) -> Result<wire::Job, Status> {
        let request = wire::ControlJobRequest {
            name: name.into(),
            control: control.into(),
            reason: "enough".into(),
            actor: "ada".into(),
            request_id: String::new(),
        };
        Ok(self.api.control_job(Request::new(request)).await?.into_inner().job.expect("a job"))
    }

    async fn until(&self, name: &str, what: impl Fn(&wire::Job) -> bool) -> wire::Job {
        wait_until(name, async || what(&self.job(name).await)).await;
        self.job(name).await
    }

    async fn failures(&self, name: &str) -> Vec<wire::JobFailure> {
        let mut request = wire::ListJobFailuresRequest { parent: name.into(), page_size: 2, page_token: String::new() };
        let mut failures = Vec::new();
        loop {
            let page = self.api.list_job_failures(Request::new(request.clone())).await.expect("a page").into_inner();
            failures.extend(page.failures);
            if page.next_page_token.is_empty() {
                return failures;
            }
            request.page_token = page.next_page_token;
        }
    }

    async fn verbs(&self, id: SagaId) -> Vec<Verb> {
        self.actions(id).await.into_iter().map(|(verb, _, _)| verb).collect()
    }
}

/// An id of the bench's time, which is long past.
fn id(clock: &Clock, n: u32) -> SagaId {
    let mut id = first_id_at(clock.now()).0;
    (id[6], id[8]) = (0x70, 0x80);
    id[12..].copy_from_slice(&n.to_be_bytes());
    SagaId(id)
}

fn paused() -> State {
    State::Paused { resume: Resume::Run { step: 1, attempt: 0 } }
}

fn stuck() -> State {
    let why = Cause { step: 4, reason: "OUT_OF_STOCK".into(), message: "none left".into() };
    State::Stuck { step: 4, direction: Direction::Action, attempt: 3, why, unwinding: None }
}

fn request(verb: wire::SagaVerb, filter: &str) -> wire::CreateJobRequest {
    wire::CreateJobRequest {
        filter: filter.into(),
        preset: String::new(),
        verb: verb.into(),
        reason: "the warehouse burnt down".into(),
        actor: "ada".into(),
        max_rate: 1000,
        request_id: String::new(),
        validate_only: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_acts_on_what_its_filter_selects_and_tells_what_refused() {
    for office in both().await {
        let cancelled = office.put(0, 7, &stuck()).await;
        let refusing = office.put(100, 5, &State::Completed).await;
        let others = office.put(200, 3, &paused()).await;
        let filter = "state = stuck OR state = completed";
        let asked = wire::CreateJobRequest {
            request_id: "3f0f3ff5-8f7d-4a44-9c52-0f3a3b8f7d11".into(),
            ..request(wire::SagaVerb::Retry, filter)
        };
        let counts = wire::CreateJobRequest { validate_only: true, ..asked.clone() };
        let answer = office.api.create_job(Request::new(counts)).await.unwrap().into_inner();
        let counted = answer.job.expect("a job");
        assert_eq!((counted.name.as_str(), counted.matched, counted.matched_exact), ("", 12, true));
        // What would become of each is asked of the machine: two groups, the second of which is left alone.
        let told: Vec<_> = answer
            .forecast
            .iter()
            .map(|it| (it.rule.as_str(), it.count, it.sentence.as_str(), it.sagas.len()))
            .collect();
        assert_eq!(told[0].0, "", "{told:?}");
        assert!(told[0].2.starts_with("7 would be retried: stuck at "), "{told:?}");
        assert_eq!(told[1], ("ENDED", 5, "5 have ended and are left alone: completed", 5));
        assert_eq!((told.len(), answer.forecast_exact), (2, true));
        let created = office.create(asked.clone()).await.unwrap();
        assert_eq!(created.matched, 12);
        assert_eq!(office.create(asked.clone()).await.unwrap().name, created.name, "a repetition");
        let other = wire::CreateJobRequest { filter: "state = stuck".into(), ..asked.clone() };
        assert_eq!(reason(&office.create(other).await.expect_err("another")), "REQUEST_ID_REUSED");

        let worker = office.jobs_worker();
        let job = office.until(&created.name, |job| job.state() == wire::JobState::Done).await;
        worker.abort();
        let refused = office.failures(&created.name).await;
        assert_eq!((job.done, job.failed, job.waits.as_str()), (7, 5, ""), "{refused:?}");
        // Nobody answers here: they are at work, and none of them is told as done.
        let became: Vec<_> = job.outcomes.iter().map(|it| (it.state(), it.count)).collect();
        assert_eq!(became, [(wire::SagaState::Running, 7)], "{:?}", job.outcomes);
        for id in cancelled {
            assert_eq!(office.verbs(id).await, [Verb::Retry]);
        }
        for id in others {
            assert!(office.verbs(id).await.is_empty(), "not selected");
        }
        let failures = office.failures(&created.name).await;
        let mut told: Vec<String> = failures.iter().map(|failure| failure.saga.clone()).collect();
        told.sort_unstable();
        assert_eq!(told, refusing.iter().map(|id| format!("sagas/{id}")).collect::<Vec<_>>());
        assert!(failures.iter().all(|failure| failure.rule == "ENDED" && !failure.message.is_empty()), "{failures:?}");
        let jobs = office.api.list_jobs(Request::new(wire::ListJobsRequest::default())).await.unwrap().into_inner();
        assert_eq!(jobs.jobs, [wire::Job { outcomes: Vec::new(), ..job }]);
        let status = office.control(&created.name, wire::JobControl::Pause).await.expect_err("it is done");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "JOB_ENDED"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_halts_goes_on_and_is_cancelled_within_a_page() {
    for office in both().await {
        let sagas = office.put(0, 400, &stuck()).await;
        let slow = wire::CreateJobRequest { max_rate: 160, ..request(wire::SagaVerb::Retry, "state = stuck") };
        let name = office.create(slow).await.unwrap().name;
        let worker = office.jobs_worker();
        office.until(&name, |job| job.done > 0).await;
        let job = office.control(&name, wire::JobControl::Pause).await.unwrap();
        assert_eq!(job.state(), wire::JobState::Paused);
        // Once its worker has let go of it nothing moves any more.
        loop {
            if office.operations.open_jobs(uuid::Uuid::nil(), 1).await.unwrap().is_empty() {
                office.clock.pass(Duration::from_secs(60));
                if office.operations.open_jobs(uuid::Uuid::nil(), 1).await.unwrap().is_empty() {
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
        let halted = office.job(&name).await;
        assert!(halted.done < 400, "{halted:?}");
        let again = wire::Job { outcomes: Vec::new(), ..halted.clone() };
        assert_eq!(office.control(&name, wire::JobControl::Pause).await.unwrap(), again, "it is halted already");
        office.control(&name, wire::JobControl::Resume).await.unwrap();
        let on = office.until(&name, |job| job.done > halted.done).await;
        assert_eq!(on.state(), wire::JobState::Running);
        office.control(&name, wire::JobControl::Cancel).await.unwrap();
        let status = office.control(&name, wire::JobControl::Resume).await.expect_err("it is cancelled");
        assert_eq!(reason(&status), "JOB_ENDED");
        office.clock.pass(Duration::from_secs(60));
        while !office.operations.open_jobs(uuid::Uuid::nil(), 1).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        worker.abort();
        let mut acted = 0;
        for id in sagas {
            acted += office.verbs(id).await.len() as u64;
        }
        let job = office.job(&name).await;
        assert_eq!((job.state(), job.done, job.failed), (wire::JobState::Cancelled, acted, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_repeats_nothing_and_counts_right() {
    for office in both().await {
        let sagas = office.put(0, 300, &stuck()).await;
        let name = office.create(request(wire::SagaVerb::Retry, "state = stuck")).await.unwrap().name;
        for crash in 1..=6 {
            let worker = office.jobs_worker();
            office.until(&name, |job| job.done >= crash * 10).await;
            // Somewhere between one action and the next; what its page did is not counted yet.
            worker.abort();
            assert!(worker.await.is_err_and(|ended| ended.is_cancelled()));
            office.clock.pass(Duration::from_secs(11));
        }
        let worker = office.jobs_worker();
        let job = office.until(&name, |job| job.state() == wire::JobState::Done).await;
        worker.abort();
        assert_eq!((job.done, job.failed), (300, 0));
        for id in sagas {
            assert_eq!(office.verbs(id).await, [Verb::Retry]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_acted_on_but_not_counted_is_counted_by_the_next_worker() {
    for office in both().await {
        let sagas = office.put(0, 3, &stuck()).await;
        let name = office.create(request(wire::SagaVerb::Retry, "state = stuck")).await.unwrap().name;
        let id = uuid::Uuid::parse_str(name.trim_start_matches("jobs/")).unwrap();
        let dead = uuid::Uuid::from_u128(7);
        let job = office.operations.claim_job(id, dead, Duration::from_secs(10)).await.unwrap().expect("claimed");
        let page = baton_orchestrator::operations::jobs::Page { sagas: sagas.clone(), reached: sagas[0], last: true };
        assert!(office.operations.begin_page(&job, dead, &page).await.unwrap());
        for saga in &sagas[..2] {
            let action = saga_core::event::OperatorAction {
                verb: Verb::Retry,
                actor: job.actor.clone(),
                reason: format!("by {name}: {}", job.reason),
            };
            let request = baton_orchestrator::workers::actions::request_id(id.as_bytes(), *saga, 0);
            let act = baton_orchestrator::engine::input::Act {
                request: Some(request),
                ..baton_orchestrator::engine::input::Act::new(*saga, action)
            };
            office.api.engine.action(act).await.expect("acted").expect("settled");
        }
        let worker = office.jobs_worker();
        assert!(
            office.operations.claim_job(id, uuid::Uuid::from_u128(8), Duration::from_secs(1)).await.unwrap().is_none()
        );
        office.clock.pass(Duration::from_secs(11));
        let job = office.until(&name, |job| job.state() == wire::JobState::Done).await;
        worker.abort();
        assert_eq!((job.done, job.failed), (3, 0), "two of them are under way, and yet not refused");
        for id in sagas {
            assert_eq!(office.verbs(id).await, [Verb::Retry]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_sagas_find_room_while_a_job_of_thousands_runs() {
    for office in both().await {
        office.put(0, 3_000, &paused()).await;
        let name = office.create(request(wire::SagaVerb::Resume, "state = paused")).await.unwrap().name;
        let worker = office.jobs_worker();
        let mut fresh = 0;
        let waiting = loop {
            fresh += 1;
            office.api.engine.start(order_start(fresh)).await.expect("let in").expect("settled");
            let job = office.job(&name).await;
            if !job.waits.is_empty() || fresh == 200 {
                break job;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(waiting.waits.contains("fresh sagas go first"), "{waiting:?}");
        assert!(waiting.done > 0 && waiting.done < 1_024, "{waiting:?}");
        office.api.engine.room().expect("fresh sagas find room");
        office.api.engine.start(order_start(fresh + 1)).await.expect("let in").expect("settled");
        office.control(&name, wire::JobControl::Cancel).await.expect("cancelled");
        worker.abort();
    }
}

/// The older job's page cannot be read; the younger one behind it is done all the same, and the older one says why it waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_keeps_no_other_waiting() {
    for office in both().await {
        office.put(0, 3, &stuck()).await;
        let sick = office.put(100, 1, &paused()).await[0];
        let failing = office.create(request(wire::SagaVerb::Resume, "state = paused")).await.unwrap().name;
        let behind = office.create(request(wire::SagaVerb::Retry, "state = stuck")).await.unwrap().name;
        office.store.sicken(Some(sick));
        let worker = office.jobs_worker();
        let job = office.until(&behind, |job| job.state() == wire::JobState::Done).await;
        assert_eq!((job.done, job.failed), (3, 0));
        let waiting = office.until(&failing, |job| !job.waits.is_empty()).await;
        assert!(waiting.waits.contains("the store refuses"), "{waiting:?}");
        office.store.sicken(None);
        let job = office.until(&failing, |job| job.state() == wire::JobState::Done).await;
        worker.abort();
        assert_eq!((job.done, job.failed, job.waits.as_str()), (1, 0, ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_that_were_started_after_a_job_are_left_alone() {
    let office = Office::over(DatabaseConfig::SqliteMemory).await;
    let old = office.put(0, 3, &stuck()).await;
    let name = office.create(request(wire::SagaVerb::Retry, "state = stuck OR state = running")).await.unwrap().name;
    let later = SagaId(uuid::Uuid::now_v7().into_bytes());
    office
        .api
        .engine
        .start(baton_orchestrator::engine::input::Start { id: later, ..order_start(1) })
        .await
        .unwrap()
        .expect("settled");
    let worker = office.jobs_worker();
    let job = office.until(&name, |job| job.state() == wire::JobState::Done).await;
    worker.abort();
    assert_eq!((job.done, job.failed), (3, 0));
    assert!(office.verbs(later).await.is_empty());
    assert_eq!(office.verbs(old[0]).await, [Verb::Retry]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_is_told_field_by_field_and_changes_nothing() {
    let office = Office::over(DatabaseConfig::SqliteMemory).await;
    let good = request(wire::SagaVerb::Retry, "state = stuck");
    for (request, expected) in [
        (wire::CreateJobRequest { filter: String::new(), ..good.clone() }, "FIELD_REQUIRED"),
        (wire::CreateJobRequest { filter: "stat = stuck".into(), ..good.clone() }, "FILTER_INVALID"),
        (wire::CreateJobRequest { preset: "nope".into(), ..good.clone() }, "PRESET_UNKNOWN"),
        (wire::CreateJobRequest { verb: 0, ..good.clone() }, "FIELD_REQUIRED"),
        (wire::CreateJobRequest { verb: 99, ..good.clone() }, "ENUM_UNKNOWN"),
        (wire::CreateJobRequest { reason: "\n".into(), ..good.clone() }, "ACTION_REASON_INVALID"),
        (wire::CreateJobRequest { actor: String::new(), ..good.clone() }, "ACTOR_INVALID"),
        (wire::CreateJobRequest { max_rate: 1_001, ..good.clone() }, "RATE_OUT_OF_RANGE"),
        (wire::CreateJobRequest { request_id: "x".into(), ..good.clone() }, "REQUEST_ID_INVALID"),
    ] {
        let status = office.create(request.clone()).await.expect_err(expected);
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, expected), "{request:?}");
    }
    let jobs = office.api.list_jobs(Request::new(wire::ListJobsRequest::default())).await.unwrap().into_inner();
    assert!(jobs.jobs.is_empty());
    let unknown = wire::GetJobRequest { name: format!("jobs/{}", uuid::Uuid::nil()) };
    let status = office.api.get_job(Request::new(unknown)).await.expect_err("unknown");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "JOB_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_jobs_are_forgotten_with_their_failures_and_open_ones_stay() {
    for office in both().await {
        office.put(0, 3, &stuck()).await;
        let ended = office.create(request(wire::SagaVerb::Resume, "state = stuck")).await.unwrap().name;
        let worker = office.jobs_worker();
        let job = office.until(&ended, |job| job.state() == wire::JobState::Done).await;
        worker.abort();
        assert_eq!((job.failed, office.failures(&ended).await.len()), (3, 3));
        let open = office.create(request(wire::SagaVerb::Retry, "state = stuck")).await.unwrap().name;
        let end = office.operations.now();
        assert!(!office.operations.forget_job(end, 2).await.unwrap(), "it has just ended");
        let later = end.plus(Duration::from_secs(1));
        // Two failures, the third, the job.
        for _ in 0..3 {
            assert!(office.operations.forget_job(later, 2).await.unwrap());
        }
        assert!(!office.operations.forget_job(later, 2).await.unwrap());
        let get = |name: &str| wire::GetJobRequest { name: name.to_owned() };
        let status = office.api.get_job(Request::new(get(&ended))).await.expect_err("forgotten");
        assert_eq!(reason(&status), "JOB_NOT_FOUND");
        office.api.get_job(Request::new(get(&open))).await.expect("still there");
    }
}
