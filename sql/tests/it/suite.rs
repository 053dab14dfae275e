//! One suite of laws that every kind of database passes.

use baton_sql::database::{Database, DatabaseConfig, Dialect, Verdict};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::value::{Row, Value};
use std::task::Poll;

const TABLE: Migration = Migration {
    id: "0001_item",
    mariadb: "CREATE TABLE IF NOT EXISTS item (id BINARY(16) NOT NULL, name VARCHAR(64) NULL, amount BIGINT NOT NULL, \
              body MEDIUMBLOB NULL, PRIMARY KEY (id), CONSTRAINT amount_positive CHECK (amount >= 0)) \
              ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    sqlite: "CREATE TABLE IF NOT EXISTS item (id BLOB NOT NULL PRIMARY KEY, name TEXT NULL, amount INTEGER NOT NULL \
             CHECK (amount >= 0), body BLOB NULL) STRICT",
};
const COLUMNS: [&str; 4] = ["id", "name", "amount", "body"];

fn id(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    id
}

fn item(number: u32, amount: i64) -> Vec<Value> {
    vec![id(number).into(), format!("item {number}").into(), amount.into(), Value::Null]
}

async fn insert(db: &Database, rows: Vec<Vec<Value>>) -> Result<u64, SqlError> {
    db.transaction(move |tx| {
        let rows = rows.clone();
        Box::pin(async move { Ok(Verdict::Commit(tx.insert_many("item", &COLUMNS, rows).await?)) })
    })
    .await
}

async fn count(db: &Database) -> i64 {
    db.query("SELECT COUNT(*) FROM item", Vec::new()).await.unwrap()[0].int(0).unwrap()
}

async fn amount(db: &Database, number: u32) -> i64 {
    let rows = db.query("SELECT amount FROM item WHERE id = ?", vec![id(number).into()]).await.unwrap();
    rows[0].int(0).unwrap()
}

async fn every_law(db: Database) {
    assert_eq!(db.migrate(&[TABLE]).await.unwrap(), ["0001_item"]);
    values_come_back_as_they_went(&db).await;
    rollback_and_error_leave_nothing(&db).await;
    duplicates_and_constraints_are_told_apart(&db).await;
    savepoints_survive_a_duplicate(&db).await;
    affected_rows_are_rows_matched(&db).await;
    batches_cross_chunk_bounds(&db).await;
    a_panic_is_an_error_and_poisons_nothing(&db).await;
    concurrent_transactions_lose_no_update(&db).await;
    a_dropped_caller_does_not_stop_its_transaction(&db).await;
    defects_are_refused(&db).await;
    migrations_are_applied_once(&db).await;
}

async fn values_come_back_as_they_went(db: &Database) {
    let body: Vec<u8> = (0..=255).collect();
    let rows = vec![
        vec![id(1).into(), "naïve 🚀 'quoted' ".into(), i64::MAX.into(), body.clone().into()],
        vec![id(2).into(), Value::Null, 0.into(), Value::Bytes(Vec::new())],
    ];
    assert_eq!(insert(db, rows).await.unwrap(), 2);
    let read = db.query("SELECT id, name, amount, body FROM item ORDER BY id", Vec::new()).await.unwrap();
    assert_eq!(read[0], Row(vec![id(1).into(), "naïve 🚀 'quoted' ".into(), i64::MAX.into(), body.into()]));
    assert_eq!(read[1], Row(vec![id(2).into(), Value::Null, 0.into(), Value::Bytes(Vec::new())]));
    assert_eq!(read[0].array::<16>(0).unwrap(), id(1));
    assert_eq!(read[1].opt_text(1).unwrap(), None);
    assert!(matches!(read[0].int(1), Err(SqlError::Decode { column: 1, .. })));
    let found = db.query("SELECT COUNT(*) FROM item WHERE name = ?", vec!["NAÏVE 🚀 'quoted' ".into()]).await.unwrap();
    assert_eq!(found[0].int(0).unwrap(), 0, "text compares byte by byte");
    let sum = db.query("SELECT SUM(amount), 'a' || 'b' FROM item", Vec::new()).await.unwrap();
    assert_eq!((sum[0].int(0).unwrap(), sum[0].text(1).unwrap()), (i64::MAX, "ab"));
    let drift = db.now_us().await.unwrap() - 1_700_000_000_000_000;
    assert!(drift > 0, "the clock counts microseconds since the epoch");
}

async fn rollback_and_error_leave_nothing(db: &Database) {
    let before = count(db).await;
    let kept = db
        .transaction(|tx| {
            Box::pin(async move {
                tx.insert_many("item", &COLUMNS, vec![item(10, 1)]).await?;
                assert_eq!(tx.query("SELECT id FROM item WHERE id = ?", vec![id(10).into()]).await?.len(), 1);
                Ok(Verdict::Rollback(7))
            })
        })
        .await;
    assert_eq!(kept.unwrap(), 7);
    let failed: Result<(), SqlError> = db
        .transaction(|tx| {
            Box::pin(async move {
                tx.insert_many("item", &COLUMNS, vec![item(10, 1)]).await?;
                Err(SqlError::Refused("by the test".to_owned()))
            })
        })
        .await;
    assert!(matches!(failed, Err(SqlError::Refused(reason)) if reason == "by the test"));
    assert_eq!(count(db).await, before);
}

async fn duplicates_and_constraints_are_told_apart(db: &Database) {
    let before = count(db).await;
    let duplicate = insert(db, vec![item(11, 1), item(1, 1)]).await;
    assert!(matches!(duplicate, Err(SqlError::Duplicate(_))), "{duplicate:?}");
    let check = insert(db, vec![item(11, -1)]).await;
    assert!(matches!(check, Err(SqlError::Constraint(_))), "{check:?}");
    let null = insert(db, vec![vec![id(11).into(), Value::Null, Value::Null, Value::Null]]).await;
    assert!(matches!(null, Err(SqlError::Constraint(_))), "{null:?}");
    assert_eq!(count(db).await, before);
}

async fn savepoints_survive_a_duplicate(db: &Database) {
    db.transaction(|tx| {
        Box::pin(async move {
            tx.insert_many("item", &COLUMNS, vec![item(20, 1)]).await?;
            tx.execute("SAVEPOINT one", Vec::new()).await?;
            tx.insert_many("item", &COLUMNS, vec![item(21, 1)]).await?;
            let duplicate = tx.insert_many("item", &COLUMNS, vec![item(20, 2)]).await;
            assert!(matches!(duplicate, Err(SqlError::Duplicate(_))));
            tx.execute("ROLLBACK TO SAVEPOINT one", Vec::new()).await?;
            tx.insert_many("item", &COLUMNS, vec![item(22, 1)]).await?;
            Ok(Verdict::Commit(()))
        })
    })
    .await
    .unwrap();
    let rows = db.query_in("SELECT amount FROM item WHERE id", (20..23).map(|n| id(n).into()).collect(), "").await;
    assert_eq!(rows.unwrap().len(), 2, "20 and 22, not 21");
}

async fn affected_rows_are_rows_matched(db: &Database) {
    let unchanged = db
        .transaction(|tx| {
            Box::pin(async move {
                let ids: Vec<Value> = [20, 22, 99].into_iter().map(|n| id(n).into()).collect();
                let same = tx.execute_in("UPDATE item SET amount = ? WHERE id", vec![1.into()], ids).await?;
                let locked = tx.for_update();
                let rows = tx.select_in(
                    "SELECT id FROM item WHERE amount = ? AND id",
                    vec![1.into()],
                    vec![id(20).into()],
                    locked,
                );
                assert_eq!(rows.await?.len(), 1);
                Ok(Verdict::Commit(same))
            })
        })
        .await;
    assert_eq!(unchanged.unwrap(), 2, "rows that already held the value count");
}

async fn batches_cross_chunk_bounds(db: &Database) {
    let before = count(db).await;
    assert_eq!(insert(db, (1000..1777).map(|n| item(n, 1)).collect()).await.unwrap(), 777);
    let (updated, deleted) = db
        .transaction(|tx| {
            Box::pin(async move {
                let pairs = (1000..1777).map(|n| (id(n).into(), i64::from(n).into())).collect();
                let updated = tx.update_each("item", "amount", "id", pairs).await?;
                let ids = (1000..1776).map(|n| id(n).into()).collect();
                let sum = tx.query(
                    "SELECT SUM(amount) FROM item WHERE amount >= ? AND amount < ?",
                    vec![1000.into(), 1777.into()],
                );
                assert_eq!(sum.await?[0].int(0)?, (1000..1777).sum::<i64>());
                Ok(Verdict::Commit((updated, tx.execute_in("DELETE FROM item WHERE id", Vec::new(), ids).await?)))
            })
        })
        .await
        .unwrap();
    assert_eq!((updated, deleted), (777, 776));
    assert_eq!(count(db).await, before + 1);
    assert_eq!(amount(db, 1776).await, 1776);
    assert_eq!(insert(db, Vec::new()).await.unwrap(), 0);
}

async fn a_panic_is_an_error_and_poisons_nothing(db: &Database) {
    let before = count(db).await;
    let panicked: Result<(), SqlError> = db
        .transaction(|tx| {
            Box::pin(async move {
                tx.insert_many("item", &COLUMNS, vec![item(30, 1)]).await?;
                panic!("by the test")
            })
        })
        .await;
    assert!(matches!(&panicked, Err(SqlError::Refused(reason)) if reason.contains("by the test")), "{panicked:?}");
    assert_eq!(count(db).await, before);
    insert(db, vec![item(30, 1)]).await.unwrap();
}

async fn concurrent_transactions_lose_no_update(db: &Database) {
    insert(db, vec![item(40, 0)]).await.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                db.transaction(|tx| {
                    Box::pin(async move {
                        let sql = format!("SELECT amount FROM item WHERE id = ?{}", tx.for_update());
                        let amount = tx.query(&sql, vec![id(40).into()]).await?[0].int(0)?;
                        let args = vec![(amount + 1).into(), id(40).into()];
                        Ok(Verdict::Commit(tx.execute("UPDATE item SET amount = ? WHERE id = ?", args).await?))
                    })
                })
                .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    assert_eq!(amount(db, 40).await, 40);
}

async fn a_dropped_caller_does_not_stop_its_transaction(db: &Database) {
    let transaction = db.transaction(|tx| {
        Box::pin(async move {
            tx.insert_many("item", &COLUMNS, vec![item(50, 1)]).await?;
            tx.insert_many("item", &COLUMNS, vec![item(51, 1)]).await?;
            Ok(Verdict::Commit(()))
        })
    });
    // Polled once, then dropped.
    let _ = tokio::time::timeout(std::time::Duration::ZERO, transaction).await;
    // The row appears although nobody waits; bounded by the test runner's own patience of 10 s here.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while db.query("SELECT id FROM item WHERE id = ?", vec![id(51).into()]).await.unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the transaction was cancelled");
        tokio::task::yield_now().await;
    }
}

async fn defects_are_refused(db: &Database) {
    for (sql, args) in [("SELECT id FROM item WHERE", vec![]), ("SELECT COUNT(*) FROM item WHERE id = ?", vec![])] {
        let refused = db.query(sql, args).await;
        assert!(matches!(refused, Err(SqlError::Refused(_))), "{refused:?}");
    }
    for other in ["SELECT id FROM nowhere", "SELECT absent FROM item", "INSERT INTO item (absent) VALUES (1)"] {
        let missing = db.query(other, vec![]).await;
        assert!(matches!(missing, Err(SqlError::Unavailable(_))), "a schema of another version, {other}: {missing:?}");
    }
    let ragged = insert(db, vec![vec![id(60).into()]]).await;
    assert!(matches!(ragged, Err(SqlError::Refused(_))), "{ragged:?}");
}

async fn migrations_are_applied_once(db: &Database) {
    let second = Migration { id: "0002_name", ..index("item_name", "name") };
    assert!(db.migrate(&[TABLE]).await.unwrap().is_empty());
    let status = db.migration_status(&[TABLE, second]).await.unwrap();
    assert!(status[0].applied_at.is_some() && !status[0].changed && status[1].applied_at.is_none());
    let both = [TABLE, second];
    let (left, right) = tokio::join!(db.migrate(&both), db.migrate(&both));
    assert_eq!(left.unwrap().len() + right.unwrap().len(), 1, "two at once apply it once");
    let changed = Migration { id: "0002_name", ..index("item_name", "amount") };
    let refused = db.migrate(&[TABLE, changed]).await;
    assert!(matches!(&refused, Err(SqlError::Refused(reason)) if reason.contains("0002_name")), "{refused:?}");
    let status = db.migration_status(&[changed]).await.unwrap();
    assert!(status[0].changed);
    assert!(db.migrate(&[TABLE]).await.unwrap().is_empty(), "a list need not know all");
}

fn index(name: &str, column: &str) -> Migration {
    let text: &'static str = format!("CREATE INDEX IF NOT EXISTS {name} ON item ({column})").leak();
    Migration { id: "", mariadb: text, sqlite: text }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_memory_obeys_every_law() {
    every_law(Database::open(DatabaseConfig::SqliteMemory).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_file_obeys_every_law() {
    let dir = tempfile::tempdir().unwrap();
    let config = DatabaseConfig::sqlite(dir.path().join("law.db"));
    let db = Database::open(config.clone()).await.unwrap();
    assert_eq!(db.dialect(), Dialect::Sqlite);
    every_law(db.clone()).await;
    let rows = count(&db).await;
    drop(db);
    let again = Database::open(config).await.unwrap();
    assert_eq!(count(&again).await, rows, "a file outlives its handle");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_obeys_every_law() {
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    let db = Database::open(DatabaseConfig::mariadb(url)).await.unwrap();
    assert_eq!(db.dialect(), Dialect::MariaDb);
    every_law(db).await;
}

#[tokio::test]
async fn a_sqlite_body_may_await_nothing_else() {
    for config in [DatabaseConfig::SqliteMemory, DatabaseConfig::sqlite(tempfile::tempdir().unwrap().keep().join("db"))]
    {
        let db = Database::open(config).await.unwrap();
        let refused: Result<(), SqlError> = db
            .transaction(|_| {
                Box::pin(async move {
                    std::future::pending::<()>().await;
                    Ok(Verdict::Commit(()))
                })
            })
            .await;
        assert!(matches!(&refused, Err(SqlError::Refused(reason)) if reason.contains("awaited")), "{refused:?}");
        let inner = db.clone();
        let nested = db
            .transaction(move |_| {
                let inner = inner.clone();
                Box::pin(async move {
                    // Asked again and again without giving the thread away, as if every answer came at once: whether
                    // it is refused must not depend on how fast a reader is.
                    let mut asked = std::pin::pin!(inner.query("SELECT 1", Vec::new()));
                    let answer = std::future::poll_fn(|context| {
                        loop {
                            match asked.as_mut().poll(context) {
                                Poll::Pending => std::thread::yield_now(),
                                answered => return answered,
                            }
                        }
                    });
                    answer.await.map(Verdict::Commit)
                })
            })
            .await;
        assert!(matches!(nested, Err(SqlError::Refused(_))), "its own database would wait for itself: {nested:?}");
    }
}

#[test]
fn a_config_shows_no_password() {
    let config = DatabaseConfig::mariadb("mysql://baton:hunter2@127.0.0.1:1/baton");
    assert!(!format!("{config:?}").contains("hunter2"));
}
