//! How long a batch of payment commands may take while the provider hangs, on a clock that is turned.

use crate::stage;
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::participant::Participant as _;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway, ProviderPayment, ProviderState};
use baton_payment::money::Money;
use baton_payment::participant::{PaymentParticipant, Prepared};
use baton_payment::refund::Outcome;
use baton_sql::database::{Database, DatabaseConfig};
use shop_domain::identifier::PaymentId;
use stage::{cancel, id, is_unavailable, krw, order, verify};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One call of the gateway with its default limits: an exchange and a login of 3 s each.
const CALL: Duration = Duration::from_secs(6);

/// Shows every payment as paid, and hangs when asked to cancel one.
#[derive(Debug, Default)]
struct Hanging {
    cancels: AtomicUsize,
}

#[async_trait]
impl PaymentGateway for Hanging {
    async fn lookup(&self, payment_id: &PaymentId) -> Lookup {
        let (_, number) = payment_id.as_str().split_once('_').expect("imp_N");
        Lookup::Found(ProviderPayment {
            payment_id: id(payment_id.as_str()),
            merchant_number: order(number.parse().expect("a number")).to_string(),
            state: ProviderState::Paid,
            amount: krw(1_000),
            cancelled_minor_units: 0,
        })
    }

    async fn cancel(&self, _payment_id: &PaymentId, _expected_remaining: Money, _reason: &str) -> Cancelled {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        sleep(CALL).await;
        Cancelled::InDoubt("timed out".to_owned())
    }
}

/// Hangs when asked for a list, and says in the end that nothing came.
#[derive(Debug, Default)]
struct HangingLists {
    lists: AtomicUsize,
    alone: AtomicUsize,
}

#[async_trait]
impl PaymentGateway for HangingLists {
    async fn lookup(&self, _payment_id: &PaymentId) -> Lookup {
        self.alone.fetch_add(1, Ordering::SeqCst);
        Lookup::Unavailable("timed out".to_owned())
    }

    async fn lookup_many(&self, payment_ids: &[PaymentId]) -> Vec<Option<Lookup>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        sleep(CALL).await;
        vec![Some(Lookup::Unavailable("timed out".to_owned())); payment_ids.len()]
    }

    async fn cancel(&self, _payment_id: &PaymentId, _expected_remaining: Money, _reason: &str) -> Cancelled {
        unreachable!("nothing was found to cancel")
    }
}

#[tokio::test(start_paused = true)]
async fn no_list_is_asked_for_once_the_budget_is_spent() {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.expect("a database");
    let gateway = Arc::new(HangingLists::default());
    let participant = PaymentParticipant::new(database.clone(), gateway.clone(), Clock::system());
    database.migrate(&ledger::migrations(&participant)).await.expect("tables");
    // Lists for more than two rounds of those that are asked for at once.
    let commands: Vec<_> = (1..=2_000).map(|number: i32| verify(1, &format!("imp_{number}"), 1)).collect();
    let begun = Instant::now();
    let prepared = participant.prepare(&commands).await;
    assert!(begun.elapsed() <= Duration::from_secs(3) + CALL, "{:?}", begun.elapsed());
    assert_eq!(gateway.lists.load(Ordering::SeqCst), 8, "none begins that late");
    assert_eq!(gateway.alone.load(Ordering::SeqCst), 0, "nor a look-up for what no list told");
    assert_eq!(prepared.len(), commands.len());
    for one in prepared {
        assert!(matches!(one, Prepared::Verify(_, Lookup::Unavailable(_))), "{one:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_behind_a_provider_that_hangs_ends_after_its_budget_and_one_call() {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.expect("a database");
    let gateway = Arc::new(Hanging::default());
    let participant = PaymentParticipant::new(database.clone(), gateway.clone(), Clock::system());
    database.migrate(&ledger::migrations(&participant)).await.expect("tables");
    // More than are called at once.
    let commands: Vec<_> = (1..=200u8).map(|number| cancel(number, &format!("imp_{number}"), number)).collect();
    let begun = Instant::now();
    let prepared = participant.prepare(&commands).await;
    assert!(begun.elapsed() <= Duration::from_secs(3) + CALL, "{:?}", begun.elapsed());
    assert_eq!(gateway.cancels.load(Ordering::SeqCst), 64, "none begins that late");
    for one in prepared {
        let Prepared::Cancel(_, Outcome::Unanswered(answer)) = one else { panic!("{one:?}") };
        assert!(is_unavailable(&answer, "PROVIDER_UNAVAILABLE"), "{answer:?}");
    }
}
