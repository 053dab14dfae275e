//! Ids of the messages that a worker sends.

use std::sync::Arc;
use uuid::Uuid;

/// Makes message ids.
#[derive(Clone)]
pub struct NewId(pub Arc<dyn Fn() -> Uuid + Send + Sync>);

impl Default for NewId {
    fn default() -> Self {
        Self(Arc::new(Uuid::now_v7))
    }
}

impl std::fmt::Debug for NewId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewId")
    }
}
