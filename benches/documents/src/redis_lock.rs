//! A lock per item in Redis. Who finds it taken sleeps until a message on the item's channel says that it was released.

use anyhow::{Context as _, Result};
use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::Config;
use fred::types::{Builder, CustomCommand, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use uuid::Uuid;

/// A holder that died is overruled after this.
const LEASE: Duration = Duration::from_secs(10);

/// Longest wait without a message: one may be lost, and a holder may have died.
const LISTEN: Duration = Duration::from_secs(1);

/// Messages that may wait to be heard: as many as callers of a burst may hold and release before one is woken.
const RELEASES: usize = 4_096;

const PREFIX: &str = "document.lock.";
const CHANNELS: &str = "document.released.";

/// Deletes the lock if it is still ours, and tells those who wait, in one step.
const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) \
                       redis.call('publish', KEYS[2], '1') return 1 else return 0 end";

/// Who in this process waits for which item.
type LocalWaiters = Arc<Mutex<HashMap<String, Arc<Notify>>>>;

/// All locks of this process.
pub struct RedisLock {
    client: Client,
    waiting: LocalWaiters,
    _subscriber: SubscriberClient,
}

/// A lock that is held. Dropped without [`RedisLock::release`] it stays until its lease ends.
#[derive(Debug)]
pub struct Held {
    item: String,
    token: String,
}

impl RedisLock {
    /// Connects and subscribes.
    pub async fn start(url: &str) -> Result<Self> {
        let mut builder = Builder::from_config(Config::from_url(url)?);
        builder.with_performance_config(|performance| performance.broadcast_channel_capacity = RELEASES);
        let client = builder.build()?;
        client.init().await.context("connect to Redis")?;
        let subscriber = builder.build_subscriber_client()?;
        subscriber.init().await.context("connect to Redis")?;
        let waiting = LocalWaiters::default();
        let mut messages = subscriber.message_rx();
        subscriber.psubscribe(format!("{CHANNELS}*")).await?;
        let listening = waiting.clone();
        tokio::spawn(async move {
            // One message wakes one of ours: the lock can be had by one only, and each release sends another message.
            while !matches!(wake_one(&listening, messages.recv().await), Step::Closed) {}
        });
        Ok(Self { client, waiting, _subscriber: subscriber })
    }

    /// Waits until the item's lock is ours.
    pub async fn acquire(&self, item: &str) -> Result<Held> {
        let token = Uuid::new_v4().to_string();
        loop {
            if self.try_lock(item, &token).await? {
                return Ok(Held { item: item.to_owned(), token });
            }
            let notify = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.entry(item.to_owned()).or_default().clone()
            };
            let released = notify.notified();
            tokio::pin!(released);
            // A release between the first try and this line is not missed: we listen, then try again.
            released.as_mut().enable();
            if self.try_lock(item, &token).await? {
                // The message that may have been meant for us belongs to the next.
                return Ok(Held { item: item.to_owned(), token });
            }
            // Elapsed or told: try again either way.
            let _ = timeout(LISTEN, released).await;
        }
    }

    /// Gives it back.
    pub async fn release(&self, held: Held) -> Result<()> {
        let command = CustomCommand::new_static("EVAL", None, false);
        let keys = [format!("{PREFIX}{}", held.item), format!("{CHANNELS}{}", held.item)];
        let [lock, channel] = keys;
        let args = vec![RELEASE.to_owned(), "2".to_owned(), lock, channel, held.token];
        let _: Value = self.client.custom(command, args).await?;
        Ok(())
    }

    async fn try_lock(&self, item: &str, token: &str) -> Result<bool> {
        let command = CustomCommand::new_static("SET", None, false);
        let lease = LEASE.as_millis().to_string();
        let args = vec![format!("{PREFIX}{item}"), token.to_owned(), "NX".to_owned(), "PX".to_owned(), lease];
        let answer: Value = self.client.custom(command, args).await?;
        Ok(!answer.is_null())
    }
}

enum Step {
    Open,
    Closed,
}

fn wake_one(waiting: &LocalWaiters, message: Result<fred::types::Message, RecvError>) -> Step {
    match message {
        Ok(message) => {
            let item = message.channel.strip_prefix(CHANNELS).unwrap_or_default();
            let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(notify) = waiting.get(item) {
                notify.notify_one();
            }
            Step::Open
        }
        // Nobody knows whose messages were overrun: all look for themselves.
        Err(RecvError::Lagged(_)) => {
            let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.values().for_each(|notify| notify.notify_waiters());
            Step::Open
        }
        Err(RecvError::Closed) => Step::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread")]
    async fn one_at_a_time_holds_an_item_and_all_get_their_turn() {
        let redis = baton_supervisor::shared::redis().await;
        let lock = Arc::new(RedisLock::start(&redis.url()).await.unwrap());
        let (holders, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (lock, holders, turns) = (lock.clone(), holders.clone(), turns.clone());
                tokio::spawn(async move {
                    let held = lock.acquire("apple").await.unwrap();
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                    tokio::task::yield_now().await;
                    holders.fetch_sub(1, Ordering::SeqCst);
                    turns.fetch_add(1, Ordering::SeqCst);
                    lock.release(held).await.unwrap();
                })
            })
            .collect();
        let pear = lock.acquire("pear").await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(turns.load(Ordering::SeqCst), 100);
        lock.release(pear).await.unwrap();
    }
}
