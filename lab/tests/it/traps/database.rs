//! Traps of sqlx and MariaDB: a `begin` that was dropped, and a read that another transaction has overtaken.

use async_trait::async_trait;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_supervisor::shared;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Callers that go away, for each way of using the database. sqlx's own pool loses about a third of what follows them.
const ROUNDS: i64 = 200;

/// Polls of a caller at most: a `begin` of the driver is done after about five.
const POLLS: i64 = 6;

/// Writers at once, and what each adds.
const WRITERS: usize = 4;
const EACH: usize = 50;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB";

async fn ours(url: &str) -> Database {
    let config =
        DatabaseConfig::MariaDb { url: url.to_owned(), connections: 4, acquire_timeout: Duration::from_secs(5) };
    let database = Database::open(config).await.expect("a database");
    let created = database
        .transaction(|tx| Box::pin(async move { tx.execute(CREATE, Vec::new()).await.map(Verdict::Commit) }))
        .await;
    created.expect("a table");
    database
}

/// A way to write rows.
#[async_trait]
trait Writes: Send + Sync {
    /// Begins a transaction whose caller goes away.
    async fn begin_and_leave(&self, round: i64);
    /// Inserts a row; it returns when that is acknowledged.
    async fn insert(&self, id: i64);
    /// Adds one to row 1 by reading it, adding, and writing it; true if that is acknowledged.
    async fn add_one(&self) -> bool;
}

/// A caller that is gone in the middle of whatever it stood at: after a few polls, or a few microseconds.
async fn dropped<T>(round: i64, future: impl Future<Output = T> + Send) {
    if round % 2 == 1 {
        let patience = Duration::from_micros(u64::try_from(round * 37 % 600).unwrap_or(0));
        let _ = tokio::time::timeout(patience, future).await;
        return;
    }
    let mut future = pin!(future);
    for _ in 0..=(round / 2 % POLLS) {
        if future.as_mut().now_or_never().is_some() {
            return;
        }
        // The server's answer comes meanwhile.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Writes for Database {
    async fn begin_and_leave(&self, round: i64) {
        let reading = self.transaction(|tx| {
            Box::pin(async move { tx.query("SELECT n FROM t WHERE id = 0", Vec::new()).await.map(Verdict::Commit) })
        });
        dropped(round, reading).await;
    }

    async fn insert(&self, id: i64) {
        let sql = "INSERT INTO t (id, n) VALUES (?, 0)";
        let inserted = self.transaction(move |tx| {
            Box::pin(async move { tx.execute(sql, vec![id.into()]).await.map(Verdict::Commit) })
        });
        inserted.await.expect("an insert");
    }

    async fn add_one(&self) -> bool {
        let added = self.transaction(|tx| {
            Box::pin(async move {
                let sql = format!("SELECT n FROM t WHERE id = 1{}", tx.for_update());
                let n = tx.query(&sql, Vec::new()).await?.remove(0).int(0)?;
                tx.execute("UPDATE t SET n = ? WHERE id = 1", vec![(n + 1).into()]).await.map(Verdict::Commit)
            })
        });
        added.await.is_ok()
    }
}

/// The driver as its own documentation shows it: its pool, a `begin` where it is needed, MariaDB's default isolation.
#[async_trait]
impl Writes for MySqlPool {
    async fn begin_and_leave(&self, round: i64) {
        dropped(round, self.begin()).await;
    }

    async fn insert(&self, id: i64) {
        sqlx::query("INSERT INTO t (id, n) VALUES (?, 0)").bind(id).execute(self).await.expect("an insert");
    }

    async fn add_one(&self) -> bool {
        let added = async {
            let mut tx = self.begin().await?;
            let n: i64 = sqlx::query_scalar("SELECT n FROM t WHERE id = 1").fetch_one(&mut *tx).await?;
            sqlx::query("UPDATE t SET n = ? WHERE id = 1").bind(n + 1).execute(&mut *tx).await?;
            tx.commit().await
        };
        added.await.is_ok()
    }
}

/// Rows that were acknowledged and that nobody else can see, since they stand in a transaction somebody left open.
async fn unseen_after_dropped_begins(subject: &dyn Writes, witness: &Database) -> usize {
    let mut unseen = 0;
    for round in 0..ROUNDS {
        subject.begin_and_leave(round).await;
        subject.insert(1_000 + round).await;
        let seen = witness.query("SELECT id FROM t WHERE id = ?", vec![(1_000 + round).into()]).await.expect("a look");
        unseen += usize::from(seen.is_empty());
    }
    unseen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_begin_swallows_no_write() {
    let server = shared::mariadb().await;
    let (naive_url, our_url) = (shared::fresh_schema(server), shared::fresh_schema(server));
    let (witness, database) = (ours(&naive_url).await, ours(&our_url).await);
    let naive = MySqlPoolOptions::new().max_connections(1).connect(&naive_url).await.expect("a pool");
    let swallowed = unseen_after_dropped_begins(&naive, &witness).await;
    println!("the driver's own pool: {swallowed} of {ROUNDS} acknowledged writes are in nobody's sight");
    assert!(swallowed > 0, "the trap is gone; this law proves nothing any more");
    let other = ours(&our_url).await;
    assert_eq!(unseen_after_dropped_begins(&database, &other).await, 0);
}

/// Acknowledged additions that are not in the sum.
async fn lost_updates(subject: Arc<dyn Writes>, witness: &Database) -> i64 {
    subject.insert(1).await;
    let writers = (0..WRITERS).map(|_| {
        let subject = subject.clone();
        tokio::spawn(async move {
            let mut added = 0;
            for _ in 0..EACH {
                added += i64::from(subject.add_one().await);
            }
            added
        })
    });
    let added: i64 = join_all(writers).await.into_iter().map(|added| added.expect("a writer")).sum();
    let rows = witness.query("SELECT n FROM t WHERE id = 1", Vec::new()).await.expect("the sum");
    added - rows[0].int(0).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost_to_repeatable_read() {
    let server = shared::mariadb().await;
    let (naive_url, our_url) = (shared::fresh_schema(server), shared::fresh_schema(server));
    let (witness, database) = (ours(&naive_url).await, ours(&our_url).await);
    let naive = MySqlPoolOptions::new().max_connections(WRITERS as u32).connect(&naive_url).await.expect("a pool");
    let lost = lost_updates(Arc::new(naive), &witness).await;
    println!("REPEATABLE READ without a lock: {lost} of {} acknowledged additions are lost", WRITERS * EACH);
    assert!(lost > 0, "the trap is gone; this law proves nothing any more");
    assert_eq!(lost_updates(Arc::new(database.clone()), &database).await, 0);
}
