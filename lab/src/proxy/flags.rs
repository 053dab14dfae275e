//! The flags that both directions of a connection see.

use std::sync::atomic::AtomicBool;

/// What the two directions of a connection tell each other.
#[derive(Debug, Default)]
pub(super) struct ConnectionFlags {
    /// Bytes were lost: it cannot go on once the gate opens.
    pub damaged: AtomicBool,
    /// The server's next answer is that to a COMMIT, and must not arrive.
    pub swallow_answer: AtomicBool,
}
