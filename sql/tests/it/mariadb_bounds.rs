//! What a pool lends to whom, and what a server must take at once.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_sql::statement;
use baton_sql::value::Value;
use baton_supervisor::MariaDb;
use std::time::{Duration, Instant};

/// How long a transaction, or a read, waits for a connection here.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of one of the rows that fill a statement; few enough that they are bounded by bytes and not by their number.
const ROW: usize = 128 * 1024;

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
    let read = db.ahead().query("SELECT 7", Vec::new()).await;
    assert!(matches!(read.as_deref(), Ok([row]) if row.int(0).unwrap() == 7), "{read:?}");
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

/// A batch that is too large for the server fails again and again, while small ones pass: nobody would look for it here.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_a_full_batch_is_refused() {
    const LEAST: usize = statement::MAX_BYTES + 1024 * 1024;
    let dir = tempfile::tempdir().unwrap();
    let server = MariaDb::start(dir.path()).await.unwrap();
    server.create_schema("test").unwrap();
    let config = DatabaseConfig::mariadb(server.root_url("test"));
    server.execute(&format!("SET GLOBAL max_allowed_packet = {}", LEAST - 1024)).unwrap();
    let small = Database::open(config.clone()).await;
    let told = format!("max_allowed_packet is {}: a full batch would be refused for ever", LEAST - 1024);
    assert!(matches!(&small, Err(SqlError::Refused(why)) if why.contains(&told)), "{small:?}");

    server.execute(&format!("SET GLOBAL max_allowed_packet = {LEAST}")).unwrap();
    let db = Database::open(config).await.unwrap();
    let rows = statement::MAX_BYTES / ROW;
    let done = db
        .transaction(move |tx| {
            Box::pin(async move {
                tx.execute("CREATE TABLE large (id BIGINT PRIMARY KEY, body MEDIUMBLOB NOT NULL)", Vec::new()).await?;
                let row = |id: usize| vec![Value::Int(i64::try_from(id).unwrap()), Value::Bytes(vec![0x27; ROW - 8])];
                tx.insert_many("large", &["id", "body"], (0..rows).map(row).collect()).await.map(Verdict::Commit)
            })
        })
        .await;
    assert_eq!(done.unwrap(), u64::try_from(rows).unwrap(), "in one statement, as full as they are made");
}
