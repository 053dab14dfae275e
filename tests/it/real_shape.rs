//! The real shape: separate processes, each killed with SIGKILL in the middle of a run, and every audit clean.

use crate::support;
use baton_supervisor::stack::{Stack, StackOptions};
use support::{BATON, Demo, counter, expect_in_order, wait_for};

/// Orders of one run: enough that a kill at the first signs of progress comes in the middle.
const ORDERS: u32 = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_killed_in_turn_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::start(dir.path(), &StackOptions::new(BATON)).await.expect("the stack starts");
    let (address, provider) = (stack.address(0), stack.provider_url());

    let clean = Demo::start(dir.path(), "demo-clean", &address, &provider, 1000, 1000);
    clean.expect_clean("nobody killed").await;

    for (name, process) in stack.processes() {
        eprintln!("killing {name} in the middle of a run");
        let before = moved(&stack).await;
        let demo = Demo::start(dir.path(), &format!("demo-{name}"), &address, &provider, ORDERS, 300);
        wait_for("sagas to move", async || moved(&stack).await > before + 200).await;
        assert!(demo.is_running(), "{name}: the run was over before the kill; nothing was tested");
        process.kill().expect("SIGKILL");
        process.start().expect("it starts again");
        stack.wait_ready().await.expect("everything is ready again");
        demo.expect_clean(&format!("{name} killed")).await;
    }
    expect_in_order("everybody killed in turn", &["--config", stack.config.to_str().expect("a path")]);
    stack.stop().expect("everything stops");
}

/// Transitions so far, of every orchestrator. A killed one counts from zero again, and comparisons are made within a run
/// whose processes are all alive.
async fn moved(stack: &Stack) -> u64 {
    let mut sum = 0;
    for (_, admin) in &stack.endpoints.orchestrators {
        sum += counter(*admin, "saga_transitions_total").await;
    }
    sum
}
