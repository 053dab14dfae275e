//! Whether a database is ready tells whether it takes writes, and a statement is not taken for wrong where none is taken.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_supervisor::MariaDb;
use baton_supervisor::mariadb::Settings;
use std::time::{Duration, Instant};

const TABLE: Migration = Migration {
    id: "0001_t",
    mariadb: "CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB",
    sqlite: "",
};

const COLUMN: Migration =
    Migration { id: "0002_t_m", mariadb: "ALTER TABLE t ADD COLUMN IF NOT EXISTS m BIGINT NULL", sqlite: "" };

async fn open(url: String) -> Database {
    let config = DatabaseConfig::MariaDb { url, connections: 4, acquire_timeout: Duration::from_secs(1) };
    let db = Database::open(config).await.unwrap();
    db.migrate(&[TABLE]).await.unwrap();
    db
}

async fn insert(db: &Database, id: i64) -> Result<u64, SqlError> {
    db.transaction(move |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO t (id, n) VALUES (?, 0)", vec![id.into()]).await.map(Verdict::Commit)
        })
    })
    .await
}

fn is_away<T>(asked: Result<T, SqlError>, word: &str) -> bool {
    matches!(asked, Err(SqlError::Unavailable(why)) if why.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_with_which_nothing_is_written_or_kept_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { binary_log: true, ..Settings::default() };
    let server = MariaDb::start_with(dir.path(), &settings).await.unwrap();
    server.create_schema("test").unwrap();
    let db = open(server.root_url("test")).await;
    db.ready("t").await.unwrap();
    let switches = [
        ("SET GLOBAL binlog_format = 'STATEMENT'", "binlog_format", "SET GLOBAL binlog_format = 'MIXED'"),
        ("SET GLOBAL innodb_flush_log_at_trx_commit = 2", "flush_log", "SET GLOBAL innodb_flush_log_at_trx_commit = 1"),
        ("SET GLOBAL read_only = 1", "read-only", "SET GLOBAL read_only = 0"),
    ];
    for (wrong, word, right) in switches {
        server.execute(wrong).unwrap();
        let told = db.ready("t").await;
        assert!(is_away(told, word), "{wrong}");
        server.execute(right).unwrap();
        db.ready("t").await.unwrap();
    }
}

/// The server has a number of its own for this; that the statement is right shows from another that is not taken either.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_of_everybody_is_no_fault_of_the_statement() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { binary_log: true, ..Settings::default() };
    let server = MariaDb::start_with(dir.path(), &settings).await.unwrap();
    server.create_schema("test").unwrap();
    drop(open(server.root_url("test")).await);
    server.execute("SET GLOBAL binlog_format = 'STATEMENT'").unwrap();
    let db = Database::open(DatabaseConfig::mariadb(server.root_url("test"))).await.unwrap();
    for id in 0..3 {
        let refused = insert(&db, id).await;
        assert!(is_away(refused, "BINLOG_FORMAT"), "1665");
    }
    server.execute("SET GLOBAL binlog_format = 'MIXED'").unwrap();
    insert(&db, 1).await.unwrap();
    let wrong = db
        .transaction(|tx| Box::pin(async move { tx.execute("UPDATE t SET", Vec::new()).await.map(Verdict::Commit) }))
        .await;
    assert!(matches!(wrong, Err(SqlError::Refused(_))), "{wrong:?}");
}

/// An open transaction of somebody else keeps an ALTER from its lock, and the ALTER whoever comes after it from theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_lets_others_through() {
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    let db = open(url.clone()).await;
    insert(&db, 1).await.unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let reader = open(url.clone()).await;
    let (mut begun, mut ended) = (Some(begun), Some(ended));
    let reading = tokio::spawn(async move {
        reader
            .transaction(move |tx| {
                let (begun, ended) = (begun.take(), ended.take());
                Box::pin(async move {
                    tx.query("SELECT COUNT(*) FROM t", Vec::new()).await?;
                    begun.into_iter().for_each(|begun| begun.send(()).expect("somebody waits"));
                    if let Some(ended) = ended {
                        let _ = ended.await;
                    }
                    Ok(Verdict::Rollback(()))
                })
            })
            .await
    });
    has_begun.await.unwrap();
    let migrating = tokio::spawn({
        let db = open(url).await;
        async move { db.migrate(&[TABLE, COLUMN]).await }
    });
    // Until the migration is over, and a little longer than one of its waits: some of these wait for it, and each gets through.
    let until = Instant::now() + Duration::from_secs(6);
    let (mut id, mut longest) = (2, Duration::ZERO);
    while Instant::now() < until {
        let begun = Instant::now();
        insert(&db, id).await.expect("a write waits for a migration no longer than its lock may");
        longest = longest.max(begun.elapsed());
        id += 1;
    }
    assert!(!migrating.is_finished(), "nothing held it");
    assert!(longest > Duration::from_millis(500), "no write ever met its lock: {longest:?}");
    end.send(()).unwrap();
    reading.await.unwrap().unwrap();
    assert_eq!(migrating.await.unwrap().unwrap(), ["0002_t_m"]);
}
