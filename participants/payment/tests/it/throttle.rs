//! A provider that throttles: one refusal counts for all, and the pause spends as little of the attempts as can be.

use crate::stage;
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::participant::Participant as _;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway};
use baton_payment::money::Money;
use baton_payment::participant::{PaymentParticipant, Prepared};
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::payment::Status;
use baton_sandbox::server::Sandbox;
use baton_sql::database::{Database, DatabaseConfig};
use shop_domain::identifier::PaymentId;
use stage::{attempt, id, krw, once, pay, provider, verify};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const MANY: u64 = 1_000_000;

fn throttle(sandbox: &Sandbox, operation: Operation, seconds: u64) {
    let rule = Rule { operation: Some(operation), count: Some(MANY), ..Rule::new(Fault::Throttle(seconds)) };
    assert!(sandbox.faults().add(rule));
}

/// Calls that were refused so far.
fn refused(sandbox: &Sandbox) -> u64 {
    MANY - sandbox.faults().list()[0].count.expect("a count")
}

#[tokio::test]
async fn one_refusal_counts_for_every_call_of_the_process() {
    let (sandbox, gateway) = provider(Duration::from_secs(3)).await;
    pay(&sandbox, "imp_1", "order-1", 1_000, Status::Paid).await;
    throttle(&sandbox, Operation::Lookup, 30);
    let ids: Vec<PaymentId> = (0..100).map(|number| id(&format!("imp_{number}"))).collect();
    let found = gateway.lookup_many(&ids).await;
    assert!(found.iter().all(|found| matches!(found, Some(Lookup::Unavailable(_)))), "none is to be asked for alone");
    let pause = gateway.pause().expect("a pause");
    assert!(pause > Duration::from_secs(25) && pause <= Duration::from_secs(30), "as Retry-After said: {pause:?}");
    for id in &ids {
        assert!(matches!(gateway.lookup(id).await, Lookup::Unavailable(_)));
    }
    assert!(matches!(gateway.cancel(&ids[1], krw(1_000), "WHY").await, Cancelled::InDoubt(_)));
    assert_eq!(refused(&sandbox), 1, "nobody is asked again before the pause is over");
}

#[tokio::test]
async fn a_pause_that_is_asked_for_has_a_bound() {
    let (sandbox, gateway) = provider(Duration::from_secs(3)).await;
    throttle(&sandbox, Operation::Token, 3_600);
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
    let pause = gateway.pause().expect("a pause");
    assert!(pause <= Duration::from_secs(60), "{pause:?}");
}

#[tokio::test]
async fn an_overload_that_names_a_time_is_a_pause_and_one_that_does_not_is_none() {
    let (sandbox, gateway) = provider(Duration::from_secs(3)).await;
    once(&sandbox, Fault::Status(503), Operation::Lookup);
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
    assert_eq!(gateway.pause(), None);
    once(&sandbox, Fault::Status(429), Operation::Lookup);
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
    assert!(gateway.pause().is_some_and(|pause| pause <= Duration::from_secs(1)));
}

/// Wants to be left alone for a time, refuses whoever asks meanwhile, and knows no payment afterwards.
#[derive(Debug)]
struct Throttling {
    until: Instant,
    asked: AtomicUsize,
}

#[async_trait]
impl PaymentGateway for Throttling {
    async fn lookup(&self, _payment_id: &PaymentId) -> Lookup {
        if self.pause().is_some() {
            return Lookup::Unavailable("it asked for a pause".to_owned());
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        Lookup::Unknown
    }

    async fn cancel(&self, _payment_id: &PaymentId, _expected_remaining: Money, _reason: &str) -> Cancelled {
        unreachable!("nothing was found to cancel")
    }

    fn pause(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_minute_of_throttling_spends_less_than_the_attempts_of_a_step() {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.expect("a database");
    let until = Instant::now() + Duration::from_secs(30);
    let gateway = Arc::new(Throttling { until, asked: AtomicUsize::new(0) });
    let participant = PaymentParticipant::new(database.clone(), gateway.clone(), Clock::system());
    database.migrate(&ledger::migrations(&participant)).await.expect("tables");
    // As a step before the pivot asks, without the pauses between its attempts.
    let mut attempts = 0;
    while gateway.asked.load(Ordering::SeqCst) == 0 {
        attempts += 1;
        participant.prepare(&[attempt(attempts, verify(1, "imp_1", 1))]).await;
    }
    assert!(attempts <= 8, "{attempts}");
}

/// How long a batch took behind a pause, how often the provider was asked, and what was found.
async fn behind(pause: Duration) -> (Duration, usize, Vec<Prepared>) {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.expect("a database");
    let begun = Instant::now();
    let gateway = Arc::new(Throttling { until: begun + pause, asked: AtomicUsize::new(0) });
    let participant = PaymentParticipant::new(database.clone(), gateway.clone(), Clock::system());
    database.migrate(&ledger::migrations(&participant)).await.expect("tables");
    let commands: Vec<_> = (1..=3u8).map(|number| verify(number, &format!("imp_{number}"), number)).collect();
    let prepared = participant.prepare(&commands).await;
    (begun.elapsed(), gateway.asked.load(Ordering::SeqCst), prepared)
}

#[tokio::test(start_paused = true)]
async fn a_short_pause_is_waited_out_within_the_attempt() {
    let (took, asked, prepared) = behind(Duration::from_secs(2)).await;
    assert!(took >= Duration::from_secs(2) && took < Duration::from_millis(2_500), "{took:?}");
    assert_eq!(asked, 3);
    assert!(prepared.iter().all(|one| matches!(one, Prepared::Verify(_, Lookup::Unknown))), "{prepared:?}");
}

#[tokio::test(start_paused = true)]
async fn behind_a_long_pause_nobody_is_asked_and_the_answer_comes_late() {
    let (took, asked, prepared) = behind(Duration::from_secs(60)).await;
    // Just below a step's time limit of 5 s: an attempt lasts as long as it can.
    assert!(took >= Duration::from_secs(4) && took < Duration::from_millis(4_500), "{took:?}");
    assert_eq!(asked, 0);
    assert!(prepared.iter().all(|one| matches!(one, Prepared::Verify(_, Lookup::Unavailable(_)))), "{prepared:?}");
}
