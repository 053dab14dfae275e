//! One incarnation of one process: its clock, whether it is dead, and how it sleeps.

use futures_util::FutureExt as _;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Virtual time: microseconds since the simulation began.
pub type Us = u64;

/// Where virtual time begins on the wall, microseconds since the Unix epoch: 15 January 2027.
pub const EPOCH_US: i64 = 1_800_000_000_000_000;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Engine and workers.
    Orchestrator,
    /// A participant, by its place in the cast.
    Participant(usize),
}

/// One incarnation of a process: from its start to its death.
#[derive(Debug)]
pub struct Life {
    /// Which process.
    pub process: usize,
    /// Which of the lives that the run has seen.
    pub number: u64,
    /// What it is.
    pub role: Role,
    base: Us,
    start: OnceLock<Instant>,
    dead: AtomicBool,
    /// Tells the harness that the process has died at a point it was asked about.
    pub died: Notify,
    skew_us: Arc<AtomicI64>,
}

thread_local! {
    /// The life whose turn it is on this thread: shared stores ask it for the time.
    static CURRENT: RefCell<Option<Arc<Life>>> = const { RefCell::new(None) };
}

impl Life {
    /// Life `number` of the run, which begins at `base`. `skew_us` is the process's clock error, which its death does not mend.
    pub fn new(process: usize, number: u64, role: Role, base: Us, skew_us: Arc<AtomicI64>) -> Arc<Self> {
        let (start, dead, died) = (OnceLock::new(), AtomicBool::new(false), Notify::new());
        Arc::new(Self { process, number, role, base, start, dead, died, skew_us })
    }

    /// Called once inside its runtime: from here on its clock runs.
    pub fn begin(&self) {
        let _ = self.start.set(Instant::now());
    }

    /// Virtual time as this process has lived it; only inside its runtime.
    #[must_use]
    pub fn now(&self) -> Us {
        let lived = self.start.get().map_or(0, |start| Instant::now().duration_since(*start).as_micros());
        self.base + u64::try_from(lived).unwrap_or(0)
    }

    /// The instant of a moment of virtual time on this process's own clock.
    #[must_use]
    pub fn instant(&self, at: Us) -> Option<Instant> {
        let start = *self.start.get()?;
        Some(start + std::time::Duration::from_micros(at.saturating_sub(self.base)))
    }

    /// Its wall clock, right or wrong.
    #[must_use]
    pub fn wall_us(&self) -> i64 {
        EPOCH_US + i64::try_from(self.now()).unwrap_or(0) + self.skew_us.load(Ordering::Relaxed)
    }

    /// True once it has died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Dies here: nothing it does from now on has an effect, and whoever awaits this never comes back.
    pub async fn die(&self) {
        self.fall();
        std::future::pending::<()>().await;
    }

    /// Dies where nothing can be awaited: what it still does in this turn has no effect.
    pub fn fall(&self) {
        self.kill();
        self.died.notify_one();
    }

    /// Dies from outside.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Never comes back if the process is dead.
    pub async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Makes this the life whose turn it is.
    pub fn enter(self: &Arc<Self>) {
        CURRENT.with(|current| *current.borrow_mut() = Some(self.clone()));
    }

    /// Nobody's turn.
    pub fn leave() {
        CURRENT.with(|current| *current.borrow_mut() = None);
    }

    /// The time of whoever's turn it is.
    #[must_use]
    pub fn current_now() -> Option<Us> {
        CURRENT.with(|current| current.borrow().as_ref().map(|life| life.now()))
    }
}

/// What is done at the first poll, as everything in memory is.
pub(super) fn at_first_poll<T, E: ToString>(future: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    future.now_or_never().ok_or("a database in memory waits")?.map_err(|error| error.to_string())
}
