//! The keys of commands that batches under way have in hand.
//!
//! Whoever waits for an answer sends its command again. While the first copy is still being worked on, by a provider that takes
//! its time, a second one would cost a transaction and could only wait for the first.

use crate::decoded::DecodedDelivery;
use crate::participant::CommandKey;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys of all batches of one worker. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InHand(Arc<Mutex<HashSet<CommandKey>>>);

/// The keys of one batch, which are let go when this is dropped: also when the batch is.
#[derive(Debug)]
pub(crate) struct Claim {
    all: InHand,
    keys: HashSet<CommandKey>,
}

impl InHand {
    /// Claims the commands of a batch, and takes those out of it that another batch has in hand; returns how many. A key that
    /// comes twice in the batch stays twice.
    pub(crate) fn claim(&self, batch: &mut [DecodedDelivery]) -> (Claim, usize) {
        let mut dropped = 0;
        self.with(|all| {
            for one in &mut *batch {
                let before = one.commands.len();
                one.commands.retain(|command| !all.contains(&command.key));
                dropped += before - one.commands.len();
            }
            let keys =
                batch.iter().flat_map(|one| one.commands.iter().map(|command| command.key)).collect::<HashSet<_>>();
            all.extend(keys.iter().copied());
            (Claim { all: self.clone(), keys }, dropped)
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashSet<CommandKey>) -> T) -> T {
        // A set: a panic elsewhere cannot leave it half-changed.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.all.with(|all| self.keys.iter().for_each(|key| _ = all.remove(key)));
    }
}

impl Claim {
    /// Never lets go: a planted bug.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn keep(mut self) -> Option<Self> {
        self.keys.clear();
        None
    }
}
