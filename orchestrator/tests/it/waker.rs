//! The waker: what nobody answers is sent again, a participant that knows the answer is believed, a silent one is given up.

use crate::support;
use async_trait::async_trait;
use baton_orchestrator::store::{Record, SagaStore as _};
use baton_orchestrator::workers::probe::{NoProbe, Probe};
use baton_orchestrator::workers::waker::{Couriers, Look};
use saga_core::event::{Entry, Outcome, Reply};
use saga_core::saga::{CommandId, SagaId, State, Wait};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Bench, start};

const SAGA: SagaId = SagaId([1; 16]);

/// A ledger that has succeeded with everything, and does not say in which attempt.
#[derive(Debug)]
struct Done;

#[async_trait]
impl Probe for Done {
    async fn ask(&self, _participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        let answer = |id: &CommandId| {
            let reply = Reply { step: id.step, direction: id.direction, attempt: 0, outcome: outcome.clone() };
            (id.saga, reply)
        };
        Some(commands.iter().map(answer).collect())
    }
}

/// A bench whose first saga waits for an answer.
async fn waiting() -> Bench {
    let mut bench = Bench::new();
    start(&mut bench, 1).await.expect("settled");
    bench
}

async fn row(bench: &Bench) -> (Record, Vec<Entry>) {
    let record = bench.store.get(SAGA).await.unwrap().expect("a saga");
    (record, bench.store.journal(SAGA, 0, 100).await.unwrap())
}

async fn woken(probe: Arc<dyn Probe>) -> State {
    let mut bench = waiting().await;
    bench.clock.pass(Duration::from_secs(6));
    let waker = bench.waker(probe);
    let look = bench.look(&waker, &mut Couriers::default()).await;
    assert_eq!(look, Look { seen: 1, due: 1, sent_again: 0, moved: 1 });
    row(&bench).await.0.saga.state
}

#[tokio::test]
async fn what_a_ledger_knows_moves_the_saga() {
    assert!(matches!(woken(Arc::new(Done)).await, State::Running { step: 2, wait: Wait::Reply { attempt: 1, .. } }));
}

#[tokio::test]
async fn silence_backs_off() {
    assert!(matches!(
        woken(Arc::new(NoProbe)).await,
        State::Running { step: 1, wait: Wait::Backoff { attempt: 1, .. } }
    ));
}

#[tokio::test]
async fn what_is_not_answered_is_sent_again_and_the_saga_stays_as_it_is() {
    let mut bench = waiting().await;
    let (waker, mut couriers, before) = (bench.waker(Arc::new(NoProbe)), Couriers::default(), row(&bench).await);
    bench.clock.pass(Duration::from_micros(499_999));
    assert_eq!(bench.look(&waker, &mut couriers).await, Look::default(), "half a second is not over");
    bench.clock.pass(Duration::from_micros(1));
    assert_eq!(bench.look(&waker, &mut couriers).await, Look { seen: 1, due: 0, sent_again: 1, moved: 0 });
    let commands = bench.bus.commands();
    assert_eq!(commands.len(), 2);
    assert_eq!(commands[0], commands[1], "the very same, in the same attempt");
    assert_eq!(commands[1].attempt, 1);
    assert_eq!(row(&bench).await, before, "no version, no journal entry");
    assert_eq!((bench.metrics.sent_again.get(), bench.metrics.woken.get()), (1, 0));
    assert_eq!(bench.look(&waker, &mut couriers).await, Look::default(), "it is put off");
}

/// An hour back: nothing may stand still until the clock gets there again, and the waits after it are as long as ever.
#[tokio::test]
async fn a_clock_that_is_set_back_holds_no_saga_still() {
    let mut bench = waiting().await;
    let (waker, mut couriers) = (bench.waker(Arc::new(NoProbe)), Couriers::default());
    bench.clock.set_back(Duration::from_secs(3_600));
    assert_eq!(bench.look(&waker, &mut couriers).await, Look { seen: 1, due: 1, sent_again: 0, moved: 1 });
    let (record, journal) = row(&bench).await;
    let now = bench.store.now();
    assert!(record.saga.wake_at().is_some_and(|until| until.since(now) < Duration::from_secs(1)), "{record:?}");
    assert_eq!((record.saga.updated_at, journal.last().map(|entry| entry.at)), (now, Some(now)));
    assert_eq!(bench.look(&waker, &mut couriers).await, Look::default(), "it pauses before its next attempt");
    bench.clock.pass(Duration::from_secs(1));
    assert_eq!(bench.look(&waker, &mut couriers).await.moved, 1);
    assert_eq!(bench.look(&waker, &mut couriers).await, Look::default(), "which has as long as any");
}

#[tokio::test]
async fn the_pauses_double() {
    let mut bench = waiting().await;
    let (waker, mut couriers) = (bench.waker(Arc::new(NoProbe)), Couriers::default());
    let mut sent = Vec::new();
    // As long as this attempt lasts.
    for step in 1..100 {
        bench.clock.pass(Duration::from_millis(50));
        let look = bench.look(&waker, &mut couriers).await;
        sent.extend((look.sent_again > 0).then_some(step * 50));
        if look.due > 0 {
            break;
        }
    }
    assert_eq!(sent, [500, 1_000, 2_000, 4_000], "milliseconds");
}

/// An answer ends it, and the command of the next step begins with its own half second.
#[tokio::test]
async fn what_is_answered_is_not_sent_again() {
    let mut bench = waiting().await;
    let (waker, mut couriers) = (bench.waker(Arc::new(Done)), Couriers::default());
    bench.clock.pass(Duration::from_secs(6));
    bench.look(&waker, &mut couriers).await;
    let names = |bench: &Bench| bench.bus.commands().into_iter().map(|command| command.name).collect::<Vec<_>>();
    assert_eq!(names(&bench), ["order.open", "payment.verify"]);
    bench.clock.pass(Duration::from_millis(500));
    assert_eq!(bench.look(&waker, &mut couriers).await.sent_again, 1);
    assert_eq!(names(&bench), ["order.open", "payment.verify", "payment.verify"]);
}

#[tokio::test]
async fn of_two_wakers_one_gets_a_saga() {
    let mut bench = Bench::new();
    for n in 1..=100 {
        start(&mut bench, n).await.expect("settled");
    }
    bench.clock.pass(Duration::from_secs(1));
    let (one, two) = (bench.waker(Arc::new(NoProbe)), bench.waker(Arc::new(NoProbe)));
    let looks = tokio::join!(one.run_once(), two.run_once());
    assert_eq!(looks.0.unwrap().sent_again + looks.1.unwrap().sent_again, 100);
    assert_eq!(bench.bus.commands().len(), 200, "each started, and sent again once");
}

#[tokio::test]
async fn nothing_is_looked_at_while_the_bus_is_away_and_all_of_it_once_it_is_back() {
    let mut bench = waiting().await;
    let (waker, mut couriers, before) = (bench.waker(Arc::new(Done)), Couriers::default(), row(&bench).await);
    bench.bus.away.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        bench.clock.pass(Duration::from_secs(60));
        assert_eq!(bench.look(&waker, &mut couriers).await, Look::default());
    }
    assert_eq!(row(&bench).await, before, "its attempt is not given up, whatever its deadline says");
    bench.bus.away.store(false, Ordering::SeqCst);
    assert_eq!(bench.look(&waker, &mut couriers).await, Look { seen: 1, due: 0, sent_again: 1, moved: 0 });
    assert_eq!(bench.bus.commands().len(), 2);
    assert_eq!(row(&bench).await, before);
}

#[tokio::test]
async fn an_attempt_has_a_whole_timeout_once_the_bus_is_back() {
    let mut bench = waiting().await;
    let (waker, mut couriers, before) = (bench.waker(Arc::new(NoProbe)), Couriers::default(), row(&bench).await);
    let started = bench.clock.now();
    let timeout = before.0.saga.wake_at().expect("a deadline").since(started);
    bench.bus.away.store(true, Ordering::SeqCst);
    bench.look(&waker, &mut couriers).await;
    bench.clock.pass(Duration::from_secs(600));
    bench.bus.away.store(false, Ordering::SeqCst);
    bench.look(&waker, &mut couriers).await;
    let until = bench.clock.now().plus(timeout);
    let again = bench.bus.commands().pop().expect("sent again");
    assert_eq!(again.deadline_us, until.0, "its participant may begin with it all that time");
    bench.clock.pass(timeout - Duration::from_micros(1));
    assert_eq!(bench.look(&waker, &mut couriers).await.due, 0);
    assert_eq!(row(&bench).await, before);
    bench.clock.pass(Duration::from_micros(1));
    let look = bench.look(&waker, &mut couriers).await;
    assert_eq!((look.due, look.moved), (1, 1));
    assert!(matches!(row(&bench).await.0.saga.state, State::Running { step: 1, wait: Wait::Backoff { .. } }));
}
