//! The tasks without which sagas stand still: if one of them ends before its time, the process says that it is not ready.

use futures_util::FutureExt as _;
use std::sync::{Arc, OnceLock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Whether those tasks run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CriticalTasks {
    stop: CancellationToken,
    /// Which ended first, before its time.
    ended: Arc<OnceLock<&'static str>>,
    lost: CancellationToken,
}

impl CriticalTasks {
    /// Tasks that are to run until `stop` is cancelled.
    #[must_use]
    pub fn until(stop: CancellationToken) -> Self {
        Self { stop, ended: Arc::default(), lost: CancellationToken::new() }
    }

    /// Runs one of them.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let watch = Watch { name, critical_tasks: self.clone() };
        let watched = async move {
            let _watch = watch;
            work.await;
        };
        tokio::spawn(watched.boxed())
    }

    /// Ok as long as all of them run.
    ///
    /// # Errors
    /// In words, which of them has ended although nobody asked it to. That is for good.
    pub fn check(&self) -> Result<(), String> {
        self.ended.get().map_or(Ok(()), |name| Err(format!("the {name} has ended; the log says why")))
    }

    /// Resolves once one of them has ended before its time. Cancel-safe.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

/// Dropped when its task ends, however that comes about: by itself, by a panic, or aborted.
struct Watch {
    name: &'static str,
    critical_tasks: CriticalTasks,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.critical_tasks.stop.is_cancelled() {
            tracing::error!(task = self.name, "a task that sagas need has ended; this process is not ready any more");
            let _ = self.critical_tasks.ended.set(self.name);
            self.critical_tasks.lost.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_before_its_time_is_told_however_it_ends() {
        let aborted = |critical_tasks: &CriticalTasks| critical_tasks.spawn("engine", std::future::pending()).abort();
        let panics = |critical_tasks: &CriticalTasks| drop(critical_tasks.spawn("engine", async { panic!("planted") }));
        let returns = |critical_tasks: &CriticalTasks| drop(critical_tasks.spawn("engine", async {}));
        for end in [&aborted as &dyn Fn(&CriticalTasks), &panics, &returns] {
            let critical_tasks = CriticalTasks::until(CancellationToken::new());
            let other = critical_tasks.spawn("relay", std::future::pending());
            critical_tasks.check().expect("all run");
            end(&critical_tasks);
            critical_tasks.lost().await;
            assert!(critical_tasks.check().expect_err("one has ended").contains("engine"));
            other.abort();
        }
    }

    #[tokio::test]
    async fn a_task_that_was_asked_to_end_is_no_loss() {
        let stop = CancellationToken::new();
        let critical_tasks = CriticalTasks::until(stop.clone());
        let task = critical_tasks.spawn("relay", stop.clone().cancelled_owned());
        stop.cancel();
        task.await.expect("it ends");
        critical_tasks.check().expect("nobody is missed");
    }
}
