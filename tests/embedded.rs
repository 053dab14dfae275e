//! The embedded shape: killed under load and started again on the same directory, it finishes what it acknowledged.

mod support;

use support::{Demo, Dev, counter, expect_in_order, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_finishes_every_order_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let demo = Demo::start(dir.path(), "demo", &dev.address(), &dev.provider_url(), 1500, 300);
    for round in 0..2_u64 {
        // Counters begin anew with each process: wait until this one has moved sagas, then take it away from them.
        wait_for("sagas to move", async || counter(dev.admin, "saga_transitions_total").await > 100).await;
        assert!(demo.is_running(), "round {round}: the load was over before the kill; nothing was tested");
        dev.process.kill().expect("SIGKILL");
        dev.process.start().expect("it starts again");
        dev.ready().await;
    }
    demo.expect_clean("embedded, killed twice").await;
    let data = dir.path().join("data");
    expect_in_order("embedded, killed twice", &["--data-dir", data.to_str().expect("a path")]);
}
