//! What every participant shares: ledger, tombstones, batches, Probe, server.

pub mod participant;
