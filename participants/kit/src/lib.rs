//! What every participant shares: ledger, tombstones, batches, Probe.
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
//! | [`probe`] | gRPC: what the ledger knows of a command |
//! | [`reason`] | why the kit answers a command without success |
//! | `erased` | a participant without its type, so that all of this is compiled once |
//! | [`clock`], [`ids`], [`metrics`] | time, message ids and numbers |

pub mod batch;
pub mod clock;
pub mod codec;
mod decoded;
mod erased;
mod execute;
pub mod ids;
mod in_hand;
pub mod ledger;
mod malformed;
pub mod metrics;
pub mod participant;
pub mod plan;
pub mod probe;
pub mod reason;
mod reply_publisher;
pub mod single;
mod trace;
mod under_way;
pub mod worker;
