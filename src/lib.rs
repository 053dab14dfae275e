//! The `baton` binary as a library, so that its tests can reach what it is made of.
//!
//! - [`cli`]: the command line as types. [`run`]: from the command line to an exit code. [`show`], [`message`], [`output`],
//!   [`progress`]: what is printed.
//! - [`config`]: defaults, file, environment, flags. [`telemetry`], [`admin`],
//!   [`footprint`]: what every process brings up.
//! - [`orchestrator`], [`participant`]: processes. [`embedded`], [`dev`]: all of them in one.
//!   [`linked`]: what is linked in beside the engine. [`wiring`], [`databases`]: from configuration to parts. [`migrate`]: schemas.
//! - [`shop`]: the shop that Baton ships with: its commands, its configuration, the demo.
//!   [`verify`]: the audit of an installation by its databases. [`doctor`]: what is wrong with one, and what to do.
//! - [`sagas`], [`jobs`], [`holds`], [`timeline`], [`dead_letters`], [`audit`], [`installation`], [`kills`],
//!   [`health`]: client commands, gRPC only. [`find`]: the saga that an argument of theirs means.

pub mod admin;
pub mod audit;
pub mod cli;
pub mod client;
pub mod config;
pub mod databases;
pub mod dead_letters;
pub mod dev;
pub mod doctor;
pub mod embedded;
pub mod failure;
pub mod find;
pub mod footprint;
pub mod health;
pub mod holds;
pub mod installation;
pub mod jobs;
pub mod kills;
pub mod linked;
pub mod message;
pub mod migrate;
pub mod operate;
pub mod orchestrator;
pub mod output;
pub mod paging;
pub mod participant;
pub mod progress;
pub mod records;
pub mod run;
pub mod sagas;
pub mod shop;
pub mod show;
pub mod signals;
pub mod telemetry;
pub mod timeline;
pub mod tls;
pub mod verify;
pub mod webhook;
pub mod wiring;
