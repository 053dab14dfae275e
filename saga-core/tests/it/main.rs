//! The integration tests of `saga-core`: one binary, so that they link once and share their servers.

mod bounds;
mod definitions;
mod exhaust;
mod exhaust_laws;
mod invariants;
mod purity;
mod replay;
mod scripts;
mod table;
mod ui;
mod values;
