//! The shell around saga-core: engine, stores, workers, gRPC services.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sagas`] | the registry, and what the shell must know of a saga |
//! | [`search`] | which sagas are meant: a filter against rows and records |
//! | [`redact`] | encoded messages as JSON, without what is secret or personal |
//! | [`hold_policy`] | what operators hold, and the pauses that follow from it |
//! | [`engine`] | the loop: load, decide, commit together, send, acknowledge |
//! | [`store`] | the seam to durable state, and its implementations |
//! | [`workers`] | replies in, unconfirmed messages out, due sagas woken |
//! | [`coord`] | hints between processes |
//! | [`notify`] | watchers, metrics and log lines after a commit |
//! | [`api`] | the gRPC services |
//! | [`trace`], [`metrics`] | telemetry |
//! | [`wiring`] | the parts put together |

pub mod api;
pub mod coord;
pub mod engine;
pub mod hold_policy;
pub mod metrics;
pub mod notify;
pub mod operations;
pub mod redact;
pub mod sagas;
pub mod search;
pub mod stats;
pub mod store;
pub mod trace;
pub mod wiring;
pub mod workers;
