//! What the command line says to people.

use super::cli::cli;
use super::shop::Shop;
use crate::support::BATON;
use std::process::Command;

/// What a person sees: the flaw of a filter where it is, a table with ages, a command to copy.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_in_words() {
    let (shop, placed) = Shop::open().await.with_stuck(1).await;
    let (number, saga) = &placed[0];
    let server = shop.dev.address();
    let mut wrong = Command::new(BATON);
    wrong.env_clear().args(["--server", &server, "sagas", "list", "--filter", "stat = stuck", "--state", "stuck"]);
    let said = String::from_utf8(wrong.output().expect("it runs").stderr).expect("UTF-8");
    assert!(
        said.contains("FILTER_INVALID") && said.contains("at byte 1") && said.contains("did you mean state?"),
        "{said}"
    );

    let table = cli(&server, "table", &["sagas", "list", "--state", "stuck", "--key", number]).expect("a table");
    for word in ["age", "reason", "attempt", "STUCK", "payment.taken", saga] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
    // Nobody is asked who acts if the system cannot say.
    assert_eq!(cli(&server, "table", &["sagas", "retry", saga, "--reason", "x"]), Err(2));
    let explained = cli(&server, "table", &["sagas", "explain", saga]).expect("explained");
    let line = explained.lines().find(|line| line.trim().starts_with("baton sagas resolve-undone")).expect("a command");
    let words: Vec<&str> = line.split_whitespace().skip(1).map(|word| word.trim_matches('\'')).collect();
    let done = cli(&server, "table", &[words, vec!["--actor", "ada"]].concat()).expect("what is offered is taken");
    assert!(done.contains("COMPENSATED"), "{done}");
}
