//! The engine: one loop that takes whatever waits, decides, commits it together, then sends.
//!
//! | file | what it holds |
//! |---|---|
//! | [`input`] | what can be handed to the engine, and what comes back |
//! | [`saga_cache`] | sagas as this process left them, so that they need not be read again |
//! | [`plan`] | the pure middle: loaded sagas + inputs -> changes + verdicts |
//! | `audit_entry` | what is written down of an operator's action |
//! | [`packer`] | commands packed into messages |
//! | [`committer`] | one batch against the store, with every way it can fail |
//! | [`driver`] | the loop around it, settling what was handed in |
//! | [`under_way`] | how many sagas there are to drive, which admission goes by |
//! | [`sender`] | publishing after the commit, and remembering what was confirmed |
//! | [`handle`] | the bounded queue in front |

mod audit_entry;
pub mod committer;
pub mod driver;
pub mod handle;
pub mod input;
pub mod packer;
pub mod plan;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod saga_cache;
pub mod sender;
pub mod under_way;
