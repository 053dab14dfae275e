//! Jobs: pages are begun once and counted once, whoever works on them.

use super::Suite;
use crate::jobs::{Control, Controlled, Created, Job, JobFailure, JobState, MAX_OPEN, Page};
use baton_engine::store::StateCode;
use baton_store::conformance::sample;
use saga_core::event::Verb;
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);
const WORKER: Uuid = Uuid::from_u128(1);

pub(super) async fn exercise(suite: &Suite) {
    a_page_is_begun_once_and_counted_once(suite).await;
    operators_halt_and_end_it(suite).await;
    only_so_many_are_open(suite).await;
    ended_ones_are_forgotten(suite).await;
}

fn job(suite: &Suite, n: u32) -> Job {
    let now = suite.operations.now();
    let id = Uuid::from_bytes(sample::id(60, n).0);
    Job {
        id,
        filter: "state = stuck".to_owned(),
        preset: String::new(),
        verb: Verb::ResolveUndone,
        reason: "naïve 🚀".to_owned(),
        actor: "ada".to_owned(),
        max_rate: 7,
        state: JobState::Running,
        matched: 3,
        matched_exact: true,
        done: 0,
        failed: 0,
        created_at: now,
        updated_at: now,
        waits: String::new(),
        reached: SagaId(id.into_bytes()),
        page: 0,
        pending: Vec::new(),
        last_page: false,
    }
}

async fn create(suite: &Suite, job: &Job, request: u128) -> Created {
    let act = suite.act("create-job", &format!("jobs/{}", job.id), request);
    suite.operations.create_job(job.clone(), act).await.expect("create")
}

async fn control(suite: &Suite, job: &Job, control: Control, request: u128) -> Controlled {
    let act = suite.act("control-job", &format!("jobs/{}", job.id), request);
    suite.operations.control_job(job.id, control, act).await.expect("control")
}

async fn stored(suite: &Suite, job: &Job) -> Job {
    suite.operations.job(job.id).await.expect("job").expect("it is there")
}

fn failure(n: u32) -> JobFailure {
    let (rule, message) = ("NOT_STUCK".to_owned(), "It is not stuck.".to_owned());
    JobFailure { number: 0, saga: sample::id(61, n), rule, message, at: sample::START }
}

async fn a_page_is_begun_once_and_counted_once(suite: &Suite) {
    let operations = &suite.operations;
    let created = job(suite, 1);
    assert_eq!(create(suite, &created, 60).await, Created::Yes);
    assert_eq!(create(suite, &job(suite, 2), 60).await, Created::RequestTaken);
    assert_eq!(stored(suite, &created).await, created);
    assert!(operations.job(job(suite, 2).id).await.expect("job").is_none(), "nothing was written");
    assert_eq!(operations.open_jobs(WORKER, 10).await.expect("open"), [created.id]);
    let claimed = operations.claim_job(created.id, WORKER, LEASE).await.expect("claim").expect("a job");
    let other = Uuid::from_u128(2);
    assert!(operations.claim_job(created.id, other, LEASE).await.expect("claim").is_none());
    assert!(operations.open_jobs(other, 10).await.expect("open").is_empty());
    let sagas = vec![sample::id(61, 3), sample::id(61, 2)];
    let page = Page { sagas: sagas.clone(), reached: sagas[1], last: false };
    assert!(!operations.begin_page(&claimed, other, &page).await.expect("begin"), "another one has it");
    assert!(operations.begin_page(&claimed, WORKER, &page).await.expect("begin"));
    assert!(!operations.begin_page(&claimed, WORKER, &page).await.expect("begin"), "it is begun");
    operations.job_waits(created.id, other, "not mine").await.expect("nothing");
    operations.job_waits(created.id, WORKER, "for something").await.expect("waits");

    // Whoever goes on finds the page that was begun.
    (suite.pass)(LEASE + Duration::from_secs(1));
    let claimed = operations.claim_job(created.id, other, LEASE).await.expect("claim").expect("a job");
    let expected = (sagas.clone(), sagas[1], 1, "for something");
    assert_eq!((claimed.pending.clone(), claimed.reached, claimed.page, claimed.waits.as_str()), expected);
    assert!(!operations.settle_page(&claimed, WORKER, 1, vec![failure(2)]).await.expect("settle"), "too late");
    assert!(operations.settle_page(&claimed, other, 1, vec![failure(2)]).await.expect("settle"));
    assert!(!operations.settle_page(&claimed, other, 1, vec![failure(2)]).await.expect("settle"), "counted");
    let counted = stored(suite, &created).await;
    assert_eq!((counted.done, counted.failed, counted.page, counted.state), (1, 1, 2, JobState::Running));
    assert!(counted.pending.is_empty() && counted.waits.is_empty());

    let last = Page { sagas: sagas.clone(), reached: created.reached, last: true };
    assert!(operations.begin_page(&counted, other, &last).await.expect("begin"));
    let begun = stored(suite, &created).await;
    assert!(operations.settle_page(&begun, other, 1, vec![failure(3)]).await.expect("settle"));
    let done = stored(suite, &created).await;
    assert_eq!((done.done, done.failed, done.state), (2, 2, JobState::Done));
    assert!(operations.open_jobs(other, 10).await.expect("open").is_empty(), "nothing is left to do");
    // Of what was acted on, what is still there is told by where it stands.
    assert_eq!(operations.job_outcomes(created.id).await.expect("outcomes"), []);
    for saga in [sample::id(61, 2), sample::id(61, 3), sample::id(61, 4)] {
        suite.put(sample::record(saga, State::Completed)).await;
    }
    let outcomes = operations.job_outcomes(created.id).await.expect("outcomes");
    let told: Vec<_> = outcomes.iter().map(|group| (group.state, group.count, group.example)).collect();
    assert_eq!(
        told,
        [(StateCode::Completed, 2, sample::id(61, 2))],
        "one refused in each page, and none else was asked"
    );
    let failures = operations.job_failures(created.id, 0, 10).await.expect("failures");
    assert_eq!(failures, [JobFailure { number: 1, ..failure(2) }, JobFailure { number: 2, ..failure(3) }]);
    assert_eq!(operations.job_failures(created.id, 1, 10).await.expect("failures"), failures[1..]);
}

async fn operators_halt_and_end_it(suite: &Suite) {
    let operations = &suite.operations;
    let created = job(suite, 3);
    assert_eq!(control(suite, &created, Control::Pause, 61).await, Controlled::Unknown);
    create(suite, &created, 62).await;
    let claimed = operations.claim_job(created.id, WORKER, LEASE).await.expect("claim").expect("a job");
    assert!(matches!(control(suite, &created, Control::Resume, 63).await, Controlled::Job(_)), "it runs");
    assert!(!suite.is_audited(63).await, "nothing was done");
    assert_eq!(control(suite, &created, Control::Pause, 62).await, Controlled::RequestTaken);
    assert!(
        matches!(control(suite, &created, Control::Pause, 64).await, Controlled::Job(job) if job.state == JobState::Paused)
    );
    let page = Page { sagas: Vec::new(), reached: created.reached, last: true };
    assert!(!operations.begin_page(&claimed, WORKER, &page).await.expect("begin"), "it is halted");
    operations.close_job(&claimed, WORKER).await.expect("closed");
    assert!(operations.open_jobs(WORKER, 10).await.expect("open").is_empty(), "left alone");
    control(suite, &created, Control::Resume, 65).await;
    assert_eq!(operations.open_jobs(WORKER, 10).await.expect("open"), [created.id], "it goes on");
    operations.close_job(&claimed, WORKER).await.expect("nothing");
    assert_eq!(operations.open_jobs(WORKER, 10).await.expect("open"), [created.id], "it is not through");
    control(suite, &created, Control::Cancel, 66).await;
    assert_eq!(control(suite, &created, Control::Resume, 67).await, Controlled::Ended(JobState::Cancelled));
    operations.close_job(&claimed, WORKER).await.expect("closed");
    let row = operations.audited(Uuid::from_u128(66)).await.expect("audit").expect("an entry").audit;
    assert_eq!((row.before.as_str(), row.after.as_str()), ("running", "cancelled"));
    let newest: Vec<Uuid> = operations.jobs(None, 10).await.expect("jobs").iter().map(|job| job.id).collect();
    assert_eq!(newest, [created.id, job(suite, 1).id], "newest first");
    assert_eq!(operations.jobs(Some(created.id), 10).await.expect("jobs").len(), 1);
}

async fn only_so_many_are_open(suite: &Suite) {
    for n in 0..MAX_OPEN {
        assert_eq!(create(suite, &job(suite, 100 + n), u128::from(1_000 + n)).await, Created::Yes);
    }
    assert_eq!(create(suite, &job(suite, 300), 68).await, Created::TooMany);
    assert!(!suite.is_audited(68).await);
    for n in 0..MAX_OPEN {
        let job = job(suite, 100 + n);
        control(suite, &job, Control::Cancel, u128::from(2_000 + n)).await;
        let job = suite.operations.claim_job(job.id, WORKER, LEASE).await.expect("claim").expect("a job");
        suite.operations.close_job(&job, WORKER).await.expect("closed");
    }
}

async fn ended_ones_are_forgotten(suite: &Suite) {
    assert!(!suite.operations.forget_job(sample::START, 10).await.expect("nothing"), "none is that old");
    let later = Micros(suite.operations.now().0 + 1);
    let first = job(suite, 1);
    assert!(suite.operations.forget_job(later, 1).await.expect("a failure"));
    assert_eq!(suite.operations.job_failures(first.id, 0, 10).await.expect("failures").len(), 1);
    let notes = suite.operations.job_outcomes(first.id).await.expect("outcomes");
    assert_eq!(notes.iter().map(|group| group.count).sum::<u64>(), 2, "they stay until the failures are gone");
    while suite.operations.forget_job(later, 10).await.expect("a step") {}
    assert!(suite.operations.jobs(None, 10).await.expect("jobs").is_empty());
}
