//! `baton doctor`: content with an installation that is sound, and precise about one that is not.

use crate::support;
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_supervisor::stack::{Stack, StackOptions};
use serde_json::Value;
use std::process::Command;
use support::{BATON, Dev};

/// Exit code, findings, and what was said beside them.
fn doctor(args: &[&str]) -> (i32, Vec<Value>, String) {
    let output = Command::new(BATON).args(["doctor", "-o", "json"]).args(args).env_clear().output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let findings = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code().expect("it exits"), findings, said)
}

/// Part and check of everything with a verdict.
fn with_verdict<'a>(findings: &'a [Value], verdict: &str) -> Vec<(&'a str, &'a str)> {
    let of = |finding: &'a Value, field: &str| finding[field].as_str().expect("a text");
    findings.iter().filter(|it| it["verdict"] == verdict).map(|it| (of(it, "part"), of(it, "check"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_shape_is_looked_at_from_every_side() {
    let dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::start(dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    let (config, server) = (stack.config.to_str().expect("a path").to_owned(), stack.address(0));
    let arguments = ["--config", config.as_str(), "--server", server.as_str()];

    let (code, findings, said) = doctor(&arguments);
    assert_eq!((code, with_verdict(&findings, "BAD")), (0, vec![]), "{said}");
    let sound = with_verdict(&findings, "ok");
    for expected in [
        ("orchestrator store", "version"),
        ("orchestrator store", "durable"),
        ("stock store", "schema"),
        ("payment store", "clock"),
        ("order store", "rights"),
        ("broker", "version"),
        ("broker", "queue"),
        ("hints", "reachable"),
        ("orchestrator", "healthy"),
        ("stock", "healthy"),
        ("provider", "reachable"),
    ] {
        assert!(sound.contains(&expected), "{expected:?} is not among {sound:?}: {said}");
    }
    assert!(!findings.iter().any(|it| it.to_string().contains("sandbox-secret")), "a secret is shown");

    // One participant is away.
    let stock = stack.processes().find(|(name, _)| name.contains("stock")).expect("a stock participant");
    stock.1.kill().expect("SIGKILL");
    let (code, findings, said) = doctor(&arguments);
    assert_eq!((code, with_verdict(&findings, "BAD")), (1, vec![("stock", "healthy")]), "{said}");
    assert!(said.contains("baton participant stock"), "{said}");

    // A user whom the server does not know.
    let written = std::fs::read_to_string(&stack.config).expect("a configuration");
    let (_, there) = written.split_once('@').expect("a user and a place");
    let there = there.split('"').next().expect("a place");
    let stranger = format!("store.url=mysql://stranger:secret-word@{there}");
    let (_, findings, said) = doctor(&[&arguments[..], &["--set", &stranger]].concat());
    assert!(with_verdict(&findings, "BAD").contains(&("orchestrator store", "reachable")), "{said}");
    let advice = said.lines().find(|line| line.starts_with("orchestrator store")).unwrap_or_default();
    assert!(advice.contains("password in store.url") && !advice.contains("migrate"), "{said}");
    assert!(!said.contains("secret-word"), "{said}");

    // Nobody at all.
    stack.stop().expect("everything stops");
    let (code, findings, said) = doctor(&arguments);
    assert_eq!(code, 1, "{said}");
    let bad = with_verdict(&findings, "BAD");
    for part in ["orchestrator store", "order store", "broker", "orchestrator", "payment", "provider"] {
        assert!(bad.iter().any(|(of, _)| *of == part), "{part} is not among {bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_the_embedded_shape_is_looked_at_at_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let path = data.to_str().expect("a path").to_owned();
    let (code, findings, _) = doctor(&["--data-dir", &path]);
    assert_eq!(code, 1);
    assert_eq!(with_verdict(&findings, "BAD").len(), 4, "{findings:?}");
    assert!(!data.exists(), "looking makes nothing");

    let dev = Dev::start(dir.path()).await;
    let server = dev.address();
    let (code, findings, said) = doctor(&["--server", &server]);
    assert_eq!((code, with_verdict(&findings, "BAD")), (1, vec![("installation", "shape")]), "{said}");
    assert_eq!(with_verdict(&findings, "ok"), [("orchestrator", "healthy")]);
    assert!(said.lines().next().is_some_and(|line| line.contains("baton doctor --data-dir DIR")), "{said}");
    let (code, findings, said) = doctor(&["--data-dir", &path]);
    assert_eq!((code, with_verdict(&findings, "BAD")), (0, vec![]), "beside it: {said}");
    drop(dev);
    let (code, findings, said) = doctor(&["--data-dir", &path]);
    assert_eq!((code, with_verdict(&findings, "BAD")), (0, vec![]), "{said}");

    // It has ended, and there is no other installation either.
    let away = "store.url=mysql://baton@127.0.0.1:1/baton";
    let (code, findings, said) = doctor(&["--server", &server, "--set", away]);
    assert_eq!((code, with_verdict(&findings[..1], "note")), (1, vec![("installation", "shape")]), "{said}");
    assert!(said.lines().next().is_some_and(|line| line.contains("baton doctor --data-dir DIR")), "{said}");

    let orchestrator = Database::open(DatabaseConfig::sqlite(data.join("orchestrator.db"))).await.expect("it opens");
    let forgotten = orchestrator.transaction(|tx| {
        Box::pin(async move {
            let newest = "DELETE FROM baton_migration WHERE id = (SELECT MAX(id) FROM baton_migration)";
            tx.execute(newest, Vec::new()).await.map(Verdict::Commit)
        })
    });
    assert_eq!(forgotten.await.expect("it is deleted"), 1);
    let (code, findings, said) = doctor(&["--data-dir", &path]);
    assert_eq!((code, with_verdict(&findings, "BAD")), (1, vec![("orchestrator store", "schema")]), "{said}");
    assert!(said.contains("baton migrate up"), "{said}");
}
