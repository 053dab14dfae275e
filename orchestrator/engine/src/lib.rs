//! The engine: one loop that takes whatever waits, decides, commits it together, then sends. It knows no database, no broker
//! and no port: those are behind the seams [`store`], [`coord`] and `baton_courier::CommandBus`.
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
//! | [`pace`] | how long participants have taken lately to answer |
//! | [`resending`] | when a saga is looked at again, and what is due then |
//! | [`handle`] | the bounded queue in front |
//! | [`sagas`] | the registry, and what the shell must know of a saga |
//! | [`search`] | which sagas are meant: a filter against records |
//! | [`hold_policy`] | what operators hold, and the pauses that follow from it |
//! | [`store`] | the seam to durable state |
//! | [`workers`] | replies in, due sagas woken, commands sent again |
//! | [`coord`] | hints between processes |
//! | [`notify`] | watchers, metrics and log lines after a commit |
//! | [`trace`], [`metrics`], [`stats`] | telemetry |

mod at_once;
mod audit_entry;
pub mod committer;
pub mod coord;
pub mod driver;
pub mod handle;
pub mod hold_policy;
pub mod input;
pub mod metrics;
pub mod notify;
pub mod pace;
pub mod packer;
pub mod plan;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod resending;
pub mod saga_cache;
pub mod sagas;
pub mod search;
pub mod stats;
pub mod store;
pub mod trace;
pub mod under_way;
pub mod workers;
