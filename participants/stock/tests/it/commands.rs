//! Scripts of commands on every database: all lines or none, conservation, the hot item's row touched once per batch.

use crate::support;
use baton_sql::migration::Migration;
use support::{conserved, count, databases, outcome, release, reserve, reserve_in, shelf, stock, stocked};

/// Notes every update of an item's row.
const TOUCHES: &[Migration] = &[
    Migration {
        id: "9001_touch",
        mariadb: "CREATE TABLE IF NOT EXISTS touch (item_id VARCHAR(64) NOT NULL) ENGINE = InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS touch (item_id TEXT NOT NULL) STRICT",
    },
    Migration {
        id: "9002_touch",
        mariadb: "CREATE TRIGGER IF NOT EXISTS touched AFTER UPDATE ON item FOR EACH ROW \
                  INSERT INTO touch (item_id) VALUES (NEW.item_id)",
        sqlite: "CREATE TRIGGER IF NOT EXISTS touched AFTER UPDATE ON item BEGIN \
                 INSERT INTO touch (item_id) VALUES (NEW.item_id); END",
    },
];

#[tokio::test]
async fn a_thousand_orders_of_a_hot_item_touch_its_row_once() {
    for (kind, database, _dir) in databases().await {
        database.migrate(TOUCHES).await.unwrap();
        stocked(&database, "hot", 800).await;
        stocked(&database, "cold", 10_000).await;
        let batch = (0..1_000).map(|saga| reserve(saga, &[("hot", 1, 100), ("cold", 2, 100)])).collect::<Vec<_>>();
        let worker = stock(&database);
        let answers = worker.answer(&batch).await;
        assert_eq!(answers.iter().filter(|answer| outcome(answer) == "succeeded ").count(), 800, "{kind}");
        assert_eq!(answers.iter().filter(|answer| outcome(answer) == "rejected OUT_OF_STOCK").count(), 200, "{kind}");
        assert_eq!(shelf(&database, "hot").await, (0, 800, 800), "{kind}");
        assert_eq!(shelf(&database, "cold").await, (8_400, 1_600, 10_000), "{kind}: none or all lines");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM touch WHERE item_id = 'hot'").await, 1, "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM touch").await, 2, "{kind}");
        conserved(&database).await;
        assert_eq!(worker.answer(&batch).await, answers, "{kind}: the whole batch again");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM touch").await, 2, "{kind}");
    }
}

#[tokio::test]
async fn refusals_name_the_item_and_change_nothing() {
    for (kind, database, _dir) in databases().await {
        stocked(&database, "a", 5).await;
        stocked(&database, "b", 1).await;
        let table = [
            (reserve(1, &[("a", 6, 100)]), "rejected OUT_OF_STOCK", "item a"),
            (reserve(2, &[("a", 1, 100), ("b", 2, 100)]), "rejected OUT_OF_STOCK", "item b"),
            (reserve(3, &[("a", 1, 99)]), "rejected PRICE_CHANGED", "item a"),
            (reserve(4, &[("x", 1, 100)]), "rejected ITEM_UNKNOWN", "item x"),
            (reserve(5, &[("A", 1, 100)]), "rejected ITEM_UNKNOWN", "item A"),
            (reserve_in("USD", 6, &[("a", 1, 100)]), "rejected CURRENCY_MISMATCH", "item a"),
            (reserve_in("XXX", 7, &[("a", 1, 100)]), "rejected MALFORMED_PAYLOAD", "currency_code"),
            (reserve(8, &[("a", 0, 100)]), "rejected MALFORMED_PAYLOAD", "lines[0].quantity"),
            (reserve(9, &[("a", i64::MAX, 100)]), "rejected MALFORMED_PAYLOAD", "lines[0].quantity"),
            (reserve(10, &[("a", 1, 100), ("a", 1, 100)]), "rejected MALFORMED_PAYLOAD", "lines[1].item_id"),
            (reserve(11, &[]), "rejected MALFORMED_PAYLOAD", "lines"),
        ];
        let commands = table.iter().map(|(command, _, _)| command.clone()).collect::<Vec<_>>();
        let answers = stock(&database).answer(&commands).await;
        for ((_, expected, named), answer) in table.iter().zip(answers) {
            assert_eq!(outcome(&answer), *expected, "{kind}");
            assert!(format!("{answer:?}").contains(named), "{kind}: {answer:?}");
        }
        assert_eq!((shelf(&database, "a").await, shelf(&database, "b").await), ((5, 0, 5), (1, 0, 1)), "{kind}");
        let mut garbage = reserve(12, &[]);
        garbage.payload = vec![0xff; 3].into();
        assert_eq!(outcome(&stock(&database).answer(&[garbage]).await[0]), "rejected MALFORMED_PAYLOAD", "{kind}");
    }
}

#[tokio::test]
async fn what_is_released_is_there_again_and_only_once() {
    for (kind, database, _dir) in databases().await {
        stocked(&database, "a", 3).await;
        stocked(&database, "b", 3).await;
        let worker = stock(&database);
        worker.answer(&[reserve(1, &[("a", 2, 100), ("b", 3, 100)]), reserve(2, &[("a", 1, 100)])]).await;
        assert_eq!(shelf(&database, "a").await, (0, 3, 3), "{kind}");
        // The release and an order that needs what it gives back, in one batch.
        let answers = worker.answer(&[release(1), reserve(3, &[("b", 3, 100)])]).await;
        assert_eq!(answers.iter().map(outcome).collect::<Vec<_>>(), ["succeeded ", "succeeded "], "{kind}");
        worker.answer(&[release(1), release(1)]).await;
        assert_eq!((shelf(&database, "a").await, shelf(&database, "b").await), ((2, 1, 3), (0, 3, 3)), "{kind}");
        assert_eq!(outcome(&worker.answer(&[release(9)]).await[0]), "succeeded ", "{kind}: nothing was held");
        assert_eq!(outcome(&worker.answer(&[reserve(9, &[("a", 1, 100)])]).await[0]), "rejected UNDONE_BEFORE_ACTION");
        conserved(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_race_for_the_same_items_oversell_nothing() {
    for (kind, database, _dir) in databases().await {
        let items = (0..8).map(|n| format!("item-{n}")).collect::<Vec<_>>();
        for id in &items {
            stocked(&database, id, 100).await;
        }
        let racing = (0..4_u32).map(|racer| {
            let (worker, items) = (stock(&database), items.clone());
            tokio::spawn(async move {
                for round in 0..10 {
                    // Everyone sends everyone's commands, each in another order.
                    let mut batch = (0..30).map(|n| round * 30 + n).collect::<Vec<u32>>();
                    batch.rotate_left(racer as usize * 7);
                    let batch = batch.into_iter().map(|saga| {
                        let first = items[saga as usize % 8].as_str();
                        let second = items[(saga as usize * 5 + 3) % 8].as_str();
                        let lines = [(first, 2, 100), (second, 1, 100)];
                        reserve(saga, if first == second { &lines[..1] } else { &lines })
                    });
                    worker.answer(&batch.collect::<Vec<_>>()).await;
                    let back = (0..30).step_by(3).map(|n| release(round * 30 + n));
                    worker.answer(&back.collect::<Vec<_>>()).await;
                }
            })
        });
        for racer in racing.collect::<Vec<_>>() {
            racer.await.unwrap();
        }
        conserved(&database).await;
        let sold = count(&database, "SELECT COUNT(*) FROM reservation WHERE state = 1").await;
        assert!(sold > 0, "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM ledger WHERE direction = 1").await, 300, "{kind}");
        assert_eq!(count(&database, "SELECT COUNT(*) FROM ledger WHERE direction = 2").await, 100, "{kind}");
    }
}
