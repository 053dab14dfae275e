//! The gateway against the sandbox provider: every fault, on the look-up and on the cancellation.

use crate::stage;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway, ProviderState};
use baton_payment::portone_v1::PortOneV1;
use baton_sandbox::amount::{Decimal, exponent};
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::ledger::{Cancel, Ledger, NewPayment, Reference};
use baton_sandbox::payment::{Details, Status};
use baton_sandbox::server::Sandbox;
use baton_sql::database::DatabaseConfig;
use baton_supervisor::shared;
use shop_domain::currency::Currency;
use stage::{at_provider, gateway, id, krw, once, pay, provider};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(3);

/// The sandbox has a table of its own, so that it notices a mistake in ours.
#[test]
fn client_and_provider_agree_on_every_smallest_unit() {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let known = codes.filter_map(|code| exponent(&code).map(|decimals| (code, decimals)));
    let known: Vec<(String, u32)> = known.collect();
    assert!(known.len() >= 12, "{known:?}");
    for (code, decimals) in known {
        assert_eq!(Currency::from_code(&code).expect("a code").decimals(), Some(decimals), "{code}");
    }
}

async fn paid() -> (Sandbox, PortOneV1) {
    let (sandbox, gateway) = provider(SOON).await;
    pay(&sandbox, "imp_1", "order-1", 1_000, Status::Paid).await;
    (sandbox, gateway)
}

async fn refunds(sandbox: &Sandbox) -> (i64, i64) {
    let payment = at_provider(sandbox, "imp_1").await;
    (payment.cancellations, payment.cancelled)
}

#[tokio::test]
async fn a_payment_is_found_and_cancelled() {
    let (sandbox, gateway) = paid().await;
    let Lookup::Found(found) = gateway.lookup(&id("imp_1")).await else { panic!("found") };
    assert_eq!((found.merchant_number.as_str(), found.state), ("order-1", ProviderState::Paid));
    assert_eq!((found.amount, found.remaining()), (krw(1_000), krw(1_000)));
    assert_eq!(gateway.lookup(&id("imp_none")).await, Lookup::Unknown);

    let Cancelled::Done(done) = gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await else { panic!("done") };
    assert_eq!((done.state, done.remaining()), (ProviderState::Cancelled, krw(0)));
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await, Cancelled::Refused { .. }));
    assert!(matches!(gateway.cancel(&id("imp_none"), krw(1), "WHY").await, Cancelled::Refused { .. }));
    assert_eq!(refunds(&sandbox).await, (1, 1_000));
}

#[tokio::test]
async fn a_balance_that_is_not_the_expected_one_moves_nothing() {
    let (sandbox, gateway) = paid().await;
    for wrong in [1, 999, 1_001] {
        assert!(matches!(gateway.cancel(&id("imp_1"), krw(wrong), "WHY").await, Cancelled::Refused { .. }), "{wrong}");
    }
    assert_eq!(refunds(&sandbox).await, (0, 0));
}

#[tokio::test]
async fn a_look_up_never_takes_trouble_for_an_answer() {
    let (sandbox, gateway) = paid().await;
    let faults = [Fault::Status(500), Fault::Status(503), Fault::CutBeforeEffect, Fault::CutAfterEffect];
    for fault in faults {
        once(&sandbox, fault, Operation::Lookup);
        assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)), "{fault:?}");
        assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Found(_)), "after {fault:?}");
    }
    once(&sandbox, Fault::UnknownId, Operation::Lookup);
    assert_eq!(gateway.lookup(&id("imp_1")).await, Lookup::Unknown);
    once(&sandbox, Fault::WrongAmount, Operation::Lookup);
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Found(found) if found.amount == krw(1_001)));
    once(&sandbox, Fault::WrongCurrency, Operation::Lookup);
    let found = gateway.lookup(&id("imp_1")).await;
    assert!(matches!(found, Lookup::Found(found) if found.amount.currency.as_str() == "JPY"));
}

#[tokio::test]
async fn a_cancellation_tells_doubt_from_refusal() {
    let (sandbox, gateway) = paid().await;
    let cancel = || async { gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await };
    for fault in [Fault::Status(500), Fault::Status(503), Fault::CutBeforeEffect] {
        once(&sandbox, fault, Operation::Cancel);
        assert!(matches!(cancel().await, Cancelled::InDoubt(_)), "{fault:?}");
        assert_eq!(refunds(&sandbox).await, (0, 0), "{fault:?}");
    }
    for fault in [Fault::CancelRefused, Fault::UnknownId, Fault::Status(400)] {
        once(&sandbox, fault, Operation::Cancel);
        assert!(matches!(cancel().await, Cancelled::Refused { .. }), "{fault:?}");
        assert_eq!(refunds(&sandbox).await, (0, 0), "{fault:?}");
    }
    once(&sandbox, Fault::CutAfterEffect, Operation::Cancel);
    assert!(matches!(cancel().await, Cancelled::InDoubt(_)));
    assert_eq!(refunds(&sandbox).await, (1, 1_000));
    assert!(matches!(cancel().await, Cancelled::Refused { .. }), "a second try moves nothing");
    assert_eq!(refunds(&sandbox).await, (1, 1_000));
}

#[tokio::test]
async fn a_cancellation_that_contradicts_itself_is_in_doubt_until_it_is_looked_up() {
    let (sandbox, gateway) = paid().await;
    // "cancelled", and one unit of the amount is not.
    once(&sandbox, Fault::WrongAmount, Operation::Cancel);
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await, Cancelled::InDoubt(_)));
    let Lookup::Found(found) = gateway.lookup(&id("imp_1")).await else { panic!("found") };
    assert_eq!((found.state, found.remaining()), (ProviderState::Cancelled, krw(0)));
    assert_eq!(refunds(&sandbox).await, (1, 1_000));
}

#[tokio::test]
async fn an_expired_token_is_renewed_within_the_call() {
    let (sandbox, gateway) = paid().await;
    for operation in [Operation::Lookup, Operation::Cancel] {
        once(&sandbox, Fault::ExpiredToken, operation);
    }
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Found(_)));
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await, Cancelled::Done(_)));
    assert!(sandbox.faults().list().is_empty(), "both faults have hit");
    assert_eq!(refunds(&sandbox).await, (1, 1_000));
    // Tokens that expire again and again end the call, they do not loop.
    sandbox.faults().add(Rule::new(Fault::ExpiredToken));
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
}

#[tokio::test]
async fn many_calls_share_one_login() {
    let (sandbox, gateway) = paid().await;
    let payment = id("imp_1");
    assert!(matches!(gateway.lookup(&payment).await, Lookup::Found(_)));
    // From here on every login fails, and nobody needs one.
    sandbox.faults().add(Rule { operation: Some(Operation::Token), ..Rule::new(Fault::Status(500)) });
    let calls = (0..200).map(|_| gateway.lookup(&payment));
    let found = futures_util::future::join_all(calls).await;
    assert!(found.iter().all(|found| matches!(found, Lookup::Found(_))));
}

#[tokio::test]
async fn trouble_at_the_login_is_trouble_of_the_call() {
    let (sandbox, gateway) = paid().await;
    for fault in [Fault::Status(500), Fault::CutBeforeEffect, Fault::CutAfterEffect] {
        once(&sandbox, fault, Operation::Token);
        assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Unavailable(_)), "{fault:?}");
    }
    once(&sandbox, Fault::Status(503), Operation::Token);
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(1_000), "WHY").await, Cancelled::InDoubt(_)));
    assert_eq!(refunds(&sandbox).await, (0, 0));
    let stranger = stage::gateway(&sandbox.url(), "not-the-secret", SOON);
    assert!(matches!(stranger.lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
    assert!(matches!(gateway.lookup(&id("imp_1")).await, Lookup::Found(_)));
}

#[tokio::test]
async fn a_slow_or_absent_provider_costs_a_bounded_time() {
    let (sandbox, _) = paid().await;
    let hasty = gateway(&sandbox.url(), stage::SECRET, Duration::from_millis(200));
    assert!(matches!(hasty.lookup(&id("imp_1")).await, Lookup::Found(_)));
    sandbox.faults().add(Rule { operation: Some(Operation::Lookup), ..Rule::new(Fault::LatencyMs(10_000)) });
    sandbox.faults().add(Rule { operation: Some(Operation::Cancel), ..Rule::new(Fault::LatencyMs(10_000)) });
    let begun = Instant::now();
    assert!(matches!(hasty.lookup(&id("imp_1")).await, Lookup::Unavailable(why) if why == "timed out"));
    assert!(matches!(hasty.cancel(&id("imp_1"), krw(1_000), "WHY").await, Cancelled::InDoubt(_)));
    assert!(begun.elapsed() < Duration::from_secs(5));

    let url = sandbox.url();
    sandbox.shutdown().await;
    let begun = Instant::now();
    assert!(matches!(gateway(&url, stage::SECRET, SOON).lookup(&id("imp_1")).await, Lookup::Unavailable(_)));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_amount_the_api_cannot_carry_is_refused_before_any_call() {
    let (sandbox, gateway) = paid().await;
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(-1), "WHY").await, Cancelled::Refused { .. }));
    assert!(matches!(gateway.cancel(&id("imp_1"), krw(i64::MAX), "WHY").await, Cancelled::Refused { .. }));
    assert_eq!(refunds(&sandbox).await, (0, 0));
}

#[tokio::test]
async fn the_providers_ledger_works_on_mariadb_too() {
    let url = shared::fresh_schema(shared::mariadb().await);
    let ledger = Ledger::open(DatabaseConfig::mariadb(url)).await.expect("a ledger");
    let new = |name: &str, number: &str| NewPayment {
        imp_uid: Some(name.to_owned()),
        merchant_uid: number.to_owned(),
        currency: "KRW".to_owned(),
        amount: 1_000,
        status: Status::Paid,
        details: Details { buyer_name: Some("김 철수".to_owned()), ..Details::default() },
    };
    let cancel = Cancel {
        payment: Reference::MerchantUid("order-1".to_owned()),
        amount: None,
        checksum: Decimal::parse("1000"),
        reason: "WHY".to_owned(),
    };
    for _ in 0..2 {
        ledger.pay(vec![new("imp_1", "order-1"), new("imp_2", "order-2")]).await.expect("paid");
    }
    assert_eq!(ledger.pay(vec![new("imp_3", "order-1")]).await.expect_err("paid already").status, 409);
    let calls = (0..8).map(|_| ledger.cancel(cancel.clone()));
    let done = futures_util::future::join_all(calls).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    let payment = ledger.find("imp_1").await.expect("the ledger").expect("the payment");
    assert_eq!((payment.cancellations, payment.history.len()), (1, 1));
    assert_eq!(payment.details.buyer_name.as_deref(), Some("김 철수"));
    ledger.prepare("order-3", "KRW", 5, false).await.expect("prepared");
    assert_eq!(ledger.prepared("order-3").await.expect("the ledger"), Some(("KRW".to_owned(), 5)));
    assert_eq!(ledger.page("", 1).await.expect("a page")[0].cancelled_minor_units, 1_000);
    let totals = ledger.totals().await.expect("totals");
    assert_eq!((totals[0].payments, totals[0].paid_minor_units, totals[0].entries_minor_units), (2, 2_000, 1_000));
}
