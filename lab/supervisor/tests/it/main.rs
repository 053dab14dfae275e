//! The integration tests of `baton-supervisor`: one binary, so that they link once and share their servers.

mod chaos;
mod orphans;
mod servers;
mod up;
