//! Neither the account's key and secret nor a token ever shows in a log, a `Debug` text or an answer.

use crate::stage;
use baton_payment::gateway::PaymentGateway;
use baton_payment::portone_v1::PortOneConfig;
use baton_sandbox::faults::{Fault, Operation};
use baton_sandbox::payment::Status;
use stage::{KEY, SECRET, at_provider, gateway, id, krw, once, pay, provider};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// A log that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_and_no_token_is_ever_shown() {
    let log = Kept::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .init();
    let timeout = Duration::from_millis(500);
    let (sandbox, client) = provider(timeout).await;
    pay(&sandbox, "imp_1", "order-1", 1_000, Status::Paid).await;
    let mut shown = format!("{client:?} {sandbox:?}");
    let config = PortOneConfig::new(sandbox.url(), KEY.into(), SECRET.into());
    let _ = write!(shown, "{config:?}");
    // The provider gives every client the same token: this is the one the gateway uses.
    let login = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .post(format!("{}/users/getToken", sandbox.url()));
    let body = serde_json::json!({ "imp_key": KEY, "imp_secret": SECRET });
    let answer: serde_json::Value = login.json(&body).send().await.expect("sent").json().await.expect("an envelope");
    let token = answer["response"]["access_token"].as_str().expect("a token").to_owned();

    let faults = [Fault::Status(500), Fault::CutBeforeEffect, Fault::CutAfterEffect, Fault::LatencyMs(5_000)];
    for operation in [Operation::Token, Operation::Lookup, Operation::Cancel] {
        for fault in faults {
            let client = gateway(&sandbox.url(), SECRET, timeout);
            once(&sandbox, fault, operation);
            let _ = write!(shown, "{:?}", client.lookup(&id("imp_1")).await);
            let _ = write!(shown, "{:?}", client.cancel(&id("imp_1"), krw(1_000), "WHY").await);
            let _ = write!(shown, "{client:?}");
            sandbox.faults().clear();
        }
    }
    let stranger = gateway(&sandbox.url(), "canary-of-a-wrong-secret", timeout);
    let _ = write!(shown, "{:?} {stranger:?}", stranger.lookup(&id("imp_1")).await);
    assert_eq!(at_provider(&sandbox, "imp_1").await.cancellations, 1);

    let log = String::from_utf8_lossy(&log.0.lock().expect("the log")).into_owned();
    assert!(!log.is_empty(), "the log is on");
    for secret in [KEY, SECRET, "canary", &token] {
        assert!(!shown.contains(secret), "shown: {secret}");
        assert!(!log.contains(secret), "logged: {secret}");
    }
}
