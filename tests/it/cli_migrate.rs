//! `baton migrate up` behind somebody's open transaction: it says what it waits for, and ends when it is told to.

use crate::support::BATON;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use tokio::sync::oneshot;

/// As if a migration had not been run that needs the lock of `dead_letter`.
const UNDONE: [&str; 2] = [
    "DROP INDEX dead_letter_message ON dead_letter",
    "DELETE FROM baton_migration WHERE id = '0091_dead_letter_message'",
];

fn migrate(url: &str) -> Child {
    let mut command = Command::new(BATON);
    command.args(["migrate", "up", "orchestrator"]).env_clear().env("BATON_STORE__URL", url);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_says_so_and_obeys_a_signal() {
    let url = baton_supervisor::shared::fresh_schema(baton_supervisor::shared::mariadb().await);
    assert!(migrate(&url).wait().expect("it ends").success());
    let db = Database::open(DatabaseConfig::mariadb(url.clone())).await.expect("open");
    for sql in UNDONE {
        let undone = db.transaction(|tx| Box::pin(async { tx.execute(sql, Vec::new()).await.map(Verdict::Commit) }));
        undone.await.expect(sql);
    }
    let (begun, has_begun) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let mut turns = Some((begun, ended));
    let holding = tokio::spawn(async move {
        let held = db.transaction(move |tx| {
            let turns = turns.take();
            Box::pin(async move {
                tx.query("SELECT COUNT(*) FROM dead_letter", Vec::new()).await?;
                if let Some((begun, ended)) = turns {
                    begun.send(()).expect("somebody waits");
                    let _ = ended.await;
                }
                Ok(Verdict::Rollback(()))
            })
        });
        held.await
    });
    has_begun.await.expect("the table is held");
    let mut child = migrate(&url);
    let mut said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    let told = said.by_ref().map(|line| line.expect("text")).find(|line| line.contains("waits for a transaction"));
    assert!(told.is_some_and(|line| line.contains("0091_dead_letter_message") && line.contains("open since")));
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill").success());
    assert!(!child.wait().expect("it ends").success());
    let rest: Vec<String> = said.map(|line| line.expect("text")).collect();
    assert!(rest.iter().any(|line| line.contains("stopped by a signal")), "{rest:?}");
    end.send(()).expect("the table is let go");
    holding.await.expect("held").expect("let go");
    assert!(migrate(&url).wait().expect("it ends").success(), "it goes on with the rest");
}
