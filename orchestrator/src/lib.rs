//! An orchestrator, put together: gRPC services, hints over Redis, and the engine, store and operations behind them, each a
//! crate of its own that is found here under one name.
//!
//! | module | what it holds |
//! |---|---|
//! | [`engine`] | the loop: load, decide, commit together, send, acknowledge |
//! | [`store`] | the seam to durable state, and its implementations |
//! | [`operations`] | what operators keep: holds, jobs, dead letters, incidents, the audit |
//! | [`workers`] | what runs beside the engine |
//! | [`sagas`], [`search`], [`hold_policy`] | the registry, which sagas are meant, what is halted |
//! | [`redact`] | encoded messages as JSON, without what is secret or personal |
//! | [`grpc_probe`] | what participants know of a command |
//! | [`coord`], [`notify`] | hints between processes, watchers |
//! | [`trace`], [`metrics`], [`stats`] | telemetry |
//! | [`api`] | the gRPC services |
//! | [`wiring`] | the parts put together |

pub mod api;
pub mod coord;
pub mod grpc_probe;
pub mod redact;
pub mod wiring;

pub use baton_engine as engine;
pub use baton_engine::{hold_policy, metrics, notify, sagas, search, stats, trace};
pub use baton_operations as operations;

/// The seam to durable state and its implementations.
pub mod store {
    pub use baton_engine::store::*;
    pub use baton_store::*;
}

/// What runs beside the engine.
pub mod workers {
    pub use baton_engine::workers::*;
    pub use baton_operations::workers::*;
}
