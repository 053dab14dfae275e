//! The embedded shape: killed under load and started again on the same directory, it finishes what it acknowledged; with a
//! part of it killed on purpose, it says which.

use crate::support;
use support::{Demo, Dev, baton, counter, expect_in_order, wait_for};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

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

/// The services of the port, each with what its health says.
async fn health(dev: &Dev) -> Vec<(&'static str, ServingStatus)> {
    let endpoint = Endpoint::from_shared(format!("http://{}", dev.address())).expect("an address");
    let mut client = HealthClient::new(endpoint.connect().await.expect("it listens"));
    let mut said = Vec::new();
    for name in ["", "order", "payment", "stock", "probe", "sagas"] {
        let service = match name {
            "order" => "shop.order.v1.OrderService",
            "payment" => "shop.payment.v1.PaymentService",
            "stock" => "shop.stock.v1.ItemService",
            "probe" => "baton.participant.v1.ParticipantService",
            "sagas" => "baton.saga.v1.SagaService",
            whole => whole,
        };
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await.expect("it is known");
        said.push((name, answer.into_inner().status()));
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_who_was_killed_on_purpose_until_it_is_revived() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let chaos = |verb: &str| baton(&["--server", &dev.address(), "chaos", verb, "stock"]);
    let away = |said: Vec<(&'static str, ServingStatus)>| -> Vec<&str> {
        said.into_iter().filter(|(_, status)| *status == ServingStatus::NotServing).map(|(name, _)| name).collect()
    };
    assert_eq!(away(health(&dev).await), Vec::<&str>::new());
    chaos("kill");
    assert_eq!(away(health(&dev).await), ["stock", "probe"], "Probe answers for all or not at all");
    chaos("revive");
    assert_eq!(away(health(&dev).await), Vec::<&str>::new());
}
