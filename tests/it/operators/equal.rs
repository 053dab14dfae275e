//! The lines that are shown beside an act.

use super::cli::cli;
use super::shop::Shop;
use crate::support::BATON;
use baton_console::command_hints::{CommandHint, Given, Which};
use baton_proto::baton::saga::v1::SagaVerb;
use std::process::Command;

/// What is shown beside an act is taken as it is: by the shell, and by the command line.
#[tokio::test(flavor = "multi_thread")]
async fn the_equal_lines_do_what_they_say() {
    let (shop, placed) = Shop::open().await.with_stuck(2).await;
    let http = format!("http://127.0.0.1:{}", shop.dev.admin);
    let given = Given { reason: "it's $(done) \"by hand\"", actor: "ada & bob", request_id: "" };
    for ((_, saga), curl) in placed.iter().zip([false, true]) {
        let hint = CommandHint::Act { saga, verb: SagaVerb::ResolveUndone, version: shop.saga(saga).1, given };
        let line = if curl { hint.curl(&http).replace("curl ", "curl --fail --noproxy '*' ") } else { hint.command() };
        let line = line.replacen("baton ", &format!("'{BATON}' --server {} ", shop.dev.address()), 1);
        let done = Command::new("sh").args(["-c", &line]).output().expect("a shell");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        shop.reaches(saga, "COMPENSATED").await;
        let explained = cli(&shop.dev.address(), "table", &["sagas", "explain", saga]).expect("explained");
        assert!(explained.contains(given.reason) && explained.contains(given.actor), "{explained}");
    }
    let which = Which { filter: "state = compensated AND customer = \"customer-1\"", preset: "" };
    for hint in [CommandHint::Search { which, order_by: "" }, CommandHint::Count(which), CommandHint::Get(&placed[0].1)]
    {
        for line in [hint.curl(&http).replace("curl ", "curl --fail --noproxy '*' "), hint.command()] {
            let line = line.replacen("baton ", &format!("'{BATON}' --server {} ", shop.dev.address()), 1);
            let done = Command::new("sh").args(["-c", &line]).output().expect("a shell");
            assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }
}
