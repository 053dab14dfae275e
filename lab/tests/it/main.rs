//! The integration tests of `baton-lab`: one binary, so that they link once and share their servers.

mod bad_neighbours;
mod bugs_doc;
mod cli_storm;
mod docs;
mod invariants_doc;
mod matrix;
mod planted;
mod proxy;
mod sim;
mod traps;
