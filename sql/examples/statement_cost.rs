//! What one statement costs, per kind of database: `cargo run -p baton-sql --example statement_cost [mysql://…]`.

use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use std::time::Instant;

const ROWS: i64 = 20_000;

#[tokio::main]
async fn main() -> Result<(), SqlError> {
    let dir = std::env::temp_dir().join(format!("baton-statement-cost-{}", std::process::id()));
    let mut databases = vec![
        ("sqlite, in memory", DatabaseConfig::SqliteMemory),
        ("sqlite, file", DatabaseConfig::sqlite(dir.with_extension("db"))),
    ];
    if let Some(url) = std::env::args().nth(1) {
        databases.push(("mariadb", DatabaseConfig::mariadb(url)));
    }
    for (name, config) in databases {
        let db = Database::open(config).await?;
        let create = "CREATE TABLE IF NOT EXISTS cost (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)";
        db.transaction(move |tx| Box::pin(async move { tx.execute(create, Vec::new()).await.map(Verdict::Commit) }))
            .await?;
        db.transaction(|tx| {
            Box::pin(async move { tx.execute("DELETE FROM cost", Vec::new()).await.map(Verdict::Commit) })
        })
        .await?;
        report(name, "one row per statement, one transaction", ROWS, one_by_one(&db).await?);
        report(name, "256 rows per statement, one transaction", ROWS, together(&db).await?);
        report(name, "one row per transaction, one at a time", 500, transactions(&db, 500).await?);
    }
    for suffix in ["db", "db-wal", "db-shm"] {
        let _ = std::fs::remove_file(dir.with_extension(suffix));
    }
    Ok(())
}

fn report(database: &str, what: &str, rows: i64, seconds: f64) {
    println!("{database:18} {what:42} {:9.1} us/row {:9.0} rows/s", seconds * 1e6 / rows as f64, rows as f64 / seconds);
}

async fn one_by_one(db: &Database) -> Result<f64, SqlError> {
    let began = Instant::now();
    db.transaction(|tx| {
        Box::pin(async move {
            for id in 0..ROWS {
                tx.execute("INSERT INTO cost (id, n) VALUES (?, ?)", vec![id.into(), 0.into()]).await?;
            }
            Ok(Verdict::Commit(()))
        })
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn together(db: &Database) -> Result<f64, SqlError> {
    let began = Instant::now();
    db.transaction(|tx| {
        Box::pin(async move {
            let rows: Vec<Vec<Value>> = (ROWS..2 * ROWS).map(|id| vec![id.into(), 0.into()]).collect();
            tx.insert_many("cost", &["id", "n"], rows).await.map(Verdict::Commit)
        })
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn transactions(db: &Database, count: i64) -> Result<f64, SqlError> {
    let began = Instant::now();
    for id in 2 * ROWS..2 * ROWS + count {
        db.transaction(move |tx| {
            Box::pin(async move {
                let args = vec![id.into(), 0.into()];
                tx.execute("INSERT INTO cost (id, n) VALUES (?, ?)", args).await.map(Verdict::Commit)
            })
        })
        .await?;
    }
    Ok(began.elapsed().as_secs_f64())
}
