//! Hints inside one process: a bounded broadcast.

use crate::coord::{Coord, Hint};
use async_trait::async_trait;
use tokio::sync::broadcast;

/// Hints a slow receiver may lag behind; beyond that it polls.
const CAPACITY: usize = 4096;

/// Hints between engines of one process.
#[derive(Debug)]
pub struct LocalCoord {
    hints: broadcast::Sender<Hint>,
}

impl LocalCoord {
    /// A coord for one process.
    #[must_use]
    pub fn new() -> Self {
        Self { hints: broadcast::Sender::new(CAPACITY) }
    }
}

impl Default for LocalCoord {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Coord for LocalCoord {
    async fn publish(&self, hints: Vec<Hint>) {
        for hint in hints {
            // No receiver is no failure.
            let _ = self.hints.send(hint);
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}
