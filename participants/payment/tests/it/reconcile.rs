//! Payments that come after their orders have ended: back exactly once, or a case for a person, and never in silence.

use crate::stage;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, Participant as _};
use baton_payment::participant::PATIENCE;
use baton_payment::service::Payments;
use baton_sandbox::faults::{Fault, Rule};
use baton_sandbox::ledger::{Cancel, Reference};
use baton_sandbox::payment::Status;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use shop_proto::payment::v1::payment_service_server::PaymentService as _;
use shop_proto::payment::v1::{ListPaymentCasesRequest, PaymentCaseState, SettlePaymentCaseRequest};
use stage::{Stage, attempt, cancel, is_rejected, is_unavailable, order, pay, verify};
use std::time::Duration;
use tonic::{Code, Request};

const SECONDS: Duration = Duration::from_secs(6);
const MINUTE: Duration = Duration::from_secs(61);
const HOUR: Duration = Duration::from_secs(3_601);
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn a_payment_that_comes_after_its_order_was_rejected_goes_back_once() {
    for stage in Stage::all().await {
        assert!(is_unavailable(&stage.answer(&verify(1, "imp_1", 1)).await, "PAYMENT_NOT_YET"));
        stage.turn(PATIENCE);
        assert!(is_rejected(&stage.answer(&attempt(2, verify(1, "imp_1", 1))).await, "PAYMENT_UNKNOWN"));
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.case().await, Some((PaymentCaseState::Watched, "PAYMENT_UNKNOWN".to_owned())));
        assert_eq!(stage.reconcile().await, 0, "{}: nothing is due yet", stage.name);
        stage.turn(SECONDS);
        assert_eq!(stage.reconcile().await, 1);
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.reconcile().await, 0, "it was looked at just now");
        stage.turn(MINUTE);
        assert_eq!(stage.reconcile().await, 1);
        assert_eq!((stage.refunds("imp_1").await, stage.case().await), ((1, 1_000), None), "{}", stage.name);
        stage.turn(DAY);
        assert_eq!((stage.reconcile().await, stage.refunds("imp_1").await), (0, (1, 1_000)));
        // And nobody can claim it any more.
        assert!(is_rejected(&stage.answer(&verify(2, "imp_1", 1)).await, "PAYMENT_CANCELLED"));
    }
}

#[tokio::test]
async fn begun_or_failed_and_paid_hours_later_goes_back() {
    for mut stage in Stage::all().await {
        for (number, first) in [(1, Status::Ready), (2, Status::Failed)] {
            pay(&stage.sandbox, &format!("imp_{number}"), &order(number).to_string(), 1_000, first).await;
            assert_eq!(stage.answer(&cancel(number, &format!("imp_{number}"), number)).await, Answer::done());
        }
        for hours in [1, 1, 6] {
            stage.turn(hours * HOUR);
            assert_eq!(stage.reconcile().await, 2, "{}", stage.name);
            // The list is in the database.
            stage = stage.restarted();
        }
        for number in [1, 2] {
            stage.pay(&format!("imp_{number}"), number, 1_000).await;
        }
        stage.turn(DAY);
        assert_eq!(stage.reconcile().await, 2);
        for number in [1, 2] {
            assert_eq!(stage.refunds(&format!("imp_{number}")).await, (1, 1_000), "{}", stage.name);
        }
        assert_eq!(stage.case().await, None);
    }
}

#[tokio::test]
async fn what_never_comes_is_looked_at_seven_times_and_forgotten() {
    for stage in Stage::all().await {
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        // After seconds, minutes, hours and a day.
        let mut before = 0;
        for seconds in [5, 30, 300, 1_800, 7_200, 28_800, 86_400] {
            stage.turn(Duration::from_secs(seconds - before - 1));
            assert_eq!(stage.reconcile().await, 0, "{}: {seconds}", stage.name);
            stage.turn(Duration::from_secs(1));
            assert_eq!(stage.reconcile().await, 1, "{}: {seconds}", stage.name);
            before = seconds;
        }
        assert_eq!(stage.case().await, None, "{}", stage.name);
    }
}

#[tokio::test]
async fn a_payment_that_its_saga_may_still_claim_is_left_alone() {
    for stage in Stage::all().await {
        assert!(is_unavailable(&stage.answer(&verify(1, "imp_1", 1)).await, "PAYMENT_NOT_YET"));
        stage.pay("imp_1", 1, 1_000).await;
        stage.turn(DAY);
        assert_eq!((stage.reconcile().await, stage.refunds("imp_1").await), (0, (0, 0)), "{}", stage.name);
        // Its saga neither claimed it nor gave it up for a week: somebody is told, and still nobody sends it back.
        stage.turn(7 * DAY);
        assert_eq!((stage.reconcile().await, stage.refunds("imp_1").await), (1, (0, 0)));
        assert_eq!(stage.case().await, Some((PaymentCaseState::Open, "PAYMENT_NOT_YET".to_owned())));
        assert_eq!(stage.answer(&attempt(2, verify(1, "imp_1", 1))).await, Answer::done());
        assert_eq!(stage.case().await, None, "{}", stage.name);
    }
}

#[tokio::test]
async fn two_instances_and_a_late_command_send_it_back_once() {
    for stage in Stage::all().await {
        for number in 1..=20u8 {
            assert_eq!(stage.answer(&cancel(number, &format!("imp_{number}"), number)).await, Answer::done());
            stage.pay(&format!("imp_{number}"), number, 1_000).await;
        }
        stage.turn(SECONDS);
        let other = stage.reconciler.clone();
        let (left, right) = tokio::join!(stage.reconciler.run_once(), other.run_once());
        assert_eq!(left.expect("a round") + right.expect("a round"), 20, "{}: each by one of them", stage.name);
        for number in 1..=20u8 {
            assert_eq!(stage.refunds(&format!("imp_{number}")).await, (1, 1_000), "{}", stage.name);
        }
        assert_eq!(stage.cases().await.cases, []);
    }
}

#[tokio::test]
async fn a_death_between_refund_and_note_refunds_nothing_twice() {
    for stage in Stage::all().await {
        let command = cancel(1, "imp_1", 1);
        assert_eq!(stage.answer(&command).await, Answer::done());
        stage.pay("imp_1", 1, 1_000).await;
        // What a round does before its note is what the command does before its transaction; here somebody dies in between.
        stage.participant.prepare(std::slice::from_ref(&command)).await;
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));
        assert_eq!(stage.case().await, Some((PaymentCaseState::Watched, "PAYMENT_UNKNOWN".to_owned())));
        stage.turn(SECONDS);
        assert_eq!(stage.reconcile().await, 1);
        assert_eq!((stage.refunds("imp_1").await, stage.case().await), ((1, 1_000), None), "{}", stage.name);
    }
}

#[tokio::test]
async fn while_the_provider_is_silent_a_look_does_not_count() {
    for stage in Stage::all().await {
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        stage.pay("imp_1", 1, 1_000).await;
        assert!(stage.sandbox.faults().add(Rule::new(Fault::Status(503))));
        for _ in 0..10 {
            stage.turn(MINUTE);
            assert_eq!(stage.reconcile().await, 1, "{}", stage.name);
        }
        assert_eq!(stage.cases().await.cases[0].looks, 0);
        stage.sandbox.faults().clear();
        stage.turn(MINUTE);
        assert_eq!(stage.reconcile().await, 1);
        assert_eq!((stage.refunds("imp_1").await, stage.case().await), ((1, 1_000), None), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_money() {
    for stage in Stage::all().await {
        // The clock is an hour ahead while the saga gives up and the first look is taken.
        stage.turn(HOUR);
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert!(is_unavailable(&stage.answer(&verify(2, "imp_2", 2)).await, "PAYMENT_NOT_YET"));
        stage.turn(SECONDS);
        assert_eq!(stage.reconcile().await, 1);
        stage.turn_back(HOUR);
        stage.pay("imp_1", 1, 1_000).await;
        stage.pay("imp_2", 2, 1_000).await;
        stage.reconciler.mend_times().await.expect("mended");
        assert_eq!(stage.reconcile().await, 1, "{}", stage.name);
        assert_eq!(
            (stage.refunds("imp_1").await, stage.refunds("imp_2").await),
            ((1, 1_000), (0, 0)),
            "{}",
            stage.name
        );
        assert_eq!(stage.case().await, Some((PaymentCaseState::Awaited, "PAYMENT_UNKNOWN".to_owned())));
    }
}

#[tokio::test]
async fn money_that_cannot_go_back_is_a_case_until_somebody_sends_it_back() {
    for stage in Stage::all().await {
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        stage.pay("imp_1", 1, 1_000).await;
        assert!(stage.sandbox.faults().add(Rule::new(Fault::CancelRefused)));
        stage.turn(SECONDS);
        assert_eq!(stage.reconcile().await, 1);
        let cases = stage.cases().await;
        assert_eq!((cases.open_count, cases.watched_count), (1, 0), "{}", stage.name);
        let case = &cases.cases[0];
        assert_eq!((case.state(), case.reason.as_str()), (PaymentCaseState::Open, "PAYMENT_REFUND_REFUSED"));
        assert_eq!((case.currency_code.as_str(), case.held_minor_units), ("KRW", 1_000));
        assert_eq!((case.payment.as_str(), case.order.clone()), ("payments/imp_1", format!("orders/{}", order(1))));
        let numbers = numbers(&stage).await;
        for line in ["shop_payment_open_cases 1", "shop_payment_open_minor_units{currency=\"KRW\"} 1000"] {
            assert!(numbers.contains(line), "{line}: {numbers}");
        }
        // By hand, at the provider's console.
        let all = Cancel {
            payment: Reference::ImpUid("imp_1".to_owned()),
            amount: None,
            checksum: None,
            reason: "BY_HAND".to_owned(),
        };
        stage.sandbox.ledger().cancel(all).await.expect("it went back");
        stage.turn(HOUR);
        assert_eq!(stage.reconcile().await, 1);
        assert_eq!((stage.refunds("imp_1").await, stage.case().await), ((1, 1_000), None), "{}", stage.name);
        let numbers = self::numbers(&stage).await;
        assert!(numbers.contains("shop_payment_open_cases 0") && !numbers.contains("KRW"), "{numbers}");
    }
}

/// The participant's own numbers as they are scraped, counted now.
async fn numbers(stage: &Stage) -> String {
    stage.reconciler.count().await.expect("counted");
    let mut registry = Registry::default();
    stage.metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("numbers");
    text
}

#[tokio::test]
async fn a_payment_of_another_saga_is_a_case_and_never_sent_back() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(2, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.case().await, Some((PaymentCaseState::Open, "PAYMENT_ALREADY_CLAIMED".to_owned())));
        stage.turn(DAY);
        assert_eq!((stage.reconcile().await, stage.refunds("imp_1").await), (1, (0, 0)), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_case_is_settled_once_by_a_person_and_stays_on_record() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(2, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(3, "imp_3", 3)).await, Answer::done());
        let service = Payments::new(stage.database.clone(), Clock::system());
        let settle = async |saga: u8, reason: &str| {
            let name = format!("paymentCases/{}", order(saga));
            let (reason, actor) = (reason.to_owned(), "ada".to_owned());
            let answer =
                service.settle_payment_case(Request::new(SettlePaymentCaseRequest { name, reason, actor })).await;
            answer.map(|answer| answer.into_inner().case.expect("a case")).map_err(|status| status.code())
        };
        for _ in 0..2 {
            let case = settle(2, "it is the other one's").await.expect("settled");
            assert_eq!(
                (case.state(), case.decision.as_str()),
                (PaymentCaseState::Settled, "ada: it is the other one's")
            );
            assert_eq!(case.next_look_time, None);
        }
        assert_eq!(settle(2, "no, it is not").await, Err(Code::FailedPrecondition), "{}", stage.name);
        assert_eq!(settle(3, "it is still looked at").await, Err(Code::FailedPrecondition));
        assert_eq!(settle(9, "there is none").await, Err(Code::NotFound));
        assert_eq!(settle(2, " ").await, Err(Code::InvalidArgument));
        stage.turn(HOUR);
        assert_eq!(stage.reconcile().await, 1, "the one that is still looked at");
        let cases = stage.cases().await;
        assert_eq!((cases.open_count, cases.watched_count, cases.cases.len()), (0, 1, 2), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_strangers_payment_is_told_of_only_if_nobody_claims_it() {
    for stage in Stage::all().await {
        stage.pay("imp_9", 9, 1_000).await;
        stage.pay("imp_8", 8, 1_000).await;
        assert_eq!(stage.answer(&cancel(1, "imp_9", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(2, "imp_8", 2)).await, Answer::done());
        assert_eq!(stage.answer(&verify(9, "imp_9", 9)).await, Answer::done(), "its own order has it");
        for _ in 0..30 {
            stage.turn(HOUR);
            stage.reconcile().await;
        }
        assert_eq!(stage.case().await, Some((PaymentCaseState::Open, "PAYMENT_OF_OTHER_ORDER".to_owned())));
        assert_eq!((stage.refunds("imp_8").await, stage.refunds("imp_9").await), ((0, 0), (0, 0)), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_round_has_a_bound_and_lists_have_pages() {
    for stage in Stage::all().await {
        let commands: Vec<_> = (1..=130u8).map(|number| cancel(number, &format!("imp_{number}"), number)).collect();
        assert!(stage.batches.answer(&commands).await.iter().all(|answer| *answer == Answer::done()));
        stage.turn(SECONDS);
        assert_eq!(stage.reconciler.run_once().await.expect("a round"), 100, "{}", stage.name);
        assert_eq!(stage.reconciler.run_once().await.expect("a round"), 30);
        let service = Payments::new(stage.database.clone(), Clock::system());
        let (mut token, mut sagas) = (String::new(), Vec::new());
        loop {
            let request = ListPaymentCasesRequest { page_size: 50, page_token: token, open_only: false };
            let page = service.list_payment_cases(Request::new(request)).await.expect("a page").into_inner();
            assert_eq!((page.open_count, page.watched_count), (0, 130));
            sagas.extend(page.cases.into_iter().map(|case| case.saga));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert!(sagas.len() == 130 && sagas.is_sorted_by(|one, next| one > next), "{sagas:?}");
        let request = ListPaymentCasesRequest { open_only: true, ..ListPaymentCasesRequest::default() };
        let page = service.list_payment_cases(Request::new(request)).await.expect("a page").into_inner();
        assert_eq!(page.cases, []);
    }
}
