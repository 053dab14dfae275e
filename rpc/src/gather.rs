//! Group commit for a service's own writes: callers that wait at the same time share one transaction.

use std::fmt;
use std::future::Future;
use tokio::sync::{mpsc, oneshot};

/// Why a request has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// Too many requests wait; nothing was done. Try later.
    #[error("too many requests wait")]
    Full,
    /// The work panicked or the process stops; whether anything was done is not known.
    #[error("the request got no result")]
    Lost,
}

/// A bounded queue and the task that empties it. The task ends with the last handle.
pub struct Gather<T, R> {
    queue: mpsc::Sender<(T, oneshot::Sender<R>)>,
}

impl<T: Send + 'static, R: Send + 'static> Gather<T, R> {
    /// Starts the task. At most `waiting` requests wait, at most `most` are worked on at once; `work` returns one result per
    /// request, in order. There is no lingering: a lone request is a batch of one.
    pub fn start<F, W>(waiting: usize, most: usize, work: F) -> Self
    where
        F: Fn(Vec<T>) -> W + Send + 'static,
        W: Future<Output = Vec<R>> + Send + 'static,
    {
        let (queue, mut requests) = mpsc::channel::<(T, oneshot::Sender<R>)>(waiting);
        tokio::spawn(async move {
            let mut taken = Vec::with_capacity(most);
            while requests.recv_many(&mut taken, most).await > 0 {
                let (inputs, callers): (Vec<T>, Vec<oneshot::Sender<R>>) = taken.drain(..).unzip();
                // In a task of its own: a panic costs this batch, not the queue.
                let Ok(results) = tokio::spawn(work(inputs)).await else { continue };
                for (caller, result) in callers.into_iter().zip(results) {
                    // A caller that went away does not want to know.
                    let _ = caller.send(result);
                }
            }
        });
        Self { queue }
    }

    /// Asks and waits. Dropping the future does not take the request back.
    pub async fn ask(&self, request: T) -> Result<R, GatherError> {
        let (caller, result) = oneshot::channel();
        self.queue.try_send((request, caller)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => GatherError::Full,
            mpsc::error::TrySendError::Closed(_) => GatherError::Lost,
        })?;
        result.await.map_err(|_| GatherError::Lost)
    }
}

impl<T, R> Clone for Gather<T, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T, R> fmt::Debug for Gather<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

#[cfg(test)]
mod tests {
    use super::{Gather, GatherError};

    #[tokio::test]
    async fn requests_that_wait_together_are_worked_on_together() {
        let gather = Gather::start(16, 4, |batch: Vec<u32>| async move {
            let size = batch.len();
            batch.into_iter().map(|n| (n, size)).collect()
        });
        let asks = (0..10).map(|n| gather.ask(n)).collect::<Vec<_>>();
        let results = futures_util::future::join_all(asks).await;
        assert!(results.iter().enumerate().all(|(n, result)| result.unwrap().0 as usize == n));
        assert_eq!(results.iter().map(|result| result.unwrap().1).max(), Some(4));
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_a_panic_costs_one_batch() {
        let gather = Gather::start(1, 1, |batch: Vec<bool>| async move {
            assert!(batch.iter().all(|good| *good), "planned");
            batch
        });
        let asks = futures_util::future::join_all([gather.ask(true), gather.ask(true), gather.ask(true)]).await;
        assert!(asks.contains(&Err(GatherError::Full)));
        assert_eq!(gather.ask(false).await, Err(GatherError::Lost));
        assert_eq!(gather.ask(true).await, Ok(true));
    }
}
