//! What a run costs the machine, and what the machine can do at all.

pub mod counters;
pub mod processes;
pub mod raw;
