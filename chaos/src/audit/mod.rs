//! The audit of a run: gather what everybody says, then check it against the promises.
//!
//! - [`evidence`]: what was promised to the client, and what the services and the provider's ledger say afterwards.
//! - [`gather`]: reads the evidence over gRPC and HTTP. [`checks`]: pure functions over it. [`report`]: their verdict.

pub mod checks;
pub mod databases;
pub mod evidence;
pub mod gather;
pub mod report;
