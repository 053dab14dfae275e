//! Batches under way: one after the other while they are quick, a few beside each other while one of them is slow.

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::pin::pin;
use std::time::Duration;
use tokio::time::sleep;

/// How long the newest batch is waited for before the next one may begin beside it. Many times what a batch takes while
/// everybody answers, so that what comes meanwhile still gathers into one; little beside a step's timeout (5 s), so that
/// one call to a provider that hangs costs the commands behind it little.
const PATIENCE: Duration = Duration::from_millis(250);

/// Batches, in the hands of whoever polls. Dropped, they end where they are.
pub(crate) struct UnderWay<'a> {
    batches: FuturesUnordered<BoxFuture<'a, u64>>,
    /// The number of the newest, from 1.
    newest: u64,
    most: usize,
}

impl<'a> UnderWay<'a> {
    /// None yet, and never more than `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { batches: FuturesUnordered::new(), newest: 0, most }
    }

    /// Begins a batch, and goes on with all of them until the next one may begin: when this one has ended, or after the
    /// patience with it if there are fewer than the most.
    pub(crate) async fn begin(&mut self, batch: impl Future<Output = ()> + Send + 'a) {
        self.newest += 1;
        let number = self.newest;
        self.batches.push(batch.map(move |()| number).boxed());
        let mut patience = pin!(sleep(PATIENCE));
        loop {
            tokio::select! {
                biased;
                ended = self.batches.next() => match ended {
                    Some(older) if older != number => {}
                    Some(_) | None => return,
                },
                () = &mut patience => break,
            }
        }
        while self.batches.len() >= self.most {
            self.batches.next().await;
        }
    }

    /// Goes on with all of them until `event`.
    pub(crate) async fn until<T>(&mut self, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        loop {
            tokio::select! {
                biased;
                happened = &mut event => return happened,
                Some(_) = self.batches.next() => {}
            }
        }
    }

    /// Goes on until the last of them has ended.
    pub(crate) async fn finish(mut self) {
        while self.batches.next().await.is_some() {}
    }
}
