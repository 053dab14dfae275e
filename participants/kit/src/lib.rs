//! What every participant shares: ledger, tombstones, batches, Probe, server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`participant`] | the seam: commands in batches, answers in batches |
//! | [`single`] | the same seam for one command at a time |
//! | [`worker`] | takes commands from the bus, answers on the bus |
//! | [`batch`] | answers many commands in one transaction |
//! | [`plan`] | what to do with each command, given the ledger: pure |
//! | [`ledger`] | stored answers and tombstones |
//! | [`codec`] | batches on the wire, where one bad item spoils nothing |
//! | [`probe`], [`server`] | gRPC: Probe, health, reflection |
//! | [`errors`], [`reason`], [`page`] | how business services refuse and page |
//! | [`gather`] | group commit for a service's own writes |
//! | [`shop`] | what the shop's services accept |
//! | [`clock`], [`metrics`] | time and numbers |

pub mod batch;
mod carry_out;
pub mod clock;
pub mod codec;
pub mod errors;
pub mod explain;
pub mod gather;
pub mod ledger;
pub mod metrics;
pub mod page;
pub mod participant;
pub mod plan;
pub mod probe;
pub mod reason;
pub mod server;
mod settle;
pub mod shop;
pub mod single;
mod trace;
pub mod worker;
