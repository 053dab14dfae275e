//! What MariaDB's failures look like from above: cancelled callers, deadlocks, killed and paused servers, unsafe settings.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_supervisor::MariaDb;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Barrier, oneshot};

async fn open(url: String, connections: u32) -> Database {
    let config = DatabaseConfig::MariaDb { url, connections, acquire_timeout: Duration::from_secs(1) };
    let db = Database::open(config).await.unwrap();
    let create = "CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB";
    db.transaction(move |tx| Box::pin(async move { tx.execute(create, Vec::new()).await.map(Verdict::Commit) }))
        .await
        .unwrap();
    db
}

async fn fresh() -> Database {
    open(baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await), 4).await
}

async fn insert(db: &Database, id: i64) -> Result<u64, SqlError> {
    db.transaction(move |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO t (id, n) VALUES (?, 0)", vec![id.into()]).await.map(Verdict::Commit)
        })
    })
    .await
}

async fn has(db: &Database, id: i64) -> bool {
    !db.query("SELECT id FROM t WHERE id = ?", vec![id.into()]).await.unwrap().is_empty()
}

async fn eventually(db: &Database, id: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !has(db, id).await {
        assert!(Instant::now() < deadline, "{id} never appeared");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_callers_leave_clean_connections() {
    let db = fresh().await;
    let started = Arc::new(AtomicU32::new(0));
    for round in 0..500_i64 {
        let counter = Arc::clone(&started);
        let doomed = db.transaction(move |tx| {
            counter.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tx.execute("INSERT INTO t (id, n) VALUES (?, 0)", vec![round.into()]).await.map(Verdict::Commit)
            })
        });
        let patience = Duration::from_micros(u64::try_from(round * 37 % 600).unwrap());
        let _ = tokio::time::timeout(patience, doomed).await;
        let open = db.query("SELECT @@in_transaction", Vec::new()).await.unwrap();
        assert_eq!(open[0].int(0).unwrap(), 0, "round {round}: the next borrower is inside a transaction");
        if round % 10 == 0 {
            insert(&db, 10_000 + round).await.unwrap();
        }
    }
    // Every call was polled once, so every transaction runs to its end although its caller has gone.
    for round in 0..500 {
        eventually(&db, round).await;
    }
    assert_eq!(started.load(Ordering::SeqCst), 500, "and none ran twice");
    for round in (0..500).step_by(10) {
        assert!(has(&db, 10_000 + round).await, "an acknowledged insert is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_rolled_back_and_run_again() {
    let db = fresh().await;
    insert(&db, 1).await.unwrap();
    insert(&db, 2).await.unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicU32::new(0));
    let cross = |first: i64, second: i64| {
        let (db, barrier, runs) = (db.clone(), Arc::clone(&barrier), Arc::clone(&runs));
        let mut own_runs = 0;
        tokio::spawn(async move {
            db.transaction(move |tx| {
                let barrier = Arc::clone(&barrier);
                own_runs += 1;
                runs.fetch_add(1, Ordering::SeqCst);
                let meet = own_runs == 1;
                Box::pin(async move {
                    tx.execute("UPDATE t SET n = n + 1 WHERE id = ?", vec![first.into()]).await?;
                    if meet {
                        barrier.wait().await;
                    }
                    tx.execute("UPDATE t SET n = n + 1 WHERE id = ?", vec![second.into()]).await.map(Verdict::Commit)
                })
            })
            .await
        })
    };
    let (left, right) = (cross(1, 2), cross(2, 1));
    left.await.unwrap().unwrap();
    right.await.unwrap().unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one of the two was the victim and ran once more");
    let rows = db.query("SELECT n FROM t ORDER BY id", Vec::new()).await.unwrap();
    assert_eq!((rows[0].int(0).unwrap(), rows[1].int(0).unwrap()), (2, 2), "each counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_deadlock_commits_nothing() {
    let db = fresh().await;
    insert(&db, 1).await.unwrap();
    insert(&db, 2).await.unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let cross = |first: i64, second: i64, mark: i64| {
        let (db, barrier) = (db.clone(), Arc::clone(&barrier));
        let mut run = 0;
        tokio::spawn(async move {
            db.transaction(move |tx| {
                let barrier = Arc::clone(&barrier);
                run += 1;
                let meet = run == 1;
                Box::pin(async move {
                    tx.execute("UPDATE t SET n = n + 1 WHERE id = ?", vec![first.into()]).await?;
                    if meet {
                        barrier.wait().await;
                    }
                    let second = tx.execute("UPDATE t SET n = n + 1 WHERE id = ?", vec![second.into()]).await;
                    // A careless body goes on after the deadlock: this insert must not commit on its own.
                    let marked = tx.execute("INSERT INTO t (id, n) VALUES (?, 1)", vec![mark.into()]).await;
                    assert_eq!(second.is_ok(), marked.is_ok());
                    Ok(Verdict::Commit(()))
                })
            })
            .await
        })
    };
    let (left, right) = (cross(1, 2, 101), cross(2, 1, 102));
    left.await.unwrap().unwrap();
    right.await.unwrap().unwrap();
    let rows = db.query("SELECT n FROM t ORDER BY id", Vec::new()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [2, 2, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_unavailable_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = MariaDb::start(dir.path()).await.unwrap();
    server.create_schema("test").unwrap();
    let db = open(server.root_url("test"), 4).await;
    let (half_way, reached) = oneshot::channel();
    let (go_on, killed) = oneshot::channel();
    let mut channels = Some((half_way, killed));
    let worker = db.clone();
    let transaction = tokio::spawn(async move {
        worker
            .transaction(move |tx| {
                let (half_way, killed) = channels.take().unwrap();
                Box::pin(async move {
                    tx.execute("INSERT INTO t (id, n) VALUES (1, 0)", Vec::new()).await?;
                    half_way.send(()).unwrap();
                    killed.await.unwrap();
                    tx.execute("INSERT INTO t (id, n) VALUES (2, 0)", Vec::new()).await.map(Verdict::Commit)
                })
            })
            .await
    });
    reached.await.unwrap();
    server.kill().unwrap();
    go_on.send(()).unwrap();
    let lost = transaction.await.unwrap();
    assert!(matches!(lost, Err(SqlError::Unavailable(_) | SqlError::UnknownOutcome(_))), "{lost:?}");
    let away = insert(&db, 3).await;
    assert!(matches!(away, Err(SqlError::Unavailable(_))), "{away:?}");
    server.restart().await.unwrap();
    insert(&db, 4).await.unwrap();
    assert!(!has(&db, 1).await && !has(&db, 3).await && has(&db, 4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_is_unavailable_within_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let server = Arc::new(MariaDb::start(dir.path()).await.unwrap());
    server.create_schema("test").unwrap();
    let db = open(server.root_url("test"), 4).await;
    insert(&db, 1).await.unwrap();
    server.pause().unwrap();
    let asked = Instant::now();
    let idle_connection = insert(&db, 2).await;
    let new_connection = insert(&db, 3).await;
    assert!(matches!(idle_connection, Err(SqlError::Unavailable(_))), "{idle_connection:?}");
    assert!(matches!(new_connection, Err(SqlError::Unavailable(_))), "{new_connection:?}");
    // A statement's own bound, since the connection had answered just before; then that of acquiring one.
    assert!(asked.elapsed() < Duration::from_secs(12), "took {:?}", asked.elapsed());
    server.resume().unwrap();
    insert(&db, 4).await.unwrap();

    let pauser = Arc::clone(&server);
    let unknown = db
        .transaction(move |tx| {
            let pauser = Arc::clone(&pauser);
            Box::pin(async move {
                let done = tx.execute("INSERT INTO t (id, n) VALUES (5, 0)", Vec::new()).await?;
                pauser.pause().unwrap();
                Ok(Verdict::Commit(done))
            })
        })
        .await;
    assert!(matches!(unknown, Err(SqlError::UnknownOutcome(_))), "{unknown:?}");
    server.resume().unwrap();
    insert(&db, 6).await.unwrap();
    assert!(!has(&db, 2).await && !has(&db, 3).await && has(&db, 6).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_servers_and_bad_urls_are_refused_without_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let server = MariaDb::start(dir.path()).await.unwrap();
    server.create_schema("test").unwrap();
    server.create_user("baton", "hunter2", "test", "ALL PRIVILEGES").unwrap();
    server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2").unwrap();
    let refused = Database::open(DatabaseConfig::mariadb(server.url("baton", "hunter2", "test"))).await.unwrap_err();
    assert!(refused.to_string().contains("innodb_flush_log_at_trx_commit is 2"), "{refused}");
    server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1").unwrap();
    let db = Database::open(DatabaseConfig::mariadb(server.url("baton", "hunter2", "test"))).await.unwrap();
    let sql = "SELECT @@tx_isolation, @@time_zone, @@innodb_lock_wait_timeout, @@character_set_client";
    let row = db.query(sql, Vec::new()).await.unwrap().remove(0);
    assert_eq!((row.text(0).unwrap(), row.text(1).unwrap()), ("READ-COMMITTED", "+00:00"));
    assert_eq!((row.int(2).unwrap(), row.text(3).unwrap()), (5, "utf8mb4"));
    for (url, is_weather) in [
        (server.url("baton", "hunter3", "test"), true),
        (server.url("baton", "hunter2", "other"), true),
        (server.root_url("missing"), true),
        ("mysql://baton:hunter2@127.0.0.1:notaport/test".to_owned(), false),
    ] {
        let error = Database::open(DatabaseConfig::mariadb(url)).await.unwrap_err();
        assert_eq!(matches!(error, SqlError::Unavailable(_)), is_weather, "{error:?}");
        assert_eq!(matches!(error, SqlError::Refused(_)), !is_weather, "{error:?}");
        assert!(!format!("{error} {error:?} {db:?}").contains("hunter"), "{error}");
    }
    let nobody = "mysql://baton:hunter2@127.0.0.1:1/test";
    let error = Database::open(DatabaseConfig::mariadb(nobody)).await.unwrap_err();
    assert!(matches!(error, SqlError::Unavailable(_)) && !error.to_string().contains("hunter"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_forbid_is_unavailable_until_they_allow_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = MariaDb::start(dir.path()).await.unwrap();
    server.create_schema("test").unwrap();
    // Privileges on the table itself, because those on a schema bind an open connection only from its next USE on.
    server.execute("CREATE TABLE test.t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB").unwrap();
    server.execute("CREATE USER baton@'127.0.0.1'").unwrap();
    server.execute("GRANT SELECT, INSERT ON test.t TO baton@'127.0.0.1'").unwrap();
    let config = DatabaseConfig::mariadb(format!("mysql://baton@127.0.0.1:{}/test", server.port()));
    let db = Database::open(config).await.unwrap();
    insert(&db, 1).await.unwrap();
    let switches = [
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
        ("RENAME TABLE test.t TO test.away", "RENAME TABLE test.away TO test.t"),
        ("REVOKE INSERT ON test.t FROM baton@'127.0.0.1'", "GRANT INSERT ON test.t TO baton@'127.0.0.1'"),
    ];
    for (round, (forbid, allow)) in (0..).zip(switches) {
        server.execute(forbid).unwrap();
        for _ in 0..3 {
            let refused = insert(&db, 10 + round).await;
            assert!(matches!(refused, Err(SqlError::Unavailable(_))), "{forbid}: {refused:?}");
        }
        server.execute(allow).unwrap();
        insert(&db, 10 + round).await.unwrap();
    }
    let forbidden = db.query("SELECT id FROM nowhere", Vec::new()).await;
    assert!(matches!(&forbidden, Err(SqlError::Unavailable(why)) if why.contains("nowhere")), "{forbidden:?}");
}

/// Bits that turned over on the way: the driver panics, and that is no reason to take the statement for a bad one.
#[tokio::test(flavor = "multi_thread")]
async fn a_garbled_greeting_is_a_database_that_is_away() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mysql://u:p@{}/s", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A greeting that ends in the middle of its thread id.
            let _ = stream.write_all(&[5, 0, 0, 0, 10, b'8', 0, 1, 0]).await;
        }
    });
    let config = DatabaseConfig::MariaDb { url, connections: 2, acquire_timeout: Duration::from_secs(5) };
    let opened = Database::open(config).await;
    assert!(matches!(&opened, Err(SqlError::Unavailable(_))), "{opened:?}");
}

/// A login whose bits turned over on their way is answered with "Bad handshake", which is not about any statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_is_a_database_that_is_away() {
    use tokio::io::AsyncWriteExt as _;
    const BAD_HANDSHAKE: &[u8] = b"\x16\0\0\0\xff\x13\x04#08S01Bad handshake";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mysql://u:p@{}/s", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(BAD_HANDSHAKE).await;
            open.push(stream);
        }
    });
    let config = DatabaseConfig::MariaDb { url, connections: 2, acquire_timeout: Duration::from_secs(5) };
    let opened = Database::open(config).await;
    assert!(
        matches!(&opened, Err(SqlError::Unavailable(why)) if why.contains("Bad handshake")),
        "whoever sees anything else gives up what it wanted to write: {opened:?}"
    );
}

/// Its wish for a schema got lost on the way, or the schema was dropped and restored under it: nobody else's statement is to
/// blame, and the connection must not be met again.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_lost_its_schema_is_replaced() {
    let server = baton_supervisor::shared::mariadb().await;
    let url = baton_supervisor::shared::fresh_schema(server);
    let schema = url.rsplit_once('/').unwrap().1.to_owned();
    let db = open(url.clone(), 2).await;
    insert(&db, 1).await.unwrap();
    let restore = format!(
        "DROP DATABASE `{schema}`; CREATE DATABASE `{schema}`; \
         CREATE TABLE `{schema}`.t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB;"
    );
    server.execute(&restore).unwrap();
    let mut unavailable = 0;
    while let Err(error) = insert(&db, 2).await {
        assert!(matches!(error, SqlError::Unavailable(_)), "{error:?}");
        unavailable += 1;
        assert!(unavailable <= 2, "one try for each connection");
    }
    assert!(has(&db, 2).await && !has(&db, 1).await);
}

/// The server gives every statement that meets the table the same answer, and whoever asked has no part in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_file_is_away_is_unavailable() {
    let server = baton_supervisor::shared::mariadb().await;
    let url = baton_supervisor::shared::fresh_schema(server);
    let schema = url.rsplit_once('/').unwrap().1.to_owned();
    let db = open(url, 2).await;
    insert(&db, 1).await.unwrap();
    server.execute(&format!("ALTER TABLE `{schema}`.t DISCARD TABLESPACE")).unwrap();
    for _ in 0..3 {
        let written = insert(&db, 2).await;
        assert!(matches!(written, Err(SqlError::Unavailable(_))), "{written:?}");
        let read = db.query("SELECT id FROM t", Vec::new()).await;
        assert!(matches!(read, Err(SqlError::Unavailable(_))), "{read:?}");
    }
    let restore = format!(
        "DROP TABLE `{schema}`.t; \
         CREATE TABLE `{schema}`.t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB;"
    );
    server.execute(&restore).unwrap();
    insert(&db, 2).await.unwrap();
}

/// What is refused may have been garbled on its way, or prepared for a table that has changed since: the second try must not
/// meet the same connection. A statement after it in its transaction is refused too.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_ends_its_transaction_and_its_connection() {
    let db = fresh().await;
    let connection = async || db.query("SELECT CONNECTION_ID()", Vec::new()).await.unwrap()[0].int(0).unwrap();
    let first = connection().await;
    assert_eq!(connection().await, first, "one caller uses one connection");
    let refused = db.query("SELECT id FROM t WHERE", Vec::new()).await;
    assert!(matches!(refused, Err(SqlError::Refused(_))), "{refused:?}");
    let second = connection().await;
    assert_ne!(second, first);
    let swallowed = db
        .transaction(|tx| {
            Box::pin(async move {
                let refused = tx.execute("UPDATE t SET", Vec::new()).await;
                assert!(matches!(refused, Err(SqlError::Refused(_))), "{refused:?}");
                let after = tx.execute("INSERT INTO t (id, n) VALUES (1, 0)", Vec::new()).await;
                assert!(matches!(after, Err(SqlError::Refused(_))), "{after:?}");
                Ok(Verdict::Commit(()))
            })
        })
        .await;
    assert!(matches!(swallowed, Err(SqlError::Refused(_))), "{swallowed:?}");
    assert!(!has(&db, 1).await);
    assert_ne!(connection().await, second);
}
