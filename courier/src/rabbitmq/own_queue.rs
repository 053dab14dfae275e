//! Where replies to this process go: sagas stay with the orchestrator that has them in memory.

use super::connection::lock;
use crate::topology::OWN_REPLY_PREFIX;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The queue that this process has of its own, once it consumes replies. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnQueue(Arc<Mutex<Option<Arc<str>>>>);

impl OwnQueue {
    /// Its name, for the commands that are sent from now on. If it is gone by the time of the reply, the broker hands that to the
    /// queue that all orchestrators share.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        lock(&self.0).clone()
    }

    /// A name for the queue of a new consumer: one that a broken connection left may be there, and locked, for a while.
    pub(super) fn renamed(&self) -> Arc<str> {
        let name: Arc<str> = format!("{OWN_REPLY_PREFIX}{}", Uuid::new_v4().simple()).into();
        *lock(&self.0) = Some(name.clone());
        name
    }
}
