//! Several consumers as one, each of which goes on with what it has begun.

use crate::bus::{Consumer, Delivery};
use crate::error::BusError;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

type Taken = (Box<dyn Consumer>, Result<Vec<Delivery>, BusError>);

/// Takes from whichever has something, in the order in which they came to it. One that takes long, since it connects or opens its
/// queue first, is neither dropped nor begun anew because another was ready before it or because a call was given up: a busy queue
/// would keep a lost one from ever being opened again. A call may return as many deliveries as one before it asked for, if that
/// was given up or another consumer answered it.
#[derive(Debug)]
pub(crate) struct Merged {
    idle: Vec<Box<dyn Consumer>>,
    taking: FuturesUnordered<BoxFuture<'static, Taken>>,
}

impl Merged {
    /// # Panics
    /// If there is no consumer.
    pub(crate) fn new(consumers: Vec<Box<dyn Consumer>>) -> Self {
        assert!(!consumers.is_empty(), "nothing to take from");
        Self { idle: consumers, taking: FuturesUnordered::new() }
    }
}

async fn taken(mut from: Box<dyn Consumer>, max: usize) -> Taken {
    let taken = from.take(max).await;
    (from, taken)
}

#[async_trait]
impl Consumer for Merged {
    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.taking.extend(
            self.idle.drain(..).map(|consumer| -> BoxFuture<'static, Taken> { Box::pin(taken(consumer, max)) }),
        );
        // No await after this one: what has been taken must reach the caller.
        match self.taking.next().await {
            Some((consumer, taken)) => {
                self.idle.push(consumer);
                taken
            }
            None => Err(BusError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Settle;
    use bytes::Bytes;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[derive(Debug)]
    struct Nothing;

    #[async_trait]
    impl Settle for Nothing {
        async fn ack(self: Box<Self>) {}
        async fn dead_letter(self: Box<Self>, _body: Bytes, _reason: &str) {}
        async fn release(self: Box<Self>) {}
    }

    /// Has something each time it has been waited for so long, without a break.
    #[derive(Debug)]
    struct After(Duration, &'static [u8]);

    #[async_trait]
    impl Consumer for After {
        async fn take(&mut self, _max: usize) -> Result<Vec<Delivery>, BusError> {
            sleep(self.0).await;
            Ok(vec![Delivery::new(Bytes::from_static(self.1), None, false, Box::new(Nothing))])
        }
    }

    const BUSY: Duration = Duration::from_millis(1);
    const SLOW: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_not_begun_anew_for_each_of_a_busy_ones() {
        let mut merged = Merged::new(vec![Box::new(After(SLOW, b"slow")), Box::new(After(BUSY, b"busy"))]);
        let mut slow = 0;
        for _ in 0..200 {
            let taken = merged.take(1).await.unwrap();
            slow += usize::from(taken[0].body.as_ref() == b"slow");
        }
        assert!((2..=4).contains(&slow), "{slow} of 200");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_is_gone_on_with_by_the_next() {
        let mut merged = Merged::new(vec![Box::new(After(SLOW, b"slow"))]);
        for _ in 0..100 {
            if timeout(BUSY, merged.take(1)).await.is_ok() {
                return;
            }
        }
        panic!("each call began anew");
    }
}
