//! "Not yet" is no "no": payments that show late, that are begun and then paid, that fail and are paid then.

use crate::stage;
use baton_participant_kit::participant::{Answer, Participant as _};
use baton_payment::participant::PATIENCE;
use baton_sandbox::amount::Decimal;
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::ledger::{Cancel, Reference};
use baton_sandbox::payment::Status;
use shop_proto::payment::v1::PaymentCaseState;
use stage::{Stage, attempt, cancel, is_rejected, is_unavailable, order, pay, verify};
use std::time::Duration;

#[tokio::test]
async fn a_payment_that_shows_late_is_waited_for() {
    for stage in Stage::all().await {
        let answer = stage.answer(&verify(1, "imp_1", 1)).await;
        assert!(is_unavailable(&answer, "PAYMENT_NOT_YET"), "{}: {answer:?}", stage.name);
        assert_eq!(stage.case().await, Some((PaymentCaseState::Awaited, "PAYMENT_UNKNOWN".to_owned())));
        stage.pay("imp_1", 1, 1_000).await;
        assert_eq!(stage.answer(&attempt(2, verify(1, "imp_1", 1))).await, Answer::done(), "{}", stage.name);
        assert_eq!((stage.case().await, stage.refunds("imp_1").await), (None, (0, 0)));
    }
}

#[tokio::test]
async fn begun_or_failed_and_then_paid_is_paid() {
    for stage in Stage::all().await {
        for (number, first) in [(1, Status::Ready), (2, Status::Failed)] {
            let imp_uid = format!("imp_{number}");
            pay(&stage.sandbox, &imp_uid, &order(number).to_string(), 1_000, first).await;
            let answer = stage.answer(&verify(number, &imp_uid, number)).await;
            assert!(is_unavailable(&answer, "PAYMENT_NOT_YET"), "{}: {first:?} {answer:?}", stage.name);
            stage.pay(&imp_uid, number, 1_000).await;
            assert_eq!(stage.answer(&attempt(2, verify(number, &imp_uid, number))).await, Answer::done());
        }
        assert_eq!(stage.case().await, None);
    }
}

#[tokio::test]
async fn patience_counts_from_the_first_time_and_outlives_the_process() {
    for mut stage in Stage::all().await {
        assert!(is_unavailable(&stage.answer(&verify(1, "imp_1", 1)).await, "PAYMENT_NOT_YET"));
        stage.turn(PATIENCE - Duration::from_secs(5));
        stage = stage.restarted();
        assert!(is_unavailable(&stage.answer(&attempt(2, verify(1, "imp_1", 1))).await, "PAYMENT_NOT_YET"));
        stage.turn(Duration::from_secs(5));
        let answer = stage.answer(&attempt(3, verify(1, "imp_1", 1))).await;
        assert!(is_rejected(&answer, "PAYMENT_UNKNOWN"), "{}: {answer:?}", stage.name);
        // A rejection is for ever: what comes now goes back.
        stage.pay("imp_1", 1, 1_000).await;
        assert!(is_rejected(&stage.answer(&attempt(4, verify(1, "imp_1", 1))).await, "PAYMENT_UNKNOWN"));
        assert_eq!(stage.answer(&cancel(1, "imp_1", 1)).await, Answer::done());
        assert_eq!((stage.refunds("imp_1").await, stage.case().await), ((1, 1_000), None), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_participant_without_patience_rejects_at_once() {
    for mut stage in Stage::all().await {
        stage.participant = stage.participant.with_patience(Duration::ZERO);
        let commands = [verify(1, "imp_1", 1)];
        let prepared = stage.participant.prepare(&commands).await;
        let answers = stage::commit(&stage, commands.to_vec(), prepared).await;
        assert!(is_rejected(&answers[0], "PAYMENT_UNKNOWN"), "{answers:?}");
        assert_eq!(stage.case().await, None);
    }
}

#[tokio::test]
async fn a_word_that_contradicts_the_amounts_neither_pays_nor_refunds() {
    for stage in Stage::all().await {
        stage.pay("imp_1", 1, 1_000).await;
        let part = Cancel {
            payment: Reference::ImpUid("imp_1".to_owned()),
            amount: Decimal::parse("400"),
            checksum: None,
            reason: "BY_HAND".to_owned(),
        };
        stage.sandbox.ledger().cancel(part).await.expect("a part went back");
        for word in [Status::Cancelled, Status::Ready, Status::Failed] {
            let rule = Rule { operation: Some(Operation::Lookup), ..Rule::new(Fault::Word(word)) };
            assert!(stage.sandbox.faults().add(rule));
            for command in [verify(1, "imp_1", 1), cancel(2, "imp_1", 1)] {
                let answer = stage.answer(&command).await;
                assert!(is_unavailable(&answer, "PROVIDER_UNAVAILABLE"), "{}: {word:?} {answer:?}", stage.name);
            }
            stage.sandbox.faults().clear();
        }
        assert_eq!(stage.refunds("imp_1").await, (1, 400), "{}", stage.name);
        // The word is right again: what is left goes back, all of it.
        assert_eq!(stage.answer(&cancel(2, "imp_1", 1)).await, Answer::done());
        assert_eq!(stage.refunds("imp_1").await, (2, 1_000), "{}", stage.name);
    }
}
