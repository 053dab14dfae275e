//! Faults strike exactly where they say: before anything is written, or after everything is.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_sql::faults::{Faults, Point};
use baton_sql::migration::Migration;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};

const TABLE: Migration = Migration { id: "0001_t", mariadb: "", sqlite: "CREATE TABLE t (n INTEGER NOT NULL) STRICT" };

/// Fails at one point, and remembers where it was asked.
#[derive(Debug)]
struct At {
    point: Option<Point>,
    asked: Mutex<Vec<Point>>,
}

impl Faults for At {
    fn at(&self, point: Point) -> BoxFuture<'static, Result<(), SqlError>> {
        self.asked.lock().unwrap().push(point);
        let fails = self.point == Some(point);
        Box::pin(async move { if fails { Err(SqlError::UnknownOutcome("test".to_owned())) } else { Ok(()) } })
    }
}

async fn insert(database: &Database, commit: bool) -> Result<(), SqlError> {
    let inserted = database.transaction(move |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO t (n) VALUES (1)", Vec::new()).await?;
            Ok(if commit { Verdict::Commit(()) } else { Verdict::Rollback(()) })
        })
    });
    inserted.await
}

#[tokio::test]
async fn a_fault_strikes_before_everything_or_after_everything() {
    let sound = Database::open(DatabaseConfig::SqliteMemory).await.unwrap();
    sound.migrate(&[TABLE]).await.unwrap();
    let rows = async || sound.query("SELECT COUNT(*) FROM t", Vec::new()).await.unwrap()[0].int(0).unwrap();
    let with = |point| {
        let faults = Arc::new(At { point, asked: Mutex::default() });
        (sound.with_faults(faults.clone()), faults)
    };
    let (database, faults) = with(Some(Point::Begin));
    assert!(matches!(insert(&database, true).await, Err(SqlError::UnknownOutcome(_))));
    assert_eq!((rows().await, faults.asked.lock().unwrap().clone()), (0, vec![Point::Begin]));
    let (database, _) = with(Some(Point::Committed));
    assert!(matches!(insert(&database, true).await, Err(SqlError::UnknownOutcome(_))));
    assert_eq!(rows().await, 1, "done, only the answer is lost");
    insert(&database, false).await.expect("what rolls back is not struck after a commit");
    assert_eq!(rows().await, 1);
    let (database, faults) = with(None);
    insert(&database, true).await.expect("no fault");
    database.query("SELECT n FROM t", Vec::new()).await.expect("no fault");
    assert_eq!(faults.asked.lock().unwrap().clone(), [Point::Begin, Point::Committed, Point::Read]);
}
