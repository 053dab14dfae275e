//! Scripts of commands on every database: the order's states, refusals that change nothing, whole batches.

use crate::support;
use baton_participant_kit::participant::CommandDirection;
use support::{confirm, count, databases, number, open, open_of, orders, outcomes, reject, state};

const CONFIRM: i64 = 2;
const SUCCESS: i64 = 3;
const OUT_OF_STOCK: i64 = 4;
const NO_PAYMENT_INFO: i64 = 5;
const CANCELLED: i64 = 6;

#[tokio::test]
async fn an_order_goes_its_way_to_each_end() {
    for (kind, database, _dir) in databases().await {
        let worker = orders(&database);
        let ends = [
            ("OUT_OF_STOCK", OUT_OF_STOCK),
            ("PRICE_CHANGED", OUT_OF_STOCK),
            ("ITEM_UNKNOWN", OUT_OF_STOCK),
            ("PAYMENT_NOT_FOUND", NO_PAYMENT_INFO),
            ("CANCELLED", CANCELLED),
        ];
        for (saga, (reason, end)) in (1..).zip(ends) {
            let order = number(saga);
            assert_eq!(outcomes(&worker.answer(&[open(saga, &order)]).await), "succeeded ", "{kind}");
            assert_eq!(state(&database, &order).await, (CONFIRM, String::new()), "{kind}");
            assert_eq!(outcomes(&worker.answer(&[reject(saga, &order, reason)]).await), "succeeded ", "{kind}");
            assert_eq!(state(&database, &order).await, (end, reason.to_owned()), "{kind}");
        }
        let order = number(9);
        worker.answer(&[open(9, &order)]).await;
        assert_eq!(outcomes(&worker.answer(&[confirm(9, &order)]).await), "succeeded ", "{kind}");
        assert_eq!(state(&database, &order).await, (SUCCESS, String::new()), "{kind}");
    }
}

#[tokio::test]
async fn an_order_belongs_to_the_saga_that_opened_it() {
    for (kind, database, _dir) in databases().await {
        let worker = orders(&database);
        let order = number(1);
        worker.answer(&[open(1, &order)]).await;
        let answers = worker.answer(&[open(2, &order), confirm(2, &order)]).await;
        assert_eq!(outcomes(&answers), "rejected ORDER_NOT_PENDING, rejected ORDER_STATE", "{kind}");
        // The undo of what was refused undoes nothing.
        assert_eq!(outcomes(&worker.answer(&[reject(2, &order, "CANCELLED")]).await), "succeeded ", "{kind}");
        assert_eq!(state(&database, &order).await, (CONFIRM, String::new()), "{kind}");
        // Nor does one that never was.
        assert_eq!(outcomes(&worker.answer(&[reject(3, &order, "CANCELLED")]).await), "succeeded ", "{kind}");
        assert_eq!(state(&database, &order).await, (CONFIRM, String::new()), "{kind}");
        assert_eq!(outcomes(&worker.answer(&[confirm(4, &number(4))]).await), "rejected ORDER_STATE", "{kind}");
    }
}

#[tokio::test]
async fn a_name_in_the_other_direction_is_not_carried_out() {
    for (kind, database, _dir) in databases().await {
        let worker = orders(&database);
        let order = number(1);
        let mut action = reject(1, &order, "OUT_OF_STOCK");
        action.key.direction = CommandDirection::Action;
        let mut undo = open(1, &order);
        undo.key.direction = CommandDirection::Undo;
        for wrong in [action, undo] {
            assert_eq!(outcomes(&worker.answer(&[wrong]).await), "unavailable UNKNOWN_COMMAND", "{kind}");
        }
        assert_eq!(outcomes(&worker.answer(&[open(1, &order)]).await), "succeeded ", "{kind}: nothing was stored");
    }
}

#[tokio::test]
async fn an_undo_that_could_not_be_read_is_done_once_it_can() {
    for (kind, database, _dir) in databases().await {
        let worker = orders(&database);
        let order = number(1);
        worker.answer(&[open(1, &order)]).await;
        let good = reject(1, &order, "OUT_OF_STOCK");
        let mut garbled = good.clone();
        garbled.payload = vec![0xff; 5].into();
        for _ in 0..2 {
            let refused = worker.answer(std::slice::from_ref(&garbled)).await;
            assert_eq!(outcomes(&refused), "unavailable MALFORMED_PAYLOAD", "{kind}");
        }
        assert_eq!(outcomes(&worker.answer(&[good]).await), "succeeded ", "{kind}");
        assert_eq!(state(&database, &order).await, (OUT_OF_STOCK, "OUT_OF_STOCK".to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn payloads_that_make_no_sense_are_refused_and_write_nothing() {
    for (kind, database, _dir) in databases().await {
        let mut garbage = open(1, &number(1));
        garbage.payload = vec![0xff; 5].into();
        let many = vec![("x", 1, 1); 101];
        let batch = [
            garbage,
            open(2, "7"),
            open(3, &number(3).to_uppercase().replace("00000000-", "ABCDEF00-")),
            open_of(4, &number(4), "", &[("book", 1, 1)]),
            open_of(5, &number(5), "kim", &[]),
            open_of(6, &number(6), "kim", &many),
            open_of(7, &number(7), "kim", &[("book", 0, 1)]),
            open_of(8, &number(8), "kim", &[("book", 1, -1)]),
            open_of(9, &number(9), "kim", &[("book", 1, 1), ("book", 1, 1)]),
        ];
        let answers = orders(&database).answer(&batch).await;
        assert_eq!(outcomes(&answers), ["rejected MALFORMED_PAYLOAD"; 9].join(", "), "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM orders").await, 0, "{kind}");
    }
}

#[tokio::test]
async fn a_batch_of_everything_is_written_as_one() {
    for (kind, database, _dir) in databases().await {
        let worker = orders(&database);
        let all = (0..700).map(|saga| open(saga, &number(saga))).collect::<Vec<_>>();
        assert!(worker.answer(&all).await.iter().all(|answer| answer.outcome() == "succeeded"), "{kind}");
        let ends = (0..700).map(|saga| match saga % 3 {
            0 => confirm(saga, &number(saga)),
            1 => reject(saga, &number(saga), "OUT_OF_STOCK"),
            _ => reject(saga, &number(saga), "PAYMENT_AMOUNT_MISMATCH"),
        });
        // Late repetitions of the openings travel beside them.
        let batch = ends.chain(all.iter().take(50).cloned()).collect::<Vec<_>>();
        assert!(worker.answer(&batch).await.iter().all(|answer| answer.outcome() == "succeeded"), "{kind}");
        for (state, expected) in [(CONFIRM, 0), (SUCCESS, 234), (OUT_OF_STOCK, 233), (NO_PAYMENT_INFO, 233)] {
            let sql = format!("SELECT COUNT(*) FROM orders WHERE state = {state}");
            assert_eq!(count(&database, &sql).await, expected, "{kind} {state}");
        }
        // An order that is opened and confirmed by commands of one batch.
        let answers = worker.answer(&[open(900, &number(900)), confirm(900, &number(900))]).await;
        assert_eq!(outcomes(&answers), "succeeded , succeeded ", "{kind}");
        assert_eq!(state(&database, &number(900)).await.0, SUCCESS, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_sagas_that_race_for_one_order_have_one_winner() {
    for (kind, database, _dir) in databases().await {
        for order in 0..20 {
            let racing = (0..4_u32).map(|racer| {
                let worker = orders(&database);
                tokio::spawn(async move { worker.answer(&[open(order * 10 + racer, &number(order))]).await })
            });
            let mut won = 0;
            for racer in racing.collect::<Vec<_>>() {
                let answers = racer.await.unwrap();
                match outcomes(&answers).as_str() {
                    "succeeded " => won += 1,
                    other => assert_eq!(other, "rejected ORDER_NOT_PENDING", "{kind}"),
                }
            }
            assert_eq!(won, 1, "{kind} {order}");
        }
    }
}
