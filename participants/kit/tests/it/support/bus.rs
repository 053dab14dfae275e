//! A bus of two queues in memory that does what the test says: which replies arrive, what happens to deliveries.

use async_trait::async_trait;
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination, Message, Settle};
use baton_courier::error::BusError;
use baton_proto::baton::participant::v1::{Reply, ReplyBatch};
use bytes::Bytes;
use prost::Message as _;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// The bus; what is in it is public to the test.
#[derive(Clone, Debug, Default)]
pub struct ObedientBus {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<VecDeque<Bytes>>,
    replies: Mutex<Vec<Reply>>,
    settled: Mutex<Vec<Settled>>,
    settling: Notify,
    deaf: AtomicBool,
    full: watch::Sender<bool>,
    changed: Notify,
    sent: Notify,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    Acked,
    DeadLettered(Bytes, String),
    Released,
}

impl ObedientBus {
    /// Puts a message on the command queue.
    pub fn deliver(&self, body: Bytes) {
        self.inner.waiting.lock().unwrap().push_back(body);
        self.inner.changed.notify_waiters();
    }

    /// While deaf, whatever is sent is lost.
    pub fn set_deaf(&self, deaf: bool) {
        self.inner.deaf.store(deaf, Ordering::SeqCst);
    }

    /// While the quarantine is full, nobody who wants to quarantine gets an answer.
    pub fn set_quarantine_full(&self, full: bool) {
        self.inner.full.send_replace(full);
    }

    /// Takes the replies that have arrived so far.
    pub fn replies(&self) -> Vec<Reply> {
        std::mem::take(&mut self.inner.replies.lock().unwrap())
    }

    /// Waits for replies and takes them.
    pub async fn next_replies(&self) -> Vec<Reply> {
        loop {
            let sent = self.inner.sent.notified();
            let replies = self.replies();
            if !replies.is_empty() {
                return replies;
            }
            sent.await;
        }
    }

    /// Takes what became of deliveries so far.
    pub fn settled(&self) -> Vec<Settled> {
        std::mem::take(&mut self.inner.settled.lock().unwrap())
    }

    /// Waits until deliveries are settled, and takes what became of them.
    pub async fn next_settled(&self) -> Vec<Settled> {
        loop {
            let settling = self.inner.settling.notified();
            let settled = self.settled();
            if !settled.is_empty() {
                return settled;
            }
            settling.await;
        }
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.lock().unwrap().len()
    }
}

#[async_trait]
impl CommandBus for ObedientBus {
    fn send(&self, messages: Vec<Message>) {
        if self.inner.deaf.load(Ordering::SeqCst) {
            return;
        }
        for message in messages {
            assert_eq!(message.destination, Destination::Replies);
            let batch = ReplyBatch::decode(message.body).unwrap();
            self.inner.replies.lock().unwrap().extend(batch.replies);
        }
        self.inner.sent.notify_waiters();
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Uuid> {
        panic!("participants publish nothing, they send: {messages:?}")
    }

    async fn consume(&self, _source: Destination) -> Result<Box<dyn Consumer>, BusError> {
        Ok(Box::new(self.clone()))
    }

    fn health(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn close(&self) {}
}

#[async_trait]
impl Consumer for ObedientBus {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            let changed = self.inner.changed.notified();
            let taken = {
                let mut waiting = self.inner.waiting.lock().unwrap();
                let count = waiting.len().min(max);
                waiting.drain(..count).collect::<Vec<_>>()
            };
            if taken.is_empty() {
                changed.await;
                continue;
            }
            let deliveries = taken.into_iter().map(|body| {
                let settle = Handle { bus: self.clone(), body: Some(body.clone()) };
                Delivery::new(body, None, false, Box::new(settle))
            });
            return Ok(deliveries.collect());
        }
    }
}

/// Dropped unsettled, the message goes back: its consumer has died.
#[derive(Debug)]
struct Handle {
    bus: ObedientBus,
    body: Option<Bytes>,
}

impl Handle {
    fn settle(&mut self, how: Settled) -> Option<Bytes> {
        self.bus.inner.settled.lock().unwrap().push(how);
        self.bus.inner.settling.notify_waiters();
        self.body.take()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.bus.deliver(body);
        }
    }
}

#[async_trait]
impl Settle for Handle {
    async fn ack(mut self: Box<Self>) {
        self.settle(Settled::Acked);
    }

    async fn dead_letter(mut self: Box<Self>, body: Bytes, reason: &str) {
        let mut full = self.bus.inner.full.subscribe();
        // The sender lives in the bus, which `self` holds.
        full.wait_for(|full| !full).await.unwrap();
        self.settle(Settled::DeadLettered(body, reason.to_owned()));
    }

    async fn release(mut self: Box<Self>) {
        if let Some(body) = self.settle(Settled::Released) {
            self.bus.deliver(body);
        }
    }
}
