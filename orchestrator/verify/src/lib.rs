//! The audit of a run: gather what everybody says, then check it against the promises.
//!
//! Two ways to look, one report:
//!
//! - From outside, as a client can: [`evidence`] is what was promised to the client, and what the services and the
//!   provider's ledger say afterwards; [`gather`] reads it over gRPC and HTTP, [`checks`] are pure functions over it.
//! - From inside, as only the owner of the databases can: [`databases`] reads a [`databases::dossier::Dossier`] for each
//!   saga, [`story`] folds its journal, [`laws`] judge it; [`books`] judge what belongs to no single saga, [`history`] and
//!   [`logs`] are what clients and processes wrote down. [`provider`] fetches
//!   a copy of the provider's ledger, [`broker`] reads the broker's own figures. [`verify`] is the whole of it, [`tally`]
//!   its list of checks. [`acts`] judges what operators did, which [`databases::acts`] reads.
//!
//! docs/invariants.md says for each invariant how it is checked, and what is not.

pub mod acts;
pub mod books;
pub mod broker;
pub mod checks;
pub mod databases;
pub mod evidence;
pub mod gather;
pub mod history;
pub mod laws;
pub mod logs;
pub mod provider;
pub mod report;
pub mod story;
pub mod tally;
pub mod verify;
