//! Hints over Redis cross processes, and Redis in trouble is nobody else's trouble.

use baton_orchestrator::coord::local::LocalCoord;
use baton_orchestrator::coord::redis::RedisCoord;
use baton_orchestrator::coord::{Coord, Hint};
use baton_supervisor::{Redis, port};
use saga_core::saga::SagaId;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

const WITHIN: Duration = Duration::from_secs(30);

fn hint(version: u64) -> Hint {
    Hint { saga: SagaId([3; 16]), version, ended: version.is_multiple_of(2) }
}

/// Publishes until the other side hears it: hints may be lost, but not all of them.
async fn until_heard(from: &RedisCoord, to: &mut Receiver<Hint>, version: u64) {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < WITHIN, "hint {version} never crosses");
        from.publish(vec![hint(version)]).await;
        let heard = async { while to.recv().await.expect("open") != hint(version) {} };
        if timeout(Duration::from_millis(100), heard).await.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn local_hints_reach_every_receiver() {
    let coord = LocalCoord::new();
    let (mut one, mut two) = (coord.subscribe(), coord.subscribe());
    coord.publish(vec![hint(1), hint(2)]).await;
    assert_eq!((one.recv().await.unwrap(), one.recv().await.unwrap()), (hint(1), hint(2)));
    assert_eq!(two.recv().await.unwrap(), hint(1));
}

#[tokio::test]
async fn hints_cross_and_come_back_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path()).await.unwrap();
    let (one, two) = (RedisCoord::start(&redis.url()).unwrap(), RedisCoord::start(&redis.url()).unwrap());
    let (mut heard_by_one, mut heard_by_two) = (one.subscribe(), two.subscribe());
    until_heard(&one, &mut heard_by_two, 1).await;
    until_heard(&two, &mut heard_by_one, 2).await;
    // More than fits into one message.
    one.publish((1_000..2_000).map(hint).collect()).await;
    let all = async { while heard_by_two.recv().await.unwrap() != hint(1_999) {} };
    timeout(WITHIN, all).await.expect("a long list of hints got lost");
    redis.kill().unwrap();
    one.publish(vec![hint(3)]).await;
    redis.restart().await.unwrap();
    until_heard(&one, &mut heard_by_two, 4).await;
    until_heard(&two, &mut heard_by_one, 5).await;
}

#[tokio::test]
async fn own_hints_are_heard_once_and_without_redis() {
    let nobody = port::free().unwrap();
    let coord = RedisCoord::start(&format!("redis://user:secret@127.0.0.1:{nobody}")).unwrap();
    let mut heard = coord.subscribe();
    coord.publish(vec![hint(1), hint(2)]).await;
    assert_eq!((heard.recv().await.unwrap(), heard.recv().await.unwrap()), (hint(1), hint(2)));
    assert!(!format!("{coord:?}").contains("secret"));
    assert!(RedisCoord::start("nonsense").is_err());

    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path()).await.unwrap();
    let (one, two) = (RedisCoord::start(&redis.url()).unwrap(), RedisCoord::start(&redis.url()).unwrap());
    let (mut heard_by_one, mut heard_by_two) = (one.subscribe(), two.subscribe());
    until_heard(&two, &mut heard_by_one, 10).await;
    until_heard(&one, &mut heard_by_two, 11).await;
    one.publish(vec![hint(12)]).await;
    // Once the other has heard it, an echo would reach us before anything that the other says then.
    let heard = async { while heard_by_two.recv().await.unwrap() != hint(12) {} };
    timeout(WITHIN, heard).await.expect("a hint got lost with Redis at its best");
    two.publish(vec![hint(13)]).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&13) {
        seen.push(timeout(WITHIN, heard_by_one.recv()).await.expect("13 never comes").unwrap().version);
    }
    assert_eq!(seen.iter().filter(|version| **version == 12).count(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_frozen_redis_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path()).await.unwrap();
    let (one, two) = (RedisCoord::start(&redis.url()).unwrap(), RedisCoord::start(&redis.url()).unwrap());
    let mut heard_by_two = two.subscribe();
    until_heard(&one, &mut heard_by_two, 1).await;
    redis.pause().unwrap();
    for version in 100..3_000 {
        let start = Instant::now();
        one.publish(vec![hint(version)]).await;
        assert!(start.elapsed() < Duration::from_millis(300), "publishing waited for a frozen Redis");
    }
    redis.resume().unwrap();
    until_heard(&one, &mut heard_by_two, 4_000).await;
}
