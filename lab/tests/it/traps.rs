//! The traps of the parts below the simulator's seams, on real servers: each law is held up to the naive way of using the
//! part, which must break it, and to Baton's own, which must not.
//!
//! So each of these is a planted defect, and the law the check that notices it: were Baton's adapter replaced by the plain
//! driver, the law would fail as it fails here.

mod broker;
mod database;
