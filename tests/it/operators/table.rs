//! One saga, from the first question to its end, each way.

use super::cli::words;
use super::shop::Shop;
use crate::support::wait_for;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_saga_is_found_explained_paused_and_resumed_to_its_end() {
    let shop = Shop::open().await;
    for driver in shop.drivers().await {
        shop.faults(&[json!({ "fault": "status", "value": 503, "operation": "lookup" })]).await;
        let (number, saga) = shop.place("apple").await;
        wait_for("the provider to be asked in vain", async || {
            let filter = format!("key = \"{number}\" AND step = payment.verify AND attempt >= 2");
            driver.list(&filter, Some("in-doubt")).await == Ok(vec![saga.clone()])
        })
        .await;
        let explained = driver.explain(&saga).await.expect("explained");
        assert!(explained.text.contains("payment.verify"), "{driver:?}: {}", explained.text);
        assert!(explained.legal.contains("pause") && explained.legal.contains("cancel"), "{explained:?}");

        assert_eq!(driver.act("pause", &saga, "the provider is down", 0).await.as_deref(), Ok("PAUSED"));
        let (_, version) = shop.saga(&saga);
        assert_eq!(driver.list("state = paused", Some("in-flight")).await, Ok(vec![saga.clone()]));
        assert_eq!(driver.list("state = paused", Some("stuck")).await, Ok(vec![]));
        assert_eq!(driver.count("customer = customer-1 AND state = paused").await, Ok(1));
        let explained = driver.explain(&saga).await.expect("explained");
        assert!(explained.text.contains("ada") && explained.legal.contains("resume"), "{explained:?}");

        assert_eq!(driver.act("skip", &saga, "x", 0).await, Err(4), "not legal");
        assert_eq!(driver.act("resume", &saga, "x", version + 1).await, Err(4), "another version");
        shop.faults(&[]).await;
        for _ in 0..2 {
            driver.act("resume", &saga, "the provider is back", version).await.expect("once, and answered again");
        }
        shop.reaches(&saga, "COMPLETED").await;
        assert_eq!(driver.act("cancel", &saga, "too late", 0).await, Err(4), "it has ended");
        let explained = driver.explain(&saga).await.expect("explained");
        assert_eq!(explained.legal, words(&[]));
        let events = shop.json(&["sagas", "events", &saga]);
        let resumed = events["events"].as_array().expect("events").iter().filter(|event| event["event"] == "resume");
        let concerned: Vec<&serde_json::Value> = resumed.map(|event| &event["step"]).collect();
        assert_eq!(concerned, ["payment.verify"], "{events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_saga_is_found_explained_and_retried_to_its_end() {
    let (shop, placed) = Shop::open().await.with_stuck(4).await;
    for (left, (driver, (number, saga))) in (1..).zip(shop.drivers().await.into_iter().zip(&placed)) {
        let filter = format!("key = {number} AND reason = OUT_OF_STOCK");
        assert_eq!(driver.list(&filter, Some("stuck")).await, Ok(vec![saga.clone()]));
        assert_eq!(driver.count("state = stuck").await, Ok(5 - left));
        let explained = driver.explain(saga).await.expect("explained");
        assert!(explained.text.contains("the undo of payment.taken"), "{}", explained.text);
        assert_eq!(explained.legal, words(&["retry", "resolve-undone", "skip"]), "{}", explained.text);
        for verb in ["cancel", "resolve-done", "resume"] {
            assert_eq!(driver.act(verb, saga, "x", 0).await, Err(4), "{verb}");
        }
        driver.act("retry", saga, "refunds work again", shop.saga(saga).1).await.expect("retried");
        shop.reaches(saga, "COMPENSATED").await;
        assert_eq!(driver.count("state = stuck").await, Ok(4 - left));
    }
}

/// What is not in the cases above: each verb, through each way, to the end that it leads to.
#[tokio::test(flavor = "multi_thread")]
async fn every_verb_leads_through_every_way_to_its_end() {
    let (shop, placed) = Shop::open().await.with_stuck(8).await;
    let by_hand = [("skip", "COMPENSATED"), ("resolve-undone", "COMPENSATED")];
    for (driver, placed) in shop.drivers().await.iter().zip(placed.chunks(by_hand.len())) {
        for ((verb, end), (_, saga)) in by_hand.iter().zip(placed) {
            let version = shop.saga(saga).1;
            assert_eq!(
                driver.act(verb, saga, "refunded by hand", version + 1).await,
                Err(4),
                "{verb}: another version"
            );
            driver.act(verb, saga, "refunded by hand", version).await.expect(verb);
            shop.reaches(saga, end).await;
        }
    }

    let (shop, placed) = shop.with_unconfirmed(4).await;
    for (driver, (number, saga)) in shop.drivers().await.iter().zip(&placed) {
        assert_eq!(driver.list(&format!("key = {number}"), Some("stuck")).await, Ok(vec![saga.clone()]));
        let explained = driver.explain(saga).await.expect("explained");
        assert_eq!(explained.legal, words(&["retry", "resolve-done", "skip"]), "{}", explained.text);
        assert_eq!(driver.act("resolve-undone", saga, "x", 0).await, Err(4), "it is stuck in the other direction");
        driver.act("resolve-done", saga, "confirmed by hand", 0).await.expect("resolved");
        shop.reaches(saga, "COMPLETED").await;
    }

    for driver in shop.drivers().await {
        shop.faults(&[json!({ "fault": "status", "value": 503, "operation": "lookup" })]).await;
        let (_, saga) = shop.place("apple").await;
        shop.have("step = payment.verify AND wait = backoff", 1).await;
        let again = driver.list("reason = PROVIDER_UNAVAILABLE", Some("in-flight")).await;
        assert_eq!(again, Ok(vec![saga.clone()]), "why it tries again");
        assert_eq!(driver.act("cancel", &saga, "the customer called", 0).await.as_deref(), Ok("COMPENSATING"));
        assert_eq!(driver.act("cancel", &saga, "again", 0).await, Err(4), "it unwinds already");
        shop.faults(&[]).await;
        shop.reaches(&saga, "COMPENSATED").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_refuses_alike() {
    let shop = Shop::open().await;
    let nobody = format!("sagas/{}", Uuid::nil());
    for driver in shop.drivers().await {
        assert_eq!(driver.list("stat = stuck", None).await, Err(2), "a bad filter");
        assert_eq!(driver.count("age > ").await, Err(2), "half a filter");
        assert_eq!(driver.list("", Some("nope")).await, Err(2), "no such preset");
        assert_eq!(driver.explain(&nobody).await.err(), Some(3), "no such saga");
        assert_eq!(driver.explain("sagas/7").await.err(), Some(2), "no name");
        assert_eq!(driver.act("cancel", &nobody, "x", 0).await, Err(3), "no such saga");
        assert_eq!(driver.act("cancel", &nobody, "", 0).await, Err(2), "no reason");
        assert_eq!(driver.list("state = running OR state = completed", None).await, Ok(vec![]));
        assert_eq!(driver.count("").await, Ok(0));
    }
}
