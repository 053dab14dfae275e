//! What proves Baton; nothing depends on it.
//!
//! [`sim`] runs the whole of Baton in one thread and virtual time, with faults drawn from a seed; its crash matrix tries every
//! crash at every step. [`storm`] runs the real processes under load and faults, [`proxy`] does to their connections what
//! networks do, [`report`] draws what happened. The audits after each are `baton-verify`'s. [`cli`] is the binary `baton-lab`.

pub mod cli;
pub mod proxy;
pub mod report;
pub mod sim;
pub mod storm;
