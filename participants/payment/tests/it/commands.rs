//! `payment.verify` and `payment.cancel` on SQLite and MariaDB, against the sandbox provider.

use crate::stage;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, CommandDirection, Participant};
use baton_payment::command::{CANCEL, VERIFY};
use baton_payment::participant::PATIENCE;
use baton_payment::service::Payments;
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::payment::Status;
use shop_proto::payment::v1::payment_service_server::PaymentService;
use shop_proto::payment::v1::{GetPaymentRequest, ListPaymentsRequest, PaymentState};
use stage::{
    Stage, at_provider, attempt, cancel, command, commit, is_rejected, is_unavailable, once, order, pay, verify,
};
use tonic::{Code, Request};

/// The state of a payment's row as the service shows it.
async fn state(stage: &Stage, imp_uid: &str) -> Option<PaymentState> {
    let request = GetPaymentRequest { name: format!("payments/{imp_uid}") };
    match Payments::new(stage.database.clone(), Clock::system()).get_payment(Request::new(request)).await {
        Ok(response) => response.into_inner().payment.map(|payment| payment.state()),
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status}");
            None
        }
    }
}

#[tokio::test]
async fn a_verified_payment_is_claimed_once_for_one_order() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done(), "{}", stage.name);
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done(), "repeated");
        assert_eq!(state(&stage, "imp_1").await, Some(PaymentState::Claimed));
        assert!(is_rejected(&stage.answer(&verify(2, "imp_1", 1)).await, "PAYMENT_ALREADY_CLAIMED"));
        assert_eq!(stage.refunds("imp_1").await, (0, 0));
    }
}

#[tokio::test]
async fn every_payment_that_is_not_the_orders_is_rejected() {
    for stage in Stage::all().await {
        stage.pay("imp_other", 9, 1_000).await;
        stage.pay("imp_cheap", 1, 999).await;
        stage.pay("imp_good", 2, 1_000).await;
        pay(&stage.sandbox, "imp_ready", &order(3).to_string(), 1_000, Status::Ready).await;
        pay(&stage.sandbox, "imp_failed", &order(4).to_string(), 1_000, Status::Failed).await;
        stage.pay("imp_gone", 5, 1_000).await;
        assert_eq!(stage.answer(&cancel(50, "imp_gone", 5)).await, Answer::done());
        let cases = [
            (verify(1, "imp_none", 1), "PAYMENT_UNKNOWN"),
            (verify(2, "imp_other", 1), "PAYMENT_OF_OTHER_ORDER"),
            (verify(3, "imp_cheap", 1), "PAYMENT_AMOUNT_MISMATCH"),
            (verify(4, "imp_ready", 3), "PAYMENT_NOT_PAID"),
            (verify(5, "imp_failed", 4), "PAYMENT_NOT_PAID"),
            (verify(6, "imp_gone", 5), "PAYMENT_CANCELLED"),
            (verify(7, "imp 1", 1), "MALFORMED_PAYLOAD"),
            (command(8, 2, CommandDirection::Action, VERIFY, b"\xff".to_vec()), "MALFORMED_PAYLOAD"),
        ];
        // What may still turn up is waited for first.
        for (command, _) in &cases {
            stage.answer(command).await;
        }
        stage.turn(PATIENCE);
        for (command, reason) in cases {
            let answer = stage.answer(&attempt(2, command)).await;
            assert!(is_rejected(&answer, reason), "{}: {reason}, not {answer:?}", stage.name);
        }
        // An undo must stay possible.
        let spoilt = stage.answer(&command(9, 0, CommandDirection::Undo, CANCEL, Vec::new())).await;
        assert!(matches!(&spoilt, Answer::Unavailable { reason, .. } if reason == "MALFORMED_PAYLOAD"), "{spoilt:?}");
        once(&stage.sandbox, Fault::WrongCurrency, Operation::Lookup);
        assert!(is_rejected(&stage.answer(&verify(10, "imp_good", 2)).await, "PAYMENT_CURRENCY_MISMATCH"));
        for imp_uid in ["imp_other", "imp_cheap", "imp_good", "imp_none"] {
            assert_eq!(state(&stage, imp_uid).await, None, "{imp_uid} is nobody's");
        }
    }
}

#[tokio::test]
async fn while_the_provider_is_silent_nothing_is_decided() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        for fault in [Fault::Status(503), Fault::CutBeforeEffect] {
            once(&stage.sandbox, fault, Operation::Lookup);
            assert!(is_unavailable(&stage.answer(&verify(1, "imp_1", 1)).await, "PROVIDER_UNAVAILABLE"));
            once(&stage.sandbox, fault, Operation::Lookup);
            assert!(is_unavailable(&stage.answer(&cancel(2, "imp_1", 1)).await, "PROVIDER_UNAVAILABLE"));
        }
        assert_eq!(state(&stage, "imp_1").await, None);
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done());
    }
}

#[tokio::test]
async fn a_failed_orders_payment_goes_back_exactly_once() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done());
        for _ in 0..5 {
            assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done(), "{}", stage.name);
        }
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));
        assert_eq!(state(&stage, "imp_1").await, Some(PaymentState::Refunded));
        assert_eq!(at_provider(&stage.sandbox, "imp_1").await.history[0].reason, "OUT_OF_STOCK");
    }
}

#[tokio::test]
async fn a_death_between_refund_and_commit_refunds_nothing_twice() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        let commands = [cancel(1, "imp_1", 1)];
        // Prepared, and dead before the transaction; twice.
        for _ in 0..2 {
            stage.participant.prepare(&commands).await;
            assert_eq!(stage.refunds("imp_1").await, (1, 1_000), "{}", stage.name);
            assert_eq!(state(&stage, "imp_1").await, Some(PaymentState::Claimed), "taken, not yet booked");
        }
        // Nobody else gets at it meanwhile.
        assert!(matches!(stage.answer(&verify(2, "imp_1", 1)).await, Answer::Rejected { .. }));
        assert_eq!(stage.answer(&commands[0]).await, Answer::done());
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));
        assert_eq!(state(&stage, "imp_1").await, Some(PaymentState::Refunded));
    }
}

#[tokio::test]
async fn a_refund_in_doubt_is_looked_up_before_anything_else() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        once(&stage.sandbox, Fault::CutAfterEffect, Operation::Cancel);
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done(), "the look-up settles it");
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));

        stage.pay("imp_2", 2, 500).await;
        once(&stage.sandbox, Fault::CutBeforeEffect, Operation::Cancel);
        assert!(is_unavailable(&stage.answer(&cancel(2, "imp_2", 2)).await, "PROVIDER_UNAVAILABLE"));
        once(&stage.sandbox, Fault::CancelRefused, Operation::Cancel);
        assert!(is_unavailable(&stage.answer(&cancel(2, "imp_2", 2)).await, "PAYMENT_REFUND_REFUSED"));
        assert_eq!(stage.refunds("imp_2").await, (0, 0));
        once(&stage.sandbox, Fault::WrongAmount, Operation::Lookup);
        assert!(is_unavailable(&stage.answer(&cancel(2, "imp_2", 2)).await, "PAYMENT_REFUND_REFUSED"));
        assert_eq!(stage.answer(&cancel(2, "imp_2", 2)).await, Answer::done(), "{}", stage.name);
        assert_eq!(stage.refunds("imp_2").await, (1, 500));
    }
}

#[tokio::test]
async fn a_payment_the_provider_lost_sight_of_is_still_owed() {
    for stage in Stage::all().await {
        // Verified, and then said not to exist.
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&verify(1, "imp_1", 1)).await, Answer::done());
        once(&stage.sandbox, Fault::UnknownId, Operation::Lookup);
        let answer = stage.answer(&cancel(1, "imp_1", 1)).await;
        assert!(is_unavailable(&answer, "PROVIDER_UNAVAILABLE"), "{}: {answer:?}", stage.name);
        assert_eq!(state(&stage, "imp_1").await, Some(PaymentState::Claimed), "still owed");
        // Whoever has no claim on it is told that there is nothing to do, all the same.
        once(&stage.sandbox, Fault::UnknownId, Operation::Lookup);
        assert_eq!(stage.answer(&cancel(2, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert_eq!(
            (stage.refunds("imp_1").await, state(&stage, "imp_1").await),
            ((1, 1_000), Some(PaymentState::Refunded))
        );

        // On its way back, and then said not to exist.
        stage.pay("imp_3", 3, 500).await;
        once(&stage.sandbox, Fault::CutBeforeEffect, Operation::Cancel);
        assert!(is_unavailable(&stage.answer(&cancel(3, "imp_3", 3)).await, "PROVIDER_UNAVAILABLE"));
        once(&stage.sandbox, Fault::UnknownId, Operation::Lookup);
        let answer = stage.answer(&cancel(3, "imp_3", 3)).await;
        assert!(is_unavailable(&answer, "PROVIDER_UNAVAILABLE"), "{}: {answer:?}", stage.name);
        assert_eq!(stage.refunds("imp_3").await, (0, 0));
        assert_eq!(stage.answer(&cancel(3, "imp_3", 3)).await, Answer::done());
        assert_eq!(
            (stage.refunds("imp_3").await, state(&stage, "imp_3").await),
            ((1, 500), Some(PaymentState::Refunded))
        );
    }
}

#[tokio::test]
async fn nobody_elses_money_is_ever_sent_back() {
    for stage in Stage::all().await {
        stage.pay("imp_other", 9, 1_000).await;
        assert_eq!(stage.answer(&cancel(1, "imp_other", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(2, "imp_none", 1)).await, Answer::done());
        pay(&stage.sandbox, "imp_ready", &order(3).to_string(), 1_000, Status::Ready).await;
        assert_eq!(stage.answer(&cancel(3, "imp_ready", 3)).await, Answer::done());
        assert_eq!(state(&stage, "imp_other").await, None, "a stranger leaves no mark on it");
        assert_eq!(stage.answer(&verify(9, "imp_other", 9)).await, Answer::done());
        // The same order placed twice: the second saga ends, the first keeps its payment.
        assert_eq!(stage.answer(&cancel(10, "imp_other", 9)).await, Answer::done());
        for imp_uid in ["imp_other", "imp_ready"] {
            assert_eq!(stage.refunds(imp_uid).await, (0, 0), "{}: {imp_uid}", stage.name);
        }
        assert_eq!(state(&stage, "imp_other").await, Some(PaymentState::Claimed));
    }
}

#[tokio::test]
async fn a_verification_that_comes_late_is_refused() {
    for stage in Stage::all().await {
        // Refunded before it was claimed.
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert!(is_rejected(&stage.answer(&verify(1, "imp_1", 1)).await, "PAYMENT_CANCELLED"));
        // Nothing to refund at first; the customer pays after the saga has ended.
        pay(&stage.sandbox, "imp_2", &order(2).to_string(), 1_000, Status::Failed).await;
        assert_eq!(stage.answer(&cancel(2, "imp_2", 2)).await, Answer::done());
        pay(&stage.sandbox, "imp_2", &order(2).to_string(), 1_000, Status::Paid).await;
        assert!(is_rejected(&stage.answer(&verify(2, "imp_2", 2)).await, "PAYMENT_CANCELLED"));
        assert_eq!(state(&stage, "imp_2").await, None, "{}", stage.name);
        // Both in one batch, in the wrong order.
        stage.pay("imp_3", 3, 1_000).await;
        let answers = stage.batches.answer(&[verify(3, "imp_3", 3), cancel(3, "imp_3", 3)]).await;
        assert!(matches!(answers[0], Answer::Rejected { .. }), "{answers:?}");
        assert_eq!((&answers[1], stage.refunds("imp_3").await), (&Answer::done(), (1, 1_000)));
    }
}

#[tokio::test]
async fn a_payment_on_its_way_back_cannot_be_claimed_by_one_who_saw_it_paid() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        // Saga 1 has looked and seen it paid; saga 2 of the same order takes and refunds it; then saga 1 wants to claim.
        let commands = vec![verify(1, "imp_1", 1)];
        let prepared = stage.participant.prepare(&commands).await;
        stage.participant.prepare(&[cancel(2, "imp_1", 1)]).await;
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));
        let answers = commit(&stage, commands, prepared).await;
        assert!(is_rejected(&answers[0], "PAYMENT_ALREADY_CLAIMED"), "{}: {answers:?}", stage.name);
        // Its own undo has nothing left to do, and saga 2 books what it did.
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.answer(&cancel(2, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.refunds("imp_1").await, (1, 1_000));
    }
}

#[tokio::test]
async fn a_verification_beside_the_cancellation_of_its_saga_leaves_no_payment_claimed() {
    for stage in Stage::all().await {
        // The cancellation looks first and finds nothing paid; the customer pays, and the verification sees it.
        pay(&stage.sandbox, "imp_1", &order(1).to_string(), 1_000, Status::Ready).await;
        let cancellation = vec![cancel(1, "imp_1", 1)];
        let nothing_to_do = stage.participant.prepare(&cancellation).await;
        pay(&stage.sandbox, "imp_1", &order(1).to_string(), 1_000, Status::Paid).await;
        assert!(is_rejected(&stage.answer(&verify(1, "imp_1", 1)).await, "PAYMENT_CANCELLED"), "{}", stage.name);
        assert_eq!(commit(&stage, cancellation, nothing_to_do).await, [Answer::done()]);
        assert_eq!(state(&stage, "imp_1").await, None);
        // The verification looks first and sees it paid; the cancellation does all it has to before it can claim.
        stage.pay("imp_2", 2, 1_000).await;
        let verification = vec![verify(2, "imp_2", 2)];
        let seen_paid = stage.participant.prepare(&verification).await;
        assert_eq!(stage.answer(&cancel(2, "imp_2", 2)).await, Answer::done());
        assert!(is_rejected(&commit(&stage, verification, seen_paid).await[0], "PAYMENT_CANCELLED"), "{}", stage.name);
        assert_eq!(stage.refunds("imp_2").await, (1, 1_000));
        assert_eq!(state(&stage, "imp_2").await, Some(PaymentState::Refunded));
        // Both at once: whoever wins, nothing stays claimed.
        for number in 10..30u8 {
            let imp_uid = format!("imp_{number}");
            stage.pay(&imp_uid, number, 1_000).await;
            let (verification, cancellation) = (verify(number, &imp_uid, number), cancel(number, &imp_uid, number));
            let (_, undone) = tokio::join!(stage.answer(&verification), stage.answer(&cancellation));
            if undone != Answer::done() {
                assert!(matches!(undone, Answer::Unavailable { .. }), "{undone:?}");
                assert_eq!(stage.answer(&cancellation).await, Answer::done());
            }
            assert_eq!(stage.refunds(&imp_uid).await, (1, 1_000), "{}", stage.name);
            assert_eq!(state(&stage, &imp_uid).await, Some(PaymentState::Refunded), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn a_batch_under_faults_ends_with_every_payment_back_once() {
    for stage in Stage::all().await {
        let names: Vec<String> = (0..60).map(|index| format!("imp_{index}")).collect();
        let commands: Vec<_> =
            (0..60u8).map(|index| cancel(index + 1, &names[usize::from(index)], index + 1)).collect();
        for (index, name) in (0..60u8).zip(&names) {
            stage.pay(name, index + 1, 1_000 + i64::from(index)).await;
        }
        let faults = [Fault::CutAfterEffect, Fault::CutBeforeEffect, Fault::Status(500), Fault::ExpiredToken];
        for fault in faults {
            stage.sandbox.faults().add(Rule { rate: Some(0.15), seed: Some(3), ..Rule::new(fault) });
        }
        let mut rounds = 0;
        loop {
            let answers = stage.batches.answer(&commands).await;
            rounds += 1;
            if answers.iter().all(|answer| *answer == Answer::done()) {
                break;
            }
            assert!(answers.iter().all(|answer| !matches!(answer, Answer::Rejected { .. })), "{answers:?}");
            assert!(rounds < 100, "{}: no end in sight", stage.name);
        }
        for (index, name) in (0..).zip(&names) {
            assert_eq!(stage.refunds(name).await, (1, 1_000 + index), "{}: {name}", stage.name);
            assert_eq!(state(&stage, name).await, Some(PaymentState::Refunded));
        }
    }
}

#[tokio::test]
async fn two_workers_with_the_same_commands_refund_once() {
    for stage in Stage::all().await {
        let commands: Vec<_> = (1..=20u8).map(|index| cancel(index, &format!("imp_{index}"), index)).collect();
        for index in 1..=20u8 {
            stage.pay(&format!("imp_{index}"), index, 1_000).await;
        }
        let (left, right) = tokio::join!(stage.batches.answer(&commands), stage.batches.answer(&commands));
        for answer in left.iter().chain(&right) {
            assert!(matches!(answer, Answer::Succeeded { .. } | Answer::Unavailable { .. }), "{answer:?}");
        }
        assert!(stage.batches.answer(&commands).await.iter().all(|answer| *answer == Answer::done()));
        for index in 1..=20u8 {
            assert_eq!(stage.refunds(&format!("imp_{index}")).await, (1, 1_000), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn payments_are_listed_newest_first_by_pages() {
    for stage in Stage::all().await {
        let commands: Vec<_> = (1..=7u8).map(|index| verify(index, &format!("imp_{index}"), index)).collect();
        for index in 1..=7u8 {
            stage.pay(&format!("imp_{index}"), index, 1_000).await;
        }
        assert!(stage.batches.answer(&commands).await.iter().all(|answer| *answer == Answer::done()));
        let service = Payments::new(stage.database.clone(), Clock::system());
        let (mut token, mut names) = (String::new(), Vec::new());
        loop {
            let request = ListPaymentsRequest { page_size: 3, page_token: token };
            let page = service.list_payments(Request::new(request)).await.expect("a page").into_inner();
            names.extend(page.payments.into_iter().map(|payment| payment.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(names, [7, 6, 5, 4, 3, 2, 1].map(|index| format!("payments/imp_{index}")), "{}", stage.name);
        for (page_size, page_token) in [(-1, ""), (0, "abc")] {
            let request = ListPaymentsRequest { page_size, page_token: page_token.to_owned() };
            let status = service.list_payments(Request::new(request)).await.expect_err("refused");
            assert_eq!(status.code(), Code::InvalidArgument);
        }
        let request = GetPaymentRequest { name: "imp_1".to_owned() };
        let status = service.get_payment(Request::new(request)).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}
