//! The `baton` binary as a library, so that its tests can reach what it is made of.
//!
//! - [`cli`]: the command line as types. [`run`]: from the command line to an exit code.
//! - [`config`]: defaults, file, environment, flags. [`telemetry`], [`admin`]: what every process brings up.
//! - [`demo`]: many orders at once, then the audit.
//! - [`items`], [`orders`], [`sagas`], [`health`]: client commands, gRPC only.

pub mod admin;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod failure;
pub mod health;
pub mod items;
pub mod orders;
pub mod paging;
pub mod records;
pub mod run;
pub mod sagas;
pub mod show;
pub mod telemetry;
pub mod tls;
