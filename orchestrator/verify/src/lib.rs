//! The audit: gather what everybody says, then hold it up to the promises.
//!
//! - An [`invariant`] is a promise with the evidence it needs. [`laws`] are the engine's, for any saga; whoever owns a saga
//!   adds its own, and what they look at, as a domain ([`databases::domain`]).
//! - [`evidence`] is what they look at: plain values, [`saga_evidence`] for each saga, whose journal [`story`] replays;
//!   [`history`] and [`logs`] are what clients and processes wrote down, [`memory`] what is stored of what clients asked for.
//! - Sources gather it: [`databases`] read those of an installation, and [`broker`] the broker's own figures; a domain may ask
//!   its services as any client can; the simulator has a source of its own. Each says what it can give, and a promise that
//!   needs more is reported as not checked.
//! - [`tally`] applies invariants and makes the [`report`]; [`verify`] does it to databases, page by page.
//! - [`acts`] judges what operators did, which [`databases::acts`] reads.
//!
//! docs/invariants.md says for each invariant how it is checked, and what is not.

pub mod acts;
pub mod broker;
pub mod coverage;
pub mod databases;
pub mod evidence;
pub mod history;
pub mod invariant;
pub mod laws;
pub mod logs;
pub mod memory;
pub mod own;
pub mod report;
pub mod saga_evidence;
pub mod story;
pub mod tally;
pub mod verify;
