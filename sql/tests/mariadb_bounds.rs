//! What a pool lends to whom.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use std::time::{Duration, Instant};

/// How long a transaction, or a read, waits for a connection here.
const PATIENCE: Duration = Duration::from_secs(1);

async fn open(url: String, connections: u32) -> Database {
    let config = DatabaseConfig::MariaDb { url, connections, acquire_timeout: PATIENCE };
    Database::open(config).await.unwrap()
}

/// Pages and audits may ask for as much as they like: the engine takes a transaction that cannot begin for an outage.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_reads_keeps_no_transaction_from_beginning() {
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    let (db, watcher) = (open(url.clone(), 4).await, open(url, 2).await);
    // Slower than the patience of those who wait, and marked so that only they are counted.
    let slow = "SELECT SLEEP(3) AS slow_read_of_this_test";
    let reads: Vec<_> = (0..12)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.query(slow, Vec::new()).await })
        })
        .collect();
    let counted = "SELECT COUNT(*) FROM information_schema.processlist \
                   WHERE state = 'User sleep' AND info LIKE '%slow_read%' AND db = DATABASE()";
    let deadline = Instant::now() + Duration::from_secs(10);
    while watcher.query(counted, Vec::new()).await.unwrap()[0].int(0).unwrap() < 3 {
        assert!(Instant::now() < deadline, "the reads never began");
    }
    let begun = Instant::now();
    let done = db
        .transaction(|tx| {
            Box::pin(async move { tx.query("SELECT 7", Vec::new()).await?[0].int(0).map(Verdict::Commit) })
        })
        .await;
    assert!(matches!(done, Ok(7)), "{done:?}");
    assert!(begun.elapsed() < PATIENCE, "at once: {:?}", begun.elapsed());
    let mut answered = 0;
    for read in reads {
        match read.await.unwrap() {
            Ok(_) => answered += 1,
            Err(SqlError::Unavailable(why)) => assert!(why.contains("too many reads"), "{why}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, 3, "all but one of the four connections");
    assert_eq!(db.query("SELECT 7", Vec::new()).await.unwrap()[0].int(0).unwrap(), 7, "and they come back");
}
